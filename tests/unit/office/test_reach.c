/* Where the operator's name may lead. "Beyond this machine" is ::ffff:127.0.0.1: no loopback by our
 * rule, and the peer at 127.0.0.1 sees whoever goes there all the same. */
#define _GNU_SOURCE
#include "../broker/rig.h"

#include "../broker/resolver.h"
#include "office/office.h"

#include "one_name.h"
#include "peer.h"

static uint64_t now_us(void *clock)
{
  (void) clock;
  return uv_hrtime() / 1000;
}

static void wake(void *ctx)
{
  (void) ctx;
}

/* The first event of an operator whose broker's name has these addresses. */
static struct office_event first_event(const char *const *addresses, struct office_failure *failure,
                                       unsigned *connections)
{
  struct peer peer = {.manner = PEER_CUTS_HELLO};
  struct office_event event = {.kind = OFFICE_MESSAGE};
  struct office *op = NULL;
  struct error error;
  resolver_answer = addresses;
  peer_start(&peer);
  const struct office_config config = {.host = "localhost",
                                       .port = peer.port,
                                       .ca_path = "ca",
                                       .certificate_path = "certificate",
                                       .key_path = "key",
                                       .telemetry = {.mark = 1},
                                       .device_count = 1,
                                       .names = one_name(),
                                       .now_us = now_us,
                                       .wake = wake};
  if (office_start(&config, &op, &error) != 0) fail_msg("%s", error.text);
  for (int i = 0; i < 1000 && !office_collect(op, &event); i++) rig_pause_ms(10);
  office_failure(op, failure);
  office_stop(op);
  for (int i = 0; i < 20 && atomic_load(&peer.connections) == 0; i++)
    rig_pause_ms(10); /* it may still be in the queue */
  *connections = atomic_load(&peer.connections);
  peer_stop(&peer);
  return event;
}

static void nothing_is_sent_where_a_second_address_is_beyond_loopback(void **state)
{
  (void) state;
  static const char *const both[] = {"127.0.0.1", "::ffff:127.0.0.1", NULL}, *const other[] = {
                                                                                 "::ffff:127.0.0.1",
                                                                                 NULL};
  const char *const *rows[] = {both, other};
  for (size_t i = 0; i < 2; i++) {
    struct office_failure failure;
    unsigned connections;
    assert_int_equal(first_event(rows[i], &failure, &connections).kind, OFFICE_FAILED);
    assert_string_equal(failure.text, "nothing was sent: localhost leads beyond this machine");
    assert_true(failure.final);
    assert_int_equal(connections, 0);
  }
}

static void loopback_alone_is_tried(void **state)
{
  (void) state;
  static const char *const here[] = {"127.0.0.1", NULL};
  struct office_failure failure;
  unsigned connections;
  assert_int_equal(first_event(here, &failure, &connections).kind, OFFICE_FAILED);
  assert_int_not_equal(connections, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_sent_where_a_second_address_is_beyond_loopback),
      cmocka_unit_test(loopback_alone_is_tried),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
