/* What somebody else has put where we write: a link, a pipe, an open folder. Our bytes must not go
 * where he wants them.
 */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"

static char folder[64], path[96], victim[96];

static int set_up(void **state)
{
  (void) state;
  strcpy(folder, "/tmp/fleetsim-own-XXXXXX");
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(path, sizeof path, "%s/file", folder);
  snprintf(victim, sizeof victim, "%s/victim", folder);
  return files_write(victim, "precious", 8, 0644, NULL);
}

static int tear_down(void **state)
{
  (void) state;
  return files_remove(folder, NULL);
}

static void victim_is_whole(void)
{
  uint8_t *data;
  size_t size;
  assert_int_equal(files_read(victim, 100, &data, &size, NULL), 0);
  assert_string_equal((char *) data, "precious");
  free(data);
}

static void create_refuses(const char *part)
{
  struct error error = {0};
  int fd = files_create(path, 0644, &error);
  if (fd >= 0) fail_msg("%s was opened", path);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  if (strstr(error.text, part) == NULL) fail_msg("'%s' does not say '%s'", error.text, part);
  victim_is_whole();
  files_remove(path, NULL);
}

static void no_file_is_opened_through_a_link_a_pipe_or_a_second_name(void **state)
{
  (void) state;
  assert_int_equal(symlink(victim, path), 0);
  create_refuses("a link");
  assert_int_equal(symlink("/nowhere/at/all", path), 0);
  create_refuses("a link");
  assert_int_equal(mkfifo(path, 0600), 0);
  create_refuses("a pipe");
  assert_int_equal(mkdir(path, 0700), 0);
  create_refuses("a folder");
  assert_int_equal(link(victim, path), 0);
  create_refuses("2 names");
  if (geteuid() != 0) return;
  assert_int_equal(files_write(path, "his", 3, 0666, NULL), 0);
  assert_int_equal(chown(path, 65534, 65534), 0);
  create_refuses("user 65534");
}

static void a_file_of_ours_is_emptied(void **state)
{
  (void) state;
  struct stat st;
  assert_int_equal(files_write(path, "old", 3, 0644, NULL), 0);
  int fd = files_create(path, 0644, NULL);
  assert_true(fd >= 0);
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_size, 0);
  close(fd);
}

static void the_first_reason_is_told_and_not_that_nothing_is_there(void **state)
{
  (void) state;
  struct error error;
  assert_int_equal(files_create("/sys/events.ndjson", 0644, &error),
                   -1); /* nobody can make a file there */
  if (strstr(error.text, "No such file") != NULL) fail_msg("%s", error.text);
  assert_non_null(strstr(error.text, "cannot write /sys/events.ndjson: "));
}

static void what_waits_for_our_bytes_under_the_name_of_their_part_gets_none(void **state)
{
  (void) state;
  char part[128];
  snprintf(part, sizeof part, "%s.part", path);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(i == 0 ? symlink(victim, part) : link(victim, part), 0);
    assert_int_equal(files_write(path, "a key", 5, 0600, NULL), 0);
    victim_is_whole();
  }
}

static void folder_is_refused(const char *part)
{
  struct error error = {0};
  if (files_make_folder(path, 0700, &error) == 0) fail_msg("%s was taken for keys", path);
  if (strstr(error.text, part) == NULL) fail_msg("'%s' does not say '%s'", error.text, part);
  files_remove(path, NULL);
}

static void keys_lie_in_no_folder_that_others_can_write_to(void **state)
{
  (void) state;
  assert_int_equal(symlink("/tmp", path), 0);
  folder_is_refused("no folder");
  assert_int_equal(symlink(folder, path), 0);
  folder_is_refused("no folder");
  static const mode_t open_to_others[] = {0777, 0770, 0702, 01777};
  for (size_t i = 0; i < sizeof open_to_others / sizeof *open_to_others; i++) {
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, open_to_others[i]), 0);
    folder_is_refused("others can write");
  }
  if (geteuid() != 0) return;
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(chown(path, 65534, 65534), 0);
  folder_is_refused("owner 65534");
}

static void a_folder_of_ours_that_others_can_read_is_closed(void **state)
{
  (void) state;
  struct stat st;
  assert_int_equal(mkdir(path, 0755), 0);
  assert_int_equal(files_make_folder(path, 0700, NULL), 0);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0700);
}

static void what_is_removed_is_the_link_and_not_what_it_names(void **state)
{
  (void) state;
  char inner[128];
  assert_int_equal(mkdir(path, 0700), 0);
  snprintf(inner, sizeof inner, "%s/link", path);
  assert_int_equal(symlink(folder, inner), 0);
  assert_int_equal(files_remove(path, NULL), 0);
  assert_int_equal(access(path, F_OK), -1);
  victim_is_whole();
  assert_int_equal(files_remove(path, NULL), 0); /* nothing there */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(no_file_is_opened_through_a_link_a_pipe_or_a_second_name),
      T(a_file_of_ours_is_emptied),
      T(the_first_reason_is_told_and_not_that_nothing_is_there),
      T(what_waits_for_our_bytes_under_the_name_of_their_part_gets_none),
      T(keys_lie_in_no_folder_that_others_can_write_to),
      T(a_folder_of_ours_that_others_can_read_is_closed),
      T(what_is_removed_is_the_link_and_not_what_it_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
