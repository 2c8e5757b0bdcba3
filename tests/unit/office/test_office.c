#define _GNU_SOURCE
#include "../broker/rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/payload.h"
#include "base/trespass.h"
#include "broker/hosted.h"
#include "office/office.h"

enum { MARK = 0x5eed0002 };

/* The rig, plus an operator whose wake is seen from the loop. */
struct office {
  struct rig *rig;
  struct office *op;
  uint32_t ids[RIG_DEVICES];
  struct names *names;
  struct office_server others[OFFICE_OTHERS_MAX];
  size_t other_count;
  bool earlier;
  char ca[400], certificate[400], key[400];
  atomic_uint wakes;
  struct office_event last;
};

static uint64_t now_us(void *clock)
{
  (void) clock;
  return uv_hrtime() / 1000;
}

static void wake(void *ctx)
{
  atomic_fetch_add(&((struct office *) ctx)->wakes, 1);
}

static void describe(void *ctx, size_t index, struct template_values *out)
{
  static char name[DEVICE_ID_TEXT];
  device_id_text(((uint32_t *) ctx)[index], name);
  out->id = name;
}

static void start_office(struct office *office)
{
  struct rig *rig = office->rig;
  struct error error;
  snprintf(office->ca, sizeof office->ca, "%s/operator-ca.crt", rig->pki_folder);
  snprintf(office->certificate, sizeof office->certificate, "%s/operator.crt", rig->pki_folder);
  snprintf(office->key, sizeof office->key, "%s/operator.key", rig->pki_folder);
  for (size_t i = 0; i < RIG_DEVICES; i++) office->ids[i] = pki_device_id(rig->pki, i);
  if (office->names == NULL)
    assert_int_equal(names_create(&names_usual, RIG_DEVICES, describe, office->ids, &office->names,
                                  NULL, &error),
                     0);
  struct office_config config = {.host = "localhost",
                                 .port = broker_port(rig->broker, BROKER_MAIN),
                                 .ca_path = office->ca,
                                 .certificate_path = office->certificate,
                                 .key_path = office->key,
                                 .device_count = RIG_DEVICES,
                                 .names = office->names,
                                 .telemetry = {.mark = MARK, .clones_mark = MARK ^ 1},
                                 .now_us = now_us,
                                 .wake = wake,
                                 .ctx = office,
                                 .earlier = office->earlier,
                                 .ota = true,
                                 .trespass = true,
                                 .others = office->others,
                                 .other_count = office->other_count};
  if (office_start(&config, &office->op, &error) != 0) fail_msg("%s", error.text);
}

/* Collects, while the loop runs, until an event of this kind. */
static void expect_event(struct office *office, enum office_event_kind kind)
{
  for (int i = 0; i < 1000; i++) {
    while (office_collect(office->op, &office->last))
      if (office->last.kind == kind) return;
    uv_run(&office->rig->loop, UV_RUN_NOWAIT);
    rig_pause_ms(15);
  }
  fail_msg("no event of kind %d in 15 s; the last was %d: %s", kind, office->last.kind,
           office->last.text);
}

static struct office_tally expect_delivered(struct office *office, uint64_t messages)
{
  struct office_tally tally = {0};
  for (int i = 0; i < 500; i++) {
    office_tally(office->op, &tally);
    if (tally.delivered + tally.duplicated + tally.strangers + tally.foreign + tally.of_clones +
            tally.altered >=
        messages)
      return tally;
    rig_pause_ms(10);
  }
  fail_msg("%llu of %llu messages came in 5 s",
           (unsigned long long) (tally.delivered + tally.duplicated),
           (unsigned long long) messages);
  return tally;
}

/* Fails after 10 s in which no message arrived: how long all of them take is the machine's
   affair. */
static void expect_nothing_pending(struct office *office)
{
  size_t least = office_pending(office->op);
  for (int idle = 0; idle < 1000 && least > 0; idle++) {
    uv_run(&office->rig->loop, UV_RUN_NOWAIT);
    rig_pause_ms(10);
    size_t pending = office_pending(office->op);
    if (pending < least) idle = 0;
    least = pending < least ? pending : least;
  }
  assert_int_equal(office_pending(office->op), 0);
}

enum { TELEMETRY = 64 };

/* Publishes it as device `index`, to the topic of `owner`. */
static void send_payload(struct office *office, const uint8_t *payload, size_t size, size_t index,
                         uint32_t owner, const char *options)
{
  char path[400];
  snprintf(path, sizeof path, "%s/payload", office->rig->folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(payload, 1, size, file), size);
  fclose(file);
  assert_int_equal(rig_client(office->rig, "mosquitto_pub", index,
                              "-t private/%08x/telemetry -f %s %s", owner, path, options),
                   0);
}

/* Of the run `mark`, with this sequence number. */
static void telemetry_of(struct office *office, uint32_t mark, size_t index, uint32_t owner,
                         uint32_t sequence, const char *options)
{
  uint8_t payload[TELEMETRY];
  char name[9];
  snprintf(name, sizeof name, "%08x", owner);
  payload_write(payload, sizeof payload,
                &(struct payload){mark, sequence, now_us(NULL), payload_sender_of(name)});
  send_payload(office, payload, sizeof payload, index, owner, options);
}

static void telemetry(struct office *office, size_t index, uint32_t owner, uint32_t sequence)
{
  telemetry_of(office, MARK, index, owner, sequence, "");
}

/* A second broker in the rig, which the operator turns to when the first one is killed, and leaves
 * when that one dies.
 */
static void goes_to_another_broker_when_its_own_dies(void **state)
{
  struct office *office = *state;
  struct rig *rig = office->rig;
  struct outcome killed = {0}, back = {0}, killed_too = {0}, again = {0}, last = {0};
  office_stop(office->op);
  struct broker *first = rig->broker;
  snprintf(rig->broker_folder, sizeof rig->broker_folder, "%s/another", rig->folder);
  rig_start_broker(rig);
  struct broker *second = rig->broker;
  office->others[0] =
      (struct office_server){.host = "localhost", .port = broker_port(second, BROKER_MAIN)};
  rig->broker = first;
  office->other_count = 1;
  start_office(office);
  expect_event(office, OFFICE_CONNECTED);

  broker_kill(first, rig_on_done, &killed);
  rig_succeeds(rig, &killed);
  expect_event(office, OFFICE_CONNECTED);
  assert_false(office_is_home(office->op));
  rig->broker = second;
  telemetry(office, 0, office->ids[0], 1);
  assert_int_equal(expect_delivered(office, 1).delivered, 1);

  broker_start(first, rig_on_done, &back);
  rig_succeeds(rig, &back);
  office_return(office->op);
  expect_event(office, OFFICE_CONNECTED);
  assert_true(office_is_home(office->op));
  rig->broker = first;
  telemetry(office, 0, office->ids[0], 2);
  assert_int_equal(expect_delivered(office, 2).delivered, 2);
  rig->broker = second; /* nothing gathers there */
  telemetry(office, 0, office->ids[0], 3);
  broker_kill(first, rig_on_done, &again);
  rig_succeeds(rig, &again);
  expect_event(office, OFFICE_CONNECTED);
  telemetry(office, 0, office->ids[0], 4);
  assert_int_equal(expect_delivered(office, 3).delivered, 3);
  assert_int_equal(office_missing(office->op, 0, 4), 1);
  broker_start(first, rig_on_done, &last);
  rig_succeeds(rig, &last);
  broker_kill(second, rig_on_done, &killed_too);
  rig_succeeds(rig, &killed_too);
  expect_event(office, OFFICE_CONNECTED);
  rig->broker = first;
  telemetry(office, 0, office->ids[0], 5);
  assert_int_equal(expect_delivered(office, 4).delivered, 4);

  rig->broker = second;
  rig_close_broker(rig);
  rig->broker = first;
}

static int office_up(void **state)
{
  if (rig_up(state) != 0) return -1;
  struct office *office = calloc(1, sizeof *office);
  office->rig = *state;
  *state = office;
  rig_start_broker(office->rig);
  start_office(office);
  return 0;
}

static int office_down(void **state)
{
  struct office *office = *state;
  void *rig = office->rig;
  uint64_t before = uv_hrtime();
  office_stop(office->op);
  double took_s = (double) (uv_hrtime() - before) / 1e9;
  names_free(office->names);
  free(office);
  if (took_s > 4) print_error("operator_stop took %.1f s\n", took_s);
  return rig_down(&rig) != 0 || took_s > 4 ? -1 : 0;
}

static void counts_what_arrives_by_sequence_number(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  telemetry(office, 0, 1, 1);
  telemetry(office, 0, 1, 3);
  telemetry(office, 0, 1, 3);
  telemetry(office, 1, 2, 1);
  struct office_tally tally = expect_delivered(office, 4);
  assert_int_equal(tally.delivered, 3);
  assert_int_equal(tally.duplicated, 1);
  assert_int_equal(tally.strangers, 0);
  assert_int_equal(office_missing(office->op, 0, 3), 1);
  assert_int_equal(office_missing(office->op, 1, 1), 0);
  assert_int_equal(office_missing(office->op, 2, 7), 7);

  uint32_t latency_us[8];
  uint64_t skipped = 9;
  assert_int_equal(office_latencies(office->op, latency_us, 8, &skipped), 3);
  assert_int_equal(skipped, 0);
  for (int i = 0; i < 3; i++) assert_in_range(latency_us[i], 1, 5000000);
}

static void telemetry_of_another_run_is_counted_apart_and_hides_no_loss(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  telemetry(office, 0, 1, 1);
  telemetry_of(office, MARK + 1000, 0, 1, 2, ""); /* the number that is missing below */
  telemetry_of(office, 0, 0, 1, 2, "");        /* as a program from before the mark numbered it */
  telemetry_of(office, MARK ^ 1, 0, 1, 2, ""); /* a clone's */
  telemetry_of(office, MARK ^ 1, 0, 1, 1, "");
  telemetry(office, 0, 1, 3);
  struct office_tally tally = expect_delivered(office, 7);
  assert_int_equal(tally.delivered, 2);
  assert_int_equal(tally.foreign, 2);
  assert_int_equal(tally.of_clones, 2);
  assert_int_equal(tally.duplicated, 1);
  assert_int_equal(tally.strangers, 0);
  assert_int_equal(office_missing(office->op, 0, 3), 1);
}

/* As a broker may that has a limit, or a bug. */
static void what_was_cut_short_or_altered_is_not_delivered(void **state)
{
  struct office *office = *state;
  uint8_t payload[TELEMETRY];
  expect_event(office, OFFICE_CONNECTED);
  telemetry(office, 0, 1, 1);
  payload_write(payload, sizeof payload,
                &(struct payload){MARK, 2, now_us(NULL), payload_sender_of("00000001")});
  send_payload(office, payload, sizeof payload - 1, 0, 1, "");
  send_payload(office, payload, 10, 0, 1, "");
  payload[TELEMETRY - 1] ^= 1; /* of the padding */
  send_payload(office, payload, sizeof payload, 0, 1, "");
  payload[TELEMETRY - 1] ^= 1;
  payload[7] = 3; /* another number, which would be new */
  send_payload(office, payload, sizeof payload, 0, 1, "");
  payload_write(payload, sizeof payload,
                &(struct payload){MARK, 2, now_us(NULL), payload_sender_of("00000002")});
  send_payload(office, payload, sizeof payload, 0, 1, ""); /* another device's */
  struct office_tally tally = expect_delivered(office, 6);
  assert_int_equal(tally.delivered, 1);
  assert_int_equal(tally.altered, 5);
  assert_int_equal(tally.strangers, 0);
  assert_int_equal(office_missing(office->op, 0, 3), 2);
}

/* An operator of an earlier run that was killed: its session stays, and what gathers there it would
   get. */
static void leave_a_session(struct office *office)
{
  assert_int_equal(
      rig_client(
          office->rig, "mosquitto_sub", 0,
          "-c -E -i operator --cert %s --key %s -t private/+/telemetry -t private/+/trust/ack -t "
          "private/+/cert/ack -t private/+/status -t private/+/ota/status",
          office->certificate, office->key),
      0);
}

static void say(struct office *office, const char *options)
{
  static const char *const words[][2] = {
      {"trust/ack", "{\"status\":\"committed\",\"version\":3,\"of\":7}"},
      {"cert/ack", "{\"status\":\"committed\",\"version\":1,\"of\":7}"},
      {"ota/status",
       "{\"status\":\"confirmed\",\"serial\":1,\"version\":\"1.2.0\",\"running\":\"1.2.0\"}"},
      {"status", "offline"},
  };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    assert_int_equal(rig_client(office->rig, "mosquitto_pub", 1,
                                "-t private/00000002/%s -m '%s' %s", words[i][0], words[i][1],
                                options),
                     0);
}

/* Starts the operator again: nothing may come of a device but telemetry of device 3, which is sent
   until it arrives. */
static void expect_no_news_of_another_day(struct office *office)
{
  office->earlier = true;
  start_office(office);
  for (bool arrived = false; !arrived; rig_pause_ms(20)) {
    if (office_connected(office->op)) telemetry(office, 2, 3, 1);
    arrived = office_missing(office->op, 2, 1) == 0;
    while (office_collect(office->op, &office->last))
      if (office->last.index != SIZE_MAX)
        fail_msg("news of another day: %s: %s", office->last.topic, office->last.text);
  }
}

static void what_waited_for_the_operator_of_an_earlier_run_is_gone(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  office_stop(office->op);
  leave_a_session(office);
  telemetry_of(office, MARK + 1000, 0, 1, 1, "");
  say(office, "");
  expect_no_news_of_another_day(office);
  struct office_tally tally;
  office_tally(office->op, &tally);
  assert_int_equal(tally.delivered, 1);
  assert_int_equal(tally.foreign, 0);
}

static void what_the_broker_retained_is_of_another_day(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  office_stop(office->op);
  telemetry_of(office, MARK + 1000, 0, 1, 1, "-r");
  say(office, "-r");
  expect_no_news_of_another_day(office);
  struct office_tally tally;
  office_tally(office->op, &tally);
  assert_int_equal(tally.delivered, 1);
  assert_int_equal(tally.foreign, 5);
}

static void a_message_to_anothers_topic_is_not_counted(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  telemetry(office, 0, 2, 1);
  telemetry(office, 0, 1, 1);
  struct office_tally tally = expect_delivered(office, 1);
  assert_int_equal(tally.delivered, 1);
  assert_int_equal(office_missing(office->op, 0, 1), 0);
  assert_int_equal(office_missing(office->op, 1, 1), 1);
}

static void nonsense_is_a_stranger(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  assert_int_equal(
      rig_client(office->rig, "mosquitto_pub", 0, "-t private/00000001/telemetry -m short"), 0);
  assert_int_equal(rig_client(office->rig, "mosquitto_pub", 0,
                              "-t private/00000001/trust/ack -m '{\"status\":5}'"),
                   0);
  telemetry(office, 0, 1, 0);
  struct office_tally tally = expect_delivered(office, 3);
  assert_int_equal(tally.strangers, 3);
  assert_int_equal(tally.delivered, 0);
}

static void hands_out_acknowledgements(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  assert_int_equal(rig_client(office->rig, "mosquitto_pub", 1,
                              "-t private/00000002/trust/ack -m "
                              "'{\"status\":\"committed\",\"version\":3,\"of\":4294967295}'"),
                   0);
  expect_event(office, OFFICE_TRUST_ACK);
  assert_int_equal(office->last.index, 1);
  assert_int_equal(office->last.version, 3);
  assert_int_equal(office->last.of, 4294967295u);
  assert_int_equal(office->last.code, DEVICE_UPDATE_COMMITTED);

  assert_int_equal(rig_client(office->rig, "mosquitto_pub", 2,
                              "-t private/00000003/cert/ack -m '{\"status\":\"wrong_key\"}'"),
                   0);
  expect_event(office, OFFICE_IDENTITY_ACK);
  assert_int_equal(office->last.index, 2);
  assert_int_equal(office->last.code, DEVICE_UPDATE_WRONG_KEY);

  assert_int_equal(
      rig_client(office->rig, "mosquitto_pub", 2, "-t private/00000003/status -m offline"), 0);
  expect_event(office, OFFICE_MESSAGE);
  assert_string_equal(office->last.topic, "private/00000003/status");
  assert_string_equal(office->last.text, "offline");
  assert_true(atomic_load(&office->wakes) >= 4);
}

/* Publishes these bytes as device `index`. */
static void publish_bytes(struct office *office, size_t index, const char *topic, const void *bytes,
                          size_t size)
{
  char path[400];
  snprintf(path, sizeof path, "%s/payload", office->rig->folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  fclose(file);
  assert_int_equal(rig_client(office->rig, "mosquitto_pub", index, "-t %s -f %s", topic, path), 0);
}

static void hands_out_reports_of_updates(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  assert_int_equal(rig_client(office->rig, "mosquitto_pub", 1,
                              "-t private/00000002/ota/status -m "
                              "'{\"status\":\"self_test\",\"serial\":3,\"version\":\"1.2.65535\","
                              "\"running\":\"1.1.0\"}'"),
                   0);
  expect_event(office, OFFICE_OTA_STATUS);
  assert_int_equal(office->last.index, 1);
  assert_int_equal(office->last.code, DEVICE_OTA_SELF_TEST);
  assert_int_equal(office->last.serial, 3);
  assert_int_equal(office->last.version, DEVICE_VERSION(1, 2, 65535));
  assert_int_equal(office->last.running, DEVICE_VERSION(1, 1, 0));
}

static void reports_that_make_no_sense_are_strangers(void **state)
{
  static const char *const nonsense[] = {
      "{\"status\":\"great\",\"serial\":3,\"version\":\"1.2.0\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"serial\":-1,\"version\":\"1.2.0\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"serial\":4294967296,\"version\":\"1.2.0\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"version\":\"1.2.0\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"serial\":3,\"version\":\"256.2.0\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"serial\":3,\"version\":\"1.2.65536\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"serial\":3,\"version\":\"1.2\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"serial\":3,\"version\":\"1.2.0.0\",\"running\":\"1.1.0\"}",
      "{\"status\":\"trial\",\"serial\":3,\"version\":\"1.2.0\",\"running\":7}",
      "[\"trial\",3]",
      "{\"status\":\"trial\"",
  };
  enum { CASES = sizeof nonsense / sizeof nonsense[0] };
  struct office *office = *state;
  char large[600];
  memset(large, ' ', sizeof large); /* what follows would be a good one */
  memcpy(large + 300, nonsense[0], strlen(nonsense[0]));
  memcpy(large + 311, "trial", 5);
  expect_event(office, OFFICE_CONNECTED);
  for (size_t i = 0; i < CASES; i++)
    publish_bytes(office, 1, "private/00000002/ota/status", nonsense[i], strlen(nonsense[i]));
  publish_bytes(office, 1, "private/00000002/ota/status", large, sizeof large);
  struct office_tally tally = expect_delivered(office, CASES + 1);
  assert_int_equal(tally.strangers, CASES + 1);
  while (office_collect(office->op, &office->last))
    assert_int_not_equal(office->last.kind, OFFICE_OTA_STATUS);
}

static void what_trespassers_say_is_heard_whatever_the_topic(void **state)
{
  struct office *office = *state;
  static const char *const said[] = {TRESPASS_WORD, TRESPASS_LURE};
  static const char *const topics[] = {"ota/status", "ota/get", "telemetry", "trust/ack", "csr"};
  expect_event(office, OFFICE_CONNECTED);
  for (size_t t = 0; t < sizeof topics / sizeof *topics; t++)
    for (size_t w = 0; w < 2; w++) {
      char topic[64];
      snprintf(topic, sizeof topic, "private/00000002/%s", topics[t]);
      publish_bytes(office, 1, topic, said[w], strlen(said[w]));
      expect_event(office, OFFICE_MESSAGE);
      assert_string_equal(office->last.text, said[w]);
      assert_string_equal(office->last.topic, topic);
      assert_int_equal(office->last.index, 1);
    }
  struct office_tally tally;
  office_tally(office->op, &tally);
  assert_int_equal(tally.strangers, 0);
  assert_int_equal(tally.delivered, 0);
}

static void blocks_go_to_the_device_that_asked(void **state)
{
  struct office *office = *state;
  struct blocks_want want = {.number = 0};
  /* of 5: 256 and 260 */
  const uint8_t get[BLOCKS_GET_SIZE] = {0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0x11};
  expect_event(office, OFFICE_CONNECTED);
  assert_false(office_next_block(office->op, &want));
  assert_true(office_block_room(office->op) > 0);
  publish_bytes(office, 2, "private/00000003/ota/get", get, sizeof get);
  publish_bytes(office, 2, "private/00000003/ota/get", get, 11); /* no request: a stranger */
  expect_delivered(office, 1);
  struct office_tally tally;
  office_tally(office->op, &tally);
  assert_int_equal(tally.block_requests, 1);
  for (uint32_t number = 256; number <= 260; number += 4) {
    assert_true(office_next_block(office->op, &want));
    assert_int_equal(want.index, 2);
    assert_int_equal(want.serial, 5);
    assert_int_equal(want.number, number);
  }
  assert_false(office_next_block(office->op, &want));
}

/* Device 2, which receives one block. */
struct listener {
  struct rig *rig;
  int status;
  atomic_bool ended;
};

static void *listen_for_block(void *ctx)
{
  struct listener *listener = ctx;
  listener->status =
      rig_client(listener->rig, "mosquitto_sub", 2, "-C 1 -F %%x -t private/00000003/ota/block");
  atomic_store(&listener->ended, true);
  return NULL;
}

/* At QoS 0 a block finds its device only while that is there: it is sent until it does. */
static void a_block_arrives_as_it_was_sent(void **state)
{
  struct office *office = *state;
  struct error error;
  struct listener listener = {.rig = office->rig};
  pthread_t thread;
  expect_event(office, OFFICE_CONNECTED);
  assert_int_equal(pthread_create(&thread, NULL, listen_for_block, &listener), 0);
  while (!atomic_load(&listener.ended)) {
    uv_run(&office->rig->loop, UV_RUN_NOWAIT);
    if (office_block_room(office->op) > 0)
      assert_int_equal(office_send(office->op, 2, "ota/block", "\0\1\xfe\xff", 4, &error), 0);
    rig_pause_ms(10);
  }
  pthread_join(thread, NULL);
  assert_int_equal(listener.status, 0);
  char path[400], text[9] = "";
  snprintf(path, sizeof path, "%s/client.out", office->rig->folder);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fread(text, 1, 8, file), 8);
  fclose(file);
  assert_string_equal(text, "0001feff");
  expect_nothing_pending(office);
}

/* Blocks wait for a broker that is gone no longer than until it is back; what is asked for is
   bounded throughout. */
static void few_blocks_are_under_way_at_a_time(void **state)
{
  struct office *office = *state;
  struct outcome stopped = {0}, started = {0};
  struct error error;
  uint8_t block[1024] = {0};
  expect_event(office, OFFICE_CONNECTED);
  size_t room = office_block_room(office->op);
  assert_in_range(room, 100, 1000);
  broker_stop(office->rig->broker, rig_on_done, &stopped);
  rig_succeeds(office->rig, &stopped);
  expect_event(office, OFFICE_LOST);
  assert_int_equal(office_block_room(office->op), 0);
  assert_int_equal(office_push(office->op, 0, "ota/manifest", "m", 1, &error), 0);
  broker_start(office->rig->broker, rig_on_done, &started);
  rig_succeeds(office->rig, &started);
  expect_event(office, OFFICE_CONNECTED);
  for (int i = 0; i < 5000;) {
    if (office_block_room(office->op) == 0) continue;
    assert_int_equal(office_send(office->op, 0, "ota/block", block, sizeof block, &error), 0);
    assert_true(office_pending(office->op) <= room);
    i++;
  }
  expect_nothing_pending(office);
}

static void pushes_reach_a_device_that_connects_later(void **state)
{
  struct office *office = *state;
  struct error error;
  assert_int_equal(rig_client(office->rig, "mosquitto_sub", 0, "-c -E -t private/00000001/trust"),
                   0);
  assert_int_equal(office_push(office->op, 0, "trust", "bundle", 6, &error), 0);
  expect_nothing_pending(office);
  assert_int_equal(rig_client(office->rig, "mosquitto_sub", 0, "-c -C 1 -t private/00000001/trust"),
                   0);
}

static void restart(struct office *office)
{
  struct outcome restarted = {0};
  broker_restart(office->rig->broker, rig_on_done, &restarted);
  rig_succeeds(office->rig, &restarted);
}

static void pushes_while_the_broker_is_away_arrive_after_it_is_back(void **state)
{
  struct office *office = *state;
  struct outcome stopped = {0}, started = {0};
  struct error error;
  expect_event(office, OFFICE_CONNECTED);
  assert_int_equal(rig_client(office->rig, "mosquitto_sub", 0, "-c -E -t private/00000001/trust"),
                   0);
  broker_stop(office->rig->broker, rig_on_done, &stopped);
  rig_succeeds(office->rig, &stopped);
  expect_event(office, OFFICE_LOST);
  assert_false(office_connected(office->op));
  for (int i = 0; i < 700; i++)
    assert_int_equal(office_push(office->op, 0, "trust", "bundle", 6, &error), 0);
  assert_int_equal(office_pending(office->op), 700);

  broker_start(office->rig->broker, rig_on_done, &started);
  rig_succeeds(office->rig, &started);
  expect_event(office, OFFICE_CONNECTED);
  expect_nothing_pending(office);
  assert_int_equal(
      rig_client(office->rig, "mosquitto_sub", 0, "-c -C 700 -t private/00000001/trust"), 0);
}

static void counts_on_after_a_restart_and_after_a_kill(void **state)
{
  struct office *office = *state;
  struct outcome started = {0};
  expect_event(office, OFFICE_CONNECTED);
  telemetry(office, 0, 1, 1);
  restart(office);
  telemetry(office, 0, 1, 2); /* the session at the broker keeps it until the operator is back */
  expect_event(office, OFFICE_CONNECTED);
  assert_int_equal(expect_delivered(office, 2).delivered, 2);

  kill(hosted_of(office->rig->broker)->server.child.pid, SIGKILL);
  rig_wait(office->rig, &office->rig->deaths, 1);
  expect_event(office, OFFICE_LOST);
  broker_start(office->rig->broker, rig_on_done, &started);
  rig_succeeds(office->rig, &started);
  expect_event(office, OFFICE_CONNECTED);
  telemetry(office, 0, 1, 3);
  assert_int_equal(expect_delivered(office, 3).delivered, 3);
  assert_int_equal(office_missing(office->op, 0, 3), 0);
}

static void many_pushes_survive_a_kill_in_their_midst(void **state)
{
  enum { PUSHES = 20000 };
  struct office *office = *state;
  struct outcome started = {0};
  struct error error;
  char bundle[1024] = "bundle";
  expect_event(office, OFFICE_CONNECTED);
  for (int i = 0; i < PUSHES; i++)
    assert_int_equal(office_push(office->op, 1, "trust", bundle, sizeof bundle, &error), 0);
  size_t pending = office_pending(office->op);
  assert_in_range(pending, 1, PUSHES);
  kill(hosted_of(office->rig->broker)->server.child.pid, SIGKILL);
  rig_wait(office->rig, &office->rig->deaths, 1);
  broker_start(office->rig->broker, rig_on_done, &started);
  rig_succeeds(office->rig, &started);
  expect_nothing_pending(office);
}

/* It takes three connections in a row that ended soon, so that one restart is none. */
static void tells_that_another_comes_as_the_operator(void **state)
{
  struct office *office = *state;
  struct office *other = calloc(1, sizeof *other);
  unsigned losses = 0;
  assert_non_null(other);
  other->rig = office->rig;
  expect_event(office, OFFICE_CONNECTED);
  start_office(other);
  do {
    expect_event(office, OFFICE_LOST);
    losses++;
    if (losses == 2)
      assert_non_null(strstr(office->last.text, "ended soon after CONNACK: does another"));
  } while (office->last.code != OFFICE_TAKEN_OVER && losses < 8);
  assert_int_equal(losses, 4);
  assert_non_null(strstr(office->last.text, "does another run come as 'operator'?"));
  assert_non_null(strstr(office->last.text, "operator: {client-id: NAME}"));
  office_stop(other->op);
  names_free(other->names);
  free(other);
}

static void a_broker_that_is_restarted_is_no_other_operator(void **state)
{
  struct office *office = *state;
  expect_event(office, OFFICE_CONNECTED);
  for (unsigned i = 0; i < 3; i++) {
    struct outcome restarted = {0};
    broker_restart(office->rig->broker, rig_on_done, &restarted);
    rig_succeeds(office->rig, &restarted);
    expect_event(office, OFFICE_LOST);
    assert_int_equal(office->last.code, i == 0 ? 0 : OFFICE_MAY_BE_TAKEN_OVER);
    expect_event(office, OFFICE_CONNECTED);
  }
}

static void refuses_more_than_may_wait(void **state)
{
  struct office *office = *state;
  struct outcome stopped = {0};
  struct error error;
  expect_event(office, OFFICE_CONNECTED);
  broker_stop(office->rig->broker, rig_on_done, &stopped);
  rig_succeeds(office->rig, &stopped);
  expect_event(office, OFFICE_LOST);
  for (unsigned i = 0; i < OFFICE_PENDING_MAX; i++)
    assert_int_equal(office_push(office->op, 0, "trust", "x", 1, &error), 0);
  assert_int_equal(office_push(office->op, 0, "trust", "x", 1, &error), -1);
  assert_non_null(strstr(error.text, "100000 messages wait"));
}

static void says_why_it_cannot_connect_and_stops_all_the_same(void **state)
{
  struct office *office = *state;
  struct outcome stopped = {0}, started = {0};
  expect_event(office, OFFICE_CONNECTED);
  broker_stop(office->rig->broker, rig_on_done, &stopped);
  rig_succeeds(office->rig, &stopped);
  expect_event(office, OFFICE_FAILED);
  struct office_failure failure;
  office_failure(office->op, &failure);
  assert_non_null(strstr(failure.text, "failed: TCP"));

  struct broker_pair files = broker_chain_place(office->rig->broker, BROKER_MAIN);
  struct chain_prints written;
  struct pki_chain elsewhere = {.root = "A", .host = "elsewhere.example"};
  struct error error;
  assert_int_equal(pki_write_broker_chain(office->rig->pki, &elsewhere, files.certificate,
                                          files.key, &written, &error),
                   0);
  broker_start(office->rig->broker, rig_on_done, &started);
  rig_succeeds(office->rig, &started);
  for (int i = 0; i < 10 && failure.failure == DEVICE_FAIL_NONE; i++) {
    expect_event(office, OFFICE_FAILED);
    office_failure(office->op, &failure);
  }
  for (int i = 0; i < 12 && failure.failure != DEVICE_FAIL_TLS_NAME_MISMATCH; i++) {
    expect_event(office, OFFICE_FAILED);
    office_failure(office->op, &failure);
  }
  assert_non_null(strstr(failure.text, "connect.tls.name_mismatch"));
  assert_non_null(strstr(failure.text, "(elsewhere.example)"));
  assert_true(failure.final);
  assert_false(office_connected(office->op));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, office_up, office_down)
  const struct CMUnitTest tests[] = {
      T(counts_what_arrives_by_sequence_number),
      T(telemetry_of_another_run_is_counted_apart_and_hides_no_loss),
      T(what_was_cut_short_or_altered_is_not_delivered),
      T(what_waited_for_the_operator_of_an_earlier_run_is_gone),
      T(what_the_broker_retained_is_of_another_day),
      T(a_message_to_anothers_topic_is_not_counted),
      T(nonsense_is_a_stranger),
      T(hands_out_acknowledgements),
      T(hands_out_reports_of_updates),
      T(reports_that_make_no_sense_are_strangers),
      T(what_trespassers_say_is_heard_whatever_the_topic),
      T(blocks_go_to_the_device_that_asked),
      T(a_block_arrives_as_it_was_sent),
      T(few_blocks_are_under_way_at_a_time),
      T(pushes_reach_a_device_that_connects_later),
      T(pushes_while_the_broker_is_away_arrive_after_it_is_back),
      T(counts_on_after_a_restart_and_after_a_kill),
      T(many_pushes_survive_a_kill_in_their_midst),
      T(goes_to_another_broker_when_its_own_dies),
      T(tells_that_another_comes_as_the_operator),
      T(a_broker_that_is_restarted_is_no_other_operator),
      T(refuses_more_than_may_wait),
      T(says_why_it_cannot_connect_and_stops_all_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
