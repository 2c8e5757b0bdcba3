/* Any bytes as a certificate chain: what is well formed lies inside the input and encodes to the
   same bytes again. */
#include "device/identity.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static uint8_t again[65536 * 4 + 16];
  struct device_chain chain;
  enum device_update verdict = device_chain_parse(data, size, &chain);
  if (verdict == DEVICE_UPDATE_MALFORMED) return 0;
  require(verdict == DEVICE_UPDATE_COMMITTED, "two verdicts");
  require(chain.count >= 1 && chain.count <= DEVICE_CHAIN_MAX, "one to four certificates");
  const uint8_t *at = data + 1;
  for (uint8_t i = 0; i < chain.count; i++) {
    require(chain.certificate[i].der == at + 2 && chain.certificate[i].size > 0,
            "certificates follow one another");
    at += 2 + chain.certificate[i].size;
  }
  require(at == data + size, "nothing follows the last certificate");
  require(device_chain_encode(&chain, again, sizeof again) == size, "encodes to the same size");
  require(memcmp(again, data, size) == 0, "encodes to the same bytes");
  require(device_chain_encode(&chain, again, size - 1) == 0, "does not encode into less");
  return 0;
}
