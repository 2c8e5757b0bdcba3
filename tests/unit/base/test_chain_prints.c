#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/chain_prints.h"

/* A chain whose certificates are told apart by one letter each. */
static struct chain_prints chain(const char *letters)
{
  struct chain_prints out = {.count = (unsigned) strlen(letters)};
  for (unsigned i = 0; i < out.count; i++) memset(out.sha256[i], letters[i], sizeof out.sha256[i]);
  return out;
}

static void tells_how_much_of_a_chain_is_served(void **state)
{
  (void) state;
  static const struct {
    const char *wanted, *served;
    unsigned count;
  } rows[] = {
      {"li", "li", 2},     {"l", "l", 1},     {"li", "l", 1},  {"li", "lj", 1}, {"li", "lir", 2},
      {"lix", "lijxr", 3}, {"lix", "lxi", 2}, {"li", "il", 0}, {"li", "mi", 0}, {"li", "", 0},
      {"", "li", 0},       {"", "", 0},       {"li", "ll", 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct chain_prints wanted = chain(rows[i].wanted), served = chain(rows[i].served);
    assert_int_equal(chain_prints_served(&served, &wanted), rows[i].count);
    assert_int_equal(chain_prints_serve(&served, &wanted),
                     wanted.count > 0 && rows[i].count == wanted.count);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(tells_how_much_of_a_chain_is_served)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
