/* Two mosquittos side by side: what is killed, frozen and brought back, and what a bridge
   carries. */
#define _GNU_SOURCE
#include "rig.h"

#include <signal.h>
#include <sys/stat.h>

#include "broker/hosted.h"
#include "broker/internal.h"

static pid_t pid_of(const struct rig *rig)
{
  return hosted_of(rig->broker)->server.child.pid;
}

static void kill_it(struct rig *rig)
{
  struct outcome killed = {0};
  broker_kill(rig->broker, rig_on_done, &killed);
  rig_succeeds(rig, &killed);
}

static void start_it(struct rig *rig)
{
  struct outcome started = {0};
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
}

static void a_broker_that_is_killed_on_purpose_comes_back_on_its_ports(void **state)
{
  struct rig *rig = *state;
  rig_start_broker(rig);
  pid_t pid = pid_of(rig);
  uint16_t port = broker_port(rig->broker, BROKER_MAIN);
  kill_it(rig);
  assert_true(rig_gone(pid));
  assert_false(broker_running(rig->broker));
  assert_int_equal(rig->deaths, 0);
  start_it(rig);
  assert_int_equal(broker_port(rig->broker, BROKER_MAIN), port);
  assert_int_equal(rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/x -m x"), 0);
}

static void a_broker_that_does_not_run_cannot_be_killed_or_frozen(void **state)
{
  struct rig *rig = *state;
  struct broker_config config = rig_config(rig);
  struct outcome killed = {0}, frozen = {0}, thawed = {0};
  rig_open_broker(rig, &config);
  broker_kill(rig->broker, rig_on_done, &killed);
  rig_fails(rig, &killed, "cannot be killed because it is not running");
  broker_freeze(rig->broker, rig_on_done, &frozen);
  rig_fails(rig, &frozen, "cannot be frozen because it is not running");
  broker_thaw(rig->broker, rig_on_done, &thawed);
  rig_fails(rig, &thawed, "cannot be thawed because it is not running");
}

/* A frozen broker's backlog still takes connections; nobody answers in them. */
static void a_frozen_broker_answers_nobody_until_it_is_thawed(void **state)
{
  struct rig *rig = *state;
  struct outcome frozen = {0}, thawed = {0};
  rig_start_broker(rig);
  broker_freeze(rig->broker, rig_on_done, &frozen);
  rig_succeeds(rig, &frozen);
  assert_true(broker_running(rig->broker));
  assert_int_not_equal(rig_client(rig, "timeout 1 mosquitto_pub", 0, "-t private/00000001/x -m x"),
                       0);
  broker_thaw(rig->broker, rig_on_done, &thawed);
  rig_succeeds(rig, &thawed);
  assert_int_equal(rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/x -m x"), 0);
}

static void a_frozen_broker_stops_in_an_orderly_way(void **state)
{
  struct rig *rig = *state;
  struct outcome frozen = {0}, stopped = {0};
  struct stat saved;
  char path[FILES_PATH_MAX];
  rig_start_broker(rig);
  /* mosquitto listens before it handles SIGTERM; once it has answered somebody it does both */
  assert_int_equal(rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/x -m x"), 0);
  broker_freeze(rig->broker, rig_on_done, &frozen);
  rig_succeeds(rig, &frozen);
  broker_stop(rig->broker, rig_on_done, &stopped);
  rig_succeeds(rig, &stopped);
  broker_file(rig->broker, "mosquitto.db", path);
  assert_int_equal(stat(path, &saved), 0); /* it was not killed: it has saved its sessions */
}

/* A second broker, bridged to rig->broker, takes its place in the rig; returns the first one. */
static struct broker *add_bridged(struct rig *rig, char ca[400], char certificate[400],
                                  char key[400])
{
  struct broker *first = rig->broker;
  snprintf(rig->broker_folder, sizeof rig->broker_folder, "%s/another", rig->folder);
  snprintf(ca, 400, "%s/operator-ca.crt", rig->pki_folder);
  snprintf(certificate, 400, "%s/operator.crt", rig->pki_folder);
  snprintf(key, 400, "%s/operator.key", rig->pki_folder);
  struct broker_config config = rig_config(rig);
  config.bridge = (struct broker_bridge){.peer = first,
                                         .name = "bridge-b",
                                         .ca_path = ca,
                                         .certificate_path = certificate,
                                         .key_path = key};
  rig_open_broker(rig, &config);
  start_it(rig);
  return first;
}

/* Publishes at `from` until a persistent session at `to`, which has subscribed before, has got
   it. */
static void expect_through(struct rig *rig, struct broker *from, struct broker *to,
                           const char *topic)
{
  rig->broker = to;
  assert_int_equal(rig_client(rig, "mosquitto_sub", 0, "-c -E -t %s", topic), 0);
  for (int i = 0; i < 20; i++) {
    rig->broker = from;
    assert_int_equal(rig_client(rig, "mosquitto_pub", 0, "-t %s -m through -i other", topic), 0);
    rig->broker = to;
    if (rig_client(rig, "timeout 1 mosquitto_sub", 0, "-c -C 1 -t %s", topic) == 0) return;
  }
  fail_msg("nothing comes through on %s", topic);
}

static void count_messages(struct rig *rig, struct broker *at, const char *topic, int most,
                           int wanted)
{
  char command[700];
  rig->broker = at;
  rig_client(rig, "timeout 2 mosquitto_sub", 0, "-c -C %d -t %s", most, topic);
  snprintf(command, sizeof command, "test $(wc -l <%s/client.out) -eq %d", rig->folder, wanted);
  assert_int_equal(system(command), 0);
}

static void a_bridge_carries_both_ways_and_nothing_comes_back(void **state)
{
  struct rig *rig = *state;
  char ca[400], certificate[400], key[400];
  rig_start_broker(rig);
  struct broker *first = add_bridged(rig, ca, certificate, key), *second = rig->broker;
  expect_through(rig, second, first, "private/00000001/a");
  expect_through(rig, first, second, "private/00000001/b");

  rig->broker = first;
  assert_int_equal(rig_client(rig, "mosquitto_sub", 0, "-c -E -t private/00000001/once"), 0);
  assert_int_equal(rig_client(rig, "mosquitto_pub", 0, "-t private/00000001/once -m x -i other"),
                   0);
  count_messages(rig, first, "private/00000001/once", 2, 1);

  rig->broker = second;
  rig_close_broker(rig);
  rig->broker = first;
}

/* What was published while the peer was away waits at the bridge. Retained: it may arrive before
   the one who asks. */
static void a_bridge_keeps_messages_for_a_peer_that_was_killed(void **state)
{
  struct rig *rig = *state;
  char ca[400], certificate[400], key[400];
  rig_start_broker(rig);
  struct broker *first = add_bridged(rig, ca, certificate, key), *second = rig->broker;
  expect_through(rig, second, first, "private/00000001/a");
  rig->broker = first;
  kill_it(rig);
  rig->broker = second;
  assert_int_equal(
      rig_client(rig, "mosquitto_pub", 0, "-r -t private/00000001/late -m late -i other"), 0);
  rig->broker = first;
  start_it(rig);
  assert_int_equal(rig_client(rig, "mosquitto_sub", 0, "-c -C 1 -t private/00000001/late"), 0);
  rig->broker = second;
  rig_close_broker(rig);
  rig->broker = first;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
  const struct CMUnitTest tests[] = {
      T(a_broker_that_is_killed_on_purpose_comes_back_on_its_ports),
      T(a_broker_that_does_not_run_cannot_be_killed_or_frozen),
      T(a_frozen_broker_answers_nobody_until_it_is_thawed),
      T(a_frozen_broker_stops_in_an_orderly_way),
      T(a_bridge_carries_both_ways_and_nothing_comes_back),
      T(a_bridge_keeps_messages_for_a_peer_that_was_killed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
