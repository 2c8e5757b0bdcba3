/* Under which roots a device's chain is, by its signatures: what the registry or a scenario says of it is not asked.
 *
 * The chain is built from the device's certificate through those that it sends, to the root's own certificate; nothing
 * that it does not send is filled in, so a leaf whose intermediate stays behind is under no root, and neither is one
 * that has signed itself. Whether it has expired is the broker's question. */
#include "internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

static bool leads_to(STACK_OF(X509) * sent, X509 *root)
{
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  bool good = store != NULL && ctx != NULL && X509_STORE_add_cert(store, root) == 1 &&
              X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_IGNORE_CRITICAL) == 1 &&
              X509_STORE_CTX_init(ctx, store, sk_X509_value(sent, 0), sent) == 1 && X509_verify_cert(ctx) == 1 &&
              sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) > 1; /* a root is not under itself */
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  ERR_clear_error();
  return good;
}

uint16_t pki_chain_roots(const struct pki *pki, const uint8_t *chain, size_t size)
{
  uint16_t roots = 0;
  STACK_OF(X509) *sent = pki_decode_chain(chain, size);
  for (size_t r = 0; sent != NULL && r < pki->roots.count; r++)
    if (leads_to(sent, pki->hierarchy[r].root.certificate)) roots |= (uint16_t) (1u << r);
  sk_X509_pop_free(sent, X509_free);
  ERR_clear_error();
  return roots;
}
