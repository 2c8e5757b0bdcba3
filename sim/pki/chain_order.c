/* A chain as TLS sends it: the certificate of the key first, and behind each the one that issued
 * it. Files have them in any order; what has no place in the line is refused rather than sent. */
#include <openssl/err.h>

#include "pki/vet.h"

static int find_leaf(const STACK_OF(X509) * all, const EVP_PKEY *key)
{
  for (int i = 0; i < sk_X509_num(all); i++) {
    EVP_PKEY *public = X509_get0_pubkey(sk_X509_value(all, i));
    if (public != NULL && EVP_PKEY_eq(public, key) == 1) return i;
  }
  return -1;
}

static X509 *take_issuer(STACK_OF(X509) * rest, X509 *subject)
{
  for (int i = 0; i < sk_X509_num(rest); i++)
    if (pki_cert_is_signed_by(subject, sk_X509_value(rest, i))) return sk_X509_delete(rest, i);
  return NULL;
}

static int refuse_stray(STACK_OF(X509) * line, X509 *stray, const char *path, struct error *error)
{
  char stray_title[PKI_CERT_TITLE], last[PKI_CERT_TITLE];
  pki_cert_title(X509_get_subject_name(stray), stray_title);
  pki_cert_title(X509_get_subject_name(sk_X509_value(line, sk_X509_num(line) - 1)), last);
  return error_set(error, EXIT_CODE_USAGE,
                   "%s: the certificates are no chain: '%s' did not issue '%s', the last that "
                   "there is an issuer for; take out what does not belong to the device, or add "
                   "what is between the two",
                   path, stray_title, last);
}

int pki_order_chain(STACK_OF(X509) * all, const EVP_PKEY *key, const char *path,
                    struct error *error)
{
  int leaf = find_leaf(all, key);
  ERR_clear_error();
  if (leaf < 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the certificate %s is not for the private key that belongs to it", path);
  STACK_OF(X509) *rest = sk_X509_dup(all);
  if (rest == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a chain");
  sk_X509_zero(all);
  X509 *next = sk_X509_delete(rest, leaf);
  do sk_X509_push(all, next); /* it held as many before */
  while ((next = take_issuer(rest, next)) != NULL);
  int result = sk_X509_num(rest) == 0 ? 0 : refuse_stray(all, sk_X509_value(rest, 0), path, error);
  sk_X509_pop_free(rest, X509_free);
  return result;
}
