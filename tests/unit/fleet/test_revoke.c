/* What revocation does to a fleet, whatever a broker says to whom it refuses: in virtual time, with
 * scripted devices.
 */
#include <math.h>

#include "few.h"

/* Names the first `count` devices; the brokers have not read it. */
static void make_list(struct world *w, size_t count)
{
  bool names[DEVICES] = {false};
  for (size_t i = 0; i < count; i++) names[i] = true;
  assert_int_equal(fleet_publish_crl(w->fleet, names, NULL), 0);
}

static void publish(struct world *w, size_t count)
{
  make_list(w, count);
  fleet_crl_taken(w->fleet);
}

/* Everybody connects anew, and `then` comes of it, once or more. */
static void redial(struct world *w, enum device_failure then)
{
  outcome = then;
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  clockwork_pass(&w->backend, 100);
}

/* The next attempt, by the reconnect policy. */
static void retry(struct world *w, enum device_failure then)
{
  outcome = then;
  clockwork_pass(&w->backend, 1000);
}

/* The broker ends the sessions of the first `count`. */
static void crash(struct world *w, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    struct backend_conn *conn = w->backend.conns[i];
    if (!conn->open) continue;
    conn->open = false;
    conn->handler->closed(conn->user, DEVICE_FAIL_TCP_CLOSED);
  }
}

static unsigned value(struct world *w, enum metric metric, bool last)
{
  fleet_measure_revoked(w->fleet, last);
  return (unsigned) metrics_value(w->metrics, metric);
}

static unsigned collateral(struct world *w)
{
  return value(w, METRIC_REVOKE_COLLATERAL, false);
}

/* OpenSSL's alerts, Erlang's 42, node and nginx which say nothing, a ticket that leads to CONNACK
   4. */
static const enum device_failure refusals[] = {
    DEVICE_FAIL_TLS_ALERT_REVOKED,  DEVICE_FAIL_TLS_ALERT_EXPIRED, DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA,
    DEVICE_FAIL_TLS_ALERT_BAD_CERT, DEVICE_FAIL_TLS_ALERT_NO_CERT, DEVICE_FAIL_TLS_ALERT_HANDSHAKE,
    DEVICE_FAIL_TLS_ALERT_OTHER,    DEVICE_FAIL_TLS_CLOSED,        DEVICE_FAIL_TLS_RESET,
    DEVICE_FAIL_TCP_CLOSED,         DEVICE_FAIL_TCP_RESET,         DEVICE_FAIL_MQTT_REFUSED_AUTH,
    DEVICE_FAIL_MQTT_REFUSED_OTHER, DEVICE_FAIL_MQTT_TIMEOUT,      DEVICE_FAIL_TLS_TIMEOUT,
};
#define REFUSALS (sizeof refusals / sizeof refusals[0])

static void a_fleet_that_is_refused_after_a_list_is_collateral_whatever_was_said(void **state)
{
  (void) state;
  for (size_t i = 0; i < REFUSALS; i++) {
    struct world *w = begin();
    publish(w, 1);
    assert_int_equal(collateral(w), 0);
    redial(w, refusals[i]);
    if (collateral(w) != DEVICES - 1)
      fail_msg("%s: %u of %d count as collateral", device_failure_name(refusals[i]), collateral(w),
               DEVICES - 1);
    if (value(w, METRIC_REVOKE_REFUSALS, false) != 1)
      fail_msg("%s: the revoked device's refusal is not counted", device_failure_name(refusals[i]));
    end(w);
  }
}

static void what_is_no_word_of_the_brokers_is_no_refusal(void **state)
{
  (void) state;
  static const enum device_failure others[] = {
      DEVICE_FAIL_TCP_REFUSED, DEVICE_FAIL_TCP_TIMEOUT, DEVICE_FAIL_TLS_NOT_TRUSTED,
      DEVICE_FAIL_TLS_EXPIRED, DEVICE_FAIL_TLS_REVOKED, DEVICE_FAIL_DEVICE_IDENTITY};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    struct world *w = begin();
    publish(w, 1);
    redial(w, others[i]);
    if (collateral(w) != 0 || value(w, METRIC_REVOKE_REFUSALS, true) != 0)
      fail_msg("%s counts as a refusal", device_failure_name(others[i]));
    end(w);
  }
}

static void nobody_is_collateral_before_a_list(void **state)
{
  (void) state;
  struct world *w = begin();
  redial(w, DEVICE_FAIL_TLS_CLOSED);
  assert_int_equal(collateral(w), 0);
  retry(w, DEVICE_FAIL_NONE);
  publish(w, 0);
  assert_int_equal(collateral(w), 0);
  end(w);
}

/* A broker that restarts closes too. Once it has let the same certificate in, the list was not the
   reason. */
static void a_silent_end_is_forgiven_by_the_next_connack_and_a_word_is_not(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial(w, DEVICE_FAIL_TLS_CLOSED);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, false), 1);
  retry(w, DEVICE_FAIL_NONE);
  assert_int_equal(collateral(w), 0);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, false), 0);
  assert_int_equal(value(w, METRIC_REVOKE_ACCEPTS, false), 1);
  redial(w, DEVICE_FAIL_TLS_ALERT_BAD_CERT);
  retry(w, DEVICE_FAIL_NONE);
  assert_int_equal(collateral(w), DEVICES - 1);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, false), 1);
  end(w);
}

/* The list expires at a broker that just closes, and the next list mends it: they were locked out
   until then. */
static void a_new_list_does_not_undo_what_the_one_before_has_done(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 0);
  redial(w, DEVICE_FAIL_TLS_CLOSED);
  publish(w, 0);
  retry(w, DEVICE_FAIL_NONE);
  assert_int_equal(collateral(w), DEVICES);
  end(w);
}

/* What a device that is taken off the list meets at first is the list from before. */
static void a_pardoned_device_has_until_the_end_to_be_let_in(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, DEVICES);
  redial(w, DEVICE_FAIL_TLS_ALERT_REVOKED);
  publish(w, 0);
  retry(w, DEVICE_FAIL_TLS_ALERT_REVOKED);
  assert_int_equal(collateral(w), 0);
  assert_int_equal(value(w, METRIC_REVOKE_COLLATERAL, true), DEVICES);
  retry(w, DEVICE_FAIL_NONE);
  assert_int_equal(value(w, METRIC_REVOKE_COLLATERAL, true), 0);
  end(w);
}

/* How long it still got in is known of a device that was refused without a word, too. */
static void a_silent_refusal_is_booked_when_it_comes_again_or_at_the_end(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial(w, DEVICE_FAIL_TLS_CLOSED);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSE), 0);
  (void) value(w, METRIC_REVOKE_REFUSALS, false);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSE), 0);
  for (int again = 0; again < 2; again++) retry(w, DEVICE_FAIL_TLS_CLOSED);
  (void) value(w, METRIC_REVOKE_REFUSALS, false);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSE), 1);
  end(w);
  w = begin();
  publish(w, 1);
  redial(w, DEVICE_FAIL_TLS_CLOSED);
  (void) value(w, METRIC_REVOKE_REFUSALS, true);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSE), 1);
  end(w);
}

/* A list that nobody enforces: the time of the latest CONNACK is none after which the device was
   refused. */
static void a_device_that_is_still_let_in_has_no_time_of_its_refusal(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial(w, DEVICE_FAIL_NONE);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSE), 0);
  redial(w, DEVICE_FAIL_TLS_ALERT_REVOKED);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 0);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_REFUSE), 1);
  retry(w, DEVICE_FAIL_NONE);
  publish(w, 0); /* taken back: it was in until then */
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  end(w);
}

/* The broker took the connection before it read the list, and the handshake ended afterwards. */
static void who_began_before_the_broker_had_the_list_is_not_unrefused(void **state)
{
  (void) state;
  struct world *w = begin();
  make_list(w, 1);
  outcome = DEVICE_FAIL_NONE;
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  do clockwork_pass(&w->backend, 1);
  while (!w->backend.conns[0]->dialled);
  fleet_crl_taken(w->fleet);
  clockwork_pass(&w->backend, 100);
  assert_int_equal(value(w, METRIC_REVOKE_ACCEPTS, false), 1);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 0);
  redial(w, DEVICE_FAIL_NONE);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  end(w);
}

/* One of two machines was restarted without the list, and took the device in the same step. */
static void who_lost_a_session_after_the_list_and_is_let_in_is_unrefused(void **state)
{
  (void) state;
  struct world *w = begin();
  make_list(w, 1);
  crash(w, DEVICES);
  clockwork_pass(&w->backend, 100);
  retry(w, DEVICE_FAIL_NONE);
  fleet_crl_taken(w->fleet);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  end(w);
}

/* Two machines behind one address, and one of them has no list: that the other one refuses the
   device in the end proves nothing. */
static void who_is_let_in_again_after_a_refusal_is_unrefused_for_good(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial(w, DEVICE_FAIL_TLS_ALERT_REVOKED);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 0);
  retry(w, DEVICE_FAIL_NONE);
  redial(w, DEVICE_FAIL_TLS_ALERT_REVOKED);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  end(w);
}

/* Of looks with its certificate the last one counts; nothing else of the device's knows of them. */
static void who_is_let_in_by_a_look_is_unrefused_until_another_is_refused(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  fleet_look_ended(w->fleet, 0, true);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  redial(w, DEVICE_FAIL_TLS_ALERT_REVOKED); /* by another machine */
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  assert_int_equal(value(w, METRIC_REVOKE_ACCEPTS, true), 0);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, true), 1);
  fleet_look_ended(w->fleet, 0, false);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 0);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, true), 1);
  fleet_look_ended(w->fleet, 1, true); /* of one that is not on the list */
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 0);
  fleet_look_ended(w->fleet, 0, true);
  publish(w, 0); /* taken back: it might have come in until then */
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  end(w);
}

/* A look that is let in may take the session over: how long the broker would have left it nobody knows
   then. Of a look that is not let in the end is the broker's. */
static void a_session_that_a_look_ends_was_not_cut(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  fleet_look_opens(w->fleet, 0);
  crash(w, 1);
  assert_int_equal(value(w, METRIC_REVOKE_CUT, false), 0);
  fleet_look_closes(w->fleet, 0, true);
  assert_int_equal(value(w, METRIC_REVOKE_CUT, false), 0);
  assert_true(isnan(metrics_value(w->metrics, METRIC_REVOKE_UNCUT)));
  clockwork_pass(&w->backend, 100);
  retry(w, DEVICE_FAIL_NONE);
  assert_int_equal(value(w, METRIC_REVOKE_UNCUT, false), 1);
  fleet_look_opens(w->fleet, 0);
  crash(w, w->backend.count);
  fleet_look_closes(w->fleet, 0, false);
  assert_int_equal(value(w, METRIC_REVOKE_CUT, false), 1);
  assert_int_equal(value(w, METRIC_REVOKE_UNCUT, false), 0);
  end(w);
}

static void whom_a_look_has_ended_is_uncertain_for_good(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  fleet_look_opens(w->fleet, 0);
  crash(w, 1);
  fleet_look_closes(w->fleet, 0, true);
  publish(w, 0);
  fleet_measure_revoked(w->fleet, true);
  assert_true(isnan(metrics_value(w->metrics, METRIC_REVOKE_UNCUT)));
  end(w);
}

static void where_a_device_was_refused_is_known_until_it_is_let_in_there(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 0);
  redial(w, DEVICE_FAIL_TLS_ALERT_REVOKED);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 1);
  assert_int_equal(fleet_refused_at(w->fleet, 0, true), 1);
  assert_int_equal(fleet_refused_at(w->fleet, 1, false), 0);
  retry(w, DEVICE_FAIL_NONE);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 0);
  redial(w, DEVICE_FAIL_TLS_ALERT_EXPIRED);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 0);
  retry(w, DEVICE_FAIL_NONE);
  fleet_former_let_in(w->fleet, 1);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, false), 2);
  end(w);
}

static void a_session_that_the_plan_ends_was_not_cut(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial(w, DEVICE_FAIL_NONE);
  assert_int_equal((int) metrics_value(w->metrics, METRIC_REVOKE_CUT), 0);
  end(w);
}

static void what_is_no_connack_locks_out_as_well(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial(w, DEVICE_FAIL_MQTT_PROTOCOL);
  assert_int_equal(value(w, METRIC_REVOKE_COLLATERAL, true), DEVICES - 1);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, true), 1);
  end(w);
}

/* Trying the prove listener again and again would change nothing, and the revoked are meant to be
   refused. */
static void a_revoked_device_has_its_proof_at_the_first_refusal_and_it_is_expected(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  outcome = DEVICE_FAIL_TLS_CLOSED;
  fleet_prove(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  clockwork_pass(&w->backend, 100);
  assert_false(fleet_facts(w->fleet, 0)->proof_pending);
  assert_int_equal(fleet_facts(w->fleet, 0)->proof, DEVICE_FAIL_TLS_CLOSED);
  assert_true(fleet_facts(w->fleet, 1)->proof_pending);
  const struct metrics_failure *failure = metrics_failure(w->metrics, DEVICE_FAIL_TLS_CLOSED);
  assert_int_equal(failure->expected, 2); /* there, and at the main listener */
  end(w);
}

/* What `refused(...)` names: a bad line afterwards does not hide that the broker closed, a verdict
   says more. */
static void a_silent_refusal_is_the_phases_reason_until_a_verdict_comes(void **state)
{
  (void) state;
  struct world *w = begin();
  fleet_begin_phase(w->fleet);
  redial(w, DEVICE_FAIL_TLS_CLOSED);
  retry(w, DEVICE_FAIL_TCP_TIMEOUT);
  assert_int_equal(fleet_facts(w->fleet, 2)->phase_failure, DEVICE_FAIL_TLS_CLOSED);
  retry(w, DEVICE_FAIL_TLS_ALERT_BAD_CERT);
  assert_int_equal(fleet_facts(w->fleet, 2)->phase_failure, DEVICE_FAIL_TLS_ALERT_BAD_CERT);
  retry(w, DEVICE_FAIL_TLS_CLOSED);
  assert_int_equal(fleet_facts(w->fleet, 2)->phase_failure, DEVICE_FAIL_TLS_ALERT_BAD_CERT);
  end(w);
}

/* --- What a restart or a blip does ------------------------------------------------------------ */

static unsigned booked(struct world *w)
{
  return (unsigned) metrics_value(w->metrics, METRIC_REVOKE_REFUSE);
}

static void redial_first(struct world *w, enum device_failure then)
{
  static const uint32_t first[] = {0};
  outcome = then;
  fleet_redial(w->fleet, first, 1, 0, false);
  clockwork_pass(&w->backend, 100);
}

/* In the same words after a list it is refused for what it was refused for before. */
static void who_was_refused_before_the_list_is_not_refused_by_it(void **state)
{
  (void) state;
  struct world *w = begin();
  redial_first(w, DEVICE_FAIL_MQTT_REFUSED_AUTH);
  publish(w, 1);
  redial_first(w, DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 0);
  redial_first(w, DEVICE_FAIL_TLS_ALERT_REVOKED);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 1);
  end(w);
}

static void what_is_not_of_the_certificate_is_not_of_the_list(void **state)
{
  (void) state;
  struct world *w = begin();
  redial_first(w, DEVICE_FAIL_MQTT_REFUSED_BUSY); /* this is none of its certificate either */
  publish(w, 1);
  redial_first(w, DEVICE_FAIL_MQTT_REFUSED_BUSY);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 0);
  redial_first(w, DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(fleet_refused_at(w->fleet, 0, false), 1);
  assert_int_equal(fleet_refused_at(w->fleet, 0, true), 0);
  end(w);
}

/* A broker that no device has come back to is not known to refuse anybody. */
static const enum device_failure silences[] = {DEVICE_FAIL_TLS_CLOSED, DEVICE_FAIL_TLS_RESET,
                                               DEVICE_FAIL_TCP_CLOSED, DEVICE_FAIL_MQTT_TIMEOUT,
                                               DEVICE_FAIL_MQTT_REFUSED_BUSY};

static void the_silence_of_a_restart_refuses_nobody(void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof silences / sizeof silences[0]; i++) {
    struct world *w = begin();
    publish(w, 1);
    redial_first(w, DEVICE_FAIL_NONE);
    assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, false), 1);
    crash(w, DEVICES);
    for (int again = 0; again < 4; again++) retry(w, silences[i]);
    if (value(w, METRIC_REVOKE_UNREFUSED, false) != 1 || booked(w) != 0 || collateral(w) != 0 ||
        value(w, METRIC_REVOKE_REFUSALS, false) != 0)
      fail_msg("%s: %u unrefused, %u booked, %u collateral", device_failure_name(silences[i]),
               value(w, METRIC_REVOKE_UNREFUSED, false), booked(w), collateral(w));
    retry(w, DEVICE_FAIL_NONE);
    assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
    assert_int_equal(value(w, METRIC_REVOKE_COLLATERAL, true), 0);
    assert_int_equal(booked(w), 0);
    end(w);
  }
}

static void a_list_that_comes_in_a_restart_books_nothing_of_it(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  crash(w, DEVICES);
  for (int again = 0; again < 2; again++) retry(w, DEVICE_FAIL_TCP_CLOSED);
  publish(w, 0);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, false), 0);
  assert_int_equal(booked(w), 0);
  assert_int_equal(collateral(w), 0);
  /* nobody has come back to this day */
  assert_int_equal(value(w, METRIC_REVOKE_COLLATERAL, true), DEVICES - 1);
  retry(w, DEVICE_FAIL_NONE);
  assert_int_equal(value(w, METRIC_REVOKE_COLLATERAL, true), 0);
  end(w);
}

/* The run ends in it: the revoked device may get in as it did before. */
static void a_restart_that_nobody_comes_back_from_proves_no_refusal(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial_first(w, DEVICE_FAIL_NONE);
  crash(w, DEVICES);
  retry(w, DEVICE_FAIL_TCP_CLOSED);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 1);
  assert_int_equal(booked(w), 0);
  end(w);
}

static void once_somebody_is_in_again_silence_is_a_refusal(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  crash(w, DEVICES);
  retry(w, DEVICE_FAIL_TCP_CLOSED);
  retry(w, DEVICE_FAIL_NONE);
  redial_first(w, DEVICE_FAIL_TLS_CLOSED);
  retry(w, DEVICE_FAIL_TLS_CLOSED);
  assert_int_equal(value(w, METRIC_REVOKE_REFUSALS, false), 2);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, false), 0);
  assert_int_equal(booked(w), 1);
  end(w);
}

/* One silent end while others are served may be a blip all the same, and does not open a gate. */
static void one_silent_end_does_not_show_a_refusal_before_the_end(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  redial_first(w, DEVICE_FAIL_NONE);
  redial_first(w, DEVICE_FAIL_TLS_CLOSED);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, false), 1);
  assert_int_equal(value(w, METRIC_REVOKE_UNREFUSED, true), 0);
  end(w);
}

static void a_kick_is_no_restart(void **state)
{
  (void) state;
  struct world *w = begin();
  publish(w, 1);
  crash(w, 1);
  for (int again = 0; again < 3; again++) retry(w, DEVICE_FAIL_TLS_CLOSED);
  assert_true(value(w, METRIC_REVOKE_REFUSALS, false) >= 2);
  assert_int_equal(booked(w), 1);
  end(w);
}

/* An expired list that is put in force by a restart: the devices are locked out, the operator is
   in. */
static void the_back_office_vouches_for_a_broker_that_lets_no_device_in(void **state)
{
  (void) state;
  for (int anew = 0; anew < 2; anew++) {
    struct world *w = begin();
    publish(w, 1);
    crash(w, DEVICES);
    retry(w, DEVICE_FAIL_TLS_CLOSED);
    fleet_hears_office(w->fleet, 0, anew != 0);
    assert_int_equal(collateral(w), 0);
    for (int again = 0; again < 2; again++) retry(w, DEVICE_FAIL_TLS_CLOSED);
    assert_int_equal(collateral(w), DEVICES - 1);
    assert_int_equal(booked(w), 1);
    end(w);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fleet_that_is_refused_after_a_list_is_collateral_whatever_was_said),
      cmocka_unit_test(what_is_no_word_of_the_brokers_is_no_refusal),
      cmocka_unit_test(nobody_is_collateral_before_a_list),
      cmocka_unit_test(a_silent_end_is_forgiven_by_the_next_connack_and_a_word_is_not),
      cmocka_unit_test(a_new_list_does_not_undo_what_the_one_before_has_done),
      cmocka_unit_test(a_pardoned_device_has_until_the_end_to_be_let_in),
      cmocka_unit_test(a_silent_refusal_is_booked_when_it_comes_again_or_at_the_end),
      cmocka_unit_test(a_device_that_is_still_let_in_has_no_time_of_its_refusal),
      cmocka_unit_test(who_began_before_the_broker_had_the_list_is_not_unrefused),
      cmocka_unit_test(who_lost_a_session_after_the_list_and_is_let_in_is_unrefused),
      cmocka_unit_test(who_is_let_in_again_after_a_refusal_is_unrefused_for_good),
      cmocka_unit_test(who_is_let_in_by_a_look_is_unrefused_until_another_is_refused),
      cmocka_unit_test(a_session_that_a_look_ends_was_not_cut),
      cmocka_unit_test(whom_a_look_has_ended_is_uncertain_for_good),
      cmocka_unit_test(where_a_device_was_refused_is_known_until_it_is_let_in_there),
      cmocka_unit_test(who_was_refused_before_the_list_is_not_refused_by_it),
      cmocka_unit_test(what_is_not_of_the_certificate_is_not_of_the_list),
      cmocka_unit_test(a_session_that_the_plan_ends_was_not_cut),
      cmocka_unit_test(what_is_no_connack_locks_out_as_well),
      cmocka_unit_test(a_revoked_device_has_its_proof_at_the_first_refusal_and_it_is_expected),
      cmocka_unit_test(the_silence_of_a_restart_refuses_nobody),
      cmocka_unit_test(a_list_that_comes_in_a_restart_books_nothing_of_it),
      cmocka_unit_test(a_restart_that_nobody_comes_back_from_proves_no_refusal),
      cmocka_unit_test(once_somebody_is_in_again_silence_is_a_refusal),
      cmocka_unit_test(one_silent_end_does_not_show_a_refusal_before_the_end),
      cmocka_unit_test(a_kick_is_no_restart),
      cmocka_unit_test(the_back_office_vouches_for_a_broker_that_lets_no_device_in),
      cmocka_unit_test(a_silent_refusal_is_the_phases_reason_until_a_verdict_comes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
