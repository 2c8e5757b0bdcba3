#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "m4/emulator/icache.h"

static struct m4_icache cache_of(unsigned bytes, unsigned line, unsigned ways)
{
  const struct m4_icache_shape shape = {
      .bytes = bytes, .line = line, .ways = ways, .miss_cycles = 10};
  struct m4_icache cache;
  struct error error;
  if (m4_icache_init(&cache, &shape, &error) != 0) fail_msg("%s", error.text);
  return cache;
}

static void the_first_fetch_of_a_line_misses_and_the_next_hits(void **state)
{
  (void) state;
  struct m4_icache cache = cache_of(256, 16, 2);
  assert_int_equal(m4_icache_fetch(&cache, 0x100, 8), 10);
  assert_int_equal(m4_icache_fetch(&cache, 0x108, 8), 0);
  assert_int_equal(m4_icache_fetch(&cache, 0x10c, 8), 10); /* the second half is in the next line */
  assert_int_equal(cache.misses, 2);
  m4_icache_free(&cache);
}

static void the_line_that_was_not_used_for_longest_goes(void **state)
{
  (void) state;
  struct m4_icache cache = cache_of(256, 16, 2); /* 8 sets: addresses 128 apart meet */
  assert_int_equal(m4_icache_fetch(&cache, 0, 2), 10);
  assert_int_equal(m4_icache_fetch(&cache, 128, 2), 10);
  assert_int_equal(m4_icache_fetch(&cache, 0, 2), 0);
  assert_int_equal(m4_icache_fetch(&cache, 256, 2), 10); /* takes the place of 128 */
  assert_int_equal(m4_icache_fetch(&cache, 0, 2), 0);
  assert_int_equal(m4_icache_fetch(&cache, 128, 2), 10);
  m4_icache_free(&cache);
}

static void a_loop_larger_than_the_cache_misses_every_time(void **state)
{
  (void) state;
  struct m4_icache cache = cache_of(64, 16, 4);
  for (int turn = 0; turn < 3; turn++) assert_int_equal(m4_icache_fetch(&cache, 0, 80), 50);
  m4_icache_free(&cache);
}

static void refuses_shapes_that_cannot_be_built(void **state)
{
  (void) state;
  const struct m4_icache_shape bad[] = {
      {.bytes = 1000, .line = 16, .ways = 2}, {.bytes = 1024, .line = 16, .ways = 0},
      {.bytes = 1024, .line = 2, .ways = 2},  {.bytes = 64, .line = 128, .ways = 1},
      {.bytes = 64, .line = 16, .ways = 8},   {.bytes = 1u << 30, .line = 16, .ways = 2}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct m4_icache cache;
    struct error error;
    if (m4_icache_init(&cache, &bad[i], &error) == 0) fail_msg("shape %zu was taken", i);
    if (strstr(error.text, "powers of two") == NULL) fail_msg("shape %zu: '%s'", i, error.text);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_fetch_of_a_line_misses_and_the_next_hits),
      cmocka_unit_test(the_line_that_was_not_used_for_longest_goes),
      cmocka_unit_test(a_loop_larger_than_the_cache_misses_every_time),
      cmocka_unit_test(refuses_shapes_that_cannot_be_built),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
