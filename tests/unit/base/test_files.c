#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

static char folder[] = "/tmp/fleetsim-files-XXXXXX", path[64];

static int setup(void **state)
{
  (void) state;
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(path, sizeof path, "%s/file", folder);
  return 0;
}

static int teardown(void **state)
{
  (void) state;
  unlink(path);
  return rmdir(folder);
}

static void expect_refusal(const char *name, size_t limit, enum exit_code code, const char *part)
{
  struct error error = {0};
  uint8_t *data = (uint8_t *) "";
  size_t size;
  alarm(5); /* a pipe that is waited for */
  if (files_read(name, limit, &data, &size, &error) == 0) fail_msg("%s was read", name);
  alarm(0);
  assert_null(data);
  assert_int_equal(error.code, code);
  if (strstr(error.text, part) == NULL || strstr(error.text, name) == NULL)
    fail_msg("'%s' and '%s' are not in '%s'", part, name, error.text);
}

static void a_pipe_is_refused_at_once(void **state)
{
  (void) state;
  assert_int_equal(mkfifo(path, 0600), 0);
  expect_refusal(path, 100, EXIT_CODE_USAGE, "is a pipe, not a regular file");
  unlink(path);
}

static void folders_devices_and_what_is_not_there_are_refused_by_what_they_are(void **state)
{
  (void) state;
  expect_refusal(folder, 100, EXIT_CODE_USAGE, "is a folder, not a regular file");
  expect_refusal("/dev/zero", 100, EXIT_CODE_USAGE, "is a device, not a regular file");
  expect_refusal(path, 100, EXIT_CODE_USAGE, "No such file");
}

static void a_file_is_read_whole_with_a_zero_behind_it_or_is_too_large(void **state)
{
  (void) state;
  struct error error = {0};
  uint8_t *data = NULL;
  size_t size = 0;
  assert_int_equal(files_write(path, "a\0b", 3, 0600, &error), 0);
  assert_int_equal(files_read(path, 3, &data, &size, &error), 0);
  assert_int_equal(size, 3);
  assert_memory_equal(data, "a\0b", 4);
  free(data);
  expect_refusal(path, 2, EXIT_CODE_USAGE, "has 3 bytes, and at most 2 bytes are read");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pipe_is_refused_at_once),
      cmocka_unit_test(folders_devices_and_what_is_not_there_are_refused_by_what_they_are),
      cmocka_unit_test(a_file_is_read_whole_with_a_zero_behind_it_or_is_too_large),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
