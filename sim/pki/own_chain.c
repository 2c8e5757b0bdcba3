/* A chain that the owner of a broker brings: read in any form, put in the order in which TLS sends
 * it, and judged as devices will judge it: what they can load, under which root it is by its
 * signatures, for which names, until when. Nothing is believed that the scenario says of it. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pki/contents.h"
#include "pki/password.h"
#include "pki/vet.h"

/* What the files hold: the leaf first, and its key; NULL: the broker has it. */
struct own {
  STACK_OF(X509) * certificates;
  EVP_PKEY *key;
};

static void release_own(struct own *own)
{
  sk_X509_pop_free(own->certificates, X509_free);
  EVP_PKEY_free(own->key);
}

static int read_own_key(const struct pki_chain *chain, struct own *out, struct error *error)
{
  struct pki_contents contents;
  struct pki_password password = {.given = false};
  bool locked = chain->password[0] != '\0';
  if (locked && pki_password_read(chain->password, &password, error) != 0) return -1;
  int result =
      pki_contents_read(chain->own_key, PKI_WANT_KEY, locked ? &password : NULL, &contents, error);
  pki_password_wipe(&password);
  if (result != 0) return -1;
  out->key = contents.key;
  contents.key = NULL;
  pki_contents_free(&contents);
  return 0;
}

/* Where no key says which is the leaf: the first that is no CA. */
static X509 *find_leaf_alone(const STACK_OF(X509) * all)
{
  for (int i = 0; i < sk_X509_num(all); i++)
    if (X509_check_ca(sk_X509_value(all, i)) == 0) return sk_X509_value(all, i);
  return NULL;
}

static bool is_for_key(const STACK_OF(X509) * all, const EVP_PKEY *key)
{
  bool found = false;
  for (int i = 0; i < sk_X509_num(all); i++) {
    EVP_PKEY *public = X509_get0_pubkey(sk_X509_value(all, i));
    found |= public != NULL && EVP_PKEY_eq(public, key) == 1;
  }
  ERR_clear_error();
  return found;
}

static int order_own(const struct pki_chain *chain, struct own *own, struct error *error)
{
  X509 *leaf = find_leaf_alone(own->certificates);
  if (own->key != NULL && !is_for_key(own->certificates, own->key))
    return error_set(error, EXIT_CODE_USAGE, "%s is not the key of a certificate in %s",
                     chain->own_key, chain->own);
  if (own->key == NULL && leaf == NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds CA certificates only: the broker's own is missing", chain->own);
  const EVP_PKEY *key = own->key != NULL ? own->key : X509_get0_pubkey(leaf);
  if (key == NULL) {
    ERR_clear_error();
    return error_set(error, EXIT_CODE_USAGE, "%s: the broker's certificate has a key that is none",
                     chain->own);
  }
  return pki_order_chain(own->certificates, key, chain->own, error);
}

static int read_own(const struct pki_chain *chain, struct own *out, struct error *error)
{
  struct pki_contents contents;
  *out = (struct own){0};
  if (pki_contents_read(chain->own, PKI_WANT_CERTIFICATES, NULL, &contents, error) != 0) return -1;
  out->certificates = contents.certificates;
  contents.certificates = NULL;
  pki_contents_free(&contents);
  int result = chain->own_key[0] == '\0' ? 0 : read_own_key(chain, out, error);
  if (result == 0) result = order_own(chain, out, error);
  if (result != 0) release_own(out);
  return result;
}

/* --- What devices will say of it -------------------------------------------------------------- */

static int check_own_root(const struct pki *pki, const struct pki_chain *chain,
                          const struct own *own, struct error *error)
{
  char others[PKI_ROOTS_MAX * (PKI_NAME_MAX + 2)] = "", last[PKI_CERT_TITLE];
  unsigned under = pki_roots_above(pki, own->certificates);
  for (size_t r = 0; r < pki->roots.count; r++) {
    if ((under >> r & 1u) == 0) continue;
    if (strcmp(pki->roots.name[r], chain->root) == 0) return 0;
    snprintf(others + strlen(others), sizeof others - strlen(others), "%s%s",
             others[0] == '\0' ? "" : ", ", pki->roots.name[r]);
  }
  if (others[0] != '\0')
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is not under root '%s': by its signatures it leads to %s", chain->own,
                     chain->root, others);
  X509 *end = sk_X509_value(own->certificates, sk_X509_num(own->certificates) - 1);
  pki_cert_title(X509_get_issuer_name(end), last);
  return error_set(error, EXIT_CODE_USAGE,
                   "%s leads to none of the fleet's roots, for the last certificate in it was "
                   "issued by '%s': add the intermediate, or take a chain under root '%s'",
                   chain->own, last, chain->root);
}

static bool names_host(X509 *leaf, const char *host)
{
  ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
  bool is_address = address != NULL;
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return is_address
             ? X509_check_ip_asc(leaf, host, 0) == 1
             : X509_check_host(leaf, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static int check_own_names(const struct pki_chain *chain, X509 *leaf, struct error *error)
{
  const char *missing = names_host(leaf, chain->host) ? NULL : chain->host;
  for (size_t i = 0; chain->also[i] != NULL && missing == NULL; i++)
    if (!names_host(leaf, chain->also[i])) missing = chain->also[i];
  if (missing == NULL) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "the certificate in %s is not for '%s' (subjectAltName), where devices connect "
                   "to: they would refuse it (connect.tls.name_mismatch)",
                   chain->own, missing);
}

static int check_own_purpose(const struct pki_chain *chain, X509 *leaf, struct error *error)
{
  bool limited = (X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0;
  if (!limited || (X509_get_extended_key_usage(leaf) & (XKU_SSL_SERVER | XKU_ANYEKU)) != 0)
    return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "the certificate in %s is not for servers (extendedKeyUsage): devices would "
                   "refuse it",
                   chain->own);
}

/* What has run out on purpose is said to have, and then must have. */
static int check_own_dates(const struct pki_chain *chain, const struct own *own,
                           struct error *error)
{
  int count = sk_X509_num(own->certificates);
  for (int i = 0; i < count; i++) {
    X509 *one = sk_X509_value(own->certificates, i);
    bool expired = X509_cmp_current_time(
             X509_get0_notAfter(one))<0, early = X509_cmp_current_time(X509_get0_notBefore(one))> 0,
         meant = i == 0 && chain->leaf_expired;
    char title[PKI_CERT_TITLE];
    if (expired == meant && !early) continue;
    pki_cert_title(X509_get_subject_name(one), title);
    return error_set(error, EXIT_CODE_USAGE, "%s: the certificate of '%s' %s", chain->own, title,
                     early     ? "is not valid yet: devices would refuse it"
                     : expired ? i == 0 ? "has expired: devices would refuse it; 'leaf-expired: "
                                          "yes' says that they should"
                                        : "has expired: devices would refuse it"
                               : "has not expired: leave 'leaf-expired' out");
  }
  return 0;
}

static int check_own(const struct pki *pki, const struct pki_chain *chain, const struct own *own,
                     struct error *error)
{
  X509 *leaf = sk_X509_value(own->certificates, 0);
  if (pki != NULL && check_own_root(pki, chain, own, error) != 0) return -1;
  if (check_own_names(chain, leaf, error) != 0 || check_own_purpose(chain, leaf, error) != 0)
    return -1;
  return check_own_dates(chain, own, error);
}

int pki_check_own_chain(const struct pki *pki, const struct pki_chain *chain, struct error *error)
{
  struct own own;
  if (read_own(chain, &own, error) != 0) return -1;
  int result = pki_vet_begin(error);
  if (result == 0) {
    result = pki_vet_served(own.certificates, chain->own, error);
    pki_vet_end();
  }
  if (result == 0) result = check_own(pki, chain, &own, error);
  release_own(&own);
  ERR_clear_error();
  return result;
}

/* --- Into the files that a broker reads ------------------------------------------------------- */

/* A key that was there before is of another chain. */
static int write_own_key(EVP_PKEY *key, const char *path, struct error *error)
{
  if (key != NULL) return pki_key_replace(path, key, error);
  if (unlink(path) == 0 || errno == ENOENT) return 0;
  return error_set(error, EXIT_CODE_SETUP, "cannot remove %s: %s", path, strerror(errno));
}

int pki_write_own_chain(const struct pki *pki, const struct pki_chain *chain,
                        const char *certificate_path, const char *key_path,
                        struct chain_prints *wanted, struct error *error)
{
  struct own own;
  X509 *certificates[PKI_CONTENTS_MAX];
  if (read_own(chain, &own, error) != 0) return -1;
  int result = check_own(pki, chain, &own, error), count = sk_X509_num(own.certificates);
  for (int i = 0; i < count; i++) certificates[i] = sk_X509_value(own.certificates, i);
  if (result == 0) result = pki_chain_wanted(certificates, (size_t) count, wanted, error);
  if (result == 0) result = write_own_key(own.key, key_path, error);
  if (result == 0) result = pki_cert_write(certificate_path, certificates, (size_t) count, error);
  release_own(&own);
  ERR_clear_error();
  return result;
}
