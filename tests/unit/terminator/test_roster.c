/* The list of client ids: what stands in it, what does not, and what is no list. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "terminator/roster.h"

#define FLEET 100000 /* devices */

static char path[] = "/tmp/fleetsim-roster-XXXXXX";

static int begin(void **state)
{
  (void) state;
  int fd = mkstemp(path);
  return fd < 0 ? -1 : close(fd);
}

static int finish(void **state)
{
  (void) state;
  return unlink(path);
}

static void write_text(const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void has_its_ids_and_leaves_others_their_cn(void **state)
{
  (void) state;
  struct roster *roster = NULL;
  struct error error;
  write_text("pump 7\tacme:7\nlamp\tacme:lamp\n");
  assert_int_equal(roster_load(path, &roster, &error), 0);
  assert_string_equal(roster_id(roster, "pump 7"), "acme:7");
  assert_string_equal(roster_id(roster, "lamp"), "acme:lamp");
  assert_string_equal(roster_id(roster, "pump"), "pump");
  assert_string_equal(roster_id(NULL, "pump"), "pump");
  roster_free(roster);
}

/* Of as many devices as a machine simulates, with long names. */
static void holds_a_large_fleet(void **state)
{
  (void) state;
  struct roster *roster = NULL;
  struct error error = {0};
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  for (int i = 0; i < FLEET; i++)
    assert_true(fprintf(file, "SN-2026-LINE-2-%08d\tacme/site-4/SN-2026-LINE-2-%08d\n", i, i) > 0);
  assert_int_equal(fclose(file), 0);
  if (roster_load(path, &roster, &error) != 0) fail_msg("%s", error.text);
  assert_string_equal(roster_id(roster, "SN-2026-LINE-2-00099999"),
                      "acme/site-4/SN-2026-LINE-2-00099999");
  roster_free(roster);
}

static void refuses_a_line_that_is_none_by_its_number(void **state)
{
  (void) state;
  static const char *const wrong[] = {"a\tb\nc\n", "a\tb\n\tc\n", "a\tb\nc\t\n", "a\tb\nc\td"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct roster *roster = NULL;
    struct error error;
    write_text(wrong[i]);
    assert_int_equal(roster_load(path, &roster, &error), -1);
    assert_int_equal(error.code, EXIT_CODE_USAGE);
    assert_non_null(strstr(error.text, ":2: a line is"));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(has_its_ids_and_leaves_others_their_cn),
      cmocka_unit_test(holds_a_large_fleet),
      cmocka_unit_test(refuses_a_line_that_is_none_by_its_number),
  };
  return cmocka_run_group_tests(tests, begin, finish);
}
