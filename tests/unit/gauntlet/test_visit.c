/* A hostile server is what its case says, byte by byte: each step and each filter, seen from the other
 * end of a real socket. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gauntlet/visit_internal.h"
#include "rig.h"

enum { WITHIN_MS = 3000, QUIET_MS = 120 };

static bool has_said(const struct rig *rig)
{
  return rig->visit == NULL || visit_seen(rig->visit)->said;
}

static bool has_bytes(const struct rig *rig)
{
  return rig->size > 0;
}

static void expect_bytes(struct rig *rig, const void *data, size_t size, const char *what)
{
  for (unsigned i = 0; i < WITHIN_MS && rig->size < size; i++) rig_turn(rig, 1);
  if (rig->size != size) fail_msg("%s: %zu bytes came, not %zu", what, rig->size, size);
  assert_memory_equal(rig->got, data, size);
}

/* --- The wire --------------------------------------------------------------------------------- */

static void what_is_sent_comes_as_it_is_written(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: send \"SSH\\r\\n\" 00 3*ff; silence", 13);
  expect_bytes(&rig, "SSH\r\n\0\xff\xff\xff", 9, "a text and bytes");
  assert_false(visit_seen(rig.visit)->has_hello);
  assert_true(visit_seen(rig.visit)->said);
  rig_close(&rig);
}

static void nothing_is_said_before_a_whole_hello(void **state)
{
  (void) state;
  struct rig rig;
  uint8_t hello[2048];
  rig_open(&rig, "wire: send 01; silence", 13);
  rig_send_hello(&rig); /* to see what it is */
  rig_turn(&rig, 20);
  size_t size = rig.visit->raw.size;
  memcpy(hello, rig.visit->raw.data, size);
  rig_again(&rig, "wire: hello; send 2a; silence");
  for (size_t i = 0; i + 1 < size; i++) {
    rig_send(&rig, hello + i, 1);
    if (i % 64 == 0) rig_turn(&rig, 1);
  }
  rig_turn(&rig, 20);
  assert_int_equal(rig.size, 0);
  rig_send(&rig, hello + size - 1, 1);
  expect_bytes(&rig, "\x2a", 1, "an answer to a hello that came byte by byte");
  assert_true(visit_seen(rig.visit)->has_hello);
  rig_close(&rig);
}

static void a_close_is_a_fin_and_the_server_reads_on(void **state)
{
  (void) state;
  struct rig rig;
  static const uint8_t more[1000] = {1};
  rig_open(&rig, "wire: hello; send 01 02; close", 13);
  rig_send_hello(&rig);
  assert_true(rig_until(&rig, rig_has_ended, WITHIN_MS));
  assert_false(rig.reset);
  assert_int_equal(rig.size, 2);
  for (int i = 0; i < 20; i++) {
    rig_send(&rig, more, sizeof more);
    rig_turn(&rig, 5);
    assert_non_null(rig.visit);
  }
  rig.ended = false; /* a server that does not read has reset it by now */
  rig_turn(&rig, 10);
  assert_true(rig.ended && !rig.reset);
  rig_hang_up(&rig);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_int_equal(rig.seen.end, OBSERVATION_SERVER);
  rig_close(&rig);
}

static void who_stays_after_a_close_is_left_after_a_while(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: close", 13);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_int_equal(rig.seen.end, OBSERVATION_SERVER);
  assert_true(rig.seen.said);
  rig_close(&rig);
}

/* Its hello was on its way already. */
static void who_is_sent_away_at_once_is_known_by_its_hello(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: close", 13);
  rig_send_hello(&rig);
  rig_turn(&rig, 10);
  rig_hang_up(&rig);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_true(rig.seen.has_hello);
  assert_int_equal(rig.seen.end, OBSERVATION_SERVER);
  rig_close(&rig);
}

static void a_reset_is_a_reset(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: hello; send 01; wait 50ms; reset", 13);
  rig_send_hello(&rig);
  assert_true(rig_until(&rig, rig_has_ended, WITHIN_MS));
  assert_true(rig.reset);
  assert_int_equal(rig.seen.end, OBSERVATION_SERVER);
  rig_close(&rig);
}

static void a_client_is_seen_to_close_or_to_reset(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: hello; silence", 13);
  rig_send_hello(&rig);
  rig_hang_up(&rig);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_int_equal(rig.seen.end, OBSERVATION_CLIENT);
  rig_again(&rig, NULL);
  rig_send_hello(&rig);
  rig_turn(&rig, 5);
  (void) setsockopt(rig.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  rig_hang_up(&rig);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_int_equal(rig.seen.end, OBSERVATION_RESET);
  rig_close(&rig);
}

static void slowly_is_one_byte_each_so_many_ms(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: send aa bb; slowly 40ms; send 01 02 03 04 05; close", 13);
  expect_bytes(&rig, "\xaa\xbb", 2, "what comes before it");
  uint64_t began = uv_hrtime() / 1000000, last = began;
  for (size_t i = 3; i <= 7; i++) {
    while (rig.size < i && uv_hrtime() / 1000000 < began + WITHIN_MS) rig_turn(&rig, 1);
    assert_int_equal(rig.size, i);
    if (i > 3 && rig.came_ms - last < 15)
      fail_msg("byte %zu came %u ms after the one before it, not 40", i,
               (unsigned) (rig.came_ms - last));
    last = rig.came_ms;
  }
  assert_in_range(last - began, 150, 2000);
  assert_true(rig_until(&rig, rig_has_ended, WITHIN_MS));
  assert_false(rig.reset);
  rig_close(&rig);
}

static void what_waits_when_slowness_begins_is_not_lost(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: send 65636*aa; slowly 1ms; close", 13);
  assert_true(rig_until(&rig, rig_has_ended, WITHIN_MS));
  assert_int_equal(rig.size, 65636);
  rig_close(&rig);
}

static void a_wait_is_as_long_as_it_says(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: wait 150ms; send 01; silence", 13);
  uint64_t began = uv_hrtime() / 1000000;
  assert_true(rig_until(&rig, has_bytes, WITHIN_MS));
  assert_in_range(rig.came_ms - began, 140, 1500);
  rig_close(&rig);
}

static void a_flood_pauses_when_nobody_reads_and_comes_whole(void **state)
{
  (void) state;
  struct rig rig;
  enum { TIMES = 20000, EACH = 1000 };
  rig_open(&rig, "wire: hello; flood 20000 1000*aa; close", 13);
  rig.reads = false;
  rig_send_hello(&rig);
  rig_turn(&rig, 150);
  uint32_t paused = rig.visit->progress;
  assert_in_range(paused, 1, TIMES - 1);
  rig_turn(&rig, 100);
  assert_int_equal(rig.visit->progress, paused);
  assert_in_range(rig.visit->queue.size, 1, VISIT_QUEUE_MAX + EACH);
  assert_in_range(rig.visit->queue.room, 1, 2 * (VISIT_QUEUE_MAX + EACH));
  assert_false(visit_seen(rig.visit)->said);
  rig.reads = true;
  assert_true(rig_until(&rig, rig_has_ended, 20000));
  if (rig.size != (size_t) TIMES * EACH) fail_msg("%zu bytes came, not 20,000,000", rig.size);
  rig_close(&rig);
}

static void a_flood_ends_with_its_client(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: hello; flood 100000000 1000*aa; silence", 13);
  rig_send_hello(&rig);
  assert_true(rig_until(&rig, has_bytes, WITHIN_MS));
  rig_hang_up(&rig);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_false(rig.seen.said);
  rig_close(&rig);
}

static bool has_begun(const struct rig *rig)
{
  return rig->visit == NULL || visit_seen(rig->visit)->begun;
}

/* It is told from one who left before: see test_judge. */
static void who_was_sent_some_of_it_is_known(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: slowly 200ms; hello; send 01 02; silence", 13);
  rig_send_hello(&rig);
  rig_turn(&rig, 50);
  assert_false(visit_seen(rig.visit)->begun);
  rig_hang_up(&rig);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_false(rig.seen.begun || rig.seen.said);
  rig_again(&rig, NULL);
  rig_send_hello(&rig);
  assert_true(rig_until(&rig, has_begun, WITHIN_MS));
  assert_int_equal(rig.size, 1);
  assert_false(visit_seen(rig.visit)->said);
  rig_again(&rig, "mqtt: connect; send 20; subscribe; send 01 02; silence");
  assert_true(rig_secure(&rig, NULL));
  rig_say(&rig, "\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", 14);
  rig_expect(&rig, "\x20", 1, "what comes before the last wait");
  rig_turn(&rig, 10);
  assert_false(visit_seen(rig.visit)->begun);
  rig_close(&rig);
}

/* --- TLS, spoiled ----------------------------------------------------------------------------- */

static void tls_is_cut_after_exactly_so_many_bytes(void **state)
{
  (void) state;
  struct rig rig;
  static const unsigned cuts[] = {1, 3, 5, 6, 60, 127, 128, 600, 650};
  static const char *const after[] = {"", "; close", "; reset"};
  for (uint8_t tls = 12; tls <= 13; tls++) {
    rig_open(&rig, "", tls);
    for (size_t i = 0; i < 27; i++) {
      char line[64];
      unsigned cut = cuts[i / 3];
      snprintf(line, sizeof line, "wire: tls cut %u%s", cut, after[i % 3]);
      rig_again(&rig, line);
      rig_send_hello(&rig);
      if (i % 3 == 0) {
        assert_true(rig_until(&rig, has_said, WITHIN_MS));
        rig_turn(&rig, 20);
        assert_false(rig.ended);
      } else {
        assert_true(rig_until(&rig, rig_has_ended, WITHIN_MS));
        assert_int_equal(rig.reset, i % 3 == 2);
      }
      /* a reset may overtake what was sent before it */
      if (i % 3 == 2 ? rig.size > cut : rig.size != cut)
        fail_msg("TLS 1.%d, %s: %zu bytes came", tls - 10, line, rig.size);
    }
    rig_close(&rig);
  }
}

/* The kinds of the server's handshake records in TLS 1.2, as they came, and where each begins. */
static size_t list_records(const struct rig *rig, uint8_t kind[16], size_t at[16])
{
  size_t count = 0;
  for (size_t i = 0; i + 5 < rig->size && count < 16;
       i += 5 + (size_t) (rig->got[i + 3] << 8 | rig->got[i + 4])) {
    at[count] = i;
    kind[count++] = rig->got[i + 5];
  }
  return count;
}

static void see_flight(struct rig *rig, const char *lines)
{
  rig_again(rig, lines);
  rig_send_hello(rig);
  (void) rig_until(rig, has_bytes, WITHIN_MS);
  rig_turn(rig, QUIET_MS);
}

static void records_are_dropped_doubled_and_swapped(void **state)
{
  (void) state;
  static const struct {
    const char *lines, *kinds;
  } stories[] = {
      {"", "\x02\x0b\x0c\x0d\x0e"},
      {"wire: tls drop 1", "\x0b\x0c\x0d\x0e"},
      {"wire: tls drop 3", "\x02\x0b\x0d\x0e"},
      {"wire: tls drop 5", "\x02\x0b\x0c\x0d"},
      {"wire: tls twice 2", "\x02\x0b\x0b\x0c\x0d\x0e"},
      {"wire: tls twice 5", "\x02\x0b\x0c\x0d\x0e\x0e"},
      {"wire: tls swap 1", "\x0b\x02\x0c\x0d\x0e"},
      {"wire: tls swap 3", "\x02\x0b\x0d\x0c\x0e"},
  };
  struct rig rig;
  rig_open(&rig, "", 12);
  for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
    uint8_t kind[17] = {0};
    size_t at[16];
    see_flight(&rig, stories[i].lines);
    (void) list_records(&rig, kind, at);
    if (strcmp((const char *) kind, stories[i].kinds) != 0)
      fail_msg("'%s': kinds %02x %02x %02x %02x %02x %02x", stories[i].lines, kind[0], kind[1],
               kind[2], kind[3], kind[4], kind[5]);
    assert_true(visit_seen(rig.visit)->said);
  }
  rig_close(&rig);
}

static unsigned count_bits(const uint8_t *a, const uint8_t *b, size_t size, size_t *at)
{
  unsigned bits = 0;
  for (size_t i = 0; i < size; i++)
    for (unsigned x = a[i] ^ b[i]; x != 0; x &= x - 1) {
      *at = i;
      bits++;
    }
  return bits;
}

static void exactly_one_bit_is_flipped(void **state)
{
  (void) state;
  static const unsigned bytes[] = {1, 2, 100, 400};
  struct rig rig;
  uint8_t kind[16], sound[4096];
  size_t at[16], where = 0;
  rig_open(&rig, "", 12);
  see_flight(&rig, "");
  assert_true(list_records(&rig, kind, at) >= 3);
  size_t size = at[2] - at[1];
  memcpy(sound, rig.got + at[1], size); /* Certificate is the same each time */
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
    char line[64];
    snprintf(line, sizeof line, "wire: tls flip 2 %u", bytes[i]);
    see_flight(&rig, line);
    assert_int_equal(list_records(&rig, kind, at), 5);
    assert_int_equal(count_bits(sound, rig.got + at[1], size, &where), 1);
    assert_int_equal(where, 4 + bytes[i]);
  }
  rig_close(&rig);
}

static void a_record_that_never_comes_is_no_lie(void **state)
{
  (void) state;
  static const char *const lines[] = {"wire: tls flip 2 20000", "wire: tls drop 40",
                                      "wire: tls twice 40", "wire: tls swap 40"};
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
      struct rig rig;
      rig_open(&rig, lines[i], tls);
      assert_true(rig_secure(&rig, NULL));
      rig_say(&rig, "\xc0\0", 2);
      rig_turn(&rig, 20);
      rig_hang_up(&rig);
      assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
      if (rig.seen.said || !rig.seen.unserved)
        fail_msg("TLS 1.%d, %s: said %d, unserved %d", tls - 10, lines[i], rig.seen.said,
                 rig.seen.unserved);
      rig_close(&rig);
    }
}

static void a_sound_server_is_a_good_broker(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct rig rig;
    rig_open(&rig, "", tls);
    if (!rig_secure(&rig, NULL)) fail_msg("TLS 1.%d: alert %u", tls - 10, rig.alert);
    rig_say(&rig,
            "\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04"
            "unit",
            18);
    rig_expect(&rig, "\x20\x02\0\0", 4, "CONNACK");
    const struct observation *seen = visit_seen(rig.visit);
    assert_true(seen->said && seen->shaken && seen->asked);
    assert_int_equal(seen->application_bytes, 18);
    assert_int_equal(seen->tls, tls);
    assert_int_equal(seen->mqtt, 4);
    assert_int_equal(seen->keep_alive_s, 60);
    assert_string_equal(seen->client_id, "unit");
    rig_close(&rig);
  }
}

enum { DECRYPT_ERROR = 51 };

static void expect_refusal(const char *lines, uint8_t tls, const char *suites)
{
  struct rig rig;
  rig_open(&rig, lines, tls);
  bool shaken = rig_secure(&rig, suites);
  if (shaken || rig.alert != DECRYPT_ERROR)
    fail_msg("TLS 1.%d, %s, %s: alert %u, handshake %s", tls - 10, suites, lines, rig.alert,
             shaken ? "complete" : "not complete");
  rig_turn(&rig, 20);
  assert_true(visit_seen(rig.visit)->said);
  assert_int_equal(visit_seen(rig.visit)->application_bytes, 0);
  rig_close(&rig);
}

static const char *const suites12[] = {"ECDHE-ECDSA-AES128-GCM-SHA256",
                                       "ECDHE-ECDSA-AES256-GCM-SHA384"},
                         *const suites13[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                              "TLS_CHACHA20_POLY1305_SHA256"};

static void a_wrong_finished_comes_in_a_sound_record(void **state)
{
  (void) state;
  for (size_t i = 0; i < 2; i++) expect_refusal("wire: tls finished", 12, suites12[i]);
  for (size_t i = 0; i < 3; i++) expect_refusal("wire: tls finished", 13, suites13[i]);
}

static void a_finished_that_cannot_be_spoiled_is_no_lie(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "wire: tls finished", 12);
  assert_true(rig_secure(&rig, "ECDHE-ECDSA-CHACHA20-POLY1305"));
  rig_hang_up(&rig);
  assert_true(rig_until(&rig, rig_is_over, WITHIN_MS));
  assert_true(rig.seen.unserved && !rig.seen.said);
  rig_close(&rig);
}

static void a_key_that_is_not_its_own_proves_nothing(void **state)
{
  (void) state;
  expect_refusal("signs-with: other", 12, suites12[0]);
  expect_refusal("signs-with: other", 13, suites13[0]);
}

/* --- MQTT ------------------------------------------------------------------------------------- */

static const uint8_t connect4[] = "\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04"
                                  "unit",
                     connect5[] = "\x10\x11\0\x04MQTT\x05\x02\0\x3c\0\0\x04"
                                  "unit",
                     subscribe[] = "\x82\x08\x12\x34\0\x03"
                                   "a/b\x01",
                     publish[] = "\x32\x06\0\x01t\x56\x78!";

static void open_talk(struct rig *rig, const char *lines)
{
  rig_open(rig, lines, 13);
  assert_true(rig_secure(rig, NULL));
}

static void packets_come_in_any_pieces(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "");
  for (size_t cut = 1; cut < sizeof connect4 - 1; cut++) {
    if (cut > 1) {
      rig_again(&rig, NULL);
      assert_true(rig_secure(&rig, NULL));
    }
    rig_say(&rig, connect4, cut);
    rig_turn(&rig, 1);
    rig_say(&rig, connect4 + cut, sizeof connect4 - 1 - cut);
    rig_expect(&rig, "\x20\x02\0\0", 4, "CONNACK");
  }
  for (size_t i = 0; i < sizeof subscribe - 1; i++) rig_say(&rig, subscribe + i, 1);
  rig_expect(&rig, "\x90\x03\x12\x34\0", 5, "SUBACK");
  uint8_t two[sizeof publish - 1 + 2];
  memcpy(two, publish, sizeof publish - 1);
  memcpy(two + sizeof publish - 1, "\xc0\0", 2);
  rig_say(&rig, two, sizeof two);
  rig_expect(&rig, "\x40\x02\x56\x78\xd0\0", 6, "PUBACK and PINGRESP");
  assert_int_equal(visit_seen(rig.visit)->publishes, 1);
  rig_close(&rig);
}

static void packet_ids_are_put_in_their_place(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig,
            "mqtt: connect; send 20 02 00 00 | 20 03 00 00 00; subscribe; send 90 03 ID 00 ID; "
            "publish; send 40 02 ID; ping; send d0 00; silence");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_expect(&rig, "\x20\x02\0\0", 4, "CONNACK");
  rig_say(&rig, subscribe, sizeof subscribe - 1);
  rig_expect(&rig, "\x90\x03\x12\x34\0\x12\x34", 7, "SUBACK");
  rig_say(&rig, publish, sizeof publish - 1);
  rig_expect(&rig, "\x40\x02\x56\x78", 4, "PUBACK");
  assert_false(visit_seen(rig.visit)->said);
  rig_say(&rig, "\xc0\0", 2);
  rig_expect(&rig, "\xd0\0", 2, "PINGRESP");
  rig_turn(&rig, 5);
  assert_true(visit_seen(rig.visit)->said);
  rig_close(&rig);
}

static void who_speaks_mqtt_5_gets_what_stands_right(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: connect; send 20 02 00 05 | 20 03 00 87 00; polite");
  rig_say(&rig, connect5, sizeof connect5 - 1);
  rig_expect(&rig, "\x20\x03\0\x87\0", 5, "CONNACK");
  rig_say(&rig, publish, sizeof publish - 1);
  rig_turn(&rig, 10);
  assert_int_equal(visit_seen(rig.visit)->mqtt, 5);
  assert_int_equal(visit_seen(rig.visit)->publishes_after_refusal, 1);
  assert_true(visit_seen(rig.visit)->went_on);
  rig_close(&rig);
}

static void what_goodbye_says_is_no_going_on(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: connect; send 20 03 00 87 00; polite");
  rig_say(&rig, connect5, sizeof connect5 - 1);
  rig_expect(&rig, "\x20\x03\0\x87\0", 5, "CONNACK");
  rig_say(&rig, "\xe0\x01\x82", 3);
  rig_turn(&rig, 10);
  const struct observation *seen = visit_seen(rig.visit);
  assert_true(seen->said && seen->said_goodbye && !seen->went_on);
  assert_int_equal(seen->goodbye, 0x82);
  rig_close(&rig);
}

static void a_packet_too_large_to_keep_is_passed_over(void **state)
{
  (void) state;
  enum { LARGE = 200000 };
  struct rig rig;
  uint8_t *packet = calloc(1, LARGE + 4);
  assert_non_null(packet);
  open_talk(&rig, "");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_expect(&rig, "\x20\x02\0\0", 4, "CONNACK");
  memcpy(packet, "\x32\xc0\x9a\x0c\0\1t\x77\x77", 9); /* remaining length 200,000 */
  memset(packet + 9, 0xc0, LARGE - 5);
  rig_say(&rig, packet, LARGE + 4);
  rig_say(&rig, "\xc0\0", 2);
  rig_expect(&rig, "\x40\x02\x77\x77\xd0\0", 6, "PUBACK and PINGRESP");
  assert_int_equal(visit_seen(rig.visit)->publishes, 1);
  assert_in_range(rig.visit->talk.room, 1, 2 * VISIT_TALK_MAX);
  free(packet);
  rig_close(&rig);
}

static void a_packet_just_too_large_does_not_lose_the_next(void **state)
{
  (void) state;
  struct rig rig;
  static uint8_t packet[80000];
  open_talk(&rig, "");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_expect(&rig, "\x20\x02\0\0", 4, "CONNACK");
  for (size_t size = VISIT_TALK_MAX - 6; size < VISIT_TALK_MAX + 6; size++) {
    memset(packet, 0xc0, sizeof packet);
    size_t length = size - 4;
    memcpy(packet,
           (uint8_t[]){0x30, (uint8_t) (length | 128), (uint8_t) (length >> 7 | 128),
                       (uint8_t) (length >> 14), 0, 1, 't'},
           7);
    memcpy(packet + size, publish, sizeof publish - 1);
    rig_say(&rig, packet, size + sizeof publish - 1);
    rig_expect(&rig, "\x40\x02\x56\x78", 4, "PUBACK of the packet behind");
  }
  rig_close(&rig);
}

static void what_a_polite_broker_leaves_out_is_left_out(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: polite without suback puback pingresp");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_expect(&rig, "\x20\x02\0\0", 4, "CONNACK");
  rig_say(&rig, subscribe, sizeof subscribe - 1);
  rig_say(&rig, publish, sizeof publish - 1);
  rig_say(&rig, "\xc0\0", 2);
  rig_turn(&rig, 50);
  assert_int_equal(rig.app_size, 0);
  assert_int_equal(visit_seen(rig.visit)->publishes, 1);
  rig_close(&rig);
}

/* Before CONNACK more may be sent (MQTT 5, 3.1.4): it was before the refusal, too. */
static void what_was_sent_before_the_lie_is_no_going_on(void **state)
{
  (void) state;
  struct rig rig;
  uint8_t both[sizeof connect4 - 1 + sizeof publish - 1];
  memcpy(both, connect4, sizeof connect4 - 1);
  memcpy(both + sizeof connect4 - 1, publish, sizeof publish - 1);
  open_talk(&rig, "mqtt: connect; send 20 02 00 05; polite");
  rig_say(&rig, both, sizeof both);
  rig_expect(&rig, "\x20\x02\0\x05\x40\x02\x56\x78", 8, "CONNACK and PUBACK");
  const struct observation *seen = visit_seen(rig.visit);
  assert_true(seen->publishes == 1 && seen->publishes_after_refusal == 0 && !seen->went_on);
  rig_say(&rig, "\xc0\0", 2);
  rig_expect(&rig, "\xd0\0", 2, "PINGRESP");
  assert_true(seen->went_on);
  rig_close(&rig);
}

/* In a segment of its own, a moment later, and yet not an answer. */
static void what_was_on_its_way_when_the_lie_was_told_is_no_going_on(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: connect; send 20 02 00 05; polite");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_turn(&rig, 20);
  rig_say(&rig, publish, sizeof publish - 1);
  rig_expect(&rig, "\x20\x02\0\x05\x40\x02\x56\x78", 8, "CONNACK and PUBACK");
  const struct observation *seen = visit_seen(rig.visit);
  assert_true(seen->said && !seen->went_on);
  assert_int_equal(seen->publishes_after_refusal, 0);
  rig_again(&rig, "mqtt: connect; send 20 02 00 00 20 02 00 00; polite");
  assert_true(rig_secure(&rig, NULL));
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_expect(&rig, "\x20\x02\0\0\x20\x02\0\0", 8, "CONNACK twice");
  rig_say(&rig, subscribe, sizeof subscribe - 1);
  rig_turn(&rig, 20);
  rig_say(&rig, publish, sizeof publish - 1);
  rig_turn(&rig, 20);
  rig_say(&rig, "\xc0\0", 2);
  rig_expect(&rig, "\x90\x03\x12\x34\0\x40\x02\x56\x78\xd0\0", 11, "all three answers");
  seen = visit_seen(rig.visit);
  assert_true(seen->said && seen->publishes == 1 && !seen->went_on);
  rig_say(&rig, publish, sizeof publish - 1); /* with all of that before it */
  rig_expect(&rig, "\x40\x02\x56\x78", 4, "PUBACK");
  assert_true(visit_seen(rig.visit)->went_on);
  rig_close(&rig);
}

/* A second of it is as much as is waited for. */
static void who_never_pauses_is_answered_all_the_same(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: connect; send 20 02 00 00; polite");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  for (unsigned i = 0; i < 50; i++) {
    rig_turn(&rig, 50);
    rig_say(&rig, "\x30\x04\0\x01t!", 6);
  }
  assert_true(visit_seen(rig.visit)->said);
  assert_true(visit_seen(rig.visit)->connack_ms < 2500);
  rig_close(&rig);
}

static void packets_are_seen_that_no_script_waits_for(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: connect; send 20 02 00 05; wait 60s; ping; silence");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_expect(&rig, "\x20\x02\0\x05", 4, "CONNACK");
  rig_say(&rig, publish, sizeof publish - 1);
  rig_say(&rig, "\xc0\0", 2);
  rig_turn(&rig, 10);
  assert_int_equal(visit_seen(rig.visit)->publishes_after_refusal, 1);
  assert_true(visit_seen(rig.visit)->owed_ms >= 0); /* of the message: a ping is waited for */
  rig_again(&rig, "mqtt: connect; silence");
  assert_true(rig_secure(&rig, NULL));
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_say(&rig, publish, sizeof publish - 1);
  rig_say(&rig, "\xe0\0", 2);
  rig_turn(&rig, 10);
  const struct observation *seen = visit_seen(rig.visit);
  if (seen->publishes != 1 || !seen->said_goodbye || seen->went_on)
    fail_msg("%zu bytes, %u messages, goodbye %d, went on %d", seen->application_bytes,
             seen->publishes, seen->said_goodbye, seen->went_on);
  rig_close(&rig);
}

static void each_wait_of_a_client_has_its_time(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: polite without pingresp");
  const struct observation *seen = visit_seen(rig.visit);
  rig_turn(&rig, 10);
  assert_true(seen->shaken_ms >= 0 && seen->connack_ms < 0 && seen->owed_ms < 0);
  rig_turn(&rig, 30);
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig_expect(&rig, "\x20\x02\0\0", 4, "CONNACK");
  assert_true(seen->connack_ms >= seen->shaken_ms + 20 && seen->owed_ms < 0);
  rig_say(&rig, publish, sizeof publish - 1);
  rig_expect(&rig, "\x40\x02\x56\x78", 4, "PUBACK");
  assert_true(seen->owed_ms < 0);
  rig_turn(&rig, 30);
  rig_say(&rig, "\xc0\0", 2);
  rig_turn(&rig, 10);
  assert_true(seen->owed_ms >= seen->connack_ms + 20);
  assert_int_equal(seen->pings, 0);
  rig_close(&rig);
}

/* The client has failed in TLS, reads on, and the server has a million lines to say. */
static void a_flood_in_tls_ends_with_its_session(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "mqtt: connect; flood 100000000 1000*00; silence");
  rig_say(&rig, connect4, sizeof connect4 - 1);
  rig.reads = false;
  rig_turn(&rig, 300);
  rig_send(&rig, "\x17\x03\x03\x00\x14 no record of this key", 5 + 20);
  rig_turn(&rig, 20);
  assert_true(rig.visit->broken);
  uint32_t times = rig.visit->progress;
  assert_in_range(times, 1, 99999999);
  rig.reads = true;
  SSL *ssl = rig.ssl;
  rig.ssl = NULL; /* bytes are taken, and not opened */
  rig_turn(&rig, 200);
  rig.ssl = ssl;
  assert_int_equal(rig.visit->queue.size, 0);
  assert_int_equal(rig.visit->progress, times);
  rig_close(&rig);
}

/* --- HTTPS ------------------------------------------------------------------------------------ */

static void expect_answer(struct rig *rig, const char *request, const char *status, size_t first,
                          size_t size)
{
  uint64_t until = uv_hrtime() + 3000000000ull;
  char *end = NULL;
  rig->app_size = 0;
  rig_say(rig, request, strlen(request));
  while (uv_hrtime() < until) {
    rig_turn(rig, 1);
    end = memmem(rig->app, rig->app_size, "\r\n\r\n", 4);
    if (end != NULL && rig->app_size >= (size_t) (end + 4 - (char *) rig->app) + size) break;
  }
  rig_turn(rig, 5);
  assert_non_null(end);
  if (memcmp(rig->app, status, strlen(status)) != 0)
    fail_msg("'%s': '%.80s', not '%s'", request, (const char *) rig->app, status);
  char length[64];
  size_t head = (size_t) (end + 4 - (char *) rig->app);
  snprintf(length, sizeof length, "Content-Length: %zu\r\n",
           strncmp(request, "HEAD", 4) == 0 ? (size_t) 65536 : size);
  if (memmem(rig->app, head, length, strlen(length)) == NULL)
    fail_msg("'%s': no '%s' in '%.*s'", request, length, (int) head, (const char *) rig->app);
  assert_int_equal(rig->app_size - head, size);
  assert_memory_equal(end + 4, rig->act.image + first, size);
}

#define GET(range) "GET /image HTTP/1.1\r\nHost: x\r\n" range "\r\n"

static void an_image_is_served_whole_and_in_ranges(void **state)
{
  (void) state;
  struct rig rig;
  open_talk(&rig, "https: request; image; request; image; request; image; request; image; "
                  "request; image; request; image; request; image");
  expect_answer(&rig, GET(""), "HTTP/1.1 200 ", 0, 65536);
  expect_answer(&rig, GET("Range: bytes=10-19\r\n"), "HTTP/1.1 206 ", 10, 10);
  expect_answer(&rig, GET("range: bytes=0-0\r\n"), "HTTP/1.1 206 ", 0, 1);
  expect_answer(&rig, GET("Range: bytes=65000-\r\n"), "HTTP/1.1 206 ", 65000, 536);
  expect_answer(&rig, GET("Range: bytes=65535-99999999\r\n"), "HTTP/1.1 206 ", 65535, 1);
  expect_answer(&rig, GET("Range: bytes=65536-\r\n"), "HTTP/1.1 200 ", 0, 65536);
  expect_answer(&rig, "HEAD /image HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", 0, 0);
  assert_int_equal(visit_seen(rig.visit)->requests, 7);
  rig_close(&rig);
}

static void a_text_names_the_server_as_the_client_does(void **state)
{
  (void) state;
  struct rig rig;
  static const char answer[] = "Location: http://broker.test:8883/{hos}8883";
  open_talk(&rig, "https: request; send \"Location: http://{host}:{port}/{hos}{port}\"; close");
  rig_say(&rig, GET(""), sizeof GET("") - 1);
  rig_expect(&rig, answer, sizeof answer - 1, "a redirect");
  assert_true(rig_until(&rig, rig_has_ended, WITHIN_MS));
  rig_close(&rig);
}

static void a_request_without_tls_is_told_and_answered(void **state)
{
  (void) state;
  struct rig rig;
  rig_open(&rig, "https: request; image", 13);
  rig_send(&rig, "GET / HTTP/1.1\r\n\r\n", 18);
  assert_true(rig_until(&rig, rig_has_ended, WITHIN_MS));
  assert_memory_equal(rig.got, "HTTP/1.1 200 OK", 15);
  assert_int_equal(visit_seen(rig.visit)->plain_requests, 1);
  rig_close(&rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_sent_comes_as_it_is_written),
      cmocka_unit_test(nothing_is_said_before_a_whole_hello),
      cmocka_unit_test(a_close_is_a_fin_and_the_server_reads_on),
      cmocka_unit_test(who_stays_after_a_close_is_left_after_a_while),
      cmocka_unit_test(who_is_sent_away_at_once_is_known_by_its_hello),
      cmocka_unit_test(a_reset_is_a_reset),
      cmocka_unit_test(a_client_is_seen_to_close_or_to_reset),
      cmocka_unit_test(slowly_is_one_byte_each_so_many_ms),
      cmocka_unit_test(what_waits_when_slowness_begins_is_not_lost),
      cmocka_unit_test(a_wait_is_as_long_as_it_says),
      cmocka_unit_test(a_flood_pauses_when_nobody_reads_and_comes_whole),
      cmocka_unit_test(a_flood_ends_with_its_client),
      cmocka_unit_test(who_was_sent_some_of_it_is_known),
      cmocka_unit_test(tls_is_cut_after_exactly_so_many_bytes),
      cmocka_unit_test(records_are_dropped_doubled_and_swapped),
      cmocka_unit_test(exactly_one_bit_is_flipped),
      cmocka_unit_test(a_record_that_never_comes_is_no_lie),
      cmocka_unit_test(a_sound_server_is_a_good_broker),
      cmocka_unit_test(a_wrong_finished_comes_in_a_sound_record),
      cmocka_unit_test(a_finished_that_cannot_be_spoiled_is_no_lie),
      cmocka_unit_test(a_key_that_is_not_its_own_proves_nothing),
      cmocka_unit_test(packets_come_in_any_pieces),
      cmocka_unit_test(packet_ids_are_put_in_their_place),
      cmocka_unit_test(who_speaks_mqtt_5_gets_what_stands_right),
      cmocka_unit_test(what_goodbye_says_is_no_going_on),
      cmocka_unit_test(a_packet_too_large_to_keep_is_passed_over),
      cmocka_unit_test(a_packet_just_too_large_does_not_lose_the_next),
      cmocka_unit_test(what_a_polite_broker_leaves_out_is_left_out),
      cmocka_unit_test(what_was_sent_before_the_lie_is_no_going_on),
      cmocka_unit_test(what_was_on_its_way_when_the_lie_was_told_is_no_going_on),
      cmocka_unit_test(who_never_pauses_is_answered_all_the_same),
      cmocka_unit_test(packets_are_seen_that_no_script_waits_for),
      cmocka_unit_test(each_wait_of_a_client_has_its_time),
      cmocka_unit_test(a_flood_in_tls_ends_with_its_session),
      cmocka_unit_test(an_image_is_served_whole_and_in_ranges),
      cmocka_unit_test(a_text_names_the_server_as_the_client_does),
      cmocka_unit_test(a_request_without_tls_is_told_and_answered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
