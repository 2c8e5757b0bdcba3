/* Whole runs in virtual time, each compared with its trace line by line: scenario, steps, stage,
 * run and fleet as they are, and the device's client but for its TLS (tls.c); brokers, back office
 * and authorities are in memory (broker.c, office.c, pki.c). A run of ten minutes takes
 * milliseconds, and is the same on every machine.
 *
 * traces/NAME.yaml is a scenario whose first line says what its trace shows, traces/NAME.trace what
 * must happen. `run_test_traces --update [NAME]` writes them anew: read what has changed. */
#define _XOPEN_SOURCE 700
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "run/run.h"
#include "scenario/scenario.h"
#include "script.h"
#include "site.h"
#include "steps/steps.h"
#include "trace.h"
#include "virtual.h"

#define FOLDER    FLEETSIM_SOURCE_DIR "/tests/unit/run/traces"
#define LEAST     30u
#define FILE_ROOM (1u << 20)

static bool update;
static const char *only;

static char *read_text(const char *path)
{
  uint8_t *data = NULL;
  size_t size = 0;
  struct error error;
  if (files_read(path, FILE_ROOM, &data, &size, &error) != 0) return NULL;
  char *text = malloc(size + 1);
  assert_non_null(text);
  memcpy(text, data, size);
  text[size] = '\0';
  free(data);
  return text;
}

/* --- One run ---------------------------------------------------------------------------------- */

static enum exit_code run_one(const struct scenario *scenario, const char *text, const char *out,
                              bool *written, struct error *error)
{
  const struct stage_options options = {
      .out = out, .quiet = true, .version = "0", .onlooker = script_onlooker()};
  struct world *world = virtual_open();
  site_begin(&scenario->roots, scenario->broker_root);
  trace_begin(scenario);
  script_begin(text);
  *error = (struct error){0};
  enum exit_code code = run_scenario(world, scenario, &options, written, error);
  site_begin(NULL, NULL);
  virtual_close();
  return code;
}

/* Where there are no results the sentence is all there is. */
static char *trace_of(const char *file, const char *text)
{
  /* in memory where there is such a place: keys and lists are synced to the disk */
  bool in_memory = access("/dev/shm", W_OK) == 0;
  char folder[64];
  struct scenario *scenario = NULL;
  struct error error;
  snprintf(folder, sizeof folder, "%s/fleetsim-trace-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
  assert_non_null(mkdtemp(folder));
  if (scenario_load(file, NULL, 0, steps_kinds, &scenario, &error) != 0)
    fail_msg("%s: %s", file, error.text);
  bool written = false;
  enum exit_code code = run_one(scenario, text, folder, &written, &error);
  trace_line("exit %d%s%s", code, written ? "" : ": ", written ? "" : error.text);
  scenario_free(scenario);
  assert_int_equal(files_remove(folder, &error), 0);
  char keys[80];
  snprintf(keys, sizeof keys, "%s.keys", folder);
  assert_int_equal(files_remove(keys, &error), 0);
  return trace_take(folder);
}

/* --- Comparison ------------------------------------------------------------------------------- */

struct sides {
  char expected[512], seen[512];
  unsigned line; /* 0: they are the same */
};

static void copy_line(const char *text, size_t at, char out[512])
{
  while (at > 0 && text[at - 1] != '\n') at--;
  snprintf(out, 512, "%.*s", (int) strcspn(text + at, "\n"), text + at);
}

static struct sides compare(const char *expected, const char *seen)
{
  struct sides sides = {.line = 1};
  size_t at = 0;
  for (; expected[at] != '\0' && expected[at] == seen[at]; at++) sides.line += expected[at] == '\n';
  if (expected[at] == seen[at]) return (struct sides){.line = 0};
  copy_line(expected, at, sides.expected);
  copy_line(seen, at, sides.seen);
  return sides;
}

/* The scenario's first line, and what happened. */
static char *whole_trace(const char *yaml, const char *text)
{
  char *happened = trace_of(yaml, text);
  size_t first = strcspn(text, "\n") + 1, size = first + strlen(happened) + 1;
  char *whole = malloc(size);
  assert_non_null(whole);
  snprintf(whole, size, "%.*s%s", (int) first, text, happened);
  free(happened);
  return whole;
}

static void is_as_its_trace(void **state)
{
  const char *name = *state;
  char yaml[256], trace[256];
  struct error error;
  struct sides sides = {.line = 0};
  snprintf(yaml, sizeof yaml, "%s.yaml", name);
  snprintf(trace, sizeof trace, "%s.trace", name);
  char *text = read_text(yaml), *expected = read_text(trace);
  assert_non_null(text);
  char *seen = whole_trace(yaml, text);
  if (update)
    assert_int_equal(files_write(trace, seen, strlen(seen), 0644, &error), 0);
  else
    sides = compare(expected != NULL ? expected : "(none: --update writes it)\n", seen);
  free(text);
  free(expected);
  free(seen);
  if (sides.line > 0)
    fail_msg("traces/%s.trace, line %u\n  expected: %s\n  seen:     %s", name, sides.line,
             sides.expected, sides.seen);
}

/* --- All of them ------------------------------------------------------------------------------ */

static void there_are_enough(void **state)
{
  assert_true(*(const size_t *) *state >= LEAST);
}

int main(int count, char **arguments)
{
  glob_t found;
  update = count > 1 && strcmp(arguments[1], "--update") == 0;
  only = count > 2 ? arguments[2] : NULL;
  if (chdir(FOLDER) != 0 || glob("*.yaml", 0, NULL, &found) != 0) return 1;
  struct CMUnitTest *tests = calloc(found.gl_pathc + 1, sizeof *tests);
  if (tests == NULL) return 1;
  size_t n = 0;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    char *name = found.gl_pathv[i];
    *strstr(name, ".yaml") = '\0';
    if (only == NULL || strcmp(only, name) == 0)
      tests[n++] = (struct CMUnitTest){name, is_as_its_trace, NULL, NULL, name};
  }
  size_t traces = n;
  if (only == NULL)
    tests[n++] = (struct CMUnitTest){"there_are_enough", there_are_enough, NULL, NULL, &traces};
  int failed = _cmocka_run_group_tests("traces", tests, n, NULL, NULL);
  free(tests);
  globfree(&found);
  return failed;
}
