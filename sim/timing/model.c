/* Sums of products, in cycles; only here they become microseconds, by clock and memory factor. */
#include "timing/model.h"

double timing_operations(const struct timing_profile *profile, const struct crypto_meter *meter)
{
  /* each key pair drawn has one public key computed; the ones beyond that stand alone */
  unsigned alone =
      meter->public_key > meter->keygen ? (unsigned) (meter->public_key - meter->keygen) : 0;
  return meter->keygen * profile->keygen + alone * profile->public_key +
         meter->ecdh * profile->ecdh + meter->sign * profile->sign +
         meter->verify * profile->verify;
}

double timing_records(const struct timing_profile *profile, uint64_t bytes, uint64_t records)
{
  return (double) bytes * profile->aes_gcm_byte + (double) records * profile->aes_gcm_record;
}

double timing_hash(const struct timing_profile *profile, uint64_t bytes)
{
  return (double) bytes * profile->sha256_byte;
}

double timing_handshake(const struct timing_profile *profile, const struct crypto_meter *meter,
                        uint64_t bytes)
{
  return timing_operations(profile, meter) +
         (double) bytes * (profile->sha256_byte + profile->aes_gcm_byte) + profile->handshake_rest;
}

double timing_us(const struct timing_profile *profile, double cycles)
{
  return cycles / profile->clock_hz * 1e6 * profile->k_nominal;
}

struct timing_band timing_band(const struct timing_profile *profile, double cycles)
{
  double us = cycles / profile->clock_hz * 1e6;
  return (struct timing_band){
      .low = us * profile->k_low, .nominal = us * profile->k_nominal, .high = us * profile->k_high};
}
