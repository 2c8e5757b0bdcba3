/* A list that the user made elsewhere goes out as it is, even if nobody can read it: that may be
 * what is rehearsed. Only a file with a private key in it is refused. Where it can be read and
 * lacks the back office's list, ours is put behind it. */
#define _GNU_SOURCE
#include "pki/crl_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pki/crl.h"

static bool is_list_der(const uint8_t *data, size_t size)
{
  const uint8_t *at = data;
  X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long) size);
  bool whole = crl != NULL;
  X509_CRL_free(crl);
  return whole;
}

#define NO_LIST                                                                                  \
  "; with no list in it mosquitto 2.0 keeps the one before at a reload and does not start, 2.1 " \
  "ends at the reload, and others refuse everybody"

static int refuse_list_text(const char *path, const uint8_t *text, size_t size, struct error *error)
{
  if (pki_crypto_starved())
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for the CRLs of %s", path);
  if (is_list_der(text, size))
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is a CRL in DER, and brokers read PEM: openssl crl -inform DER -in %s "
                     "-out crl.pem" NO_LIST,
                     path, path);
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s begins with a byte order mark: save it as plain text without one" NO_LIST,
                     path);
  return error_set(error, EXIT_CODE_USAGE, "%s does not hold whole CRLs in PEM" NO_LIST, path);
}

/* Of every program's keys: PKCS#8, encrypted ones, RSA's and EC's own forms, OpenSSH's, PGP's. */
static bool has_key_in_pem(const uint8_t *data, size_t size)
{
  static const char begin[] = "-----BEGIN ", key[] = "PRIVATE KEY", putty[] = "PuTTY-User-Key-File";
  if (memmem(data, size, putty, strlen(putty)) != NULL) return true;
  for (const uint8_t *end = data + size, *at = data; at < end; at++) {
    at = memmem(at, (size_t) (end - at), begin, strlen(begin));
    if (at == NULL) return false;
    const uint8_t *line = memchr(at, '\n', (size_t) (end - at));
    if (memmem(at, (size_t) ((line != NULL ? line : end) - at), key, strlen(key)) != NULL)
      return true;
  }
  return false;
}

/* As tools export them beside a certificate: bare, encrypted, or in a PKCS#12 box. */
static bool is_key_in_der(const uint8_t *data, size_t size)
{
  const uint8_t *at = data;
  EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long) size);
  at = data;
  X509_SIG *encrypted = d2i_X509_SIG(NULL, &at, (long) size);
  at = data;
  PKCS12 *box = d2i_PKCS12(NULL, &at, (long) size);
  bool found = key != NULL || encrypted != NULL || box != NULL;
  EVP_PKEY_free(key);
  X509_SIG_free(encrypted);
  PKCS12_free(box);
  ERR_clear_error();
  return found;
}

static int refuse_key(const char *path, const uint8_t *data, size_t size, struct error *error)
{
  if (size == 0 || (!has_key_in_pem(data, size) && !is_key_in_der(data, size))) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s holds a private key: what is published is no secret; give a file that holds "
                   "the CRLs alone",
                   path);
}

int pki_check_crl_secrets(const char *path, struct error *error)
{
  uint8_t *data = NULL;
  size_t size = 0;
  if (files_read(path, PKI_CRL_FILE_MAX, &data, &size, error) != 0) return -1;
  int result = refuse_key(path, data, size, error);
  free(data);
  return result;
}

static bool push_list(STACK_OF(X509_CRL) * crls, X509_CRL *one)
{
  if (sk_X509_CRL_push(crls, one) > 0) return true;
  X509_CRL_free(one);
  return false;
}

int pki_crl_file_read(const char *path, struct pki_crl_file *out, struct error *error)
{
  uint8_t *pem = NULL;
  size_t size = 0;
  *out = (struct pki_crl_file){.path = path};
  if (files_read(path, PKI_CRL_FILE_MAX, &pem, &size, error) != 0) return -1;
  BIO *bio = BIO_new_mem_buf(pem, (int) size);
  X509_CRL *one = NULL;
  out->crls = sk_X509_CRL_new_null();
  bool taken = bio != NULL && out->crls != NULL;
  while (taken && (one = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL)
    taken = push_list(out->crls, one);
  bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  BIO_free(bio);
  int result = 0;
  if (!taken)
    result = error_set(error, EXIT_CODE_INTERNAL, "no memory for the CRLs of %s", path);
  else if (!whole || sk_X509_CRL_num(out->crls) == 0)
    result = refuse_list_text(path, pem, size, error);
  ERR_clear_error();
  free(pem);
  return result;
}

void pki_crl_file_release(struct pki_crl_file *file)
{
  sk_X509_CRL_pop_free(file->crls, X509_CRL_free);
  file->crls = NULL;
}

static bool is_named(const struct pki_crl_file *file, X509 *leaf)
{
  X509_REVOKED *entry = NULL;
  for (int i = 0; i < sk_X509_CRL_num(file->crls); i++) {
    X509_CRL *crl = sk_X509_CRL_value(file->crls, i);
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(leaf)) == 0 &&
        X509_CRL_get0_by_cert(crl, &entry, leaf) == 1 && pki_crl_covers(crl, leaf))
      return true;
  }
  return false;
}

int pki_crls_end(const char *path, int64_t *out, struct error *error)
{
  struct pki_crl_file file;
  int result = pki_crl_file_read(path, &file, error);
  *out = INT64_MAX;
  for (int i = 0; result == 0 && i < sk_X509_CRL_num(file.crls); i++) {
    const ASN1_TIME *to = X509_CRL_get0_nextUpdate(sk_X509_CRL_value(file.crls, i));
    if (to != NULL && pki_cert_unix(to) < *out) *out = pki_cert_unix(to);
  }
  pki_crl_file_release(&file);
  return result;
}

int pki_crls_name(struct pki *pki, const char *path, bool *names, size_t count, struct error *error)
{
  struct pki_crl_file file;
  int result = pki_crl_file_read(path, &file, error);
  for (size_t d = 0; d < count && d < pki->device_count && result == 0; d++) {
    STACK_OF(X509) *chain = pki_device_chain(pki, d, error);
    if (chain == NULL)
      result = -1;
    else
      names[d] = is_named(&file, sk_X509_value(chain, 0));
    sk_X509_pop_free(chain, X509_free);
  }
  pki_crl_file_release(&file);
  return result;
}

struct formers {
  struct pki *pki;
  const struct pki_crl_file *file;
  void (*each)(void *ctx, const struct pki_former *former);
  void *ctx;
};

static bool is_in_force(struct pki *pki, size_t device, const uint8_t *chain, size_t size)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, device));
  return device_nvm_holds(&host, DEVICE_NVM_CERTIFICATE, chain, size) == 1;
}

static void look_at_chain(void *ctx, uint32_t id, const uint8_t *chain, size_t size)
{
  const struct formers *formers = ctx;
  struct pki_former former = {.chain = chain, .size = size};
  if (!pki_find_device(formers->pki, id, &former.device) ||
      is_in_force(formers->pki, former.device, chain, size))
    return;
  STACK_OF(X509) *certificates = pki_decode_chain(chain, size);
  if (certificates != NULL && is_named(formers->file, sk_X509_value(certificates, 0)))
    formers->each(formers->ctx, &former);
  sk_X509_pop_free(certificates, X509_free);
}

int pki_crls_name_former(struct pki *pki, const char *path,
                         void (*each)(void *ctx, const struct pki_former *former), void *ctx,
                         struct error *error)
{
  struct pki_crl_file file;
  struct formers formers = {pki, &file, each, ctx};
  int result = pki_crl_file_read(path, &file, error);
  if (result == 0) result = pki_registry_chains(pki->registry, look_at_chain, &formers, error);
  pki_crl_file_release(&file);
  ERR_clear_error();
  return result;
}

static bool has_office(const struct pki *pki, const struct pki_crl_file *file)
{
  const X509_NAME *office = X509_get_subject_name(pki->back_office.certificate);
  for (int i = 0; i < sk_X509_CRL_num(file->crls); i++)
    if (X509_NAME_cmp(X509_CRL_get_issuer(sk_X509_CRL_value(file->crls, i)), office) == 0)
      return true;
  return false;
}

static int write_both(const uint8_t *theirs, size_t size, const uint8_t *ours, size_t ours_size,
                      const char *path, struct error *error)
{
  uint8_t *both = malloc(size + 1 + ours_size);
  if (both == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for the CRLs of %s", path);
  memcpy(both, theirs, size);
  both[size] = '\n'; /* theirs may end without one */
  memcpy(both + size + 1, ours, ours_size);
  int result = files_write(path, both, size + 1 + ours_size, 0644, error);
  free(both);
  return result;
}

int pki_complete_crls(struct pki *pki, const char *file, const struct pki_crl_times *times,
                      const char *path, struct error *error)
{
  const struct pki_roots none = {.count = 0};
  uint8_t *theirs = NULL, *ours = NULL;
  size_t size = 0, ours_size = 0;
  struct pki_crl_file read;
  bool whole = pki_crl_file_read(file, &read, NULL) == 0 && !has_office(pki, &read);
  pki_crl_file_release(&read);
  int result = files_read(file, PKI_CRL_FILE_MAX, &theirs, &size, error);
  if (result == 0) result = refuse_key(file, theirs, size, error);
  if (result == 0 && !whole)
    result = files_write(path, theirs, size, 0644, error);
  else if (result == 0) {
    result = pki_write_crls(pki, &none, times, 0, path, error);
    if (result == 0) result = files_read(path, PKI_CRL_FILE_MAX, &ours, &ours_size, error);
    if (result == 0) result = write_both(theirs, size, ours, ours_size, path, error);
  }
  free(theirs);
  free(ours);
  return result;
}
