/* Any bytes as a trust bundle: what is well formed lies inside the input and encodes to the same
   bytes again. */
#include "device/trust.h"
#include "fuzz.h"

static const uint8_t *follow(const struct device_trust_der *items, uint8_t count, const uint8_t *at)
{
  for (uint8_t i = 0; i < count; i++) {
    require(items[i].der == at + 2, "items follow one another");
    require(items[i].size > 0, "an item has bytes");
    at += 2 + items[i].size;
  }
  return at;
}

static void check_items(const struct device_trust_bundle *bundle, const uint8_t *data)
{
  const uint8_t *at = follow(bundle->anchor, bundle->anchor_count, data + 9);
  require((bundle->crl_count > 0) == (data[3] == '2'),
          "lists are in the second format, and always in it");
  if (bundle->crl_count > 0) at = follow(bundle->crl, bundle->crl_count, at + 1);
  require(at == data + bundle->signed_size, "the signature follows the last item");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static uint8_t again[65536];
  struct device_trust_bundle bundle;
  enum device_update verdict = device_trust_parse(data, size, &bundle);
  if (verdict == DEVICE_UPDATE_MALFORMED) return 0;
  require(verdict == DEVICE_UPDATE_COMMITTED || verdict == DEVICE_UPDATE_TOO_FEW_ANCHORS,
          "three verdicts");
  require((verdict == DEVICE_UPDATE_COMMITTED) == (bundle.anchor_count > 0), "an anchor");
  require(bundle.anchor_count <= DEVICE_ANCHORS_MAX && bundle.version > 0, "bounds");
  require(bundle.crl_count <= DEVICE_CRLS_MAX, "bounds of lists");
  require(bundle.signed_size + DEVICE_TRUST_SIGNATURE_SIZE == size, "everything is signed");
  check_items(&bundle, data);
  if (size > sizeof again) return 0;
  require(device_trust_encode(&bundle, again, sizeof again) == bundle.signed_size,
          "encodes to the same size");
  require(memcmp(again, data, bundle.signed_size) == 0, "encodes to the same bytes");
  require(device_trust_encode(&bundle, again, bundle.signed_size - 1) == 0,
          "does not encode into less");
  return 0;
}
