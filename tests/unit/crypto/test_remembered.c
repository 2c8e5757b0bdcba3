#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/remembered.h"

static int empty_table(void **state)
{
  *state = calloc(1, sizeof(struct remembered));
  return *state == NULL;
}

static int drop_table(void **state)
{
  free(*state);
  return 0;
}

/* All entries of one `set` compete for the same places; `n` tells them apart. */
static struct remembered_entry entry_of(uint8_t set, uint8_t n)
{
  struct remembered_entry entry;
  memset(&entry, n, sizeof entry);
  entry.public_key[0] = 0x04;
  entry.signature[CURVE_SIGNATURE_SIZE - 1] = set;
  return entry;
}

static void finds_what_it_kept(void **state)
{
  struct remembered *table = *state;
  struct remembered_entry entry = entry_of(7, 1);
  assert_false(remembered_find(table, &entry));
  remembered_keep(table, &entry);
  assert_true(remembered_find(table, &entry));
  assert_true(remembered_find(table, &entry));
  assert_int_equal(table->hits, 2);
  assert_int_equal(table->misses, 1);
}

static void misses_by_any_single_bit_of_key_hash_or_signature(void **state)
{
  struct remembered *table = *state;
  struct remembered_entry kept = entry_of(7, 1);
  remembered_keep(table, &kept);
  for (size_t bit = 0; bit < 8 * sizeof kept; bit++) {
    struct remembered_entry other = kept;
    ((uint8_t *) &other)[bit / 8] ^= (uint8_t) (1u << bit % 8);
    if (remembered_find(table, &other))
      fail_msg("found although bit %zu of %zu differs", bit, 8 * sizeof kept);
  }
  assert_int_equal(table->misses, 8 * sizeof kept);
  assert_true(remembered_find(table, &kept));
}

static void a_full_set_drops_what_was_not_asked_for_the_longest(void **state)
{
  struct remembered *table = *state;
  for (uint8_t n = 1; n <= REMEMBERED_WAYS; n++) {
    struct remembered_entry entry = entry_of(9, n);
    remembered_keep(table, &entry);
  }
  struct remembered_entry chain = entry_of(9, 1), idle = entry_of(9, 2),
                          fresh = entry_of(9, REMEMBERED_WAYS + 1);
  assert_true(remembered_find(table, &chain));
  remembered_keep(table, &fresh);
  assert_false(remembered_find(table, &idle));
  assert_true(remembered_find(table, &fresh));
  assert_true(remembered_find(table, &chain));
}

static void a_chain_in_use_survives_any_number_of_one_time_signatures(void **state)
{
  struct remembered *table = *state;
  struct remembered_entry chain = entry_of(0x42, 0xcc);
  remembered_keep(table, &chain);
  for (uint32_t handshake = 0; handshake < 100000; handshake++) {
    struct remembered_entry once = entry_of((uint8_t) (handshake * 2654435761u >> 24), 1);
    memcpy(once.hash, &handshake, sizeof handshake);
    assert_false(remembered_find(table, &once));
    remembered_keep(table, &once);
    if (!remembered_find(table, &chain)) fail_msg("forgotten after %u handshakes", handshake + 1);
  }
}

static void other_sets_are_left_alone(void **state)
{
  struct remembered *table = *state;
  struct remembered_entry quiet = entry_of(1, 1);
  remembered_keep(table, &quiet);
  for (uint8_t n = 0; n < 255; n++) {
    struct remembered_entry loud = entry_of(2, n);
    remembered_keep(table, &loud);
  }
  assert_true(remembered_find(table, &quiet));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(finds_what_it_kept, empty_table, drop_table),
      cmocka_unit_test_setup_teardown(misses_by_any_single_bit_of_key_hash_or_signature,
                                      empty_table, drop_table),
      cmocka_unit_test_setup_teardown(a_full_set_drops_what_was_not_asked_for_the_longest,
                                      empty_table, drop_table),
      cmocka_unit_test_setup_teardown(a_chain_in_use_survives_any_number_of_one_time_signatures,
                                      empty_table, drop_table),
      cmocka_unit_test_setup_teardown(other_sets_are_left_alone, empty_table, drop_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
