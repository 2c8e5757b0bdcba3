#define _POSIX_C_SOURCE 200809L
#include "internal.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/identity.h"

#define CSV_MAX    ((size_t) 256 << 20)
#define CSV_FIELDS 3

struct import {
  struct pki *pki;
  const char *csv;
  size_t line;
  size_t entered;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t bundle_size;
};

static char *trim(char *text)
{
  text += strspn(text, " \t");
  size_t size = strlen(text);
  while (size > 0 && strchr(" \t\r", text[size - 1]) != NULL) text[--size] = '\0';
  return text;
}

/* Splits at commas; -1 when there are not exactly three fields, each with something in it. */
static int split(char *line, char *field[CSV_FIELDS])
{
  for (size_t i = 0; i < CSV_FIELDS; i++) {
    char *comma = strchr(line, ',');
    if ((comma == NULL) != (i == CSV_FIELDS - 1)) return -1;
    if (comma != NULL) *comma = '\0';
    field[i] = trim(line);
    if (field[i][0] == '\0') return -1;
    if (comma != NULL) line = comma + 1;
  }
  return 0;
}

static int parse_id(const char *text, uint32_t *id, struct error *error)
{
  if (strlen(text) != 8 || strspn(text, "0123456789abcdef") != 8)
    return error_set(error, EXIT_CODE_USAGE, "'%.40s' is no device id: eight lower-case hex digits are", text);
  *id = (uint32_t) strtoul(text, NULL, 16);
  return 0;
}

/* A path in the CSV is relative to the CSV. */
static int resolve(const struct import *import, const char *name, char out[FILES_PATH_MAX], struct error *error)
{
  const char *slash = strrchr(import->csv, '/');
  int folder = name[0] == '/' || slash == NULL ? 0 : (int) (slash - import->csv) + 1;
  if (snprintf(out, FILES_PATH_MAX, "%.*s%s", folder, import->csv, name) < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", name);
}

/* Name of the fleet's root that the chain's last certificate hangs under, or "". */
static const char *issuer_of(const struct pki *pki, X509 *last)
{
  const char *name = "";
  for (size_t i = 0; i < pki->roots.count && name[0] == '\0'; i++) {
    X509 *root = pki->hierarchy[i].root.certificate;
    const struct pki_authority *devices = &pki->hierarchy[i].devices;
    if (X509_check_issued(root, last) == X509_V_OK && X509_verify(last, X509_get0_pubkey(root)) == 1)
      name = pki->roots.name[i];
    else if (devices->certificate != NULL && X509_check_issued(devices->certificate, last) == X509_V_OK &&
             X509_verify(last, X509_get0_pubkey(devices->certificate)) == 1)
      name = pki->roots.name[i];
  }
  ERR_clear_error();
  return name;
}

static int check_leaf(X509 *leaf, EVP_PKEY *key, const char *id, const char *path, struct error *error)
{
  char name[72];
  pki_cert_common_name(X509_get_subject_name(leaf), name, sizeof name);
  if (strcmp(name, id) != 0)
    return error_set(error, EXIT_CODE_USAGE, "the certificate %s is for CN '%s', not for the device id '%s'", path,
                     name, id);
  if (EVP_PKEY_eq(X509_get0_pubkey(leaf), key) == 1) return 0;
  ERR_clear_error();
  return error_set(error, EXIT_CODE_USAGE, "the certificate %s is not for the private key of this line", path);
}

static int enter(struct import *import, struct pki_newcomer newcomer, STACK_OF(X509) * certificates,
                 struct error *error)
{
  X509 *chain[DEVICE_CHAIN_MAX];
  uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX];
  int count = sk_X509_num(certificates);
  assert(count > 0 && count <= (int) DEVICE_CHAIN_MAX);
  for (int i = 0; i < count; i++) chain[i] = sk_X509_value(certificates, i);
  pki_describe_issued(chain[0], issuer_of(import->pki, chain[count - 1]), true, &newcomer.row);
  if (pki_encode_chain(chain, (size_t) count, encoded, sizeof encoded, &newcomer.chain_size, error) != 0) return -1;
  newcomer.chain = encoded;
  newcomer.bundle = import->bundle;
  newcomer.bundle_size = import->bundle_size;
  uint32_t page = (uint32_t) (import->pki->device_count + import->entered++);
  return pki_devices_enter(import->pki, &newcomer, page, error);
}

static int import_device(struct import *import, char *field[CSV_FIELDS], struct error *error)
{
  struct pki_newcomer newcomer = {0};
  char key_path[FILES_PATH_MAX], certificate_path[FILES_PATH_MAX];
  if (parse_id(field[0], &newcomer.id, error) != 0 || resolve(import, field[1], key_path, error) != 0 ||
      resolve(import, field[2], certificate_path, error) != 0)
    return -1;
  if (pki_registry_has_device(import->pki->registry, newcomer.id))
    return error_set(error, EXIT_CODE_USAGE, "the device %s is in the fleet already", field[0]);
  if ((newcomer.key = pki_key_read(key_path, error)) == NULL) return -1;
  STACK_OF(X509) *certificates = pki_cert_read_all(certificate_path, (int) DEVICE_CHAIN_MAX, error);
  int result = certificates == NULL
                   ? -1
                   : check_leaf(sk_X509_value(certificates, 0), newcomer.key, field[0], certificate_path, error);
  if (result == 0) result = enter(import, newcomer, certificates, error);
  sk_X509_pop_free(certificates, X509_free);
  EVP_PKEY_free(newcomer.key);
  return result;
}

static bool is_header(char *field[CSV_FIELDS])
{
  return strcmp(field[0], "id") == 0;
}

/* One line of the file; `line` is taken apart. */
static int import_line(struct import *import, char *line, struct error *error)
{
  char *field[CSV_FIELDS];
  line = trim(line);
  if (line[0] == '\0' || line[0] == '#') return 0;
  int result;
  if (split(line, field) != 0)
    result = error_set(error, EXIT_CODE_USAGE, "a line is 'id,key path,certificate path'");
  else if (is_header(field) && import->entered == 0)
    return 0;
  else
    result = import_device(import, field, error);
  if (result == 0) return 0;
  return error_wrap(error, "%s:%zu", import->csv, import->line);
}

static size_t count_lines(const char *text)
{
  size_t lines = 1;
  for (; *text != '\0'; text++) lines += *text == '\n';
  return lines;
}

static int import_text(struct import *import, char *text, struct error *error)
{
  int result = 0;
  for (char *line = text; line != NULL && result == 0;) {
    char *newline = strchr(line, '\n');
    if (newline != NULL) *newline = '\0';
    import->line++;
    result = import_line(import, line, error);
    line = newline == NULL ? NULL : newline + 1;
  }
  if (result == 0 && import->entered == 0)
    return error_set(error, EXIT_CODE_USAGE, "%s names no device; a line is 'id,key path,certificate path'",
                     import->csv);
  return result;
}

int pki_import_devices(struct pki *pki, const char *csv, const struct pki_roots *trusted, struct error *error)
{
  struct import *import = calloc(1, sizeof *import);
  uint8_t *text = NULL;
  size_t size = 0;
  if (import == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for an import");
  import->pki = pki, import->csv = csv;
  int result = pki_factory_bundle(pki, trusted, import->bundle, &import->bundle_size, error);
  if (result == 0) result = files_read(csv, CSV_MAX, &text, &size, error);
  if (result == 0) result = pki_devices_begin(pki, count_lines((char *) text), error);
  if (result == 0) {
    result = import_text(import, (char *) text, error);
    /* room was made for every line; comments need none */
    if (result == 0) result = pki_nvm_resize(&pki->nvm, pki->device_count + import->entered, error);
    result = pki_devices_end(pki, result, error);
  }
  free(text);
  free(import);
  return result;
}
