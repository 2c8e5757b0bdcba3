/* Under which roots a device's chain is, by its signatures: what the registry or a scenario says of
 * it is not asked. And somebody who is under a given one.
 *
 * The chain is built from the device's certificate through those that it sends, to the root's own
 * certificate; nothing that it does not send is filled in, so a leaf whose intermediate stays
 * behind is under no root, and neither is one that has signed itself. Whether it has expired is the
 * broker's question. */
#include "internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

static bool leads_to(STACK_OF(X509) * sent, X509 *root)
{
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  bool good =
      store != NULL && ctx != NULL && X509_STORE_add_cert(store, root) == 1 &&
      X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_IGNORE_CRITICAL) == 1 &&
      X509_STORE_CTX_init(ctx, store, sk_X509_value(sent, 0), sent) == 1 &&
      X509_verify_cert(ctx) == 1 &&
      sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) > 1; /* a root is not under itself */
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  ERR_clear_error();
  return good;
}

uint16_t pki_roots_above(const struct pki *pki, STACK_OF(X509) * sent)
{
  uint16_t roots = 0;
  for (size_t r = 0; r < pki->roots.count; r++)
    if (leads_to(sent, pki->hierarchy[r].root.certificate)) roots |= (uint16_t) (1u << r);
  return roots;
}

uint16_t pki_chain_roots(const struct pki *pki, const uint8_t *chain, size_t size)
{
  STACK_OF(X509) *sent = pki_decode_chain(chain, size);
  uint16_t roots = sent == NULL ? 0 : pki_roots_above(pki, sent);
  sk_X509_pop_free(sent, X509_free);
  ERR_clear_error();
  return roots;
}

bool pki_chain_is_current(const uint8_t *chain, size_t size)
{
  STACK_OF(X509) *sent = pki_decode_chain(chain, size);
  const X509 *leaf = sent != NULL ? sk_X509_value(sent, 0) : NULL;
  bool current = leaf != NULL && X509_cmp_current_time(X509_get0_notBefore(leaf)) < 0 &&
                 X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0;
  sk_X509_pop_free(sent, X509_free);
  ERR_clear_error();
  return current;
}

int64_t pki_chain_ends(const uint8_t *chain, size_t size)
{
  STACK_OF(X509) *sent = pki_decode_chain(chain, size);
  const X509 *leaf = sent != NULL ? sk_X509_value(sent, 0) : NULL;
  int64_t end_s = leaf != NULL ? pki_cert_unix(X509_get0_notAfter(leaf)) : 0;
  sk_X509_pop_free(sent, X509_free);
  ERR_clear_error();
  return end_s;
}

/* The first device that may and whose own chain is under the root; device_count: there is none. */
static size_t find_device(struct pki *pki, size_t root, bool (*may)(void *ctx, size_t index),
                          void *ctx)
{
  struct device_nvm_slot slot;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  for (size_t i = 0; i < pki->device_count; i++) {
    if (may != NULL && !may(ctx, i)) continue;
    struct device_host host = pki_nvm_host(pki_device_page(pki, i));
    if (device_nvm_find(&host, DEVICE_NVM_CERTIFICATE, &slot) != 0 || slot.size == 0 ||
        host.nvm_read(host.ctx, slot.offset, chain, slot.size) != 0)
      continue;
    unsigned under = pki_chain_roots(pki, chain, slot.size);
    if ((under >> root & 1u) != 0) return i;
  }
  return pki->device_count;
}

static int make_stranger(const struct pki_authority *issuer, struct pki_stranger *out,
                         struct error *error)
{
  out->key = pki_key_generate(error);
  struct pki_cert_spec spec = {.kind = PKI_CERT_CLIENT,
                               .subject = PKI_PROBE_NAME,
                               .key = out->key,
                               .issuer = issuer,
                               .not_before = pki_now() - PKI_DAY_S,
                               .not_after = pki_now() + PKI_DAY_S};
  out->leaf = out->key == NULL ? NULL : pki_cert_mint(&spec, error);
  return out->leaf == NULL ? -1 : 0;
}

static void free_stranger(struct pki_stranger *stranger)
{
  X509_free(stranger->leaf);
  EVP_PKEY_free(stranger->key);
  *stranger = (struct pki_stranger){.leaf = NULL};
}

static int put_stranger(const struct pki_stranger *stranger, const struct pki_authority *issuer,
                        const char *certificate_path, const char *key_path, struct error *error)
{
  X509 *const chain[] = {stranger->leaf, issuer->certificate};
  if (pki_key_replace(key_path, stranger->key, error) != 0) return -1;
  return pki_cert_write(certificate_path, chain, 2, error);
}

static int write_stranger(const struct pki_authority *issuer, const char *certificate_path,
                          const char *key_path, struct error *error)
{
  struct pki_stranger stranger;
  int result = make_stranger(issuer, &stranger, error);
  if (result == 0) result = put_stranger(&stranger, issuer, certificate_path, key_path, error);
  free_stranger(&stranger);
  return result;
}

int pki_write_stranger(struct pki *pki, const char *root, const char *certificate_path,
                       const char *key_path, struct error *error)
{
  const struct pki_hierarchy *found = pki_find_root(pki, root, error);
  if (found == NULL) return -1;
  if (!pki_can_issue(pki, root)) return 1;
  struct pki_stranger *kept = &pki->stranger[found - pki->hierarchy];
  if (kept->leaf == NULL && make_stranger(&found->devices, kept, error) != 0) {
    free_stranger(kept);
    return -1;
  }
  return put_stranger(kept, &found->devices, certificate_path, key_path, error);
}

void pki_forget_strangers(struct pki *pki)
{
  for (size_t r = 0; r < PKI_ROOTS_MAX; r++) free_stranger(&pki->stranger[r]);
}

int pki_write_probe(struct pki *pki, const char *root, bool (*may)(void *ctx, size_t index),
                    void *ctx, const char *certificate_path, const char *key_path, size_t *whose,
                    struct error *error)
{
  const struct pki_hierarchy *found = pki_find_root(pki, root, error);
  *whose = PKI_NOBODY;
  if (found == NULL) return -1;
  if (pki_can_issue(pki, root))
    return write_stranger(&found->devices, certificate_path, key_path, error);
  size_t device = find_device(pki, (size_t) (found - pki->hierarchy), may, ctx);
  if (device == pki->device_count) return 1;
  *whose = device;
  return pki_write_device(pki, device, certificate_path, key_path, error);
}

int pki_write_office_probe(struct pki *pki, const char *certificate_path, const char *key_path,
                           struct error *error)
{
  return write_stranger(&pki->back_office, certificate_path, key_path, error);
}
