/* One device of the list at a time: key and chain are read, vetted as the device's own loader
 * would judge them, doubted aloud where a broker may not like them, and entered. The first that is
 * refused ends the import with the list's line, and none of it stays. */
#define _POSIX_C_SOURCE 200809L
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/identity.h"
#include "pki/contents.h"
#include "pki/csv.h"
#include "pki/vet.h"

_Static_assert((int) PKI_CSV_ROLES == PKI_IMPORT_COLUMNS, "a column for each role");

struct import {
  struct pki *pki;
  const struct pki_import *how;
  struct pki_csv csv;
  size_t entered;
  struct pki_doubts doubts;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t bundle_size;
};

/* Upper case is read as lower case, which is what devices say. */
static int parse_id(const char *text, uint32_t *id, struct error *error)
{
  size_t size = strlen(text), digits = strspn(text, "0123456789abcdefABCDEF");
  if (size == DEVICE_ID_TEXT - 1 && digits == size) {
    *id = (uint32_t) strtoul(text, NULL, 16);
    return 0;
  }
  if (digits == size && size < DEVICE_ID_TEXT - 1)
    return error_set(error, EXIT_CODE_USAGE,
                     "'%.40s' is no device id: eight hex digits are, with their leading zeros "
                     "(spreadsheets drop them unless the column is text)",
                     text);
  return error_set(error, EXIT_CODE_USAGE, "'%.40s' is no device id: eight hex digits are", text);
}

/* A path in the CSV is relative to the CSV. */
static int resolve(const struct import *import, const char *name, char out[FILES_PATH_MAX],
                   struct error *error)
{
  const char *csv = import->csv.path, *slash = strrchr(csv, '/');
  int folder = name[0] == '/' || slash == NULL ? 0 : (int) (slash - csv) + 1;
  if (snprintf(out, FILES_PATH_MAX, "%.*s%s", folder, csv, name) < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", name);
}

/* Name of the fleet's root that the chain's last certificate hangs under, or ""; `anchor` receives
 * which of that root's CAs issued it, or NULL. */
static const char *issuer_of(const struct pki *pki, X509 *last, X509 **anchor)
{
  for (size_t i = 0; i < pki->roots.count; i++) {
    X509 *const all[] = {pki->hierarchy[i].root.certificate, pki->hierarchy[i].devices.certificate};
    for (size_t k = 0; k < 2; k++) {
      *anchor = all[k];
      if (pki_cert_issued(last, all[k])) return pki->roots.name[i];
    }
  }
  *anchor = NULL;
  return "";
}

/* A self-signed root behind a chain is nothing that a broker needs (RFC 8446, 4.4.2): it stays while
   the device has room for it. */
static void leave_root_out(struct import *import, STACK_OF(X509) * chain, const char *where)
{
  size_t size = 1;
  int last = sk_X509_num(chain) - 1;
  for (int i = 0; i <= last; i++) size += 2 + (size_t) i2d_X509(sk_X509_value(chain, i), NULL);
  X509 *root = sk_X509_value(chain, last);
  if ((size <= DEVICE_NVM_CERTIFICATE_MAX && last < (int) DEVICE_CHAIN_MAX) || last == 0 ||
      !pki_cert_is_signed_by(root, root))
    return;
  pki_doubt_note(&import->doubts, PKI_DOUBT_ROOT, root, where);
  X509_free(sk_X509_pop(chain));
}

static int enter(struct import *import, struct pki_newcomer newcomer, STACK_OF(X509) * certificates,
                 const char *path, struct error *error)
{
  X509 *chain[DEVICE_CHAIN_MAX];
  uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX];
  char where[FILES_PATH_MAX + 24];
  snprintf(where, sizeof where, "%s:%zu", import->csv.path, import->csv.line);
  leave_root_out(import, certificates, where);
  int count = sk_X509_num(certificates);
  if (count > (int) DEVICE_CHAIN_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s: %d certificates, and a device has room for %u: leave the leaf and its "
                     "intermediates",
                     path, count, DEVICE_CHAIN_MAX);
  for (int i = 0; i < count; i++) chain[i] = sk_X509_value(certificates, i);
  if (pki_encode_chain(chain, (size_t) count, encoded, sizeof encoded, &newcomer.chain_size,
                       error) != 0)
    return error_wrap(error, "%.200s", path);
  if (pki_vet_chain(newcomer.id, newcomer.key, certificates, encoded, newcomer.chain_size, path,
                    error) != 0)
    return -1;
  X509 *anchor;
  const char *root = issuer_of(import->pki, chain[count - 1], &anchor);
  pki_doubt_chain(&import->doubts, certificates, anchor, where);
  pki_describe_issued(chain[0], root, true, &newcomer.row);
  newcomer.chain = encoded;
  newcomer.bundle = import->bundle;
  newcomer.bundle_size = import->bundle_size;
  uint32_t page = (uint32_t) (import->pki->device_count + import->entered++);
  return pki_devices_enter(import->pki, &newcomer, page, error);
}

/* What `wanted` asks for, from the file that a cell names. */
static int read_cell(const struct import *import, enum pki_csv_role role, unsigned wanted,
                     struct pki_contents *out, char path[FILES_PATH_MAX], struct error *error)
{
  if (resolve(import, pki_csv_cell(&import->csv, role), path, error) != 0) return -1;
  return pki_contents_read(path, wanted, import->how->password, out, error);
}

/* A device's key and certificates, from two files, or from the one that has both. */
static int read_files(const struct import *import, struct pki_contents *out,
                      char path[FILES_PATH_MAX], struct error *error)
{
  bool key = pki_csv_cell(&import->csv, PKI_CSV_KEY)[0] != '\0',
       certificate = pki_csv_cell(&import->csv, PKI_CSV_CERTIFICATE)[0] != '\0';
  struct pki_contents other;
  if (!key && !certificate)
    return error_set(error, EXIT_CODE_USAGE,
                     "neither 'key' nor 'certificate' names a file: one of them holds both, or "
                     "each its own");
  if (!key || !certificate)
    return read_cell(import, key ? PKI_CSV_KEY : PKI_CSV_CERTIFICATE,
                     PKI_WANT_KEY | PKI_WANT_CERTIFICATES, out, path, error);
  if (read_cell(import, PKI_CSV_KEY, PKI_WANT_KEY, &other, path, error) != 0) return -1;
  if (read_cell(import, PKI_CSV_CERTIFICATE, PKI_WANT_CERTIFICATES, out, path, error) != 0) {
    pki_contents_free(&other);
    return -1;
  }
  out->key = other.key;
  other.key = NULL;
  pki_contents_free(&other);
  return 0;
}

/* The certificates of the column 'chain', behind those that there are. */
static int append_chain(const struct import *import, struct pki_contents *to, struct error *error)
{
  char path[FILES_PATH_MAX];
  struct pki_contents more;
  if (pki_csv_cell(&import->csv, PKI_CSV_CHAIN)[0] == '\0') return 0;
  if (read_cell(import, PKI_CSV_CHAIN, PKI_WANT_CERTIFICATES, &more, path, error) != 0) return -1;
  int result = pki_contents_append(to, &more);
  pki_contents_free(&more);
  return result == 0 ? 0 : error_set(error, EXIT_CODE_INTERNAL, "no memory for a chain");
}

static int check_key(const EVP_PKEY *key, struct error *error)
{
  char title[80];
  if (pki_key_is_p256(key)) return 0;
  pki_key_title(key, title, sizeof title);
  return error_set(error, EXIT_CODE_USAGE,
                   "the private key is %s, and devices know P-256 only: leave this device out, or "
                   "make it a P-256 key (openssl ecparam -name prime256v1 -genkey) and have that "
                   "certified",
                   title);
}

static int import_device(struct import *import, struct error *error)
{
  struct pki_newcomer newcomer = {0};
  struct pki_contents files;
  char path[FILES_PATH_MAX];
  const char *id = pki_csv_cell(&import->csv, PKI_CSV_ID);
  if (parse_id(id, &newcomer.id, error) != 0) return -1;
  if (pki_registry_has_device(import->pki->registry, newcomer.id))
    return error_set(error, EXIT_CODE_USAGE,
                     "the device %s is in the fleet already, or twice in this list", id);
  if (read_files(import, &files, path, error) != 0) return -1;
  newcomer.key = files.key;
  int result = check_key(files.key, error);
  if (result == 0) result = append_chain(import, &files, error);
  if (result == 0) result = pki_order_chain(files.certificates, files.key, path, error);
  if (result == 0) result = enter(import, newcomer, files.certificates, path, error);
  pki_contents_free(&files);
  return result;
}

static int import_list(struct import *import, struct error *error)
{
  int more, result = 0;
  while (result == 0 && (more = pki_csv_next(&import->csv, error)) != 0) {
    result = more < 0 ? -1 : import_device(import, error);
    if (result != 0) error_wrap(error, "%.200s:%zu", import->csv.path, import->csv.line);
  }
  if (result == 0 && import->entered == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s names no device; a line is 'id,key path,certificate path'",
                     import->csv.path);
  return result;
}

static int import_all(struct import *import, struct error *error)
{
  struct pki *pki = import->pki;
  if (pki_devices_begin(pki, pki_csv_lines(&import->csv), error) != 0) return -1;
  int result = pki_vet_begin(error);
  if (result == 0) {
    result = import_list(import, error);
    pki_vet_end();
  }
  /* room was made for every line; comments need none */
  if (result == 0) result = pki_nvm_resize(&pki->nvm, pki->device_count + import->entered, error);
  return pki_devices_end(pki, result, error);
}

int pki_import_devices(struct pki *pki, const char *csv, const struct pki_import *how,
                       void (*warn)(void *ctx, const char *sentence), void *ctx,
                       struct error *error)
{
  struct import *import = calloc(1, sizeof *import);
  if (import == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for an import");
  import->pki = pki;
  import->how = how;
  int result = pki_factory_bundle(pki, &how->trusted, import->bundle, &import->bundle_size, error);
  if (result == 0) result = pki_csv_open(csv, &import->csv, error);
  if (result == 0) {
    result = pki_csv_begin(&import->csv, how->column, error);
    if (result == 0) result = import_all(import, error);
    pki_csv_close(&import->csv);
  }
  if (result == 0) pki_doubts_tell(&import->doubts, warn, ctx);
  free(import);
  return result;
}
