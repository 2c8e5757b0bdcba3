/* One device of the list at a time: key and chain are read, vetted as the device's own loader
 * would judge them, doubted aloud where a broker may not like them, and entered. The first that is
 * refused ends the import with the list's line, and none of it stays. */
#define _POSIX_C_SOURCE 200809L
#include "internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "device/identity.h"
#include "pki/csv.h"
#include "pki/vet.h"

struct import {
  struct pki *pki;
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

static int enter(struct import *import, struct pki_newcomer newcomer, STACK_OF(X509) * certificates,
                 const char *path, struct error *error)
{
  X509 *chain[DEVICE_CHAIN_MAX];
  uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX];
  char where[FILES_PATH_MAX + 24];
  int count = sk_X509_num(certificates);
  assert(count > 0 && count <= (int) DEVICE_CHAIN_MAX);
  for (int i = 0; i < count; i++) chain[i] = sk_X509_value(certificates, i);
  if (pki_encode_chain(chain, (size_t) count, encoded, sizeof encoded, &newcomer.chain_size,
                       error) != 0)
    return error_wrap(error, "%.200s", path);
  if (pki_vet_chain(newcomer.id, newcomer.key, certificates, encoded, newcomer.chain_size, path,
                    error) != 0)
    return -1;
  X509 *anchor;
  const char *root = issuer_of(import->pki, chain[count - 1], &anchor);
  snprintf(where, sizeof where, "%s:%zu", import->csv.path, import->csv.line);
  pki_doubt_chain(&import->doubts, certificates, anchor, where);
  pki_describe_issued(chain[0], root, true, &newcomer.row);
  newcomer.chain = encoded;
  newcomer.bundle = import->bundle;
  newcomer.bundle_size = import->bundle_size;
  uint32_t page = (uint32_t) (import->pki->device_count + import->entered++);
  return pki_devices_enter(import->pki, &newcomer, page, error);
}

static int import_device(struct import *import, char *field[PKI_CSV_FIELDS], struct error *error)
{
  struct pki_newcomer newcomer = {0};
  char key_path[FILES_PATH_MAX], certificate_path[FILES_PATH_MAX];
  if (parse_id(field[0], &newcomer.id, error) != 0 ||
      resolve(import, field[1], key_path, error) != 0 ||
      resolve(import, field[2], certificate_path, error) != 0)
    return -1;
  if (pki_registry_has_device(import->pki->registry, newcomer.id))
    return error_set(error, EXIT_CODE_USAGE,
                     "the device %s is in the fleet already, or twice in this list", field[0]);
  if ((newcomer.key = pki_key_read(key_path, error)) == NULL) return -1;
  STACK_OF(X509) *certificates = pki_cert_read_all(certificate_path, (int) DEVICE_CHAIN_MAX, error);
  int result =
      certificates == NULL ? -1 : enter(import, newcomer, certificates, certificate_path, error);
  sk_X509_pop_free(certificates, X509_free);
  EVP_PKEY_free(newcomer.key);
  return result;
}

static bool is_header(char *field[PKI_CSV_FIELDS])
{
  return strcasecmp(field[0], "id") == 0;
}

static int import_list(struct import *import, struct error *error)
{
  char *field[PKI_CSV_FIELDS];
  int more, result = 0;
  while (result == 0 && (more = pki_csv_next(&import->csv, field, error)) != 0) {
    result = more < 0                                   ? -1
             : is_header(field) && import->entered == 0 ? 0
                                                        : import_device(import, field, error);
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

int pki_import_devices(struct pki *pki, const char *csv, const struct pki_roots *trusted,
                       void (*warn)(void *ctx, const char *sentence), void *ctx,
                       struct error *error)
{
  struct import *import = calloc(1, sizeof *import);
  if (import == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for an import");
  import->pki = pki;
  int result = pki_factory_bundle(pki, trusted, import->bundle, &import->bundle_size, error);
  if (result == 0) result = pki_csv_open(csv, &import->csv, error);
  if (result == 0) {
    result = import_all(import, error);
    pki_csv_close(&import->csv);
  }
  if (result == 0) pki_doubts_tell(&import->doubts, warn, ctx);
  free(import);
  return result;
}
