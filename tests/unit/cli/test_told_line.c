/* A command line in the results: all that was asked for, and no secret. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/told_line.h"

static void what_may_be_a_secret_is_masked(void **state)
{
  (void) state;
  static const char *const rows[][2] = {
      {"run", "run"},
      {"scenarios/my password.yaml", "scenarios/my password.yaml"},
      {"--seed", "--seed"},
      {"--seed=7", "--seed=7"},
      {"--out=a=b", "--out=a=b"},
      {"fleet.devices=50", "fleet.devices=50"},
      {"fleet.credentials.password=pw-{id}", "fleet.credentials.password=***"},
      {"--set=fleet.credentials.password=pw=x", "--set=fleet.credentials.password=***"},
      {"fleet.credentials={user: u, password: p}", "fleet.credentials=***"},
      {"fleet.credentials.password=p", "fleet.credentials.password=*"},
      {"fleet.credentials.password-file=a.csv", "fleet.credentials.password-file=a.csv"},
      {"fleet.credentials={password-file: a, password: b}", "fleet.credentials=***"},
      {"broker={url: mqtts://h:1, hooks: {reload: x}}", "broker=***"},
      {"broker.hooks.reload=curl -u a:b h", "broker.hooks.reload=***"},
      {"phases[0].do[0].reissue.command=sign -p x", "phases[0].do[0].reissue.command=***"},
      {"mqtts://bob:secret@h:8883", "mqtts://***@h:8883"},
      {"--broker=mqtts://bob:secret@h:8883", "--broker=mqtts://***@h:8883"},
      {"broker.url=mqtts://h:1/?token=x1y2z3", "broker.url=mqtts://h:1/?***"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[200];
    snprintf(text, sizeof text, "%s", rows[i][0]);
    told_line_mask(text);
    assert_string_equal(text, rows[i][1]);
  }
}

static void words_and_sets_are_told_in_their_order(void **state)
{
  (void) state;
  char first[] = "run", second[] = "a.yaml", third[] = "--set", fourth[] = "a.password=sekret";
  char *words[] = {first, second, third, fourth};
  const struct args args = {.word = words, .word_count = 4};
  struct overrides overrides = {.at = {{"fleet.devices", "5"}, {"a.password", "sekret"}, {"e", ""}},
                                .count = 3};
  struct told_line line;
  struct error error;
  assert_int_equal(told_line_make(&args, &overrides, &line, &error), 0);
  assert_int_equal(line.asked.word_count, 4);
  assert_string_equal(line.asked.words[1], "a.yaml");
  assert_string_equal(line.asked.words[3], "a.password=***");
  assert_string_equal(fourth, "a.password=sekret");
  assert_int_equal(line.asked.set_count, 3);
  assert_string_equal(line.asked.sets[0].path, "fleet.devices");
  assert_string_equal(line.asked.sets[0].value, "5");
  assert_string_equal(line.asked.sets[1].path, "a.password");
  assert_string_equal(line.asked.sets[1].value, "***");
  assert_string_equal(line.asked.sets[2].value, "");
  told_line_free(&line);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_may_be_a_secret_is_masked),
      cmocka_unit_test(words_and_sets_are_told_in_their_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
