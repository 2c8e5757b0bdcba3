/* Any bytes as a trust bundle: what is well formed lies inside the input and encodes to the same bytes again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *invariant)
{
  if (holds) return;
  fprintf(stderr, "broken: %s\n", invariant);
  abort();
}

static void check_anchors(const struct device_trust_bundle *bundle, const uint8_t *data)
{
  const uint8_t *at = data + 9;
  for (uint8_t i = 0; i < bundle->anchor_count; i++) {
    require(bundle->anchor[i].der == at + 2, "anchors follow one another");
    require(bundle->anchor[i].size > 0, "an anchor has bytes");
    at += 2 + bundle->anchor[i].size;
  }
  require(at == data + bundle->signed_size, "the signature follows the last anchor");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static uint8_t again[65536];
  struct device_trust_bundle bundle;
  enum device_update verdict = device_trust_parse(data, size, &bundle);
  if (verdict == DEVICE_UPDATE_MALFORMED) return 0;
  require(verdict == DEVICE_UPDATE_COMMITTED || verdict == DEVICE_UPDATE_TOO_FEW_ANCHORS, "three verdicts");
  require((verdict == DEVICE_UPDATE_COMMITTED) == (bundle.anchor_count >= DEVICE_TRUST_ANCHORS_MIN), "two anchors");
  require(bundle.anchor_count <= DEVICE_ANCHORS_MAX && bundle.version > 0, "bounds");
  require(bundle.signed_size + DEVICE_TRUST_SIGNATURE_SIZE == size, "everything is signed");
  check_anchors(&bundle, data);
  if (size > sizeof again) return 0;
  require(device_trust_encode(&bundle, again, sizeof again) == bundle.signed_size, "encodes to the same size");
  require(memcmp(again, data, bundle.signed_size) == 0, "encodes to the same bytes");
  require(device_trust_encode(&bundle, again, bundle.signed_size - 1) == 0, "does not encode into less");
  return 0;
}
