/* --set path=value: the value lands where it should, and every line number stays the author's. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load_text.h"
#include "scenario/settings.h"

static const char text[] = "name: \"über t\"\n"
                           "fleet: {devices: 9} # — a few\n"
                           "pki:\n"
                           "  roots: [A, B, spare]\n"
                           "  trusted:\n"
                           "    - A\n"
                           "    - spare\n"
                           "  broker: A\n"
                           "phases:\n"
                           "  - name: p\n"
                           "    do:\n"
                           "      - connect: {}\n"
                           "      - push-trust: {roots: [A, B], waves: [10%,\n"
                           "          100%]}\n"
                           "      - reissue: {root: B}\n";

static int load(const struct scenario_override *overrides, size_t count, struct scenario **out,
                struct error *error)
{
  return load_text(text, sizeof text - 1, overrides, count, out, error);
}

static struct scenario *loaded(const struct scenario_override *overrides, size_t count)
{
  struct scenario *scenario = NULL;
  struct error error;
  if (load(overrides, count, &scenario, &error) != 0) fail_msg("%s", error.text);
  return scenario;
}

static void wants(const struct scenario_override *overrides, size_t count, const char *says)
{
  struct scenario *scenario = NULL;
  struct error error = {0};
  if (load(overrides, count, &scenario, &error) == 0) fail_msg("taken, wanted '%s'", says);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  if (strcmp(error.text, says) != 0) fail_msg("wanted '%s', got '%s'", says, error.text);
}

static void replaces_a_value_behind_letters_of_several_bytes(void **state)
{
  (void) state;
  struct scenario *s = loaded(&(struct scenario_override){"fleet.devices", "50"}, 1);
  assert_int_equal(s->devices, 50);
  assert_string_equal(s->name, "über t");
  scenario_free(s);
}

static void a_key_may_have_a_dot(void **state)
{
  (void) state;
  static const char update[] =
      "name: t\nfleet: {devices: 9}\nota: {}\nphases:\n  - name: p\n    do:\n"
      "      - connect: {}\n      - ota.publish: {image: v2, version: 1.1.0}\n"
      "      - ota.rollout: {image: v2}\n";
  const struct scenario_override overrides[] = {{"phases[0].do[1].ota.publish.version", "1.2.0"},
                                                {"phases[0].do[2].ota.rollout.jitter", "1s"},
                                                {"ota.window", "4"}};
  struct scenario *s = NULL;
  struct error error;
  if (load_text(update, sizeof update - 1, overrides, 3, &s, &error) != 0)
    fail_msg("%s", error.text);
  assert_int_equal(s->ota.images[1].version, DEVICE_VERSION(1, 2, 0));
  assert_int_equal(s->phases[0].steps[2].rollout.jitter_ms, 1000);
  assert_int_equal(s->ota.profile.window, 4);
  scenario_free(s);
}

static void timing_can_be_set_where_the_file_has_none(void **state)
{
  (void) state;
  const struct scenario_override overrides[] = {{"timing.pace", "true"},
                                                {"broker.handshake-timeout", "1500ms"}};
  struct scenario *s = loaded(overrides, 2);
  assert_true(s->pace);
  assert_string_equal(s->timing_profile, SCENARIO_TIMING_DEFAULT);
  assert_int_equal(s->broker_handshake_timeout_ms, 1500);
  scenario_free(s);
}

static void replaces_lists_in_either_style(void **state)
{
  (void) state;
  const struct scenario_override set[] = {{"pki.trusted", "[B, A, spare]"},
                                          {"phases[0].do[1].push-trust.waves", "[1%, 2%, 100%]"}};
  struct scenario *s = loaded(set, 2);
  assert_int_equal(s->trusted.count, 3);
  assert_string_equal(s->trusted.name[0], "B");
  assert_string_equal(s->broker_root, "A");
  assert_int_equal(s->phases[0].steps[1].waves.count, 3);
  assert_int_equal(s->phases[0].steps[2].line, 15);
  scenario_free(s);
}

static void adds_keys_to_mappings_of_either_style_and_to_none(void **state)
{
  (void) state;
  const struct scenario_override set[] = {
      {"fleet.profile", "m4"},       {"phases[0].do[0].connect.rate", "7/s"},
      {"pki.devices", "B"},          {"phases[0].until", "online == 100%"},
      {"device.timeouts.tcp", "2s"}, {"device.timeouts.ack", "3s"},
      {"limits.run", "5m"},          {"seed", "9"},
      {"device.crypto", "native"}};
  struct scenario *s = loaded(set, sizeof set / sizeof *set);
  assert_string_equal(s->profile_name, "m4");
  assert_float_equal(s->phases[0].steps[0].rate, 7, 0);
  assert_string_equal(s->device_root, "B");
  assert_true(s->phases[0].has_until);
  assert_int_equal(s->device.tcp_timeout_ms, 2000);
  assert_int_equal(s->device.ack_timeout_ms, 3000);
  assert_int_equal(s->run_limit_ms, 300000);
  assert_int_equal(s->seed, 9);
  assert_int_equal(s->crypto, SCENARIO_NATIVE);
  assert_int_equal(s->phases[0].steps[2].line, 15);
  scenario_free(s);
}

static void a_value_is_one_value_whatever_it_holds(void **state)
{
  (void) state;
  static const char *const names[] = {"a, b", "a: b", "# c", "\"q\"", "b\\n",
                                      "*x",   "}",    "- d", "null"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct scenario *s = loaded(&(struct scenario_override){"fleet.profile", names[i]}, 1);
    assert_string_equal(s->profile_name, names[i]);
    scenario_free(s);
  }
}

static void an_error_elsewhere_keeps_its_line(void **state)
{
  (void) state;
  const struct scenario_override set[] = {
      {"pki.devices", "B"}, {"seed", "9"}, {"phases[0].do[2].reissue.root", "Z"}};
  wants(set, 3,
        "F:15:25: 'Z' is no root of this scenario; pki.roots has A, B and spare (from --set "
        "phases[0].do[2].reissue.root=Z)");
}

static void an_unknown_path_names_the_option(void **state)
{
  (void) state;
  wants(
      &(struct scenario_override){"fleet.device", "5"}, 1,
      "F:2:9: unknown key 'device' in fleet; did you mean 'devices'? (from --set fleet.device=5)");
  wants(&(struct scenario_override){"limit.run", "5m"}, 1,
        "F:1:1: unknown key 'limit' in the scenario; did you mean 'limits'? (from --set "
        "limit.run=5m)");
}

static void refuses_what_is_no_path_or_no_value(void **state)
{
  (void) state;
  wants(&(struct scenario_override){"", "5"}, 1,
        "--set =5: this is no path: write 'fleet.devices=50'");
  wants(&(struct scenario_override){"a..b", "5"}, 1,
        "--set a..b=5: this is no path: write 'fleet.devices=50'");
  wants(&(struct scenario_override){"seed", "[1"}, 1,
        "--set seed=[1: the brackets do not make a list or mapping: write 'waves=[10%, 100%]'");
  wants(
      &(struct scenario_override){"seed", "[1] # x"}, 1,
      "--set seed=[1] # x: the brackets do not make a list or mapping: write 'waves=[10%, 100%]'");
  wants(&(struct scenario_override){"seed", "1\nname: x"}, 1,
        "--set seed=1 name: x: the value must be one line without control characters");
  wants(&(struct scenario_override){"extra[0].name", "x"}, 1,
        "--set extra[0].name=x: there is no such entry in the file; count from [0]");
  wants(&(struct scenario_override){"seed", ""}, 1,
        "F:1:7: 'seed' must be given a value; it is empty (from --set seed=)");
}

static void refuses_entries_beyond_a_list(void **state)
{
  (void) state;
  wants(&(struct scenario_override){"phases[7].name", "x"}, 1,
        "--set phases[7].name=x: there is no such place in the file: a list has no such entry "
        "(they count from [0]), or a single value has no keys");
}

/* What is said of its value is another matter. */
static void is_known(void *ctx, const char *setting)
{
  char path[100];
  size_t *known = ctx, size = strlen(setting) - 1;
  struct scenario *scenario = NULL;
  struct error error = {.text = ""};
  (*known)++;
  assert_int_equal(setting[size], '=');
  snprintf(path, sizeof path, "%.*s", (int) size, setting);
  const struct scenario_override override = {path, strcmp(path, "pki.roots") == 0 ? "[A, B]" : "7"};
  if (load(&override, 1, &scenario, &error) == 0) scenario_free(scenario);
  if (strstr(error.text, "unknown key") != NULL || strstr(error.text, "nothing was sent") != NULL)
    fail_msg("--set %s7 is offered, and: %s", setting, error.text);
}

struct search {
  const char *setting;
  bool found;
};

static void look_for(void *ctx, const char *setting)
{
  struct search *search = ctx;
  search->found |= strcmp(setting, search->setting) == 0;
}

static void every_setting_that_is_offered_has_its_place_in_a_scenario(void **state)
{
  (void) state;
  size_t known = 0;
  scenario_settings(is_known, &known);
  if (known < 80) fail_msg("only %zu settings", known);
  static const struct search wanted[] = {
      {"fleet.devices=", true}, {"fleet.telemetry.qos=", true},  {"pki.trusted=", true},
      {"operator.url=", true},  {"broker.hooks.restart=", true}, {"targets=", false},
      {"phases=", false}};
  for (size_t w = 0; w < sizeof wanted / sizeof *wanted; w++) {
    struct search search = {wanted[w].setting, false};
    scenario_settings(look_for, &search);
    if (search.found != wanted[w].found)
      fail_msg("%s is %s", wanted[w].setting, search.found ? "offered" : "not offered");
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(replaces_a_value_behind_letters_of_several_bytes),
      cmocka_unit_test(a_key_may_have_a_dot),
      cmocka_unit_test(timing_can_be_set_where_the_file_has_none),
      cmocka_unit_test(replaces_lists_in_either_style),
      cmocka_unit_test(adds_keys_to_mappings_of_either_style_and_to_none),
      cmocka_unit_test(a_value_is_one_value_whatever_it_holds),
      cmocka_unit_test(an_error_elsewhere_keeps_its_line),
      cmocka_unit_test(an_unknown_path_names_the_option),
      cmocka_unit_test(refuses_what_is_no_path_or_no_value),
      cmocka_unit_test(refuses_entries_beyond_a_list),
      cmocka_unit_test(every_setting_that_is_offered_has_its_place_in_a_scenario),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
