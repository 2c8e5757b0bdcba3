#define _XOPEN_SOURCE 700 /* truncate */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/events.h"
#include "sample.h"

static struct events *events;

static int begin(void **state)
{
  struct error error;
  (void) sample_set_up(state);
  return events_open(sample.folder, &events, &error);
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

/* One of every kind. The format is a contract: order of keys, blanks and digits. */
static const char run_id[] = "3f0c6a7be2be0ba0ff72b4a3b1f4c8d1";
static const struct {
  struct event event;
  const char *line;
} golden[] = {
    {{EVENT_RUN, 0, 0, .run = {run_id, "a day", 200, "2026-01-02T03:04:05Z"}},
     "{\"t\": 0.000000, \"event\": \"run\", \"run_id\": \"3f0c6a7be2be0ba0ff72b4a3b1f4c8d1\", "
     "\"scenario\": \"a day\", \"devices\": 200, \"started\": \"2026-01-02T03:04:05Z\"}\n"},
    {{EVENT_PHASE, 0.214, 0, .phase = {"say \"B\""}},
     "{\"t\": 0.214000, \"event\": \"phase\", \"phase\": \"say \\\"B\\\"\"}\n"},
    {{EVENT_STEP, 0.214001, 0, .step = {"push-trust"}},
     "{\"t\": 0.214001, \"event\": \"step\", \"step\": \"push-trust\"}\n"},
    {{EVENT_SHORT, 2, 0, .fell_short = {9, "00000001 0000000a", "only 1 of 10"}},
     "{\"t\": 2.000000, \"event\": \"short\", \"devices\": 9, \"first\": \"00000001 "
     "0000000a\", \"why\": \"only 1 of 10\"}\n"},
    {{EVENT_BRAKE, 3, 0, .brake = {true}},
     "{\"t\": 3.000000, \"event\": \"brake\", \"on\": true}\n"},
    {{EVENT_CONTROL, 3.05, 0, .control = {"go-on"}},
     "{\"t\": 3.050000, \"event\": \"control\", \"asked\": \"go-on\"}\n"},
    {{EVENT_PAUSED, 3.06, 0, .paused = {true}},
     "{\"t\": 3.060000, \"event\": \"paused\", \"on\": true}\n"},
    {{EVENT_OFFICE, 3.1, 0, .office = {"lost", "a\\b"}},
     "{\"t\": 3.100000, \"event\": \"operator\", \"state\": \"lost\", \"why\": \"a\\\\b\"}\n"},
    {{EVENT_FAILED, 4, 0xa, .failed = {DEVICE_FAIL_TCP_RESET, "no connection came about"}},
     "{\"t\": 4.000000, \"device\": \"0000000a\", \"event\": \"failed\", \"failure\": "
     "\"connect.tcp.reset\", \"detail\": \"no connection came about\"}\n"},
    {{EVENT_REFUSED, 4.5, 0x8f5c28f5,
      .refused = {DEVICE_FAIL_PUBLISH_REFUSED_AUTH, "private/x, MQTT reason 0x87"}},
     "{\"t\": 4.500000, \"device\": \"8f5c28f5\", \"event\": \"refused\", \"failure\": "
     "\"publish.refused_not_authorised\", \"detail\": \"private/x, MQTT reason 0x87\"}\n"},
    {{EVENT_ONLINE, 5, 0xa, .online = {"main", -1, false, true}},
     "{\"t\": 5.000000, \"device\": \"0000000a\", \"event\": \"online\", \"endpoint\": \"main\", "
     "\"node\": -1, \"resumed\": false, \"session_present\": true}\n"},
    {{EVENT_OFFLINE, 5.5, 0xa, .offline = {1}},
     "{\"t\": 5.500000, \"device\": \"0000000a\", \"event\": \"offline\", \"node\": 1}\n"},
    {{EVENT_TRUST, 6, 0xa, .trust = {DEVICE_UPDATE_COMMITTED, UINT32_MAX}},
     "{\"t\": 6.000000, \"device\": \"0000000a\", \"event\": \"trust\", \"status\": \"committed\", "
     "\"version\": 4294967295}\n"},
    {{EVENT_CERTIFICATE, 7, 0xa, .certificate = {DEVICE_UPDATE_COMMITTED, 2}},
     "{\"t\": 7.000000, \"device\": \"0000000a\", \"event\": \"certificate\", \"status\": "
     "\"committed\", \"version\": 2}\n"},
    {{EVENT_OTA, 8, 0xa, .ota = {DEVICE_OTA_DOWNLOADING, 3, 0x0102012c}},
     "{\"t\": 8.000000, \"device\": \"0000000a\", \"event\": \"ota\", \"status\": \"downloading\", "
     "\"serial\": 3, \"version\": \"1.2.300\"}\n"},
    {{EVENT_BOOTED, 9, 0xa, .booted = {0x0102012c, DEVICE_OTA_TRIAL}},
     "{\"t\": 9.000000, \"device\": \"0000000a\", \"event\": \"booted\", \"version\": \"1.2.300\", "
     "\"status\": \"trial\"}\n"},
    {{EVENT_POWER_CUT, 9.5, 0xa, .power_cut = {INT64_MAX, 2}},
     "{\"t\": 9.500000, \"device\": \"0000000a\", \"event\": \"power_cut\", \"operation\": "
     "9223372036854775807, \"cut\": 2}\n"},
    {{EVENT_TOKEN, 10, 0xa, .token = {"due", true, 1893456000}},
     "{\"t\": 10.000000, \"device\": \"0000000a\", \"event\": \"token\", \"why\": \"due\", "
     "\"renewed\": true, \"end_unix_s\": 1893456000}\n"},
    {{EVENT_MITM, 9.5, 10, .mitm = {"leaf-expired", "refused", "it refused with alert 45"}},
     "{\"t\": 9.500000, \"device\": \"0000000a\", \"event\": \"mitm\", \"shown\": "
     "\"leaf-expired\", "
     "\"result\": \"refused\", \"why\": \"it refused with alert 45\"}\n"},
    {{EVENT_SECOND, 11, 0, .second = {998}},
     "{\"t\": 11.000000, \"event\": \"second\", \"online\": 998}\n"},
    {{EVENT_UNWRITTEN, 41.1, 0, .unwritten = {"cannot write results.json"}},
     "{\"t\": 41.100000, \"event\": \"unwritten\", \"why\": \"cannot write results.json\"}\n"},
    {{EVENT_END, 41.2, 0, .end = {run_id, "pass", 0, 7, "e5", 2, 3, "4e", "1b"}},
     "{\"t\": 41.200000, \"event\": \"end\", \"run_id\": \"3f0c6a7be2be0ba0ff72b4a3b1f4c8d1\", "
     "\"verdict\": \"pass\", \"exit_code\": 0, \"events\": 7, \"events_sha256\": \"e5\", "
     "\"phases\": 2, \"expectations\": 3, \"results_sha256\": \"4e\", \"junit_sha256\": "
     "\"1b\"}\n"},
};

static void every_kind_has_the_line_that_readers_know(void **state)
{
  (void) state;
  char line[EVENT_LINE_MAX];
  bool seen[EVENT_KIND_COUNT] = {false};
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
    size_t size = event_line(&golden[i].event, NULL, line);
    assert_string_equal(line, golden[i].line);
    assert_int_equal(size, strlen(line));
    seen[golden[i].event.kind] = true;
  }
  for (enum event_kind kind = 0; kind < EVENT_KIND_COUNT; kind++)
    if (!seen[kind]) fail_msg("no line of '%s' is held by this test", event_name(kind));
  assert_int_equal(events_close(events, NULL), 0);
}

static void describe(void *ctx, size_t index, struct template_values *out)
{
  (void) ctx;
  out->number = (uint32_t) index + 0xa;
  out->id = index == 0 ? "\"SN\"\\10" : "SN-11";
}

static void a_device_has_the_name_that_its_owner_gave_it(void **state)
{
  (void) state;
  struct names *names = NULL;
  assert_int_equal(names_create(&names_usual, 2, describe, NULL, &names, NULL, NULL), 0);
  events_name_devices(events, names);
  for (uint32_t device = 0xa; device < 0xd; device++)
    events_emit(events, &(struct event){EVENT_POWER_CUT, 1, device, .power_cut = {1, 1}});
  events_flush(events);
  json_t *lines = lines_written();
  assert_string_equal(text_of(lines, 0, "device"), "\"SN\"\\10");
  assert_string_equal(text_of(lines, 1, "device"), "SN-11");
  assert_string_equal(text_of(lines, 2, "device"), "0000000c");
  json_decref(lines);
  assert_int_equal(events_close(events, NULL), 0);
  names_free(names);
}

/* A reader that knows the table knows the line: names, in order, and JSON types. */
static void the_table_of_fields_describes_the_line(void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
    size_t count;
    const struct event_field *fields = event_fields(golden[i].event.kind, &count);
    json_t *line = json_loads(golden[i].line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    void *at = json_object_iter_at(line, "event");
    assert_string_equal(json_string_value(json_object_iter_value(at)),
                        event_name(golden[i].event.kind));
    for (size_t f = 0; f < count; f++) {
      at = json_object_iter_next(line, at);
      assert_non_null(at);
      assert_string_equal(json_object_iter_key(at), fields[f].name);
      assert_int_equal(json_is_boolean(json_object_iter_value(at)),
                       fields[f].type == EVENT_TYPE_FLAG);
      assert_true(fields[f].says[0] != '\0');
    }
    assert_null(json_object_iter_next(line, at));
    json_decref(line);
  }
  assert_int_equal(events_close(events, NULL), 0);
}

static void note_kind(void *ctx, const struct event *event)
{
  strcat(ctx, event_name(event->kind));
  strcat(ctx, " ");
}

static void every_sink_is_told_of_what_comes_after_it(void **state)
{
  (void) state;
  char first[64] = "", second[64] = "";
  struct events *stream;
  struct events_sink one = {.take = note_kind, .ctx = first},
                     two = {.take = note_kind, .ctx = second};
  assert_int_equal(events_open(NULL, &stream, NULL), 0);
  events_attach(stream, &one);
  events_emit(stream, &(struct event){.kind = EVENT_RUN, .run = {run_id, "", 0, ""}});
  events_attach(stream, &two);
  events_emit(stream, &(struct event){.kind = EVENT_BRAKE});
  events_flush(stream);
  assert_int_equal(events_check(stream, NULL), 0);
  assert_int_equal(events_close(stream, NULL), 0);
  assert_string_equal(first, "run brake ");
  assert_string_equal(second, "brake ");
  assert_int_equal(events_close(events, NULL), 0);
}

static void a_flush_shows_every_line_so_far(void **state)
{
  (void) state;
  struct error error;
  events_emit(events, &golden[EVENT_FAILED].event);
  events_emit(events, &golden[EVENT_PHASE].event);
  events_flush(events);
  json_t *lines = lines_written();
  assert_int_equal(json_array_size(lines), 2);
  assert_string_equal(text_of(lines, 0, "device"), "0000000a");
  assert_string_equal(text_of(lines, 0, "failure"), "connect.tcp.reset");
  assert_true(json_real_value(json_object_get(json_array_get(lines, 0), "t")) == 4);
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
    events_emit(events, &(struct event){.kind = EVENT_PHASE, .device = 1, .phase = {text}});
  }
  assert_int_equal(events_close(events, &error), 0);
  json_t *lines = lines_written();
  assert_int_equal(json_array_size(lines), 200);
  assert_non_null(text_of(lines, 0, "phase"));
  assert_null(text_of(lines, 199, "phase"));
  json_decref(lines);
}

static void any_text_is_json(void **state)
{
  (void) state;
  struct error error;
  const char *ugly = "a\"b\\c\n\x01 caf\xc3\xa9 \xff\xe2\x82 \xf0\x9f\x94\x91 \xed\xa0\x80 end";
  for (size_t from = 0; from <= strlen(ugly); from++)
    events_emit(events, &(struct event){.kind = EVENT_PHASE, .phase = {ugly + from}});
  assert_int_equal(events_close(events, &error), 0);
  json_t *lines = lines_written();
  assert_string_equal(text_of(lines, 0, "phase"),
                      "a\"b\\c\n\x01 caf\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                      "\xf0\x9f\x94\x91 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd end");
  assert_string_equal(text_of(lines, strlen(ugly), "phase"), "");
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

/* How many lines a reader finds, and whether he comes to the end of the file. */
static int count_lines(bool *whole)
{
  char path[FILES_PATH_MAX], line[EVENT_LINE_MAX];
  struct error error;
  FILE *file = events_read(sample.folder, path, &error);
  assert_non_null(file);
  assert_non_null(strstr(path, "/" EVENTS_FILE_COMPRESSED));
  int lines = 0;
  while (fgets(line, sizeof line, file) != NULL && strchr(line, '\n') != NULL) {
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    if (object == NULL) fail_msg("no JSON: %s", line);
    json_decref(object);
    lines++;
  }
  *whole = feof(file) && !ferror(file);
  fclose(file);
  return lines;
}

static struct events *begin_compressed(unsigned lines)
{
  struct events *stream;
  struct error error;
  assert_int_equal(events_close(events, &error), 0);
  char path[FILES_PATH_MAX];
  assert_int_equal(files_join(path, sample.folder, EVENTS_FILE, &error), 0);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(events_open_compressed(sample.folder, &stream, &error), 0);
  for (unsigned i = 0; i < lines; i++) {
    struct event event = golden[EVENT_FAILED].event;
    event.t_s = i / 100.0;
    event.device = i;
    events_emit(stream, &event);
  }
  return stream;
}

static off_t size_of_compressed(void)
{
  struct stat st;
  char path[FILES_PATH_MAX];
  assert_int_equal(files_join(path, sample.folder, EVENTS_FILE_COMPRESSED, NULL), 0);
  assert_int_equal(stat(path, &st), 0);
  return st.st_size;
}

/* 20,000 are more than stdio and zstd keep. */
static void compressed_lines_are_the_same_lines_and_a_tenth_as_large(void **state)
{
  (void) state;
  bool whole;
  struct error error;
  struct events *stream = begin_compressed(20000);
  events_flush(stream);
  assert_int_equal(count_lines(&whole), 20000); /* who is killed now has lost none of them */
  events_emit(stream, &golden[EVENT_PHASE].event);
  assert_int_equal(count_lines(&whole), 20000);
  struct events_seal seal;
  assert_int_equal(events_seal(stream, &seal), 0);
  assert_int_equal(seal.lines, 20001);
  assert_int_equal(events_close(stream, &error), 0);
  assert_int_equal(count_lines(&whole), 20001);
  assert_true(whole);
  assert_in_range(size_of_compressed(), 1, 20000 * 12);
}

static void compressed_lines_that_are_cut_off_are_told_and_those_before_can_be_read(void **state)
{
  (void) state;
  bool whole;
  char path[FILES_PATH_MAX];
  struct error error = {0};
  struct events *stream = begin_compressed(20000);
  events_flush(stream);
  assert_int_equal(files_join(path, sample.folder, EVENTS_FILE_COMPRESSED, NULL), 0);
  assert_int_equal(truncate(path, size_of_compressed() / 2), 0);
  assert_int_equal(events_check(stream, &error), -1);
  assert_non_null(strstr(error.text, "cut off"));
  assert_in_range(count_lines(&whole), 1, 19999);
  assert_int_equal(events_close(stream, &error), -1);
}

static void what_is_not_compressed_is_an_error_of_reading(void **state)
{
  (void) state;
  bool whole;
  char path[FILES_PATH_MAX];
  struct error error;
  assert_int_equal(events_close(begin_compressed(0), &error), 0);
  assert_int_equal(files_join(path, sample.folder, EVENTS_FILE_COMPRESSED, NULL), 0);
  assert_int_equal(files_write(path, "{\"t\": 0}\n", 9, 0644, &error), 0);
  assert_int_equal(count_lines(&whole), 0);
  assert_false(whole);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, sample_take_down)
  const struct CMUnitTest tests[] = {
      test(every_kind_has_the_line_that_readers_know),
      test(a_device_has_the_name_that_its_owner_gave_it),
      test(the_table_of_fields_describes_the_line),
      test(every_sink_is_told_of_what_comes_after_it),
      test(a_flush_shows_every_line_so_far),
      test(members_that_do_not_fit_are_left_out_whole),
      test(any_text_is_json),
      test(a_folder_that_is_not_there_is_a_sentence),
      test(compressed_lines_are_the_same_lines_and_a_tenth_as_large),
      test(compressed_lines_that_are_cut_off_are_told_and_those_before_can_be_read),
      test(what_is_not_compressed_is_an_error_of_reading),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
