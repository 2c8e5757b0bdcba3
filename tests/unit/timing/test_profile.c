#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "timing/profile.h"

static const char whole[] =
    "{\"schema\": \"fleetsim-timing/1\", \"name\": \"round numbers\", \"clock_hz\": 64000000, "
    "\"operations\": {\"keygen\": {\"cycles\": 1000000}, \"public_key\": {\"cycles\": 900000}, "
    "\"ecdh\": {\"cycles\": 3000000}, \"sign\": {\"cycles\": 2000000}, \"verify\": {\"cycles\": "
    "4000000}, \"sha256\": {\"cycles_per_byte\": 50}, \"aes_gcm\": {\"cycles_per_byte\": 200, "
    "\"cycles_per_record\": 10000}}, \"handshake\": {\"rest_cycles\": 500000}, \"memory\": "
    "{\"rom_bytes\": 90000, \"heap_peak_bytes\": 16000}, \"k_mem\": {\"low\": 1, \"nominal\": "
    "1.07, \"high\": 1.15}}";

static char folder[] = "/tmp/fleetsim-timing-XXXXXX";

static void put(const char *name, const char *text)
{
  char path[FILES_PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(files_write(path, text, strlen(text), 0644, NULL), 0);
}

static int begin(void **state)
{
  (void) state;
  if (mkdtemp(folder) == NULL || setenv("FLEETSIM_TIMING_PROFILES", folder, 1) != 0) return -1;
  put("round.json", whole);
  put("another.json", whole);
  put("notes.txt", "no profile");
  return 0;
}

static int end(void **state)
{
  (void) state;
  static const char *const names[] = {"round.json", "another.json", "notes.txt", "changed.json"};
  char path[FILES_PATH_MAX];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  return rmdir(folder);
}

static void reads_a_profile_by_name_and_by_path(void **state)
{
  (void) state;
  struct timing_profile profile;
  char path[FILES_PATH_MAX];
  assert_int_equal(timing_load("round", &profile, NULL), 0);
  assert_string_equal(profile.name, "round numbers");
  assert_true(profile.verify == 4000000 && profile.k_nominal == 1.07 &&
              profile.aes_gcm_record == 10000);
  assert_int_equal(profile.rom_bytes, 90000);
  assert_int_equal(profile.stack_peak_bytes, 0);
  snprintf(path, sizeof path, "%s/round.json", folder);
  assert_int_equal(timing_load(path, &profile, NULL), 0);
  assert_true(profile.keygen == 1000000);
}

static void collect(void *ctx, const char *name)
{
  strcat(strcat(ctx, name), " ");
}

static void lists_what_there_is_in_alphabetical_order(void **state)
{
  (void) state;
  char names[64] = "";
  assert_int_equal(timing_each(collect, names, NULL), 0);
  assert_string_equal(names, "another round ");
}

static void an_unknown_name_is_answered_with_the_known_ones(void **state)
{
  (void) state;
  struct timing_profile profile;
  struct error error;
  assert_int_equal(timing_load("sqare", &profile, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  assert_non_null(strstr(error.text, "no timing profile 'sqare'; there are: another, round"));
}

/* The whole profile with the value at `path` ("a.b") replaced, or removed where `value` is NULL. */
static void put_changed(const char *first, const char *second, json_t *value)
{
  json_t *root = json_loads(whole, 0, NULL);
  json_t *at = second == NULL ? root : json_object_get(root, first);
  const char *key = second == NULL ? first : second;
  assert_int_equal(value == NULL ? json_object_del(at, key) : json_object_set_new(at, key, value),
                   0);
  char *text = json_dumps(root, 0);
  put("changed.json", text);
  free(text);
  json_decref(root);
}

static void assert_refused(const char *says)
{
  struct timing_profile profile;
  struct error error;
  assert_int_equal(timing_load("changed", &profile, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  if (strstr(error.text, says) == NULL) fail_msg("'%s' lacks '%s'", error.text, says);
}

static void what_is_missing_or_wrong_is_named(void **state)
{
  (void) state;
  put_changed("operations", "verify", NULL);
  assert_refused("'operations.verify.cycles' must be a number above 0");
  put_changed("clock_hz", NULL, json_integer(0));
  assert_refused("'clock_hz' must be a number above 0");
  put_changed("operations", "sign", json_pack("{s:s}", "cycles", "many"));
  assert_refused("'operations.sign.cycles'");
  put_changed("handshake", "rest_cycles", json_integer(-1));
  assert_refused("'handshake.rest_cycles' must be a number of at least 0");
  put_changed("k_mem", "low", json_real(1.2));
  assert_refused("k_mem must be in order");
  put_changed("schema", NULL, json_string("fleetsim-timing/9"));
  assert_refused("is no timing profile");
  put_changed("name", NULL, NULL);
  assert_refused("\"name\" must be a text");
}

static void what_is_no_json_is_told_with_line_and_column(void **state)
{
  (void) state;
  put("changed.json", "{\"schema\":\n oops}");
  assert_refused("changed.json:2:");
}

static void a_file_that_is_not_there_is_told(void **state)
{
  (void) state;
  struct timing_profile profile;
  struct error error;
  assert_int_equal(timing_load("./nowhere.json", &profile, &error), -1);
  assert_non_null(strstr(error.text, "nowhere.json"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_a_profile_by_name_and_by_path),
      cmocka_unit_test(lists_what_there_is_in_alphabetical_order),
      cmocka_unit_test(an_unknown_name_is_answered_with_the_known_ones),
      cmocka_unit_test(what_is_missing_or_wrong_is_named),
      cmocka_unit_test(what_is_no_json_is_told_with_line_and_column),
      cmocka_unit_test(a_file_that_is_not_there_is_told),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
