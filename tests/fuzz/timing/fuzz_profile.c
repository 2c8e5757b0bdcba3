/* Any text as a timing profile: loaded with numbers that can be computed with, or refused with a
   sentence. */
#define _GNU_SOURCE
#include "timing/profile.h"

#include <math.h>

#include "scratch.h"

static void check(const struct timing_profile *p)
{
  const double cycles[] = {p->keygen,       p->public_key,     p->ecdh,
                           p->sign,         p->verify,         p->sha256_byte,
                           p->aes_gcm_byte, p->aes_gcm_record, p->handshake_rest};
  require(p->name[0] != '\0' && memchr(p->name, '\0', sizeof p->name) != NULL,
          "a profile has a name");
  require(isfinite(p->clock_hz) && p->clock_hz > 0, "a clock ticks");
  require(isfinite(p->k_low) && isfinite(p->k_high) && p->k_low > 0, "a band is of numbers");
  require(p->k_low <= p->k_nominal && p->k_nominal <= p->k_high, "a band is in order");
  for (size_t i = 0; i < sizeof cycles / sizeof cycles[0]; i++)
    require(isfinite(cycles[i]) && cycles[i] >= 0, "an operation costs what can be counted");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct timing_profile profile;
  struct error error = {.code = EXIT_CODE_PASS};
  if (scratch[0] == '\0') scratch_begin();
  if (timing_load(scratch_write("p.json", data, size), &profile, &error) == 0) {
    check(&profile);
  } else {
    require(error.code == EXIT_CODE_USAGE && error.text[0] != '\0', "a refusal has a sentence");
    require(memchr(error.text, '\0', sizeof error.text) != NULL, "which ends");
  }
  return 0;
}
