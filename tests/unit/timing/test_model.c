#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "timing/model.h"

static const struct timing_profile profile = {.clock_hz = 64e6,
                                              .keygen = 1e6,
                                              .public_key = 9e5,
                                              .ecdh = 3e6,
                                              .sign = 2e6,
                                              .verify = 4e6,
                                              .sha256_byte = 50,
                                              .aes_gcm_byte = 200,
                                              .aes_gcm_record = 10000,
                                              .handshake_rest = 5e5,
                                              .k_low = 1.0,
                                              .k_nominal = 1.1,
                                              .k_high = 1.25};

static void assert_close(double a, double b)
{
  if (fabs(a - b) > 1e-6 * fabs(b)) fail_msg("%f is not %f", a, b);
}

static void a_handshake_is_its_operations_its_bytes_and_the_rest(void **state)
{
  (void) state;
  const struct crypto_meter meter = {
      .keygen = 1, .public_key = 1, .ecdh = 1, .sign = 1, .verify = 3};
  assert_close(timing_operations(&profile, &meter), 1e6 + 3e6 + 2e6 + 3 * 4e6);
  assert_close(timing_handshake(&profile, &meter, 3000), 18e6 + 3000 * 250.0 + 5e5);
}

static void a_remembered_verification_costs_what_a_computed_one_does(void **state)
{
  (void) state;
  const struct crypto_meter computed = {.verify = 3},
                            remembered = {.verify = 3, .verify_remembered = 2};
  assert_close(timing_operations(&profile, &remembered), timing_operations(&profile, &computed));
}

static void a_public_key_beyond_the_drawn_pairs_is_charged_alone(void **state)
{
  (void) state;
  const struct crypto_meter meter = {.keygen = 1, .public_key = 3};
  assert_close(timing_operations(&profile, &meter), 1e6 + 2 * 9e5);
}

static void records_cost_by_number_and_by_byte(void **state)
{
  (void) state;
  assert_close(timing_records(&profile, 1000, 4), 1000 * 200.0 + 4 * 10000.0);
  assert_close(timing_hash(&profile, 4096), 4096 * 50.0);
}

static void the_band_is_that_of_the_memory(void **state)
{
  (void) state;
  struct timing_band band = timing_band(&profile, 64e6);
  assert_close(band.low, 1e6);
  assert_close(band.nominal, 1.1e6);
  assert_close(band.high, 1.25e6);
  assert_close(timing_us(&profile, 64e6), 1.1e6);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_handshake_is_its_operations_its_bytes_and_the_rest),
      cmocka_unit_test(a_remembered_verification_costs_what_a_computed_one_does),
      cmocka_unit_test(a_public_key_beyond_the_drawn_pairs_is_charged_alone),
      cmocka_unit_test(records_cost_by_number_and_by_byte),
      cmocka_unit_test(the_band_is_that_of_the_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
