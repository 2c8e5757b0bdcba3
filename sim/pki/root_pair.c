/* Hands out a root's certificate and key, as they are in memory. */
#include "pki/root_pair.h"

#include "pki/internal.h"

int pki_root_pair(const struct pki *pki, const char *root, X509 **certificate, EVP_PKEY **key,
                  struct error *error)
{
  const struct pki_hierarchy *found = pki_find_root(pki, root, error);
  if (found == NULL) return -1;
  *certificate = found->root.certificate;
  *key = found->root.key;
  X509_up_ref(*certificate);
  if (*key != NULL) EVP_PKEY_up_ref(*key);
  return 0;
}
