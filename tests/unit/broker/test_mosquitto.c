#define _GNU_SOURCE
#include "rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "broker/hosted.h"
#include "broker/internal.h"

static struct outcome probe(struct rig *rig, enum broker_listener listener)
{
  struct outcome outcome = {0};
  broker_probe(rig->broker, &(struct broker_look){listener, NULL, 0, 0}, rig_on_seen, &outcome);
  rig_succeeds(rig, &outcome);
  return outcome;
}

static bool serves(struct rig *rig, const struct chain_prints *written)
{
  struct outcome outcome = probe(rig, BROKER_MAIN);
  return chain_prints_serve(&outcome.seen.chain, written);
}

static void probe_until(struct rig *rig, const struct chain_prints *written)
{
  for (int i = 0; i < 200; i++) {
    if (serves(rig, written)) return;
    rig_pause_ms(20);
  }
  fail_msg("the new leaf is not served after 4 s");
}

static void starts_and_serves_the_chain_it_was_given(void **state)
{
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0};
  struct chain_prints main_leaf, prove_leaf;
  rig_open_broker(rig, &config);
  rig_present(rig, BROKER_MAIN, "A", &main_leaf);
  rig_present(rig, BROKER_PROVE, "B", &prove_leaf);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);

  assert_true(broker_running(rig->broker));
  assert_non_null(strstr(broker_version(rig->broker), "mosquitto 2."));
  struct outcome seen = probe(rig, BROKER_MAIN);
  assert_true(chain_prints_serve(&seen.seen.chain, &main_leaf));
  assert_int_equal(seen.seen.chain.count, 2);
  seen = probe(rig, BROKER_PROVE);
  assert_true(chain_prints_serve(&seen.seen.chain, &prove_leaf));
}

static void sees_the_chain_also_where_tls_1_2_is_allowed(void **state)
{
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0};
  config.tls_min = 12;
  rig_open_broker(rig, &config);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
  assert_int_equal(probe(rig, BROKER_MAIN).seen.chain.count, 2);
  assert_int_equal(
      rig_client(rig, "mosquitto_pub --tls-version tlsv1.2", 0, "-t private/00000001/x -m x"), 0);
  assert_int_equal(
      rig_client(rig, "mosquitto_pub -V mqttv5", 0, "-t private/00000001/x -m x --repeat 100"), 0);
}

static void serves_the_new_leaf_after_reload(void **state)
{
  struct rig *rig = *state;
  struct outcome reloaded = {0};
  struct chain_prints leaf;
  rig_start_broker(rig);
  rig_present(rig, BROKER_MAIN, "B", &leaf);
  assert_false(serves(rig, &leaf));
  broker_reload(rig->broker, rig_on_done, &reloaded);
  rig_succeeds(rig, &reloaded);
  probe_until(rig, &leaf);
}

/* It is told while it stands still: whoever came meanwhile would meet the old leaf. */
static void a_reload_ends_when_mosquitto_has_reloaded(void **state)
{
  struct rig *rig = *state;
  struct outcome reloaded = {0};
  struct chain_prints leaf;
  rig_start_broker(rig);
  pid_t pid = hosted_of(rig->broker)->server.child.pid;
  (void) probe(rig, BROKER_MAIN); /* it listens before it knows what SIGHUP means */
  rig_present(rig, BROKER_MAIN, "B", &leaf);
  kill(pid, SIGSTOP);
  broker_reload(rig->broker, rig_on_done, &reloaded);
  rig_pause_ms(300);
  assert_int_equal(reloaded.calls, 0);
  kill(pid, SIGCONT);
  rig_succeeds(rig, &reloaded);
  assert_true(serves(rig, &leaf));
}

/* mosquitto forgets a signal that comes while it reloads for the one before. */
static void one_reload_may_follow_another_at_once(void **state)
{
  struct rig *rig = *state;
  struct chain_prints leaf;
  rig_start_broker(rig);
  (void) probe(rig, BROKER_MAIN); /* as above */
  for (int i = 0; i < 10; i++) {
    struct outcome first = {0}, second = {0};
    broker_reload(rig->broker, rig_on_done, &first);
    rig_succeeds(rig, &first);
    rig_present(rig, BROKER_MAIN, i % 2 == 0 ? "B" : "A", &leaf);
    broker_reload(rig->broker, rig_on_done, &second);
    rig_succeeds(rig, &second);
    assert_true(serves(rig, &leaf));
  }
}

static void a_reload_ends_with_the_broker(void **state)
{
  struct rig *rig = *state;
  struct outcome reloaded = {0};
  rig_start_broker(rig);
  pid_t pid = hosted_of(rig->broker)->server.child.pid;
  kill(pid, SIGSTOP);
  broker_reload(rig->broker, rig_on_done, &reloaded);
  kill(pid, SIGKILL);
  rig_fails(rig, &reloaded, "was ended before it had reloaded");
  assert_int_equal(rig->deaths, 1);
}

static void does_not_read_the_ca_file_on_reload_but_on_restart(void **state)
{
  static const struct pki_roots only_a = {1, {"A"}}, both = {2, {"A", "B"}};
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0}, reloaded = {0}, restarted = {0};
  struct chain_prints leaf;
  rig_open_broker(rig, &config);
  rig_trust_clients(rig, &only_a);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
  assert_int_not_equal(rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/telemetry -m x"),
                       0);

  rig_trust_clients(rig, &both);
  rig_present(rig, BROKER_MAIN, "B", &leaf);
  broker_reload(rig->broker, rig_on_done, &reloaded);
  rig_succeeds(rig, &reloaded);
  probe_until(rig, &leaf);
  assert_int_not_equal(rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/telemetry -m x"),
                       0);

  broker_restart(rig->broker, rig_on_done, &restarted);
  rig_succeeds(rig, &restarted);
  assert_int_equal(rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/telemetry -m x"), 0);
}

/* What the broker makes of somebody under this root, who verifies it by `ca` (NULL: he does not);
   the answer is in `asked.seen`. */
static struct outcome ask_by(struct rig *rig, const char *root, const char *ca)
{
  char certificate[600], key[600];
  struct error error;
  struct outcome asked = {0};
  snprintf(certificate, sizeof certificate, "%s/probe.crt", rig->folder);
  snprintf(key, sizeof key, "%s/probe.key", rig->folder);
  size_t whose;
  assert_int_equal(pki_write_probe(rig->pki, root, NULL, NULL, certificate, key, &whose, &error),
                   0);
  const struct broker_client client = {
      .client_id = PKI_PROBE_NAME, .certificate_path = certificate, .key_path = key, .ca_path = ca};
  broker_try_client(rig->broker, &client, rig_on_seen, &asked);
  rig_wait(rig, &asked.calls, 1);
  return asked;
}

static struct outcome ask(struct rig *rig, const char *root)
{
  return ask_by(rig, root, NULL);
}

static void tells_how_a_try_ends_by_the_devices_names(void **state)
{
  static const struct pki_roots only_a = {1, {"A"}}, only_b = {1, {"B"}};
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0}, stopped = {0};
  struct error error;
  struct chain_prints leaf;
  char a[600], b[600];
  snprintf(a, sizeof a, "%s/a.crt", rig->folder);
  snprintf(b, sizeof b, "%s/b.crt", rig->folder);
  assert_int_equal(pki_write_client_ca(rig->pki, &only_a, a, &error), 0);
  assert_int_equal(pki_write_client_ca(rig->pki, &only_b, b, &error), 0);
  rig_open_broker(rig, &config);
  rig_trust_clients(rig, &only_a);
  rig_present(rig, BROKER_MAIN, "A", &leaf);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
  struct outcome let_in = ask_by(rig, "A", a), distrusted = ask_by(rig, "A", b),
                 refused = ask_by(rig, "B", a);
  assert_int_equal(let_in.seen.failure, DEVICE_FAIL_NONE);
  assert_true(chain_prints_serve(&let_in.seen.chain, &leaf));
  assert_true(distrusted.failed);
  assert_int_equal(distrusted.seen.failure, DEVICE_FAIL_TLS_NOT_TRUSTED);
  assert_int_not_equal(distrusted.seen.chain.count, 0);
  assert_int_equal(refused.seen.failure, DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA);
  broker_stop(rig->broker, rig_on_done, &stopped);
  rig_succeeds(rig, &stopped);
  struct outcome nobody = ask_by(rig, "A", a);
  assert_int_equal(nobody.seen.failure, DEVICE_FAIL_TCP_REFUSED);
  assert_int_equal(nobody.seen.chain.count, 0);
}

static void tells_whom_it_takes_by_asking_it(void **state)
{
  static const struct pki_roots only_a = {1, {"A"}};
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0};
  rig_open_broker(rig, &config);
  rig_trust_clients(rig, &only_a);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
  struct outcome a = ask(rig, "A"), b = ask(rig, "B");
  assert_false(a.failed);
  assert_true(a.seen.takes);
  assert_false(b.failed);
  assert_false(b.seen.takes);
  assert_true(b.seen.why[0] != '\0');
  struct outcome stopped = {0};
  broker_stop(rig->broker, rig_on_done, &stopped);
  rig_succeeds(rig, &stopped);
  struct outcome nobody = ask(rig, "B"); /* who is not there has refused nobody */
  assert_true(nobody.failed);
  assert_non_null(strstr(nobody.error.text, "no answer"));
}

/* --- A session that is held ------------------------------------------------------------------- */

static struct broker_session *hold(struct rig *rig, const char *id, const char *root,
                                   enum broker_session_state state)
{
  static char certificate[600], key[600];
  struct error error;
  snprintf(certificate, sizeof certificate, "%s/held.crt", rig->folder);
  snprintf(key, sizeof key, "%s/held.key", rig->folder);
  size_t whose;
  assert_int_equal(pki_write_probe(rig->pki, root, NULL, NULL, certificate, key, &whose, &error),
                   0);
  struct broker_session *session = broker_hold(
      rig->broker,
      &(struct broker_client){.client_id = id, .certificate_path = certificate, .key_path = key});
  for (int i = 0; i < 2000 && broker_held(session) == BROKER_SESSION_OPENING; i++)
    rig_pass(rig, 10);
  assert_int_equal(broker_held(session), state);
  return session;
}

static void a_session_that_is_held_ends_with_a_restart_and_not_with_a_reload(void **state)
{
  static const struct pki_roots only_a = {1, {"A"}};
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0}, reloaded = {0}, restarted = {0}, stopped = {0};
  rig_open_broker(rig, &config);
  rig_trust_clients(rig, &only_a);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
  struct broker_session *one = hold(rig, "held-1", "A", BROKER_SESSION_OPEN),
                        *two = hold(rig, "held-2", "A", BROKER_SESSION_OPEN),
                        *none = hold(rig, "held-3", "B", BROKER_SESSION_REFUSED);
  broker_let_go(none);
  broker_reload(rig->broker, rig_on_done, &reloaded);
  rig_succeeds(rig, &reloaded);
  rig_pass(rig, 5500); /* a ping and its answer */
  assert_int_equal(broker_held(one), BROKER_SESSION_OPEN);
  broker_let_go(two);
  broker_restart(rig->broker, rig_on_done, &restarted);
  rig_succeeds(rig, &restarted);
  assert_int_equal(broker_held(one), BROKER_SESSION_ENDED);
  broker_let_go(one);
  /* under the id of another it is taken over, as every session is */
  one = hold(rig, "held-1", "A", BROKER_SESSION_OPEN);
  two = hold(rig, "held-1", "A", BROKER_SESSION_OPEN);
  rig_pass(rig, 200);
  assert_int_equal(broker_held(one), BROKER_SESSION_ENDED);
  broker_let_go(one);
  broker_stop(rig->broker, rig_on_done, &stopped);
  rig_succeeds(rig, &stopped);
  rig_pass(rig, 50);
  assert_int_equal(broker_held(two), BROKER_SESSION_ENDED);
  broker_let_go(two);
  broker_let_go(hold(rig, "held-1", "A", BROKER_SESSION_UNREACHED));
}

static void restart_keeps_ports_and_sessions(void **state)
{
  struct rig *rig = *state;
  struct outcome restarted = {0};
  rig_start_broker(rig);
  uint16_t port = broker_port(rig->broker, BROKER_MAIN);
  assert_int_equal(rig_client(rig, "mosquitto_sub", 0, "-c -E -t private/00000001/trust"), 0);
  assert_int_equal(
      rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/trust -m kept -i other"), 0);

  broker_restart(rig->broker, rig_on_done, &restarted);
  rig_succeeds(rig, &restarted);
  assert_int_equal(broker_port(rig->broker, BROKER_MAIN), port);
  assert_int_equal(rig->deaths, 0);
  assert_int_equal(rig_client(rig, "mosquitto_sub", 0, "-c -C 1 -t private/00000001/trust"), 0);
}

static void says_so_when_the_port_is_in_use(void **state)
{
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0};
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *) &address, size), 0);
  assert_int_equal(listen(listener, 1), 0);
  getsockname(listener, (struct sockaddr *) &address, &size);
  config.port[BROKER_MAIN] = ntohs(address.sin_port);

  char words[64];
  snprintf(words, sizeof words, "port %u is already in use", config.port[BROKER_MAIN]);
  rig_open_broker(rig, &config);
  broker_start(rig->broker, rig_on_done, &started);
  rig_fails(rig, &started, words);
  assert_int_equal(started.error.code, EXIT_CODE_SETUP);

  close(listener);
  memset(&started, 0, sizeof started);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
}

static void says_why_mosquitto_does_not_start(void **state)
{
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0};
  char path[FILES_PATH_MAX];
  rig_open_broker(rig, &config);
  broker_file(rig->broker, "main.crt", path);
  unlink(path);
  broker_start(rig->broker, rig_on_done, &started);
  rig_fails(rig, &started, "Unable to load server certificate");
  assert_false(broker_running(rig->broker));
  assert_int_equal(rig->deaths, 0);
}

static void tells_when_mosquitto_is_killed_from_outside(void **state)
{
  struct rig *rig = *state;
  struct outcome reloaded = {0}, started = {0};
  rig_start_broker(rig);
  kill(hosted_of(rig->broker)->server.child.pid, SIGKILL);
  rig_wait(rig, &rig->deaths, 1);
  assert_non_null(strstr(rig->death, "signal 9"));
  assert_false(broker_running(rig->broker));
  broker_reload(rig->broker, rig_on_done, &reloaded);
  rig_fails(rig, &reloaded, "not running");
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
}

static void ends_a_broker_that_does_not_answer(void **state)
{
  struct rig *rig = *state;
  struct outcome stopped = {0};
  rig_start_broker(rig);
  pid_t pid = hosted_of(rig->broker)->server.child.pid;
  kill(pid, SIGSTOP);
  broker_stop(rig->broker, rig_on_done, &stopped);
  rig_succeeds(rig, &stopped);
  assert_int_equal(rig->deaths, 0);
  assert_int_equal(kill(pid, 0), -1);
}

static void closing_interrupts_what_is_under_way(void **state)
{
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome started = {0}, probed = {0};
  rig_open_broker(rig, &config);
  broker_start(rig->broker, rig_on_done, &started);
  broker_probe(rig->broker, &(struct broker_look){BROKER_MAIN, NULL, 0, 0}, rig_on_seen, &probed);
  rig_close_broker(rig);
  assert_int_equal(started.calls, 1);
  assert_int_equal(probed.calls, 1);
  assert_int_equal(started.error.code, EXIT_CODE_INTERRUPTED);
  assert_int_equal(probed.error.code, EXIT_CODE_INTERRUPTED);
}

static void a_probe_of_a_port_without_a_listener_says_why(void **state)
{
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome probed = {0};
  rig_open_broker(rig, &config);
  broker_probe(rig->broker, &(struct broker_look){BROKER_MAIN, NULL, 0, 0}, rig_on_seen, &probed);
  rig_fails(rig, &probed, "connection refused");
}

static void may_open_as_many_files_as_the_system_lets_it(void **state)
{
  struct rig *rig = *state;
  struct rlimit hard, childs;
  getrlimit(RLIMIT_NOFILE, &hard);
  struct rlimit low = {.rlim_cur = 256, .rlim_max = hard.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  rig_start_broker(rig);
  assert_int_equal(prlimit(hosted_of(rig->broker)->server.child.pid, RLIMIT_NOFILE, NULL, &childs),
                   0);
  assert_int_equal(childs.rlim_cur, hard.rlim_max);
}

static void keeps_its_files_to_itself(void **state)
{
  struct rig *rig = *state;
  struct stat st;
  char path[FILES_PATH_MAX];
  rig_start_broker(rig);
  assert_int_equal(stat(rig->broker_folder, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  for (const char *const *name =
           (const char *const[]){"main.key", "prove.key", "acl", "mosquitto.conf", NULL};
       *name != NULL; name++) {
    broker_file(rig->broker, *name, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
  }
}

/* A process of its own starts a broker, tells its child's pid and waits to be killed. */
static void start_and_wait(struct rig *rig, int out)
{
  rig_start_broker(rig);
  pid_t pid = hosted_of(rig->broker)->server.child.pid;
  if (write(out, &pid, sizeof pid) != sizeof pid) _exit(1);
  for (;;) pause();
}

static void no_child_outlives_us(void **state)
{
  struct rig *rig = *state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t us = fork();
  if (us == 0) {
    uv_loop_fork(&rig->loop);
    start_and_wait(rig, ends[1]);
  }
  pid_t broker = 0;
  close(ends[1]);
  assert_int_equal(read(ends[0], &broker, sizeof broker), sizeof broker);
  close(ends[0]);
  assert_int_equal(kill(broker, 0), 0);
  kill(us, SIGKILL);
  waitpid(us, NULL, 0);
  assert_true(rig_gone(broker));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
  const struct CMUnitTest tests[] = {
      T(starts_and_serves_the_chain_it_was_given),
      T(sees_the_chain_also_where_tls_1_2_is_allowed),
      T(serves_the_new_leaf_after_reload),
      T(a_reload_ends_when_mosquitto_has_reloaded),
      T(one_reload_may_follow_another_at_once),
      T(a_reload_ends_with_the_broker),
      T(does_not_read_the_ca_file_on_reload_but_on_restart),
      T(tells_how_a_try_ends_by_the_devices_names),
      T(tells_whom_it_takes_by_asking_it),
      T(a_session_that_is_held_ends_with_a_restart_and_not_with_a_reload),
      T(restart_keeps_ports_and_sessions),
      T(says_so_when_the_port_is_in_use),
      T(says_why_mosquitto_does_not_start),
      T(tells_when_mosquitto_is_killed_from_outside),
      T(ends_a_broker_that_does_not_answer),
      T(closing_interrupts_what_is_under_way),
      T(a_probe_of_a_port_without_a_listener_says_why),
      T(may_open_as_many_files_as_the_system_lets_it),
      T(keeps_its_files_to_itself),
      T(no_child_outlives_us),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
