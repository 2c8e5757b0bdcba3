/* Roots by their names: all that is asked of them without a certificate. */
#include <string.h>

#include "pki/pki.h"

bool pki_roots_include(const struct pki_roots *roots, const char *name)
{
  for (size_t i = 0; i < roots->count; i++)
    if (strcmp(roots->name[i], name) == 0) return true;
  return false;
}

bool pki_has_root(const struct pki *pki, const char *root)
{
  return pki_roots_include(pki_roots(pki), root);
}
