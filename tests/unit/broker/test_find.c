/* Finding mosquitto, which release it is, and what is written for it: by mosquittos of the test's
 * own, which only print what theirs would. */
#define _GNU_SOURCE
#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "broker/internal.h"

static void put(const char *path, mode_t mode, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(chmod(path, mode), 0);
}

/* A PREFIX with sbin/mosquitto, which is first in $PATH from now on. */
static void install(struct rig *rig, const char *script)
{
  char path[400], paths[1400];
  snprintf(path, sizeof path, "%s/sbin", rig->folder);
  if (mkdir(path, 0755) == 0) {
    snprintf(paths, sizeof paths, "%s:%.900s", path, getenv("PATH"));
    setenv("PATH", paths, 1);
  }
  snprintf(path, sizeof path, "%s/sbin/mosquitto", rig->folder);
  put(path, 0755, script);
}

static int find(struct rig *rig, struct error *error)
{
  struct broker_config config = rig_config(rig);
  return broker_open(&rig->loop, &config, &rig->broker, error);
}

static void on_alarm(int number)
{
  (void) number;
}

static void a_signal_is_no_reason_to_reinstall_mosquitto(void **state)
{
  struct rig *rig = *state;
  struct error error;
  struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
  const struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
  install(rig, "#!/bin/sh\nprintf 'mosquitto ver'\nsleep 0.3\necho 'sion 2.0.99'\n");
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
  int result = find(rig, &error);
  setitimer(ITIMER_REAL, &never, NULL);
  if (result != 0) fail_msg("%s", error.text);
  assert_string_equal(broker_version(rig->broker), "mosquitto 2.0.99");
}

static void a_lack_of_descriptors_is_told_as_one(void **state)
{
  struct rig *rig = *state;
  struct error error = {.text = ""};
  struct rlimit before, none;
  install(rig, "#!/bin/sh\necho mosquitto version 2.0.99\n");
  getrlimit(RLIMIT_NOFILE, &before);
  none = before;
  none.rlim_cur = (rlim_t) dup(0);
  close((int) none.rlim_cur);
  setrlimit(RLIMIT_NOFILE, &none);
  int result = find(rig, &error);
  setrlimit(RLIMIT_NOFILE, &before);
  assert_int_equal(result, -1);
  if (strstr(error.text, "raise the limit of open files") == NULL) fail_msg("%s", error.text);
}

static void a_program_without_a_version_is_no_mosquitto(void **state)
{
  struct rig *rig = *state;
  struct error error;
  install(rig, "#!/bin/sh\nexit 0\n");
  assert_int_equal(find(rig, &error), -1);
  assert_non_null(strstr(error.text, "does not print its version: reinstall mosquitto"));
}

static void what_help_writes_to_standard_error_is_not_shown(void **state)
{
  struct rig *rig = *state;
  struct error error;
  char path[400];
  struct stat st;
  install(rig, "#!/bin/sh\necho mosquitto version 2.1.2\necho terminating >&2\n");
  snprintf(path, sizeof path, "%s/said", rig->folder);
  int kept = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_CREAT, 0600);
  dup2(file, STDERR_FILENO);
  int result = find(rig, &error);
  dup2(kept, STDERR_FILENO);
  close(kept);
  close(file);
  assert_int_equal(result, 0);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_size, 0);
}

static void a_warning_that_ends_the_log_is_told(void **state)
{
  struct rig *rig = *state;
  struct outcome started = {0};
  struct error error;
  install(rig, "#!/bin/sh\nif [ \"$1\" = -h ]; then echo mosquitto version 2.0.11; exit 0; fi\n"
               "echo '2026-11-29T14:22:23: Warning: Too many open files'\nexit 1\n");
  if (find(rig, &error) != 0) fail_msg("%s", error.text);
  broker_start(rig->broker, rig_on_done, &started);
  rig_fails(rig, &started, "mosquitto does not start: Warning: Too many open files (all of it: ");
}

/* What mosquitto.conf of this release says; the release itself does not start. */
static void conf_of(struct rig *rig, const char *release, char out[4096])
{
  struct outcome started = {0};
  struct error error;
  char path[FILES_PATH_MAX], script[200];
  snprintf(script, sizeof script,
           "#!/bin/sh\n[ \"$1\" = -h ] && echo mosquitto version %s\nexit 1\n", release);
  install(rig, script);
  if (find(rig, &error) != 0) fail_msg("%s", error.text);
  broker_start(rig->broker, rig_on_done, &started);
  rig_fails(rig, &started, "mosquitto does not start");
  broker_file(rig->broker, "mosquitto.conf", path);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  out[fread(out, 1, 4095, file)] = '\0';
  fclose(file);
  rig_close_broker(rig);
}

static void no_line_is_written_that_a_release_has_deprecated(void **state)
{
  struct rig *rig = *state;
  char text[4096], plugin[400], expected[1024];
  snprintf(plugin, sizeof plugin, "%s/lib", rig->folder);
  mkdir(plugin, 0755);
  snprintf(plugin, sizeof plugin, "%s/lib/triplet", rig->folder);
  mkdir(plugin, 0755);
  conf_of(rig, "2.1.2", text); /* without its plugins: it still takes the old line */
  assert_non_null(strstr(text, "\nacl_file "));
  snprintf(plugin, sizeof plugin, "%s/lib/triplet/mosquitto_acl_file.so", rig->folder);
  put(plugin, 0644, "");
  conf_of(rig, "2.0.11", text);
  assert_non_null(strstr(text, "\nacl_file "));
  assert_null(strstr(text, "plugin"));
  assert_null(strstr(text, "per_listener_settings"));
  static const char *const releases[] = {"2.1.0", "2.10.0", "3.0.0"};
  for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
    conf_of(rig, releases[i], text);
    assert_null(strstr(text, "\nacl_file "));
    assert_null(strstr(text, "per_listener_settings"));
    snprintf(expected, sizeof expected, "\nglobal_plugin %s\nplugin_opt_acl_file %s/acl\n", plugin,
             rig->broker_folder);
    assert_non_null(strstr(text, expected));
  }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
  const struct CMUnitTest tests[] = {
      T(a_signal_is_no_reason_to_reinstall_mosquitto),
      T(a_lack_of_descriptors_is_told_as_one),
      T(a_program_without_a_version_is_no_mosquitto),
      T(what_help_writes_to_standard_error_is_not_shown),
      T(a_warning_that_ends_the_log_is_told),
      T(no_line_is_written_that_a_release_has_deprecated),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
