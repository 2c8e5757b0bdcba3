/* What devices are called, and which device a topic is of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/names.h"

struct register_of {
  const char *form;  /* of the name, by the index */
  const char *fixed; /* of all; NULL */
  char text[80];
};

static const char *column(void *ctx, const char *name, size_t size)
{
  (void) ctx;
  return size == 4 && memcmp(name, "hall", size) == 0 ? "7" : "";
}

static void describe(void *ctx, size_t index, struct template_values *out)
{
  struct register_of *reg = ctx;
  if (reg->fixed != NULL)
    snprintf(reg->text, sizeof reg->text, "%s", reg->fixed);
  else
    snprintf(reg->text, sizeof reg->text, "%s%08zx", reg->form, index + 1);
  out->id = out->cn = reg->text;
  out->column = column;
  out->number = 1000 + (uint32_t) index;
  out->cohort = index % 2 == 0 ? "even" : "odd";
}

static struct names *make(const struct names_templates *templates, size_t count, const char *form)
{
  struct register_of reg = {.form = form};
  struct names *names = NULL;
  struct error error;
  if (names_create(templates, count, describe, &reg, &names, NULL, &error) != 0)
    fail_msg("%s", error.text);
  return names;
}

static void expect(const struct names *names, const char *topic, size_t index, bool telemetry,
                   const char *below)
{
  struct names_topic found;
  if (!names_find(names, topic, &found)) fail_msg("nobody has the topic '%s'", topic);
  assert_int_equal(found.index, index);
  assert_int_equal(found.telemetry, telemetry);
  assert_string_equal(found.below, below);
}

static void expect_nobody(const struct names *names, const char *topic)
{
  struct names_topic found;
  if (names_find(names, topic, &found)) fail_msg("'%s' is of device %zu", topic, found.index);
}

static void expect_cover(const struct names *names, const char *first, const char *second)
{
  char out[NAMES_TOPIC_MAX];
  assert_true(names_cover(names, 0, out));
  assert_string_equal(out, first);
  assert_int_equal(names_cover(names, 1, out), second != NULL);
  if (second != NULL) assert_string_equal(out, second);
  assert_false(names_cover(names, 2, out));
  char text[NAMES_COVER_TEXT], both[NAMES_COVER_TEXT];
  snprintf(both, sizeof both, "%s%s%s", first, second != NULL ? " and " : "",
           second != NULL ? second : "");
  assert_string_equal(names_cover_text(names, text), both);
}

static void the_usual_names_are_those_of_old(void **state)
{
  (void) state;
  char out[NAMES_TOPIC_MAX];
  struct names *names = make(&names_usual, 1000, "");
  struct names_device device = names_of(names, 0xa1 - 1);
  assert_string_equal(device.name, "000000a1");
  assert_string_equal(device.client_id, "000000a1");
  assert_string_equal(device.root, "private/000000a1/");
  assert_string_equal(device.telemetry, "private/000000a1/telemetry");
  expect(names, "private/000000a1/trust/ack", 0xa0, false, "trust/ack");
  expect(names, "private/000000a1/telemetry", 0xa0, true, "telemetry");
  expect(names, "private/000003e8/", 999, false, "");
  expect_nobody(names, "private/000003e9/telemetry");
  expect_nobody(names, "private/000000A1/telemetry");
  expect_nobody(names, "private/000000a1");
  expect_nobody(names, "/private/000000a1/telemetry");
  expect_nobody(names, "");
  names_filter(names, "trust/ack", out);
  assert_string_equal(out, "private/+/trust/ack");
  names_telemetry_filter(names, out);
  assert_string_equal(out, "private/+/telemetry");
  expect_cover(names, "private/#", NULL);
  expect_cover(NULL, "private/#", NULL);
  names_free(names);
}

static void topics_of_ones_own_lead_to_their_device(void **state)
{
  (void) state;
  static const struct names_templates acme = {"{cohort}:{index:04}", "acme/v1/{id}/fleetsim/",
                                              "acme/v1/{id}/up"};
  char out[NAMES_TOPIC_MAX];
  struct names *names = make(&acme, 300, "SN-");
  struct names_device device = names_of(names, 41);
  assert_string_equal(device.name, "SN-0000002a");
  assert_string_equal(device.client_id, "odd:0041");
  assert_string_equal(device.root, "acme/v1/SN-0000002a/fleetsim/");
  for (size_t i = 0; i < 300; i++) {
    char topic[NAMES_TOPIC_MAX];
    device = names_of(names, i);
    expect(names, device.telemetry, i, true, "");
    snprintf(topic, sizeof topic, "%sota/get", device.root);
    expect(names, topic, i, false, "ota/get");
    snprintf(topic, sizeof topic, "%stelemetry", device.root);
    expect(names, topic, i, false, "telemetry"); /* which is not where its telemetry goes */
    snprintf(topic, sizeof topic, "%s/x", device.telemetry);
    expect_nobody(names, topic);
  }
  names_filter(names, "", out);
  assert_string_equal(out, "acme/v1/+/fleetsim/");
  names_telemetry_filter(names, out);
  assert_string_equal(out, "acme/v1/+/up");
  expect_cover(names, "acme/v1/#", NULL);
  names_free(names);
}

static void telemetry_is_known_by_its_form_also_of_another_fleet(void **state)
{
  (void) state;
  static const struct names_templates acme = {"{id}", "c/{id}/", "acme/{cohort}/{id}/up"};
  static const struct {
    const char *topic;
    bool is;
  } rows[] = {{"acme/even/SN-1/up", true}, {"acme/x/y/up", true},    {"acme/x/up", false},
              {"acme/x/y/up/z", false},    {"acme/x/y/z/up", false}, {"acme/x/y/upp", false},
              {"acme/x/y/u", false},       {"acme//y/up", true},     {"", false}};
  struct names *names = make(&acme, 3, "SN-");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (names_is_telemetry(names, rows[i].topic, strlen(rows[i].topic)) != rows[i].is)
      fail_msg("'%s'", rows[i].topic);
  assert_true(names_is_telemetry(names, "acme/x/y/up and more", 11));
  names_free(names);
}

static void what_covers_all_topics_is_as_narrow_as_it_can_be(void **state)
{
  (void) state;
  static const struct {
    struct names_templates templates;
    const char *first, *second;
  } rows[] = {{{"{id}", "acme/dev-{id}/x/", "acme/up/{id}"}, "acme/#", NULL},
              {{"{id}", "acme/c/{id}/", "acme/t/{id}/up"}, "acme/c/#", "acme/t/+/up"},
              {{"{id}", "{id}/c/", "{id}/up"}, "+/c/#", "+/up"},
              {{"{id}", "/{id}/", "/{id}/up"}, "/#", NULL}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct names *names = make(&rows[i].templates, 3, "SN-");
    expect_cover(names, rows[i].first, rows[i].second);
    names_free(names);
  }
}

#define T(...)                    \
  &(const struct names_templates) \
  {                               \
    __VA_ARGS__                   \
  }

static void refuses(const struct names_templates *templates, const char *form, const char *fixed,
                    const char *says)
{
  struct register_of reg = {.form = form, .fixed = fixed};
  struct names *names = NULL;
  struct error error = {.text = ""};
  if (names_create(templates, 2, describe, &reg, &names, NULL, &error) == 0)
    fail_msg("taken: %s", says);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  if (strstr(error.text, says) == NULL) fail_msg("'%s' does not say '%s'", error.text, says);
}

static void what_is_no_topic_or_not_the_devices_own_is_refused(void **state)
{
  (void) state;
  refuses(T("{id", "a/{id}/", "b/{id}"), "", NULL, "the client id: '{id', character 1");
  refuses(T("", "a/{id}/", "b/{id}"), "", NULL, "the client id is empty");
  refuses(T("{id}", "a/{id}", "b/{id}"), "", NULL, "does not end with '/'");
  refuses(T("{id}", "a/+/{id}/", "b/{id}"), "", NULL,
          "the control topic 'a/+/{id}/', character 3: a topic has no '+'");
  refuses(T("{id}", "a/{id}/", "b/{id}/#"), "", NULL, "character 8: a topic has no '#'");
  refuses(T("{id}", "$SYS/{id}/", "b/{id}"), "", NULL, "begins with '$'");
  refuses(T("{id}", "a/{id}/", "b/{id}/"), "", NULL, "the telemetry topic 'b/{id}/' ends with '/'");
  refuses(T("me", "a/{id}/", "b/{id}"), "", NULL,
          "the client id 'me' is the same for all devices: let {id}, {cn} or {index} be in it");
  refuses(T("{id}", "a/b/", "b/{id}"), "", NULL, "the control topic 'a/b/' is the same for all");
  refuses(T("{id}", "a/{id}/", "b/{cohort}"), "", NULL, "'b/{cohort}' is the same for all");
  refuses(T("{id}", "a/{id}/", "b/{hall}"), "", NULL,
          "devices 00000001 and 00000002 have the same telemetry topic, 'b/7'");
  refuses(T("{index}", "a/{index}/", "b/{id}"), "", "twice", "two devices are called 'twice'");
  refuses(T("{id}", "a/{id}/", "b/{index}"), "x/", NULL, "'a/{id}/' is 'a/x/00000001/' for device");
  refuses(T("{id}", "a/{index}/", "b/{id}"), "#", NULL, "has no '/', '+' or '#'");
  refuses(T("{id}", "{id}/{id}/{id}/0123456789012345678901234567890123456789012/", "b/{id}"),
          "0123456789012345", NULL, "is longer than 112 bytes for device 012345678901234500000001");
}

static void telemetry_that_cannot_be_told_from_the_rest_is_refused(void **state)
{
  (void) state;
  refuses(T("{id}", "a/{id}/", "a/{id}/status"), "", NULL,
          "'a/00000001/status' of device 00000001 is a topic of telemetry, and one of updates");
  refuses(T("{id}", "a/{id}/", "a/{id}/ota/get"), "", NULL, "a/00000001/ota/get");
  refuses(T("{id}", "a/{id}/", "a/{id}/{index}"), "", NULL, "'a/00000001/trust' of device");
  refuses(T("{id}", "a/{id}/", "a/{hall}/trust/{cn}"), "", NULL,
          "'a/00000001/trust/ack' of device");
  struct names *names = make(T("{id}", "a/{id}/", "a/{id}/x/status"), 2, "");
  names_free(names);
  names = make(T("{id}", "a/{id}/", "a/telemetry/{id}"), 2, "");
  names_free(names);
}

static void a_column_or_a_cohort_that_a_device_has_not_is_told(void **state)
{
  (void) state;
  struct names *names = make(T("{id}@{hall}", "{hall}/{id}/", "{hall}/{id}/up"), 2, "SN-");
  assert_string_equal(names_of(names, 1).client_id, "SN-00000002@7");
  assert_string_equal(names_of(names, 1).telemetry, "7/SN-00000002/up");
  names_free(names);
  refuses(T("{id}", "a/{id}/", "b/{serial}/{id}"), "", NULL,
          "'b/{serial}/{id}': device 00000001 has no {serial}; {id}, {index} and {cn} all have");
}

static void a_client_id_may_hold_what_a_topic_may_not(void **state)
{
  (void) state;
  static const struct names_templates odd = {"{id}", "a/{index}/", "b/{index}"};
  struct names *names = make(&odd, 2, "urn:x/+#");
  assert_string_equal(names_of(names, 1).client_id, "urn:x/+#00000002");
  names_free(names);
}

static void people_read_a_name_and_digits_where_there_is_none(void **state)
{
  (void) state;
  char text[NAMES_TEXT];
  struct names *names = make(&names_usual, 300, "SN-");
  assert_string_equal(names_text(names, 1000, text), "SN-00000001");
  assert_string_equal(names_text(names, 1299, text), "SN-0000012c");
  assert_string_equal(names_text(names, 1300, text), "00000514");
  assert_string_equal(names_text(NULL, 0xa1f, text), "00000a1f");
  names_free(names);
}

static void a_name_leads_to_its_device(void **state)
{
  (void) state;
  size_t index = 7;
  struct names *names = make(&names_usual, 300, "SN-"), *usual = make(&names_usual, 300, "");
  assert_true(names_find_name(names, "SN-0000012c", &index));
  assert_int_equal(index, 299);
  assert_false(names_find_name(names, "SN-0000012C", &index));
  assert_false(names_find_name(names, "0000012c", &index));
  assert_false(names_find_name(names, "", &index));
  assert_true(names_find_name(usual, "0000012C", &index) && index == 299);
  assert_true(names_find_name(usual, "0000002a", &index) && index == 41);
  names_free(usual);
  names_free(names);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_usual_names_are_those_of_old),
      cmocka_unit_test(topics_of_ones_own_lead_to_their_device),
      cmocka_unit_test(telemetry_is_known_by_its_form_also_of_another_fleet),
      cmocka_unit_test(what_is_no_topic_or_not_the_devices_own_is_refused),
      cmocka_unit_test(people_read_a_name_and_digits_where_there_is_none),
      cmocka_unit_test(a_name_leads_to_its_device),
      cmocka_unit_test(what_covers_all_topics_is_as_narrow_as_it_can_be),
      cmocka_unit_test(telemetry_that_cannot_be_told_from_the_rest_is_refused),
      cmocka_unit_test(a_column_or_a_cohort_that_a_device_has_not_is_told),
      cmocka_unit_test(a_client_id_may_hold_what_a_topic_may_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
