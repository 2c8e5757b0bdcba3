#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

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
      test(a_flush_shows_every_line_so_far),
      test(members_that_do_not_fit_are_left_out_whole),
      test(any_text_can_be_quoted_into_any_room),
      test(a_folder_that_is_not_there_is_a_sentence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
