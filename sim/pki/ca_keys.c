/* The key that the owner of a root gives with it. It is told by the public keys whose it is: the
 * root's own, or that of the one certificate in its file that the root issued. What such a CA may
 * not issue is refused here, before devices and brokers refuse it. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "internal.h"
#include "pki/contents.h"
#include "pki/vet.h"

#define LEAVE_IT_OUT                                                                               \
  "; give the root's own key, or leave this one out and use files of your own ('present: {chain: " \
  ".., key: ..}', 'reissue: {csv: ..}')"

static int refuse(const struct pki_foreign *foreign, const char *why, struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE, "%s cannot be a key of the root '%s': %s",
                   foreign->key_path, foreign->name, why);
}

static EVP_PKEY *read_key(const struct pki_foreign *foreign, struct error *error)
{
  struct pki_contents contents;
  char title[80], why[160];
  if (pki_contents_read(foreign->key_path, PKI_WANT_KEY, foreign->password, &contents, error) != 0)
    return NULL;
  EVP_PKEY *key = contents.key;
  contents.key = NULL;
  pki_contents_free(&contents);
  if (pki_key_is_p256(key)) return key;
  pki_key_title(key, title, sizeof title);
  snprintf(why, sizeof why, "it is %s, and devices know P-256 only", title);
  refuse(foreign, why, error);
  EVP_PKEY_free(key);
  return NULL;
}

/* The file's certificate of that key; NULL: it has none. The caller frees. */
static X509 *find_certificate(const struct pki_foreign *foreign, const EVP_PKEY *key)
{
  struct pki_contents contents;
  X509 *found = NULL;
  if (pki_contents_read(foreign->key_path, PKI_WANT_CERTIFICATES, foreign->password, &contents,
                        NULL) != 0)
    return NULL;
  for (int i = 0; i < sk_X509_num(contents.certificates) && found == NULL; i++) {
    X509 *one = sk_X509_value(contents.certificates, i);
    EVP_PKEY *public = X509_get0_pubkey(one);
    if (public != NULL && EVP_PKEY_eq(public, key) == 1) found = one;
  }
  if (found != NULL) X509_up_ref(found);
  pki_contents_free(&contents);
  ERR_clear_error();
  return found;
}

/* Why it cannot issue what is needed; NULL: it can. */
static const char *what_is_wrong(X509 *intermediate, X509 *root)
{
  bool limited = (X509_get_extension_flags(intermediate) & EXFLAG_XKUSAGE) != 0;
  unsigned purposes = XKU_SSL_CLIENT | XKU_SSL_SERVER;
  if (!pki_cert_issued(intermediate, root))
    return "the certificate in it is not one that the root itself issued";
  if (X509_check_ca(intermediate) != 1 ||
      (X509_get_key_usage(intermediate) & KU_KEY_CERT_SIGN) == 0)
    return "the certificate in it is no CA that may sign certificates";
  if ((X509_get_key_usage(intermediate) & KU_CRL_SIGN) == 0)
    return "the certificate in it may not sign revocation lists (keyUsage cRLSign)" LEAVE_IT_OUT;
  if (limited && (X509_get_extended_key_usage(intermediate) & purposes) != purposes)
    return "the certificate in it is not for both servers and clients "
           "(extendedKeyUsage)" LEAVE_IT_OUT;
  if (X509_cmp_current_time(X509_get0_notAfter(intermediate)) < 0)
    return "the certificate in it has expired";
  return NULL;
}

static int take_intermediate(const struct pki_foreign *foreign, EVP_PKEY *key,
                             struct pki_hierarchy *out, struct error *error)
{
  X509 *certificate = find_certificate(foreign, key);
  if (certificate == NULL)
    return refuse(foreign,
                  "it is neither the root's own, nor that of a certificate in the same file: put "
                  "the certificate of the intermediate that it belongs to in there, too",
                  error);
  const char *why = what_is_wrong(certificate, out->root.certificate);
  ERR_clear_error();
  if (why != NULL || pki_vet_issuer(certificate, foreign->key_path, error) != 0) {
    X509_free(certificate);
    return why != NULL ? refuse(foreign, why, error) : -1;
  }
  out->devices = (struct pki_authority){certificate, key};
  return 0;
}

static const char *what_is_wrong_with_root(X509 *root)
{
  if (X509_get_pathlen(root) == 0)
    return "the root allows no CA below itself (pathlen 0), where fleetsim would "
           "issue" LEAVE_IT_OUT;
  if ((X509_get_key_usage(root) & KU_CRL_SIGN) == 0)
    return "the root may not sign revocation lists (keyUsage cRLSign)" LEAVE_IT_OUT;
  return NULL;
}

int pki_ca_key_read(const struct pki_foreign *foreign, struct pki_hierarchy *out,
                    struct error *error)
{
  EVP_PKEY *key = read_key(foreign, error);
  if (key == NULL) return -1;
  int result;
  if (EVP_PKEY_eq(X509_get0_pubkey(out->root.certificate), key) == 1) {
    const char *why = what_is_wrong_with_root(out->root.certificate);
    result = why == NULL ? 0 : refuse(foreign, why, error);
    if (result == 0) out->root.key = key;
  } else
    result = take_intermediate(foreign, key, out, error);
  if (result != 0) EVP_PKEY_free(key);
  return result;
}
