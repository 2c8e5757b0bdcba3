/* One device of the list at a time: key and chain are read, vetted as the device's own loader
 * would judge them, doubted aloud where a broker may not like them, and entered. The first that is
 * refused ends the import with the list's line, and none of it stays. */
#define _POSIX_C_SOURCE 200809L
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/name.h"
#include "device/identity.h"
#include "pki/contents.h"
#include "pki/csv.h"
#include "pki/names.h"
#include "pki/vet.h"

#define OWN_DAYS 3650 /* a certificate that nobody is shown */

/* Keys that have come, by eight bytes of their public points: a hash table of twice as many places
   as the list has lines, in which each takes the next free one. */
struct seen {
  uint64_t *place; /* 0: free */
  size_t mask;
};

_Static_assert((int) PKI_CSV_ROLES == PKI_IMPORT_COLUMNS, "a column for each role");

struct import {
  struct pki *pki;
  const struct pki_import *how;
  struct pki_csv csv;
  size_t entered;
  uint32_t next_id;
  struct seen seen;
  struct pki_doubts doubts;
  struct pki_authority own; /* of devices without certificates; its key goes with the import */
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t bundle_size;
};

/* --- Names ------------------------------------------------------------------------------------ */

/* An id in upper case is read as one of lower case, which is what devices say. */
static int name_by_list(const struct import *import, char out[PKI_DEVICE_NAME], struct error *error)
{
  const char *text = pki_csv_cell(&import->csv, PKI_CSV_ID);
  if (name_check(text, error) != 0) return -1;
  strcpy(out, text);
  if (strlen(text) != DEVICE_ID_TEXT - 1 || strspn(text, "0123456789abcdefABCDEF") != strlen(text))
    return 0;
  for (char *c = out; *c != '\0'; c++)
    if (*c >= 'A' && *c <= 'F') *c = (char) (*c - 'A' + 'a');
  return 0;
}

/* Spreadsheets drop leading zeros unless a column is text. Other names need not be the CN. */
static int check_zeros(const struct import *import, const char *name, const X509 *leaf,
                       struct error *error)
{
  char common_name[72];
  size_t digits = strspn(name, "0123456789abcdefABCDEF");
  pki_cert_common_name(X509_get_subject_name(leaf), common_name, sizeof common_name);
  size_t size = strlen(common_name), zeros = size > digits ? size - digits : 0;
  if (import->how->id_from != PKI_ID_FROM_CSV || name[digits] != '\0' || zeros == 0 ||
      strspn(common_name, "0") < zeros || strcmp(common_name + zeros, name) != 0)
    return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "the name '%s' is that of the certificate, '%s', without its leading zeros: "
                   "spreadsheets drop them unless the column is text; or take the name from the "
                   "certificate (--id-from cn)",
                   name, common_name);
}

/* --- Files ------------------------------------------------------------------------------------ */

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

/* What else the list says of the device. */
static int keep_columns(const struct import *import, uint32_t id, struct error *error)
{
  const struct pki_csv *csv = &import->csv;
  int result = 0;
  for (size_t i = 0; i < csv->columns && result == 0; i++) {
    bool file = false;
    for (size_t role = PKI_CSV_KEY; role < PKI_CSV_ROLES; role++)
      file |= csv->column[role] == (int) i;
    if (!file)
      result = pki_names_add_column(pki_registry_names(import->pki->registry), id, csv->name[i],
                                    csv->field[i], error);
  }
  return result;
}

static int encode(STACK_OF(X509) * certificates, uint8_t out[DEVICE_NVM_CERTIFICATE_MAX],
                  size_t *size, const char *path, struct error *error)
{
  X509 *chain[DEVICE_CHAIN_MAX];
  int count = sk_X509_num(certificates);
  if (count > (int) DEVICE_CHAIN_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s: %d certificates, and a device has room for %u: leave the leaf and its "
                     "intermediates",
                     path, count, DEVICE_CHAIN_MAX);
  for (int i = 0; i < count; i++) chain[i] = sk_X509_value(certificates, i);
  if (pki_encode_chain(chain, (size_t) count, out, DEVICE_NVM_CERTIFICATE_MAX, size, error) == 0)
    return 0;
  return error_wrap(error, "%.200s", path);
}

static int begin_seen(struct seen *seen, size_t lines, struct error *error)
{
  size_t places = 2;
  while (places < 2 * lines) places *= 2;
  seen->place = calloc(places, sizeof *seen->place);
  seen->mask = places - 1;
  if (seen->place != NULL) return 0;
  return error_set(error, EXIT_CODE_INTERNAL, "no memory for a list of %zu keys", lines);
}

/* Points are as good as random numbers. */
static bool has_seen(struct seen *seen, const uint8_t point[PKI_KEY_POINT])
{
  uint64_t key;
  memcpy(&key, point + 1, sizeof key);
  key |= 1;
  size_t at = (size_t) (key >> 1) & seen->mask;
  while (seen->place[at] != 0 && seen->place[at] != key) at = (at + 1) & seen->mask;
  bool has = seen->place[at] == key;
  seen->place[at] = key;
  return has;
}

static int doubt_key(struct import *import, const struct pki_newcomer *newcomer, X509 *leaf,
                     const char *where, struct error *error)
{
  uint8_t point[PKI_KEY_POINT];
  if (pki_key_point(newcomer->key, point, error) != 0) return -1;
  if (has_seen(&import->seen, point))
    pki_doubt_note(&import->doubts, PKI_DOUBT_SHARED, leaf, where);
  return 0;
}

/* The name where that is out of the certificate, or else its CN; where it has none that a device's
 * memory can hold, the name. */
static void choose_subject(const struct import *import, const X509 *leaf,
                           struct pki_newcomer *newcomer)
{
  static const enum device_subject kinds[] = {[PKI_ID_FROM_CSV] = DEVICE_SUBJECT_CN,
                                              [PKI_ID_FROM_CN] = DEVICE_SUBJECT_CN,
                                              [PKI_ID_FROM_SERIAL] = DEVICE_SUBJECT_SERIAL_NUMBER,
                                              [PKI_ID_FROM_URI] = DEVICE_SUBJECT_SAN_URI,
                                              [PKI_ID_FROM_DNS] = DEVICE_SUBJECT_SAN_DNS};
  char cn[PKI_DEVICE_NAME + 8];
  newcomer->subject_kind = kinds[import->how->id_from];
  if (newcomer->subject_kind != DEVICE_SUBJECT_CN) return;
  pki_cert_common_name(X509_get_subject_name(leaf), cn, sizeof cn);
  if (device_name_is_good(cn)) strcpy(newcomer->subject, cn);
}

static int enter(struct import *import, struct pki_newcomer *newcomer,
                 STACK_OF(X509) * certificates, const char *path, struct error *error)
{
  uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX];
  char where[FILES_PATH_MAX + 24];
  snprintf(where, sizeof where, "%s:%zu", import->csv.path, import->csv.line);
  leave_root_out(import, certificates, where);
  if (encode(certificates, encoded, &newcomer->chain_size, path, error) != 0) return -1;
  newcomer->chain = encoded;
  if (pki_vet_chain(newcomer, certificates, path, error) != 0) return -1;
  X509 *anchor, *leaf = sk_X509_value(certificates, 0);
  const char *root =
      issuer_of(import->pki, sk_X509_value(certificates, sk_X509_num(certificates) - 1), &anchor);
  if (!import->how->no_certificates) {
    pki_doubt_chain(&import->doubts, certificates, anchor, where);
    pki_doubt_name(&import->doubts, newcomer->name, leaf, where);
  }
  if (doubt_key(import, newcomer, leaf, where, error) != 0) return -1;
  pki_describe_issued(leaf, root, true, &newcomer->row);
  choose_subject(import, leaf, newcomer);
  newcomer->leaf = leaf;
  newcomer->bundle = import->bundle;
  newcomer->bundle_size = import->bundle_size;
  uint32_t page = (uint32_t) (import->pki->device_count + import->entered++);
  int entered = pki_devices_request(newcomer, error);
  if (entered == 0) entered = pki_devices_enter(import->pki, newcomer, page, error);
  OPENSSL_free(newcomer->csr);
  newcomer->csr = NULL;
  if (entered != 0) return -1;
  return keep_columns(import, newcomer->id, error);
}

/* What `wanted` asks for, from the file that a cell names. */
static int read_cell(const struct import *import, enum pki_csv_role role, unsigned wanted,
                     struct pki_contents *out, char path[FILES_PATH_MAX], struct error *error)
{
  const char *name = pki_csv_cell(&import->csv, role);
  if (resolve(import, name, path, error) != 0) return -1;
  if (strchr(name, '\\') != NULL && access(path, F_OK) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "there is no file '%.200s': folders are divided by '/' here, not by '\\'",
                     name);
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

static int import_files(struct import *import, struct pki_newcomer *newcomer,
                        struct pki_contents *files, const char *path, struct error *error)
{
  newcomer->key = files->key;
  if (check_key(files->key, error) != 0 || append_chain(import, files, error) != 0 ||
      pki_order_chain(files->certificates, files->key, path, error) != 0)
    return -1;
  X509 *leaf = sk_X509_value(files->certificates, 0);
  enum pki_id_from from = import->how->id_from;
  if (from != PKI_ID_FROM_CSV && pki_names_from(leaf, from, newcomer->name, error) != 0) return -1;
  if (check_zeros(import, newcomer->name, leaf, error) != 0 ||
      pki_newcomer_take_id(import->pki, newcomer, &import->next_id, error) != 0)
    return -1;
  return enter(import, newcomer, files->certificates, path, error);
}

/* A device's memory has a key and a certificate, shown or not. What was minted is read again, as
   others are. */
static X509 *mint_own(const struct import *import, enum pki_cert_kind kind, const char *name,
                      EVP_PKEY *key, struct error *error)
{
  const struct pki_cert_spec spec = {.kind = kind,
                                     .subject = name,
                                     .key = key,
                                     .issuer = kind == PKI_CERT_CA ? NULL : &import->own,
                                     .not_before = pki_now() - PKI_DAY_S,
                                     .not_after = pki_now() + OWN_DAYS * PKI_DAY_S};
  X509 *minted = pki_cert_mint(&spec, error), *read = NULL;
  uint8_t *der = NULL;
  int size = minted == NULL ? 0 : i2d_X509(minted, &der);
  const uint8_t *at = der;
  if (size > 0) read = d2i_X509(NULL, &at, size);
  OPENSSL_free(der);
  if (minted != NULL && read == NULL) pki_crypto_error(error, "make a certificate");
  X509_free(minted);
  return read;
}

static int begin_own(struct import *import, struct error *error)
{
  if (!import->how->no_certificates) return 0;
  import->own.key = pki_key_generate(error);
  if (import->own.key == NULL) return -1;
  import->own.certificate = mint_own(import, PKI_CERT_CA, "nobody's CA", import->own.key, error);
  return import->own.certificate != NULL ? 0 : -1;
}

static int mint_files(const struct import *import, const char *name, struct pki_contents *out,
                      struct error *error)
{
  out->key = pki_key_generate(error);
  if (out->key == NULL) return -1;
  X509 *leaf = mint_own(import, PKI_CERT_CLIENT, name, out->key, error);
  if (leaf == NULL) return -1;
  out->certificates = sk_X509_new_null();
  if (out->certificates != NULL && sk_X509_push(out->certificates, leaf) > 0) return 0;
  X509_free(leaf);
  return error_set(error, EXIT_CODE_INTERNAL, "no memory for a certificate");
}

static int import_device(struct import *import, struct error *error)
{
  struct pki_newcomer newcomer = {0};
  struct pki_contents files = {0};
  char path[FILES_PATH_MAX];
  if (import->how->id_from == PKI_ID_FROM_CSV && name_by_list(import, newcomer.name, error) != 0)
    return -1;
  int result = 0;
  if (!import->how->no_certificates) {
    if (read_files(import, &files, path, error) != 0) return -1;
  } else {
    snprintf(path, sizeof path, "%s", import->csv.path);
    result = mint_files(import, newcomer.name, &files, error);
  }
  if (result == 0) result = import_files(import, &newcomer, &files, path, error);
  pki_contents_free(&files);
  return result;
}

/* What lacks in a list lacks in every line. */
static int check_columns(const struct import *import, struct error *error)
{
  const int *column = import->csv.column;
  if (import->how->no_certificates && (import->csv.columns == 0 || column[PKI_CSV_ID] < 0))
    return error_set(error, EXIT_CODE_USAGE,
                     "%.200s:%zu: a list without certificates begins with a header that names the "
                     "column 'id': that says what a device is called (--columns id=NAME)",
                     import->csv.path, import->csv.line);
  if (import->how->no_certificates &&
      (column[PKI_CSV_KEY] >= 0 || column[PKI_CSV_CERTIFICATE] >= 0))
    return error_set(error, EXIT_CODE_USAGE,
                     "%.200s:%zu: the list names keys or certificates: leave --no-certificates out",
                     import->csv.path, import->csv.line);
  if (import->how->id_from != PKI_ID_FROM_CSV || import->csv.column[PKI_CSV_ID] >= 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%.200s:%zu: the header names no column 'id': say which it is (--columns "
                   "id=NAME), or take the names from the certificates (--id-from cn)",
                   import->csv.path, import->csv.line);
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
  import->next_id = pki->device_count == 0 ? 1 : pki->devices[pki->device_count - 1].id + 1;
  int result = pki_factory_bundle(pki, &how->trusted, import->bundle, &import->bundle_size, error);
  if (result == 0) result = pki_csv_open(csv, &import->csv, error);
  if (result == 0) {
    result = how->no_certificates ? pki_csv_begin_keyless(&import->csv, how->column, error)
                                  : pki_csv_begin(&import->csv, how->column, error);
    if (result == 0) result = check_columns(import, error);
    if (result == 0) result = begin_seen(&import->seen, pki_csv_lines(&import->csv), error);
    if (result == 0) result = begin_own(import, error);
    if (result == 0) result = import_all(import, error);
    X509_free(import->own.certificate);
    EVP_PKEY_free(import->own.key);
    free(import->seen.place);
    pki_csv_close(&import->csv);
  }
  if (result == 0) pki_doubts_tell(&import->doubts, warn, ctx);
  free(import);
  return result;
}
