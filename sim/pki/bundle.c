/* Trust bundles: anchors, revocation lists and the update key's signature over both, as trust.h of
 * the device reads them. What devices have no room for is refused, and the sentence says what
 * takes most of it. */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "device/trust.h"
#include "pki/authority.h"
#include "pki/crl.h"
#include "pki/revoked.h"

/* A revocation list in a bundle is not fetched again: it has to outlive a device's time on a shelf,
 * where the device's policy looks at dates at all. */
#define LIST_FROM_S (-PKI_DAY_S)
#define LIST_TO_S   (90 * (int64_t) PKI_DAY_S)

/* A bundle in the making, and the bytes that it points to. */
struct draft {
  struct device_trust_bundle bundle;
  uint8_t *anchor[DEVICE_ANCHORS_MAX];
  uint8_t list[DEVICE_CRLS_MAX][DEVICE_NVM_TRUST_MAX];
  const char *longest_of; /* root of the longest list */
  bool longest_is_brokers;
  uint16_t longest;
};

static int add_anchors(const struct pki *pki, const struct pki_roots *anchors, struct draft *draft,
                       struct error *error)
{
  for (size_t i = 0; i < anchors->count; i++) {
    const struct pki_hierarchy *found = pki_find_root(pki, anchors->name[i], error);
    if (found == NULL) return -1;
    int n = i2d_X509(found->root.certificate, &draft->anchor[i]);
    if (n <= 0 || n > UINT16_MAX) return pki_crypto_error(error, "encode a root");
    draft->bundle.anchor[draft->bundle.anchor_count++] =
        (struct device_trust_der){draft->anchor[i], (uint16_t) n};
  }
  return 0;
}

static void count_row(void *ctx, const struct pki_revoked *row)
{
  (void) row;
  ++*(size_t *) ctx;
}

/* An empty list says nothing to a device that believes what it holds, and takes 215 bytes of its
   memory. */
static int is_wanted(struct pki *pki, const char *authority, enum pki_lists lists, bool *out,
                     struct error *error)
{
  size_t rows = 0;
  *out = lists == PKI_LISTS_ALL;
  if (*out) return 0;
  if (pki_revoked_each(pki_registry_revoked(pki->registry), authority, count_row, &rows, error) !=
      0)
    return -1;
  *out = rows > 0;
  return 0;
}

static int add_list(struct pki *pki, const char *root, bool brokers, enum pki_lists lists,
                    struct draft *draft, struct error *error)
{
  const struct pki_crl_times times = {pki_now() + LIST_FROM_S, pki_now() + LIST_TO_S};
  const struct pki_hierarchy *found = pki_find_root(pki, root, error);
  char authority[PKI_AUTHORITY_NAME];
  bool wanted;
  size_t size = 0;
  if (found == NULL) return -1;
  pki_authority_name(found, root, brokers ? PKI_CRL_BROKERS : PKI_CRL_ROOT, authority);
  if (is_wanted(pki, authority, lists, &wanted, error) != 0) return -1;
  if (!wanted) return 0;
  uint8_t at = draft->bundle.crl_count;
  if (at == DEVICE_CRLS_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "a trust bundle holds at most %u revocation lists; name fewer roots",
                     DEVICE_CRLS_MAX);
  if (pki_crl_der(pki, root, brokers ? PKI_CRL_BROKERS : PKI_CRL_ROOT, &times, draft->list[at],
                  sizeof draft->list[at], &size, error) != 0)
    return error_wrap(error, "the trust bundle");
  draft->bundle.crl[at] = (struct device_trust_der){draft->list[at], (uint16_t) size};
  draft->bundle.crl_count++;
  if (size > draft->longest) {
    draft->longest = (uint16_t) size;
    draft->longest_of = root;
    draft->longest_is_brokers = brokers;
  }
  return 0;
}

static int add_lists(struct pki *pki, const struct pki_roots *roots, enum pki_lists lists,
                     struct draft *draft, struct error *error)
{
  if (lists == PKI_LISTS_NONE) return 0;
  for (size_t i = 0; i < roots->count; i++)
    if (add_list(pki, roots->name[i], false, lists, draft, error) != 0 ||
        add_list(pki, roots->name[i], true, lists, draft, error) != 0)
      return -1;
  return 0;
}

static int too_large(const struct draft *draft, size_t room, struct error *error)
{
  const struct device_trust_bundle *bundle = &draft->bundle;
  size_t anchors = 0, lists = 0;
  for (size_t i = 0; i < bundle->anchor_count; i++) anchors += bundle->anchor[i].size;
  for (size_t i = 0; i < bundle->crl_count; i++) lists += bundle->crl[i].size;
  if (bundle->crl_count == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "a trust bundle of these %u roots is larger than %zu bytes, the room that "
                     "devices have; name fewer",
                     bundle->anchor_count, room);
  return error_set(
      error, EXIT_CODE_USAGE,
      "a trust bundle of these %u roots (%zu bytes) and %u revocation lists (%zu bytes, %u of them "
      "the list of '%s%s') is larger than %zu bytes, the room that devices have: leave out a root "
      "that no broker presents, or revoke fewer certificates",
      bundle->anchor_count, anchors, bundle->crl_count, lists, draft->longest, draft->longest_of,
      draft->longest_is_brokers ? "-brokers" : "", room);
}

int pki_make_bundle_with_lists(struct pki *pki, uint32_t version, const struct pki_roots *anchors,
                               enum pki_lists lists, uint8_t *out, size_t capacity, size_t *size,
                               struct error *error)
{
  struct draft draft = {.bundle = {.version = version}};
  if (version == 0)
    return error_set(error, EXIT_CODE_USAGE, "a trust bundle's version starts at 1");
  if (anchors->count > DEVICE_ANCHORS_MAX)
    return error_set(error, EXIT_CODE_USAGE, "a trust bundle holds at most %u roots",
                     DEVICE_ANCHORS_MAX);
  if (capacity > DEVICE_NVM_TRUST_MAX) capacity = DEVICE_NVM_TRUST_MAX;
  if (capacity < DEVICE_TRUST_SIGNATURE_SIZE)
    return error_set(error, EXIT_CODE_INTERNAL, "no room for a trust bundle: %zu bytes", capacity);
  int result = add_anchors(pki, anchors, &draft, error);
  if (result == 0) result = add_lists(pki, anchors, lists, &draft, error);
  if (result == 0 && (*size = device_trust_encode(&draft.bundle, out,
                                                  capacity - DEVICE_TRUST_SIGNATURE_SIZE)) == 0)
    result = too_large(&draft, capacity, error);
  if (result == 0) result = pki_key_sign(pki->update_key, out, *size, out + *size, error);
  if (result == 0) *size += DEVICE_TRUST_SIGNATURE_SIZE;
  for (size_t i = 0; i < DEVICE_ANCHORS_MAX; i++) OPENSSL_free(draft.anchor[i]);
  return result;
}

int pki_make_bundle(struct pki *pki, uint32_t version, const struct pki_roots *anchors,
                    uint8_t *out, size_t capacity, size_t *size, struct error *error)
{
  return pki_make_bundle_with_lists(pki, version, anchors, PKI_LISTS_NONE, out, capacity, size,
                                    error);
}

void pki_set_factory_lists(struct pki *pki, enum pki_lists lists)
{
  pki->factory_lists = lists;
}

int pki_factory_bundle(struct pki *pki, const struct pki_roots *trusted, uint8_t *out, size_t *size,
                       struct error *error)
{
  if (trusted->count == 0)
    return error_set(error, EXIT_CODE_USAGE, "devices must trust at least one root at rest");
  return pki_make_bundle_with_lists(pki, 1, trusted, pki->factory_lists, out, DEVICE_NVM_TRUST_MAX,
                                    size, error);
}
