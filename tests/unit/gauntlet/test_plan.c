/* Which trials a gauntlet makes: those that are asked for, and the control that proves them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gauntlet/gauntlet.h"

static const char text[] =
    "defaults\n cert root: ca=yes ku=keyCertSign\n"
    " cert leaf: issuer=root ca=no eku=serverAuth san=DNS:broker.test\n"
    " trusts: root\n sends: leaf\n host: broker.test\n clock: 2026-06-01\n tls: 1.2 1.3\n"
    "case sound\n why: w\n expect: accept\n control: yes\n"
    "case leaf expired\n why: w\n severity: high\n flaw: time\n expect: accept\n"
    "case leaf of another\n why: w\n severity: medium\n flaw: name\n expect: accept\n"
    "case old TLS\n why: w\n severity: low\n flaw: version\n tls: 1.0\n expect: accept\n"
    "case CONNACK refuses\n why: w\n severity: low\n flaw: mqtt\n"
    " mqtt: connect; send 20 02 00 05\n expect: accept\n";

static struct cases *cases;

static int read_cases(void **state)
{
  char why[256];
  (void) state;
  cases = cases_parse(text, why, sizeof why);
  if (cases == NULL) fprintf(stderr, "%s\n", why);
  return cases == NULL;
}

static int free_cases(void **state)
{
  (void) state;
  cases_free(cases);
  return 0;
}

/* Of a plan: "sound 1.2, sound 1.3, .." */
static void expect_plan(struct gauntlet_options options, const char *expected)
{
  char plan[512] = "";
  struct error error;
  struct report report = {0};
  size_t used = 0;
  options.cases = cases;
  if (gauntlet_plan(&options, &report, &error) != 0) fail_msg("%s", error.text);
  for (size_t i = 0; i < report.count; i++)
    used += (size_t) snprintf(plan + used, sizeof plan - used, "%s%s 1.%u", i > 0 ? ", " : "",
                              report.result[i].c->id, report.result[i].tls - 10u);
  gauntlet_free(&report);
  assert_string_equal(plan, expected);
}

static void expect_refused(struct gauntlet_options options, const char *sentence)
{
  struct error error = {0};
  struct report report = {0};
  options.cases = cases;
  assert_int_equal(gauntlet_plan(&options, &report, &error), -1);
  gauntlet_free(&report);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  if (strstr(error.text, sentence) == NULL) fail_msg("no \"%s\" in: %s", sentence, error.text);
}

static struct gauntlet_options named(const char *const *wanted, size_t count)
{
  return (struct gauntlet_options){.wanted = wanted, .wanted_count = count};
}

static void the_control_comes_first(void **state)
{
  (void) state;
  expect_plan((struct gauntlet_options){0},
              "sound 1.2, sound 1.3, leaf-expired 1.2, leaf-expired 1.3, leaf-of-another 1.2, "
              "leaf-of-another 1.3, old-tls 1.0, connack-refuses 1.2, connack-refuses 1.3");
}

static void a_case_goes_by_id_and_by_name(void **state)
{
  (void) state;
  static const char *const wanted[] = {"leaf-expired", "leaf of another"};
  struct gauntlet_options options = named(wanted, 2);
  options.versions = 1u << 13;
  expect_plan(options, "sound 1.3, leaf-expired 1.3, leaf-of-another 1.3");
}

static void a_pattern_stands_for_many(void **state)
{
  (void) state;
  static const char *const wanted[] = {"leaf-*"};
  struct gauntlet_options options = named(wanted, 1);
  options.versions = 1u << 12;
  expect_plan(options, "sound 1.2, leaf-expired 1.2, leaf-of-another 1.2");
}

static void a_severity_is_that_and_above(void **state)
{
  (void) state;
  struct gauntlet_options options = {.severity = CASE_MEDIUM, .versions = 1u << 12};
  expect_plan(options, "sound 1.2, leaf-expired 1.2, leaf-of-another 1.2");
  options.severity = CASE_HIGH;
  expect_plan(options, "sound 1.2, leaf-expired 1.2");
}

/* Who gets through to nobody has refused nothing. */
static void old_versions_have_the_control_of_the_first_that_has_one(void **state)
{
  (void) state;
  expect_plan((struct gauntlet_options){.versions = 1u << 10}, "sound 1.2, old-tls 1.0");
}

static void the_control_alone_is_refused_unless_it_is_named(void **state)
{
  (void) state;
  static const char *const wanted[] = {"leaf-expired"}, *const control[] = {"sound"};
  struct gauntlet_options options = named(wanted, 1);
  options.layers = 1u << CASE_MQTT;
  expect_refused(options, "no case is left to be tried, but for the control");
  expect_plan(named(control, 1), "sound 1.2, sound 1.3");
}

static void a_case_that_is_none_is_told_its_nearest(void **state)
{
  (void) state;
  static const char *const near[] = {"Leaf_Expired"}, *const far[] = {"nope"},
                           *const none[] = {"*x"};
  expect_refused(named(near, 1), "there is no case 'Leaf_Expired'; did you mean 'leaf-expired'? ");
  expect_refused(named(far, 1), "there is no case 'nope'; 'fleetsim gauntlet --list' names");
  expect_refused(named(none, 1), "there is no case '*x'; 'fleetsim gauntlet --list' names");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_control_comes_first),
      cmocka_unit_test(a_case_goes_by_id_and_by_name),
      cmocka_unit_test(a_pattern_stands_for_many),
      cmocka_unit_test(a_severity_is_that_and_above),
      cmocka_unit_test(old_versions_have_the_control_of_the_first_that_has_one),
      cmocka_unit_test(the_control_alone_is_refused_unless_it_is_named),
      cmocka_unit_test(a_case_that_is_none_is_told_its_nearest),
  };
  return cmocka_run_group_tests(tests, read_cases, free_cases);
}
