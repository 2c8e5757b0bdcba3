/* Devices that are led to another server than the plan's: where they go, what of it is foretold, and
 * that nobody takes that server's word for a broker's. In virtual time, with scripted devices. */
#include <netinet/in.h>

#include "few.h"

static struct sockaddr_storage address(uint32_t host, uint16_t port)
{
  struct sockaddr_storage out = {0};
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
  in.sin_addr.s_addr = htonl(host);
  memcpy(&out, &in, sizeof in);
  return out;
}

static uint16_t port_of(const struct sockaddr_storage *of)
{
  struct sockaddr_in in;
  memcpy(&in, of, sizeof in);
  return ntohs(in.sin_port);
}

static uint32_t host_of(const struct sockaddr_storage *of)
{
  struct sockaddr_in in;
  memcpy(&in, of, sizeof in);
  return ntohl(in.sin_addr.s_addr);
}

/* Device 2 of the four, to port 9999, from 127.77.0.3; a name that does not fit is foretold. */
enum { LED = 2 };
static void lead(struct world *w)
{
  struct fleet_diversion diversion = {.to = address(INADDR_LOOPBACK, 9999),
                                      .from = address(0x7f4d0003, 0),
                                      .foretold = fleet_network_failures()};
  failure_set_add(&diversion.foretold, DEVICE_FAIL_TLS_NAME_MISMATCH);
  assert_int_equal(fleet_divert(w->fleet, LED, &diversion, NULL), 0);
}

static void lead_back(struct world *w)
{
  fleet_lead_back(w->fleet, (const uint32_t[]){LED}, 1);
}

static void holds_unforetold(struct world *w, enum device_failure failure, unsigned all,
                             unsigned unforetold)
{
  const struct metrics_failure *seen = metrics_failure(w->metrics, failure);
  if (seen->count != all || seen->count - seen->expected != unforetold)
    fail_msg("%s: %u, of which %u unforetold; expected %u and %u", device_failure_name(failure),
             (unsigned) seen->count, (unsigned) (seen->count - seen->expected), all, unforetold);
}

static void one_that_is_led_away_loses_its_session_and_dials_there(void **state)
{
  struct world *w = begin();
  (void) state;
  lead(w);
  assert_false(fleet_facts(w->fleet, LED)->online);
  outcome = DEVICE_FAIL_TLS_NAME_MISMATCH;
  clockwork_pass(&w->backend, 1500);
  const struct backend_conn *conn = w->backend.conns[LED], *other = w->backend.conns[0];
  assert_int_equal(port_of(&conn->to), 9999);
  assert_int_equal(host_of(&conn->from), 0x7f4d0003);
  assert_int_equal(fleet_facts(w->fleet, LED)->node, -1);
  assert_int_equal(port_of(&other->to), 0);
  assert_true(fleet_facts(w->fleet, 0)->online);
  end(w);
}

static void it_finds_back_by_its_own_policy(void **state)
{
  struct world *w = begin();
  (void) state;
  lead(w);
  outcome = DEVICE_FAIL_TLS_NAME_MISMATCH;
  clockwork_pass(&w->backend, 1500);
  lead_back(w);
  outcome = DEVICE_FAIL_NONE;
  clockwork_pass(&w->backend, 100);
  assert_false(fleet_facts(w->fleet, LED)->online);
  clockwork_pass(&w->backend, 1000);
  assert_true(fleet_facts(w->fleet, LED)->online);
  assert_int_equal(port_of(&w->backend.conns[LED]->to), 0);
  assert_int_equal(host_of(&w->backend.conns[LED]->from), 0);
  assert_int_equal(fleet_facts(w->fleet, LED)->node, 0);
  end(w);
}

static void what_a_case_foretells_is_foretold_there_and_nowhere_else(void **state)
{
  struct world *w = begin();
  (void) state;
  lead(w);
  holds_unforetold(w, DEVICE_FAIL_SESSION_CLOSED, 1, 0);
  outcome = DEVICE_FAIL_TLS_NAME_MISMATCH;
  clockwork_pass(&w->backend, 1500);
  holds_unforetold(w, DEVICE_FAIL_TLS_NAME_MISMATCH, 1, 0);
  outcome = DEVICE_FAIL_TLS_NOT_TRUSTED;
  clockwork_pass(&w->backend, 1000);
  holds_unforetold(w, DEVICE_FAIL_TLS_NOT_TRUSTED, 1, 1);
  assert_int_equal(fleet_facts(w->fleet, LED)->unseen, 0);
  lead_back(w);
  outcome = DEVICE_FAIL_TLS_NAME_MISMATCH;
  clockwork_pass(&w->backend, 1000);
  holds_unforetold(w, DEVICE_FAIL_TLS_NAME_MISMATCH, 2, 1);
  assert_int_equal(fleet_facts(w->fleet, LED)->unseen, 1);
  end(w);
}

/* What that server does is no broker's refusal of a certificate, and no broker has seen the attempt. */
static void no_broker_is_held_for_it(void **state)
{
  struct world *w = begin();
  (void) state;
  const bool names[DEVICES] = {[LED] = true};
  assert_int_equal(fleet_publish_crl(w->fleet, names, NULL), 0);
  fleet_crl_taken(w->fleet);
  lead(w);
  outcome = DEVICE_FAIL_TLS_ALERT_REVOKED;
  clockwork_pass(&w->backend, 1500);
  fleet_measure_revoked(w->fleet, false);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSALS), 0);
  assert_int_equal(fleet_facts(w->fleet, LED)->unseen, 0);
  lead_back(w);
  clockwork_pass(&w->backend, 1000);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSALS), 1);
  end(w);
}

static void who_was_never_led_away_can_be_led_back(void **state)
{
  struct world *w = begin();
  (void) state;
  lead_back(w);
  clockwork_pass(&w->backend, 1000);
  assert_true(fleet_facts(w->fleet, LED)->online);
  end(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_that_is_led_away_loses_its_session_and_dials_there),
      cmocka_unit_test(it_finds_back_by_its_own_policy),
      cmocka_unit_test(what_a_case_foretells_is_foretold_there_and_nowhere_else),
      cmocka_unit_test(no_broker_is_held_for_it),
      cmocka_unit_test(who_was_never_led_away_can_be_led_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
