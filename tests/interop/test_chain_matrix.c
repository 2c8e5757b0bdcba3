/* Every case of certs/chains.txt, on every TLS version that it names, against the real device
 * client.
 *
 * All cases are run before the test fails, so that one run shows the whole difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain_bench.h"

struct tally {
  size_t run, accepted, refused, wrong;
};

static bool is_known_verdict(const char *text)
{
  if (strcmp(text, "accept") == 0) return true;
  for (int i = 0; i < DEVICE_FAIL_COUNT; i++)
    if (strcmp(text, device_failure_name((enum device_failure) i)) == 0) return true;
  for (int i = 0; i < DEVICE_UPDATE_COUNT; i++)
    if (strncmp(text, "update ", 7) == 0 &&
        strcmp(text + 7, device_update_name((enum device_update) i)) == 0)
      return true;
  return false;
}

static void run_one(const struct gauntlet_case *c, int tls, struct tally *tally)
{
  const char *expected = tls == 12 && c->expect12[0] ? c->expect12 : c->expect;
  struct chain_verdict got;
  chain_bench(c, tls, &got);
  tally->run++;
  tally->accepted += strcmp(got.name, "accept") == 0;
  tally->refused += strcmp(got.name, "accept") != 0;
  bool flags_matter = c->has_flags && expected == c->expect;
  if (strcmp(got.name, expected) == 0 && (!flags_matter || got.flags == c->flags)) return;
  tally->wrong++;
  print_error("chains.txt:%d: %s, TLS 1.%d: expected %s flags=0x%x, got %s flags=0x%x (error "
              "-0x%04x, alert %u)\n",
              c->line, c->name, tls - 10, expected, (unsigned) c->flags, got.name,
              (unsigned) got.flags, (unsigned) -got.tls_error, (unsigned) got.alert);
}

static void run_case(const struct gauntlet_case *c, struct tally *tally)
{
  if (!is_known_verdict(c->expect) || (c->expect12[0] && !is_known_verdict(c->expect12)))
    fail_msg("chains.txt:%d: '%s' or '%s' is no verdict", c->line, c->expect, c->expect12);
  if (c->tls12) run_one(c, 12, tally);
  if (c->tls13) run_one(c, 13, tally);
}

static void the_device_judges_every_chain_as_the_matrix_says(void **state)
{
  (void) state;
  char why[512];
  struct tally tally = {0};
  struct cases *cases = cases_load(FLEETSIM_SOURCE_DIR "/certs/chains.txt", why, sizeof why);
  if (!cases) fail_msg("%s", why);
  size_t planned = 0;
  for (size_t i = 0; i < cases->count; i++) {
    planned += (size_t) cases->item[i]->tls12 + cases->item[i]->tls13;
    run_case(cases->item[i], &tally);
  }
  print_message("%zu cases, %zu runs: %zu accepted, %zu refused, %zu not as expected\n",
                cases->count, tally.run, tally.accepted, tally.refused, tally.wrong);
  assert_int_equal(tally.run, planned);
  assert_true(cases->count >= 30 && tally.accepted > 0 && tally.refused > 0);
  assert_int_equal(tally.wrong, 0);
  cases_free(cases);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_device_judges_every_chain_as_the_matrix_says)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
