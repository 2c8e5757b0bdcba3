/* what a connection holds between steps: the library has no getters for it */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
/* Devices whose steps alternate, against OpenSSL: what one has not read to its end is there when it
 * goes on, whatever the others did meanwhile. Held for devices that share one pair of record
 * buffers, and (..._own) for those that keep their own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <mbedtls/platform.h>

#include "client_rig.h"
#include "device/client.h"

#define TOPIC "private/00000a1f/x"

static struct client_pki pki;
static int blocks;   /* of the library's heap */
static int refusals; /* so many calls from now are refused */

static void *counting_calloc(size_t count, size_t size)
{
  if (refusals > 0 && refusals-- > 0) return NULL;
  void *block = calloc(count, size);
  blocks += block != NULL;
  return block;
}

static void counting_free(void *block)
{
  blocks -= block != NULL;
  free(block);
}

static int make_pki(void **state)
{
  (void) state;
  client_pki_make(&pki);
  return mbedtls_platform_set_calloc_free(counting_calloc, counting_free);
}

static int free_pki(void **state)
{
  (void) state;
  client_pki_free(&pki);
  return 0;
}

static struct device_client *client_of(struct client_rig *rig)
{
  return rig->storage;
}

static void two_online(struct client_rig pair[2], uint8_t tls)
{
  for (int i = 0; i < 2; i++) {
    client_rig_make(&pair[i], &pki, tls, 5);
    client_rig_online(&pair[i], false, false);
  }
  assert_int_equal(client_of(&pair[0])->tls.shares, client_of(&pair[1])->tls.shares);
}

static void free_two(struct client_rig pair[2])
{
  client_rig_free(&pair[0]);
  client_rig_free(&pair[1]);
}

/* What the server says, as it is on the wire. */
static size_t encrypt(struct client_rig *rig, const void *bytes, size_t size, uint8_t out[16384])
{
  if (size > 0) assert_int_equal(SSL_write(rig->ssl, bytes, (int) size), size);
  int got = BIO_read(SSL_get_wbio(rig->ssl), out, 16384);
  assert_true(got > 0);
  return (size_t) got;
}

static size_t message(struct client_rig *rig, size_t payload_size, char fill, uint8_t out[16384])
{
  uint8_t packet[4096], payload[2048];
  memset(payload, fill, sizeof payload);
  struct device_mqtt_publish publish = {.topic = TOPIC,
                                        .topic_size = sizeof TOPIC - 1,
                                        .payload = payload,
                                        .payload_size = payload_size};
  return encrypt(rig, packet, device_mqtt_encode_publish(packet, sizeof packet, 5, &publish), out);
}

static void expect_message(const struct client_rig *rig, size_t count, char fill)
{
  assert_int_equal(rig->notes[DEVICE_NOTE_ENDED], 0);
  assert_int_equal(rig->notes[DEVICE_NOTE_MESSAGE], count);
  if (rig->last[DEVICE_NOTE_MESSAGE].payload_size < sizeof rig->message)
    assert_int_equal(rig->message[0], fill); /* the rig has no room for longer ones */
}

static void a_record_that_comes_in_pieces_survives_the_steps_of_others(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (size_t cut = 1; cut < 300; cut += cut < 40 ? 1 : 37) {
      struct client_rig pair[2];
      uint8_t first[16384], second[16384];
      two_online(pair, tls);
      size_t one = message(&pair[0], 200, 'a', first), two = message(&pair[1], 900, 'b', second);
      size_t at = cut < one ? cut : one - 1;
      client_rig_inject(&pair[0], first, at);
      client_rig_inject(&pair[1], second, two);
      expect_message(&pair[1], 1, 'b');
      assert_true(client_rig_publish(&pair[1], "telemetry", "between", 0, 0));
      client_rig_inject(&pair[0], first + at, one - at);
      expect_message(&pair[0], 1, 'a');
      free_two(pair);
    }
}

static void bytes_that_come_singly_and_in_turns_make_whole_messages(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig pair[2];
    uint8_t wire[2][16384];
    size_t size[2];
    two_online(pair, tls);
    for (size_t round = 1; round <= 3; round++) {
      for (int i = 0; i < 2; i++) size[i] = message(&pair[i], 300, (char) ('a' + i), wire[i]);
      for (size_t at = 0; at < size[0] || at < size[1]; at++)
        for (int i = 0; i < 2; i++)
          if (at < size[i]) client_rig_inject(&pair[i], wire[i] + at, 1);
      for (int i = 0; i < 2; i++) expect_message(&pair[i], round, (char) ('a' + i));
      assert_true(client_rig_publish(&pair[0], "telemetry", "between", 0, 0));
    }
    free_two(pair);
  }
}

static int read_some(struct client_rig *rig, const uint8_t *in, size_t size, uint8_t *out,
                     size_t room)
{
  struct device_tls *tls = &client_of(rig)->tls;
  device_tls_wake(tls);
  tls->in = in;
  tls->in_size = size;
  int got = device_tls_read(tls, out, room);
  size_t left = tls->in_size;
  tls->in = NULL;
  tls->in_size = 0;
  device_tls_rest(tls);
  assert_int_equal(left, 0);
  assert_int_equal(tls->error, 0);
  return got;
}

static void data_that_was_decrypted_and_not_read_waits(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig pair[2];
    uint8_t wire[16384], other[16384], out[128];
    two_online(pair, tls);
    size_t size = encrypt(&pair[0], "an early bird catches the worm", 30, wire);
    assert_int_equal(read_some(&pair[0], wire, size, out, 8), 8);
    assert_memory_equal(out, "an early", 8);
    client_rig_inject(&pair[1], other, message(&pair[1], 1500, 'b', other));
    expect_message(&pair[1], 1, 'b');
    assert_int_equal(read_some(&pair[0], NULL, 0, out, 5), 5);
    assert_memory_equal(out, " bird", 5);
    client_rig_inject(&pair[1], other, message(&pair[1], 100, 'c', other));
    assert_int_equal(read_some(&pair[0], NULL, 0, out, sizeof out), 17);
    assert_memory_equal(out, " catches the worm", 17);
    client_rig_inject(&pair[0], other, message(&pair[0], 10, 'd', other));
    expect_message(&pair[0], 1, 'd');
    free_two(pair);
  }
}

/* Two tickets came with the handshake; a third comes later, in records of 512 bytes at most: the
   library puts it together in the buffer. */
static void a_ticket_in_fragments_is_taken_between_the_steps_of_others(void **state)
{
  (void) state;
  struct client_rig pair[2];
  uint8_t wire[16384], other[16384];
  for (int i = 0; i < 2; i++) {
    client_rig_make(&pair[i], &pki, 13, 5);
    pair[i].profile.resume = DEVICE_RESUME_RAM;
    SSL_CTX_set_max_send_fragment(pair[i].server, 512);
    client_rig_online(&pair[i], false, false);
  }
  assert_non_null(client_of(&pair[0])->tls.ticket);
  assert_int_equal(SSL_new_session_ticket(pair[0].ssl), 1);
  assert_int_equal(SSL_do_handshake(pair[0].ssl), 1);
  size_t size = encrypt(&pair[0], NULL, 0, wire);
  assert_true(size > 600); /* more than one record */
  for (size_t at = 0; at < size; at++) {
    client_rig_inject(&pair[0], wire + at, 1);
    if (at % 100 == 0) client_rig_inject(&pair[1], other, message(&pair[1], 400, 'b', other));
  }
  client_rig_inject(&pair[0], other, message(&pair[0], 10, 'a', other));
  expect_message(&pair[0], 1, 'a');
  client_rig_stop(&pair[0]);
  client_rig_online(&pair[0], false, false);
  assert_true(pair[0].last[DEVICE_NOTE_HANDSHAKE].resumed);
  free_two(pair);
}

/* The library has no KeyUpdate and does not renegotiate: the one ends the session, the other is
   declined, and neither does harm to another device. */
static void new_keys_and_a_new_handshake_are_refused_as_before(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig pair[2];
    uint8_t wire[16384], other[16384];
    two_online(pair, tls);
    if (tls == 13)
      assert_int_equal(SSL_key_update(pair[0].ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    else
      assert_int_equal(SSL_renegotiate(pair[0].ssl), 1);
    (void) SSL_do_handshake(pair[0].ssl);
    size_t size = encrypt(&pair[0], NULL, 0, wire);
    client_rig_inject(&pair[0], wire, size / 2);
    client_rig_inject(&pair[1], other, message(&pair[1], 400, 'b', other));
    client_rig_inject(&pair[0], wire + size / 2, size - size / 2);
    assert_int_equal(pair[0].notes[DEVICE_NOTE_ENDED], tls == 13);
    if (tls == 13) client_rig_expect_end(&pair[0], DEVICE_FAIL_SESSION_PROTOCOL);
    client_rig_inject(&pair[1], other, message(&pair[1], 400, 'c', other));
    expect_message(&pair[1], 2, 'c');
    free_two(pair);
  }
}

/* Acknowledgements of more messages than fit the room to send. */
static void a_step_that_has_too_much_to_send_is_named(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig pair[2];
    uint8_t packets[8192], other[16384], *wire = malloc(3 * sizeof other);
    size_t size = 0, sent = 0;
    two_online(pair, tls);
    for (uint16_t id = 1; id <= 200; id++) {
      struct device_mqtt_publish publish = {
          .topic = "t", .topic_size = 1, .qos = 1, .packet_id = id};
      size += device_mqtt_encode_publish(packets + size, sizeof packets - size, 5, &publish);
    }
    assert_true(size < 4096);
    sent = encrypt(&pair[0], packets, size, wire);
    client_rig_inject(&pair[0], wire, sent);
    client_rig_expect_end(&pair[0], DEVICE_FAIL_SESSION_BACKLOG);
    client_rig_inject(&pair[1], other, message(&pair[1], 400, 'b', other));
    expect_message(&pair[1], 1, 'b');
    free_two(pair);
    free(wire);
  }
}

static void an_idle_device_holds_no_buffers_of_its_own_where_they_are_shared(void **state)
{
  (void) state;
  struct client_rig pair[2];
  uint8_t wire[16384];
  two_online(pair, 13);
  const struct device_tls *a = &client_of(&pair[0])->tls, *b = &client_of(&pair[1])->tls;
  assert_int_equal(a->ssl.in_buf == b->ssl.in_buf, a->shares);
  assert_int_equal(a->ssl.out_buf == b->ssl.out_buf, a->shares);
  assert_null(a->kept);
  size_t size = message(&pair[0], 200, 'a', wire);
  client_rig_inject(&pair[0], wire, 100);
  assert_int_equal(a->kept != NULL, a->shares);
  if (a->shares) assert_int_equal(a->kept_size, 100);
  client_rig_inject(&pair[0], wire + 100, size - 100);
  assert_null(a->kept);
  free_two(pair);
}

static void a_device_that_cannot_keep_its_part_of_a_record_says_so(void **state)
{
  (void) state;
  struct client_rig pair[2];
  uint8_t wire[16384];
  two_online(pair, 13);
  bool shares = client_of(&pair[0])->tls.shares;
  size_t size = message(&pair[0], 200, 'a', wire);
  refusals = shares ? 1 : 0;
  client_rig_inject(&pair[0], wire, size / 2);
  assert_int_equal(refusals, 0);
  if (shares) client_rig_expect_end(&pair[0], DEVICE_FAIL_SESSION_MEMORY);
  client_rig_inject(&pair[1], wire, message(&pair[1], 400, 'b', wire));
  expect_message(&pair[1], 1, 'b');
  free_two(pair);
}

/* However connections end, in whatever order, with a record in hand or without. */
static void all_memory_is_given_back(void **state)
{
  (void) state;
  int before = blocks;
  for (int order = 0; order < 12; order++) {
    struct client_rig pair[2];
    uint8_t wire[16384];
    for (int i = 0; i < 2; i++) {
      client_rig_make(&pair[i], &pki, order % 2 == 0 ? 12 : 13, 5);
      pair[i].profile.resume = order >= 6 ? DEVICE_RESUME_RAM : DEVICE_RESUME_NO;
      client_rig_online(&pair[i], false, false);
    }
    client_rig_inject(&pair[order % 2], wire, message(&pair[order % 2], 200, 'a', wire) / 2);
    switch (order % 3) {
    case 0: client_rig_stop(&pair[0]); break;
    case 1: client_rig_close(&pair[1], DEVICE_FAIL_TCP_RESET); break;
    default: client_rig_power_cycle(&pair[0]); break;
    }
    free_two(pair);
    assert_int_equal(blocks, before);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_that_comes_in_pieces_survives_the_steps_of_others),
      cmocka_unit_test(bytes_that_come_singly_and_in_turns_make_whole_messages),
      cmocka_unit_test(data_that_was_decrypted_and_not_read_waits),
      cmocka_unit_test(a_ticket_in_fragments_is_taken_between_the_steps_of_others),
      cmocka_unit_test(new_keys_and_a_new_handshake_are_refused_as_before),
      cmocka_unit_test(a_step_that_has_too_much_to_send_is_named),
      cmocka_unit_test(an_idle_device_holds_no_buffers_of_its_own_where_they_are_shared),
      cmocka_unit_test(a_device_that_cannot_keep_its_part_of_a_record_says_so),
      cmocka_unit_test(all_memory_is_given_back),
  };
  return cmocka_run_group_tests(tests, make_pki, free_pki);
}
