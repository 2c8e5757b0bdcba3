/* The CAs of a root by name, as lists and revocations know them; and which of those whose keys are
 * here issued a certificate, told by its signature: only they can revoke it. */
#include "pki/authority.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

bool pki_hierarchy_is_shared(const struct pki_hierarchy *hierarchy)
{
  return hierarchy->devices.certificate != NULL &&
         hierarchy->devices.certificate == hierarchy->brokers.certificate;
}

const struct pki_authority *pki_authority_of(const struct pki_hierarchy *root,
                                             enum pki_crl_issuer issuer)
{
  if (issuer == PKI_CRL_ROOT) return &root->root;
  return issuer == PKI_CRL_BROKERS ? &root->brokers : &root->devices;
}

void pki_authority_name(const struct pki_hierarchy *hierarchy, const char *root,
                        enum pki_crl_issuer issuer, char out[PKI_AUTHORITY_NAME])
{
  const char *const endings[] = {
      [PKI_CRL_ROOT] = "", [PKI_CRL_BROKERS] = "-brokers", [PKI_CRL_DEVICES] = "-devices"};
  if (issuer == PKI_CRL_BROKERS && pki_hierarchy_is_shared(hierarchy)) issuer = PKI_CRL_DEVICES;
  snprintf(out, PKI_AUTHORITY_NAME, "%.*s%s", PKI_NAME_MAX - 1, root, endings[issuer]);
}

bool pki_authority_that_issued(const struct pki *pki, X509 *certificate,
                               char out[PKI_AUTHORITY_NAME])
{
  static const enum pki_crl_issuer all[] = {PKI_CRL_ROOT, PKI_CRL_DEVICES};
  for (size_t r = 0; r < pki->roots.count; r++)
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
      const struct pki_authority *authority = pki_authority_of(&pki->hierarchy[r], all[i]);
      if (authority->key == NULL || !pki_cert_issued(certificate, authority->certificate)) continue;
      pki_authority_name(&pki->hierarchy[r], pki->roots.name[r], all[i], out);
      return true;
    }
  return false;
}

/* By names and identifiers: to follow the signatures of a whole fleet would take its time. */
static bool is_issued_here(const struct pki *pki, const struct pki_roots *roots, X509 *leaf)
{
  bool here = false;
  for (size_t r = 0; r < pki->roots.count && !here; r++) {
    const struct pki_authority *const all[] = {&pki->hierarchy[r].root, &pki->hierarchy[r].devices};
    if (!pki_roots_include(roots, pki->roots.name[r])) continue;
    for (size_t i = 0; i < 2; i++)
      here |= all[i]->key != NULL && X509_check_issued(all[i]->certificate, leaf) == X509_V_OK;
  }
  ERR_clear_error();
  return here;
}

static bool is_under(const struct pki *pki, const struct pki_roots *roots, STACK_OF(X509) * chain)
{
  unsigned under = pki_roots_above(pki, chain);
  bool found = false;
  for (size_t r = 0; r < pki->roots.count; r++)
    found |= (under >> r & 1u) != 0 && pki_roots_include(roots, pki->roots.name[r]);
  return found;
}

static int refuse_unlisted(const struct pki *pki, size_t index, X509 *leaf, struct error *error)
{
  char name[PKI_DEVICE_NAME], issuer[PKI_CERT_TITLE];
  pki_cert_title(X509_get_issuer_name(leaf), issuer);
  return error_set(error, EXIT_CODE_USAGE,
                   "the certificate of device %s is of the CA '%s', whose key is not here: without "
                   "its list a broker that checks lists lets nobody in whom it issued",
                   pki_device_text(pki, pki->devices[index].id, name), issuer);
}

int pki_check_listed(struct pki *pki, const struct pki_roots *roots, size_t count,
                     struct error *error)
{
  int result = 0;
  for (size_t i = 0; i < count && i < pki->device_count && result == 0; i++) {
    STACK_OF(X509) *chain = pki_device_first_chain(pki, i, error);
    if (chain == NULL) return -1;
    X509 *leaf = sk_X509_value(chain, 0);
    if (!is_issued_here(pki, roots, leaf) && is_under(pki, roots, chain))
      result = refuse_unlisted(pki, i, leaf, error);
    sk_X509_pop_free(chain, X509_free);
  }
  return result;
}
