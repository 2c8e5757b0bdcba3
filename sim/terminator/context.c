/* Leaf, key, CA file and CRLs are read and checked aside, then put into the SSL_CTX that goes on
 * living, which is the hole that this terminator is here for: its ticket keys stay. A file that
 * cannot be used is named, and what was in force stays. */
#include "terminator/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "terminator/terminator.h"

#define CRLS_MAX 64u

static int fail_openssl(const char *file, const char *what, struct error *error)
{
  char reason[200];
  unsigned long code = ERR_peek_last_error();
  ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  return error_set(error, EXIT_CODE_SETUP, "%s cannot be used as %s: %s", file, what,
                   code != 0 ? reason : "there is nothing of that kind in it");
}

static int add_crls(X509_STORE *store, unsigned *count, struct error *error)
{
  BIO *file = BIO_new_file("crl.pem", "r");
  X509_CRL *crl = NULL;
  bool good = file != NULL;
  *count = 0;
  while (good && (crl = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL)) != NULL) {
    good = ++*count <= CRLS_MAX && X509_STORE_add_crl(store, crl) == 1;
    X509_CRL_free(crl);
  }
  BIO_free(file);
  if (good && *count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
    ERR_clear_error(); /* that is how PEM says that the file is at its end */
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return 0;
  }
  return fail_openssl("crl.pem", "a file of CRLs", error);
}

/* The store is put together aside and then given to the living context. To add a CRL to the store
 * in use comes to the same, but for two of one issuer from the same second: OpenSSL 3.0 then goes
 * on by the first. */
static X509_STORE *make_store(bool crl, unsigned *crls, struct error *error)
{
  X509_STORE *store = X509_STORE_new();
  int status = store != NULL ? 0 : error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  if (status == 0 && X509_STORE_load_file(store, "clients.crt") != 1)
    status = fail_openssl("clients.crt", "a CA file", error);
  if (status == 0 && crl) status = add_crls(store, crls, error);
  if (status == 0) return store;
  X509_STORE_free(store);
  return NULL;
}

static int load_chain(SSL_CTX *context, const char *certificate, const char *key_file,
                      struct error *error)
{
  BIO *file = BIO_new_file(certificate, "r"), *secret = BIO_new_file(key_file, "r");
  X509 *leaf = file != NULL ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL, *above = NULL;
  EVP_PKEY *key = secret != NULL ? PEM_read_bio_PrivateKey(secret, NULL, NULL, NULL) : NULL;
  STACK_OF(X509) *chain = sk_X509_new_null();
  while (leaf != NULL && (above = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL)
    if (chain == NULL || sk_X509_push(chain, above) == 0) X509_free(above);
  int status = 0;
  if (leaf != NULL) ERR_clear_error(); /* the end of the file */
  if (leaf == NULL)
    status = fail_openssl(certificate, "a certificate chain", error);
  else if (key == NULL || X509_check_private_key(leaf, key) != 1)
    status = fail_openssl(key_file, "the chain's key", error);
  else if (SSL_CTX_use_cert_and_key(context, leaf, key, chain, 1) != 1)
    status = fail_openssl(certificate, "a certificate chain", error);
  sk_X509_pop_free(chain, X509_free);
  EVP_PKEY_free(key);
  X509_free(leaf);
  BIO_free(secret);
  BIO_free(file);
  return status;
}

int context_load(SSL_CTX *context, const char *stem, const char *keys, bool crl, unsigned *crls,
                 struct error *error)
{
  char certificate[32], key[FILES_PATH_MAX], name[32];
  snprintf(certificate, sizeof certificate, "%s.crt", stem);
  snprintf(name, sizeof name, "%s.key", stem);
  *crls = 0;
  if (files_join(key, keys, name, error) != 0) return -1;
  X509_STORE *store = make_store(crl, crls, error);
  if (store == NULL) return -1;
  if (load_chain(context, certificate, key, error) != 0) {
    X509_STORE_free(store);
    return -1;
  }
  SSL_CTX_set_cert_store(context, store);
  return 0;
}

/* No file is no error. */
static int share_tickets(SSL_CTX *context, const char *keys, struct error *error)
{
  uint8_t secret[TERMINATOR_KEYS_SIZE + 1];
  char path[FILES_PATH_MAX];
  if (files_join(path, keys, "tickets.key", error) != 0) return -1;
  FILE *file = fopen(path, "rbe");
  if (file == NULL) return 0;
  size_t size = fread(secret, 1, sizeof secret, file);
  fclose(file);
  bool good = size == TERMINATOR_KEYS_SIZE &&
              SSL_CTX_set_tlsext_ticket_keys(context, secret, (int) size) == 1;
  OPENSSL_cleanse(secret, sizeof secret);
  return good ? 0 : fail_openssl("tickets.key", "keys of session tickets", error);
}

SSL_CTX *context_make(const char *stem, const char *keys, uint8_t tls_min, struct error *error)
{
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL ||
      SSL_CTX_set_min_proto_version(context, tls_min == 12 ? TLS1_2_VERSION : TLS1_3_VERSION) !=
          1 ||
      SSL_CTX_set_session_id_context(context, (const unsigned char *) stem,
                                     (unsigned) strlen(stem)) != 1) {
    SSL_CTX_free(context);
    error_set(error, EXIT_CODE_INTERNAL, "OpenSSL cannot make a context for TLS");
    return NULL;
  }
  if (share_tickets(context, keys, error) != 0) {
    SSL_CTX_free(context);
    return NULL;
  }
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  return context;
}
