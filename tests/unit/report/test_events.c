#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "fleetsim/device.h"
#include "fleetsim/ota.h"
#include "report/events.h"
#include "sample.h"

static struct sample sample;
static struct events *events;

static int begin(void **state)
{
  (void) state;
  struct error error;
  sample_begin(&sample);
  return events_open(sample.folder, &events, &error);
}

static int finish(void **state)
{
  (void) state;
  sample_end(&sample);
  return 0;
}

/* The lines written so far, as an array of objects: every line must be JSON. */
static json_t *lines_written(void)
{
  json_t *lines = json_array();
  char *text = sample_read(&sample, "events.ndjson");
  assert_non_null(text);
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    if (object == NULL) fail_msg("no JSON: %s", line);
    json_array_append_new(lines, object);
  }
  free(text);
  return lines;
}

static const char *text_of(const json_t *lines, size_t line, const char *key)
{
  return json_string_value(json_object_get(json_array_get(lines, line), key));
}

/* One line of every kind, written as the producers write them. The format is a contract: order of
   keys, blanks and digits. */
static void every_kind_has_the_line_that_readers_know(void **state)
{
  (void) state;
  struct error error;
  char quoted[320];
  static const char golden[] =
      "{\"t\": 0.000000, \"event\": \"run\", \"run_id\": \"3f0c6a7be2be0ba0ff72b4a3b1f4c8d1\"}\n"
      "{\"t\": 0.214000, \"event\": \"phase\", \"phase\": \"say \\\"B\\\"\"}\n"
      "{\"t\": 0.214001, \"event\": \"step\", \"step\": \"push-trust\"}\n"
      "{\"t\": 3.000000, \"event\": \"brake\", \"on\": true}\n"
      "{\"t\": 3.100000, \"event\": \"operator\", \"state\": \"lost\", \"why\": \"a\\\\b\"}\n"
      "{\"t\": 4.000000, \"device\": \"0000000a\", \"event\": \"failed\", \"failure\": "
      "\"connect.tcp.reset\", \"detail\": \"no connection came about\"}\n"
      "{\"t\": 4.500000, \"device\": \"8f5c28f5\", \"event\": \"refused\", \"failure\": "
      "\"publish.refused_not_authorised\", \"detail\": \"private/x, MQTT reason 0x87\"}\n"
      "{\"t\": 5.000000, \"device\": \"0000000a\", \"event\": \"online\", \"endpoint\": \"main\", "
      "\"node\": -1, \"resumed\": false, \"session_present\": true}\n"
      "{\"t\": 6.000000, \"device\": \"0000000a\", \"event\": \"trust\", \"status\": "
      "\"committed\", "
      "\"version\": 4294967295}\n"
      "{\"t\": 7.000000, \"device\": \"0000000a\", \"event\": \"certificate\", \"status\": "
      "\"committed\", \"version\": 2}\n"
      "{\"t\": 8.000000, \"device\": \"0000000a\", \"event\": \"ota\", \"status\": "
      "\"downloading\", "
      "\"serial\": 3, \"version\": \"1.2.300\"}\n"
      "{\"t\": 9.000000, \"device\": \"0000000a\", \"event\": \"booted\", \"version\": "
      "\"1.2.300\", "
      "\"status\": \"trial\"}\n"
      "{\"t\": 9.500000, \"device\": \"0000000a\", \"event\": \"power_cut\", \"operation\": "
      "18446744073709551615, \"cut\": 2}\n"
      "{\"t\": 41.200000, \"event\": \"end\", \"run_id\": \"3f0c6a7be2be0ba0ff72b4a3b1f4c8d1\", "
      "\"verdict\": \"pass\", \"exit_code\": 0}\n";
  const char *id = "3f0c6a7be2be0ba0ff72b4a3b1f4c8d1";
  events_add(events, 0, 0, "run", "\"run_id\": \"%s\"", id);
  events_add(events, 0.214, 0, "phase", "\"phase\": \"%s\"",
             events_quote("say \"B\"", quoted, sizeof quoted));
  events_add(events, 0.214001, 0, "step", "\"step\": \"%s\"", "push-trust");
  events_add(events, 3, 0, "brake", "\"on\": %s", "true");
  events_add(events, 3.1, 0, "operator", "\"state\": \"%s\", \"why\": \"%s\"", "lost",
             events_quote("a\\b", quoted, sizeof quoted));
  events_add(events, 4, 0xa, "failed", "\"failure\": \"%s\", \"detail\": \"%s\"",
             device_failure_name(DEVICE_FAIL_TCP_RESET),
             events_quote("no connection came about", quoted, sizeof quoted));
  events_add(events, 4.5, 0x8f5c28f5, "refused", "\"failure\": \"%s\", \"detail\": \"%s\"",
             device_failure_name(DEVICE_FAIL_PUBLISH_REFUSED_AUTH),
             events_quote("private/x, MQTT reason 0x87", quoted, sizeof quoted));
  events_add(events, 5, 0xa, "online",
             "\"endpoint\": \"%s\", \"node\": %d, \"resumed\": %s, \"session_present\": %s", "main",
             -1, "false", "true");
  events_add(events, 6, 0xa, "trust", "\"status\": \"%s\", \"version\": %u",
             device_update_name(DEVICE_UPDATE_COMMITTED), 4294967295u);
  events_add(events, 7, 0xa, "certificate", "\"status\": \"%s\", \"version\": %u",
             device_update_name(DEVICE_UPDATE_COMMITTED), 2u);
  events_add(events, 8, 0xa, "ota", "\"status\": \"%s\", \"serial\": %u, \"version\": \"%s\"",
             device_ota_status_name(DEVICE_OTA_DOWNLOADING), 3u, "1.2.300");
  events_add(events, 9, 0xa, "booted", "\"version\": \"%s\", \"status\": \"%s\"", "1.2.300",
             device_ota_status_name(DEVICE_OTA_TRIAL));
  events_add(events, 9.5, 0xa, "power_cut", "\"operation\": %llu, \"cut\": %u",
             (unsigned long long) UINT64_MAX, 2u);
  events_add(events, 41.2, 0, "end", "\"run_id\": \"%s\", \"verdict\": \"%s\", \"exit_code\": %d",
             id, "pass", 0);
  assert_int_equal(events_close(events, &error), 0);
  char *text = sample_read(&sample, "events.ndjson");
  assert_string_equal(text, golden);
  free(text);
}

static void a_flush_shows_every_line_so_far(void **state)
{
  (void) state;
  struct error error;
  events_add(events, 1.5, 0xa, "failed", "\"failure\": \"%s\", \"n\": %d", "connect.tcp.reset", 3);
  events_add(events, 2, 0, "phase", NULL);
  events_flush(events);
  json_t *lines = lines_written();
  assert_int_equal(json_array_size(lines), 2);
  assert_string_equal(text_of(lines, 0, "device"), "0000000a");
  assert_string_equal(text_of(lines, 0, "failure"), "connect.tcp.reset");
  assert_true(json_real_value(json_object_get(json_array_get(lines, 0), "t")) == 1.5);
  assert_string_equal(text_of(lines, 1, "event"), "phase");
  assert_null(text_of(lines, 1, "device"));
  json_decref(lines);
  assert_int_equal(events_close(events, &error), 0);
}

static void members_that_do_not_fit_are_left_out_whole(void **state)
{
  (void) state;
  struct error error;
  static char text[4096];
  for (size_t size = 1900; size < 2100; size++) {
    memset(text, 'x', size);
    text[size] = '\0';
    events_add(events, 0, 1, "long", "\"text\": \"%s\"", text);
  }
  assert_int_equal(events_close(events, &error), 0);
  json_t *lines = lines_written();
  assert_int_equal(json_array_size(lines), 200);
  assert_non_null(text_of(lines, 0, "text"));
  assert_null(text_of(lines, 199, "text"));
  json_decref(lines);
}

static void any_text_can_be_quoted_into_any_room(void **state)
{
  (void) state;
  struct error error;
  const char *ugly = "a\"b\\c\n\x01 caf\xc3\xa9 \xff\xe2\x82 \xf0\x9f\x94\x91 \xed\xa0\x80 end";
  for (unsigned capacity = 1; capacity < 120; capacity++) {
    char *room = malloc(capacity);
    assert_non_null(room);
    assert_ptr_equal(events_quote(ugly, room, capacity), room);
    assert_true(strlen(room) < capacity);
    events_add(events, 0, 0, "quote", "\"text\": \"%s\"", room);
    free(room);
  }
  assert_int_equal(events_close(events, &error), 0);
  json_t *lines = lines_written();
  assert_string_equal(text_of(lines, 118, "text"),
                      "a\"b\\c\n\x01 caf\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                      "\xf0\x9f\x94\x91 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd end");
  json_decref(lines);
}

static void a_folder_that_is_not_there_is_a_sentence(void **state)
{
  (void) state;
  struct events *none;
  struct error error = {0};
  assert_int_equal(events_open("/nonexistent", &none, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "--out"));
  assert_int_equal(events_close(events, &error), 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, finish)
  const struct CMUnitTest tests[] = {
      test(every_kind_has_the_line_that_readers_know),  test(a_flush_shows_every_line_so_far),
      test(members_that_do_not_fit_are_left_out_whole), test(any_text_can_be_quoted_into_any_room),
      test(a_folder_that_is_not_there_is_a_sentence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
