#define _GNU_SOURCE
#include "updates/nginx.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../broker/rig.h"

/* Beside the rig's brokers: one update server, by a certificate of the update CA. */
struct site {
  struct rig *rig;
  struct nginx *nginx;
  char folder[300], ca_path[FILES_PATH_MAX];
};

static struct site *site; /* of the test that runs */

static const char *at(const char *name)
{
  static char path[4][FILES_PATH_MAX];
  static unsigned next;
  char *out = path[next++ % 4];
  assert_int_equal(nginx_path(site->nginx, name, out), 0);
  return out;
}

static void open_server(uint16_t port)
{
  struct error error = {.text = ""};
  struct pki_chain chain = {.host = "updates.test"};
  struct nginx_config config = {.folder = site->folder,
                                .host = chain.host,
                                .ca_path = site->ca_path,
                                .port = port,
                                .died = rig_on_died,
                                .ctx = site->rig};
  if (nginx_open(&site->rig->loop, &config, &site->nginx, &error) != 0) fail_msg("%s", error.text);
  if (pki_write_update_chain(site->rig->pki, &chain, at("server.crt"), at("server.key"),
                             site->ca_path, &error) != 0)
    fail_msg("%s", error.text);
}

static int site_up(void **state)
{
  if (rig_up(state) != 0) return -1;
  site = calloc(1, sizeof *site);
  site->rig = *state;
  snprintf(site->folder, sizeof site->folder, "%s/the $update server", site->rig->folder);
  return 0;
}

static void close_server(void)
{
  unsigned before = site->rig->closed;
  nginx_close(site->nginx, rig_on_closed, site->rig);
  site->nginx = NULL;
  rig_wait(site->rig, &site->rig->closed, before + 1);
}

static int site_down(void **state)
{
  if (site->nginx != NULL) close_server();
  free(site);
  return rig_down(state);
}

static struct outcome start_server(void)
{
  struct outcome started = {0};
  nginx_start(site->nginx, rig_on_done, &started);
  assert_int_equal(started.calls, 0);
  rig_wait(site->rig, &started.calls, 1);
  return started;
}

static void expect_running(void)
{
  struct outcome started = start_server();
  if (started.failed) fail_msg("%s", started.error.text);
}

static void expect_refusal(const char *words)
{
  struct outcome started = start_server();
  assert_true(started.failed);
  assert_int_equal(started.error.code, EXIT_CODE_SETUP);
  if (strstr(started.error.text, words) == NULL)
    fail_msg("'%s' does not say '%s'", started.error.text, words);
  assert_int_equal(site->rig->deaths, 0);
}

static pid_t child(void)
{
  struct error error;
  uint8_t *text = NULL;
  size_t size;
  if (files_read(at("nginx.pid"), 100, &text, &size, &error) != 0) fail_msg("%s", error.text);
  long pid = strtol((char *) text, NULL, 10);
  free(text);
  assert_true(pid > 1);
  return (pid_t) pid;
}

/* With the machine's own curl: somebody else's opinion of what is served, and of the
   certificate. */
static int curl_gets(const char *path, const char *out)
{
  char command[4096];
  snprintf(command, sizeof command,
           "timeout 5 curl -sf --cacert '%s' --resolve updates.test:%u:127.0.0.1 "
           "https://updates.test:%u/%s -o '%s'",
           site->ca_path, nginx_port(site->nginx), nginx_port(site->nginx), path, out);
  return system(command);
}

static void serves_what_lies_in_its_folder_and_nothing_else(void **state)
{
  (void) state;
  struct error error;
  char out[400];
  uint8_t *got = NULL;
  size_t size = 0;
  snprintf(out, sizeof out, "%s/got", site->rig->folder);
  open_server(0);
  expect_running();
  assert_int_equal(strncmp(nginx_version(site->nginx), "nginx 1.", 8), 0);
  assert_int_equal(files_write(at("files/image.bin"), "an image", 8, 0600, &error), 0);
  assert_int_equal(curl_gets("image.bin", out), 0);
  assert_int_equal(files_read(out, 100, &got, &size, &error), 0);
  assert_string_equal((char *) got, "an image");
  free(got);
  assert_int_not_equal(curl_gets("server.key", out), 0);
  assert_int_not_equal(curl_gets("../server.key --path-as-is", out), 0);
  assert_int_not_equal(curl_gets("", out), 0);
}

static void keeps_its_files_to_itself(void **state)
{
  (void) state;
  struct stat st;
  open_server(0);
  expect_running();
  for (const char *const *name = (const char *const[]){"", "files", NULL}; *name != NULL; name++) {
    assert_int_equal(stat(at(*name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
  }
  for (const char *const *name =
           (const char *const[]){"server.key", "nginx.conf", "nginx.log", NULL};
       *name != NULL; name++) {
    assert_int_equal(stat(at(*name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
  }
}

static int listen_on(uint16_t *port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *) &address, size), 0);
  assert_int_equal(listen(listener, 1), 0);
  getsockname(listener, (struct sockaddr *) &address, &size);
  *port = ntohs(address.sin_port);
  return listener;
}

static void says_so_when_the_port_is_in_use(void **state)
{
  (void) state;
  char words[64];
  uint16_t port = 0;
  int listener = listen_on(&port);
  open_server(port);
  snprintf(words, sizeof words, "port %u is already in use", port);
  expect_refusal(words);
  close(listener);
  expect_running();
}

static void picks_another_port_when_the_one_it_picked_is_taken(void **state)
{
  (void) state;
  open_server(0);
  uint16_t picked = nginx_port(site->nginx), taken = picked;
  int listener = listen_on(&taken);
  expect_running();
  assert_int_not_equal(nginx_port(site->nginx), picked);
  close(listener);
}

static void says_why_nginx_does_not_start(void **state)
{
  (void) state;
  open_server(0);
  assert_int_equal(unlink(at("server.crt")), 0);
  expect_refusal("nginx does not start: cannot load certificate");
}

static void a_certificate_of_another_ca_is_not_ready(void **state)
{
  (void) state;
  struct error error;
  struct pki_chain chain = {.root = "A", .host = "updates.test"};
  struct chain_prints written;
  open_server(0);
  assert_int_equal(pki_write_broker_chain(site->rig->pki, &chain, at("server.crt"),
                                          at("server.key"), &written, &error),
                   0);
  expect_refusal("nginx does not answer over TLS");
}

static void starts_again_after_it_was_stopped(void **state)
{
  (void) state;
  struct outcome stopped = {0};
  open_server(0);
  expect_running();
  pid_t pid = child();
  kill(pid, SIGSTOP); /* it must end all the same */
  nginx_stop(site->nginx, rig_on_done, &stopped);
  rig_succeeds(site->rig, &stopped);
  assert_true(rig_gone(pid));
  assert_int_equal(site->rig->deaths, 0);
  expect_running();
}

static void a_stop_interrupts_a_start(void **state)
{
  (void) state;
  struct outcome started = {0}, stopped = {0};
  open_server(0);
  nginx_start(site->nginx, rig_on_done, &started);
  nginx_stop(site->nginx, rig_on_done, &stopped);
  rig_succeeds(site->rig, &stopped);
  assert_int_equal(started.calls, 1);
  assert_int_equal(started.error.code, EXIT_CODE_INTERRUPTED);
}

static void tells_when_it_is_killed_from_outside(void **state)
{
  (void) state;
  open_server(0);
  expect_running();
  kill(child(), SIGKILL);
  rig_wait(site->rig, &site->rig->deaths, 1);
  assert_non_null(strstr(site->rig->death, "signal 9"));
}

static void can_be_closed_while_it_starts(void **state)
{
  (void) state;
  struct outcome started = {0};
  open_server(0);
  nginx_start(site->nginx, rig_on_done, &started);
  close_server();
  assert_int_equal(started.calls, 0);
}

static void no_child_outlives_us(void **state)
{
  (void) state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  open_server(0);
  pid_t us = fork();
  if (us == 0) {
    uv_loop_fork(&site->rig->loop);
    expect_running();
    pid_t pid = child();
    if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    for (;;) pause();
  }
  pid_t nginx = 0;
  close(ends[1]);
  assert_int_equal(read(ends[0], &nginx, sizeof nginx), sizeof nginx);
  close(ends[0]);
  assert_int_equal(kill(nginx, 0), 0);
  kill(us, SIGKILL);
  waitpid(us, NULL, 0);
  assert_true(rig_gone(nginx));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, site_up, site_down)
  const struct CMUnitTest tests[] = {
      T(serves_what_lies_in_its_folder_and_nothing_else),
      T(keeps_its_files_to_itself),
      T(says_so_when_the_port_is_in_use),
      T(picks_another_port_when_the_one_it_picked_is_taken),
      T(says_why_nginx_does_not_start),
      T(a_certificate_of_another_ca_is_not_ready),
      T(starts_again_after_it_was_stopped),
      T(a_stop_interrupts_a_start),
      T(tells_when_it_is_killed_from_outside),
      T(can_be_closed_while_it_starts),
      T(no_child_outlives_us),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
