/* The text of a scenario in its results: what was run, and nothing that may be secret. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "load_text.h"
#include "scenario/told.h"

static char *told_of(const char *text)
{
  struct doc doc = {.file = "F"};
  struct error error = {0};
  if (doc_parse(&doc, strdup(text), strlen(text), &error) != 0) fail_msg("%s", error.text);
  char *told = told_text(&doc);
  doc_free(&doc);
  assert_non_null(told);
  return told;
}

static void expect(const char *text, const char *wanted)
{
  char *told = told_of(text);
  assert_string_equal(told, wanted);
  /* and it is told the same of what was told */
  char *again = told_of(told);
  assert_string_equal(again, wanted);
  free(again);
  free(told);
}

static void a_text_without_secrets_stays_as_it_is(void **state)
{
  (void) state;
  expect("# The story of a day — in words.\n# And more.\nname: \"a # b\"\n\nfleet: {devices: 9}\n",
         "# The story of a day — in words.\n# And more.\nname: \"a # b\"\n\nfleet: {devices: 9}\n");
}

static void passwords_go(void **state)
{
  (void) state;
  expect("fleet:\n  credentials: {user: \"x/{id}\", password: \"pw-{id}\"}\n",
         "fleet:\n  credentials: {user: \"x/{id}\", password: \"***\"}\n");
  expect("credentials:\n  password: sekret\n  user: 'ü'\n",
         "credentials:\n  password: \"***\"\n  user: 'ü'\n");
  expect("ü: ü\npassword: |\n  sek\n  ret\nuser: u\n", "ü: ü\npassword: \"***\"\nuser: u\n");
  expect("password: [a, {b: sekret}]\nuser: u\n", "password: \"***\"\nuser: u\n");
  expect("a: {\"password\": x}\n", "a: {\"password\": \"***\"}\n");
  expect("operator: {password-file: a.pass}\n", "operator: {password-file: a.pass}\n");
}

static void commands_may_hold_one(void **state)
{
  (void) state;
  expect("broker:\n  url: mqtts://h:1\n  hooks:\n    present: curl -H 'Bearer x' h\n"
         "    reload: >\n      a\n      b\n  kind: mosquitto\n",
         "broker:\n  url: mqtts://h:1\n  hooks:\n    present: \"***\"\n"
         "    reload: \"***\"\n  kind: mosquitto\n");
  expect("hooks: sekret\n", "hooks: \"***\"\n");
  expect("do: [reissue: {root: B, command: sh sign.sh}]\n",
         "do: [reissue: {root: B, command: \"***\"}]\n");
}

static void comments_below_the_first_key_go(void **state)
{
  (void) state;
  expect("name: t # it was hunter2\n# password: hunter2\nfleet: {devices: 9} # —\n#| hooks\n",
         "name: t \n\nfleet: {devices: 9} \n\n");
  expect("name: a#b\nuser: 'it''s # 1'\n", "name: a#b\nuser: 'it''s # 1'\n");
}

/* What --set has put in is in it, at its place. */
static void what_was_set_is_told_too(void **state)
{
  (void) state;
  static const char text[] = "name: t\nfleet: {devices: 9}\nphases:\n  - name: p\n    do:\n"
                             "      - connect: {}\n";
  const struct scenario_override overrides[] = {
      {"fleet.devices", "50"}, {"fleet.credentials", "{user: u, password: sekret}"}, {"seed", "7"}};
  struct scenario *scenario = NULL;
  struct error error;
  if (load_text(text, sizeof text - 1, overrides, 3, &scenario, &error) != 0)
    fail_msg("%s", error.text);
  assert_string_equal(scenario->told,
                      "seed: \"7\"\nname: t\nfleet: {credentials: {user: u, password: \"***\"}, "
                      "devices: \"50\"}\nphases:\n  - name: p\n    do:\n      - connect: {}\n");
  scenario_free(scenario);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_text_without_secrets_stays_as_it_is),
      cmocka_unit_test(passwords_go),
      cmocka_unit_test(commands_may_hold_one),
      cmocka_unit_test(comments_below_the_first_key_go),
      cmocka_unit_test(what_was_set_is_told_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
