/* PEM is taken block by block and DER by what it parses as, so that a refusal can say what the file
 * holds instead of what was looked for. Other blocks (parameters, requests, lists) are passed over.
 * The bytes of a file may be a key's, and are wiped. */
#define _GNU_SOURCE
#include "pki/contents.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "pki/key.h"
#include "pki/unlock.h"

#define FILE_MAX ((size_t) 1 << 20)

struct reader {
  unsigned wanted;
  const struct pki_password *password;
  struct pki_contents *out;
  bool saw_key, saw_certificate; /* wanted or not */
  const char *other;             /* what else there was, or NULL */
};

/* --- What is found ---------------------------------------------------------------------------- */

static int keep_key(void *ctx, EVP_PKEY *key, struct error *error)
{
  struct reader *r = ctx;
  r->saw_key = true;
  if (r->out->key == NULL && (r->wanted & PKI_WANT_KEY) != 0) {
    r->out->key = key;
    return 0;
  }
  EVP_PKEY_free(key);
  if ((r->wanted & PKI_WANT_KEY) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "it holds more than one private key: leave the device's own");
}

static bool holds_already(const STACK_OF(X509) * all, const X509 *certificate)
{
  for (int i = 0; i < sk_X509_num(all); i++)
    if (X509_cmp(sk_X509_value(all, i), certificate) == 0) return true;
  return false;
}

static int keep_certificate(void *ctx, X509 *certificate, struct error *error)
{
  struct reader *r = ctx;
  STACK_OF(X509) *all = r->out->certificates;
  r->saw_certificate = true;
  if ((r->wanted & PKI_WANT_CERTIFICATES) == 0 || holds_already(all, certificate)) {
    X509_free(certificate);
    return 0;
  }
  if (sk_X509_num(all) < PKI_CONTENTS_MAX && sk_X509_push(all, certificate) > 0) return 0;
  bool full = sk_X509_num(all) == PKI_CONTENTS_MAX;
  X509_free(certificate);
  if (!full) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a certificate");
  return error_set(error, EXIT_CODE_USAGE,
                   "it holds more than %d certificates: leave the leaf and its intermediates",
                   PKI_CONTENTS_MAX);
}

static int refuse_object(const char *what, struct error *error)
{
  bool starved = pki_crypto_starved();
  ERR_clear_error();
  if (starved) return error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", what);
  return error_set(error, EXIT_CODE_USAGE, "%s in it is damaged: write the file anew", what);
}

/* --- Keys ------------------------------------------------------------------------------------- */

static int keep_pkcs8(struct reader *r, const uint8_t *data, long size, struct error *error)
{
  const uint8_t *at = data;
  PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, size);
  EVP_PKEY *key = info == NULL ? NULL : EVP_PKCS82PKEY(info);
  PKCS8_PRIV_KEY_INFO_free(info);
  return key == NULL ? refuse_object("a private key", error) : keep_key(r, key, error);
}

static int keep_locked(struct reader *r, const uint8_t *data, long size, struct error *error)
{
  const uint8_t *at = data;
  X509_SIG *locked = d2i_X509_SIG(NULL, &at, size);
  if (locked == NULL) return refuse_object("an encrypted private key", error);
  EVP_PKEY *key = pki_unlock_pkcs8(locked, r->password, error);
  X509_SIG_free(locked);
  return key == NULL ? -1 : keep_key(r, key, error);
}

/* "EC PRIVATE KEY" (SEC 1), "RSA PRIVATE KEY" (PKCS#1) and "DSA PRIVATE KEY". */
static int keep_traditional(struct reader *r, const char *header, uint8_t *data, long size,
                            struct error *error)
{
  bool locked = strstr(header, "ENCRYPTED") != NULL;
  if (locked && pki_unlock_block(header, data, &size, r->password, error) != 0) return -1;
  const uint8_t *at = data;
  EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, size);
  if (key != NULL) return keep_key(r, key, error);
  return refuse_object(
      locked ? "a private key (or the passphrase is another one)" : "a private key", error);
}

/* --- PEM -------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
  size_t size = strlen(text), tail = strlen(end);
  return size >= tail && strcmp(text + size - tail, end) == 0;
}

static int take_private_key(struct reader *r, const char *name, const char *header, uint8_t *data,
                            long size, struct error *error)
{
  r->saw_key = true;
  if ((r->wanted & PKI_WANT_KEY) == 0) return 0;
  if (strcmp(name, PEM_STRING_PKCS8INF) == 0) return keep_pkcs8(r, data, size, error);
  if (strcmp(name, PEM_STRING_PKCS8) == 0) return keep_locked(r, data, size, error);
  if (strcmp(name, "OPENSSH PRIVATE KEY") == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "its key is in OpenSSH's format: write it as PKCS#8: ssh-keygen -p -m PKCS8 "
                     "-f FILE");
  return keep_traditional(r, header, data, size, error);
}

static int take_certificate(struct reader *r, bool with_trust, const uint8_t *data, long size,
                            struct error *error)
{
  const uint8_t *at = data;
  X509 *certificate = with_trust ? d2i_X509_AUX(NULL, &at, size) : d2i_X509(NULL, &at, size);
  if (certificate != NULL && at == data + size) return keep_certificate(r, certificate, error);
  X509_free(certificate);
  return refuse_object("a certificate", error);
}

static int take_block(struct reader *r, const char *name, const char *header, uint8_t *data,
                      long size, struct error *error)
{
  if (ends_with(name, "PRIVATE KEY")) return take_private_key(r, name, header, data, size, error);
  if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0)
    return take_certificate(r, false, data, size, error);
  if (strcmp(name, PEM_STRING_X509_TRUSTED) == 0)
    return take_certificate(r, true, data, size, error);
  if (ends_with(name, "CERTIFICATE REQUEST"))
    r->other = "a signing request";
  else if (strcmp(name, PEM_STRING_PKCS7) == 0 || strcmp(name, "CMS") == 0)
    r->other = "a PKCS#7 bag (openssl pkcs7 -print_certs writes what is in it)";
  else if (strcmp(name, PEM_STRING_PUBLIC) == 0)
    r->other = "a public key";
  else if (r->other == NULL)
    r->other = "PEM of another kind";
  return 0;
}

/* The line at which the reading of `text` stands. */
static size_t line_of(BIO *bio, const char *text, size_t size)
{
  size_t left = (size_t) BIO_ctrl_pending(bio), lines = 1;
  for (size_t i = 0; i + left < size; i++) lines += text[i] == '\n';
  return lines;
}

static int take_pem(struct reader *r, const char *path, const char *text, size_t size,
                    struct error *error)
{
  BIO *bio = BIO_new_mem_buf(text, (int) size);
  if (bio == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", path);
  char *name, *header;
  uint8_t *data;
  long length;
  int result = 0;
  while (result == 0 && PEM_read_bio(bio, &name, &header, &data, &length) == 1) {
    result = take_block(r, name, header, data, length, error);
    if (result != 0) error_wrap(error, "%s", path);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, (size_t) length);
  }
  if (result == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    result = pki_crypto_starved()
                 ? error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", path)
                 : error_set(error, EXIT_CODE_USAGE,
                             "%s:%zu: the PEM that ends here is damaged or cut off: write the "
                             "file anew",
                             path, line_of(bio, text, size));
  BIO_free(bio);
  return result;
}

/* --- DER -------------------------------------------------------------------------------------- */

/* One certificate, or several one behind the other. False: the file is none. */
static bool is_certificates(const uint8_t *data, long size)
{
  const uint8_t *at = data;
  X509 *first = d2i_X509(NULL, &at, size);
  X509_free(first);
  return first != NULL;
}

static int take_certificates(struct reader *r, const uint8_t *data, long size, struct error *error)
{
  const uint8_t *at = data;
  int result = 0;
  while (result == 0 && at < data + size) {
    X509 *one = d2i_X509(NULL, &at, data + size - at);
    result = one == NULL ? refuse_object("a certificate", error) : keep_certificate(r, one, error);
  }
  return result;
}

static int take_box(struct reader *r, const PKCS12 *box, struct error *error)
{
  const struct pki_unlock_to to = {.key = (r->wanted & PKI_WANT_KEY) != 0 ? keep_key : NULL,
                                   .certificate = keep_certificate,
                                   .ctx = r};
  return pki_unlock_pkcs12(box, r->password, &to, error);
}

static bool is_pkcs8(const uint8_t *data, long size)
{
  const uint8_t *at = data;
  PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, size);
  PKCS8_PRIV_KEY_INFO_free(info);
  return info != NULL;
}

static bool is_locked(const uint8_t *data, long size)
{
  const uint8_t *at = data;
  X509_SIG *locked = d2i_X509_SIG(NULL, &at, size);
  X509_SIG_free(locked);
  return locked != NULL;
}

static int take_der(struct reader *r, uint8_t *data, long size, struct error *error)
{
  const uint8_t *at = data;
  if (is_certificates(data, size)) return take_certificates(r, data, size, error);
  PKCS12 *box = d2i_PKCS12(NULL, &at, size);
  if (box != NULL) {
    int result = take_box(r, box, error);
    PKCS12_free(box);
    return result;
  }
  bool pkcs8 = is_pkcs8(data, size), locked = !pkcs8 && is_locked(data, size);
  r->saw_key = pkcs8 || locked;
  r->other = "DER of another kind, or it is damaged";
  if ((r->wanted & PKI_WANT_KEY) == 0) return 0;
  if (pkcs8) return keep_pkcs8(r, data, size, error);
  if (locked) return keep_locked(r, data, size, error);
  at = data;
  EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, size);
  return key == NULL ? 0 : keep_key(r, key, error);
}

/* --- A file ----------------------------------------------------------------------------------- */

static int refuse_missing(const struct reader *r, const char *path, struct error *error)
{
  bool key = (r->wanted & PKI_WANT_KEY) != 0 && r->out->key == NULL;
  const char *instead = r->saw_certificate && key ? "; it holds a certificate"
                        : r->saw_key && !key      ? "; it holds a private key"
                        : r->other != NULL        ? "; it holds "
                                                  : "";
  return error_set(error, EXIT_CODE_USAGE, "%s holds no %s, in PEM or in DER%s%s", path,
                   key ? "private key" : "certificate", instead,
                   instead[0] != '\0' && ends_with(instead, " ") ? r->other : "");
}

static int check_found(const struct reader *r, const char *path, struct error *error)
{
  bool key = (r->wanted & PKI_WANT_KEY) == 0 || r->out->key != NULL;
  bool certificate =
      (r->wanted & PKI_WANT_CERTIFICATES) == 0 || sk_X509_num(r->out->certificates) > 0;
  return key && certificate ? 0 : refuse_missing(r, path, error);
}

static int take_file(struct reader *r, const char *path, uint8_t *data, size_t size,
                     struct error *error)
{
  bool marked = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
  size_t from = marked ? 3 : 0;
  int result = 0;
  if (memmem(data, size, "-----BEGIN ", 11) != NULL)
    result = take_pem(r, path, (const char *) data + from, size - from, error);
  else if (size > 0 && data[0] == 0x30 && (result = take_der(r, data, (long) size, error)) != 0)
    error_wrap(error, "%s", path);
  return result == 0 ? check_found(r, path, error) : -1;
}

int pki_contents_read(const char *path, unsigned wanted, const struct pki_password *password,
                      struct pki_contents *out, struct error *error)
{
  uint8_t *data = NULL;
  size_t size = 0;
  if (files_read(path, FILE_MAX, &data, &size, error) != 0) return -1;
  *out = (struct pki_contents){.certificates = sk_X509_new_null()};
  struct reader reader = {.wanted = wanted, .password = password, .out = out};
  ERR_clear_error();
  int result = out->certificates == NULL
                   ? error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", path)
                   : take_file(&reader, path, data, size, error);
  ERR_clear_error();
  OPENSSL_cleanse(data, size);
  free(data);
  if (result != 0) pki_contents_free(out);
  return result;
}

int pki_contents_append(struct pki_contents *to, const struct pki_contents *more)
{
  for (int i = 0; i < sk_X509_num(more->certificates); i++) {
    X509 *one = sk_X509_value(more->certificates, i);
    if (holds_already(to->certificates, one)) continue;
    if (sk_X509_push(to->certificates, one) <= 0) return -1;
    X509_up_ref(one);
  }
  return 0;
}

void pki_contents_free(struct pki_contents *contents)
{
  EVP_PKEY_free(contents->key);
  sk_X509_pop_free(contents->certificates, X509_free);
  *contents = (struct pki_contents){0};
}
