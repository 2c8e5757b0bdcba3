/* What revocation does to a fleet: who is still let in, whose session lives on, and who is hit that
   should not be. */
#include "fleet/revoked.h"

#include <math.h>
#include <stdlib.h>

#include "fleet/line.h"
#include "fleet/population.h"
#include "fleet/serving.h"

/* One silent end may be a blip's; of the next one a gate need not wait for the end of the run. */
#define MUTE_TWICE 2u

enum { FULL, RESUMED };

/* The broker's verdicts on a certificate: it is named on the list, the list has expired, the
 * issuer's is missing. Which alert stands for which differs: Erlang says 42 for the latter two. */
static bool is_broker_verdict(enum device_failure failure)
{
  return failure >= DEVICE_FAIL_ALERT_FIRST && failure <= DEVICE_FAIL_VERDICT_LAST;
}

/* Nothing was said, or nothing about a certificate. A refusal can look like that: node and nginx
 * end the handshake well and close. So can a broker that restarts or has no time, and only the next
 * CONNACK tells the two apart. Silence on a bad line is the line's. */
static bool is_mute(const struct member *m, enum device_failure failure)
{
  bool silence = failure == DEVICE_FAIL_TLS_TIMEOUT || failure == DEVICE_FAIL_MQTT_TIMEOUT;
  /* a proxy's own page */
  bool nonsense = failure == DEVICE_FAIL_MQTT_PROTOCOL || failure == DEVICE_FAIL_TLS_PROTOCOL;
  if (silence || nonsense) return m->opened && !line_foretells(m, failure);
  return m->opened && device_failure_is_refusal(failure);
}

/* A broker that restarts says nothing, too, and so does one that the plan has frozen: only the
 * silence of one that serves others meanwhile is booked. */
static bool is_silence_of_its_own(const struct member *m, enum device_failure failure)
{
  bool foretold = failure_set_has(&m->fleet->expected, failure);
  return serving_did(m) && (!foretold || device_failure_is_refusal(failure));
}

/* What happened since the device's certificate is on a CRL; times on the fleet's clock, 0: never. */
struct revoked_row {
  uint64_t since_us;       /* the first such CRL was published, .. */
  uint64_t taken_us;       /* .. and the brokers had taken it; DEVICE_NEVER: not so far */
  uint64_t accepted_us[2]; /* its last CONNACK: after a full handshake, after a resumed one */
  uint64_t booked_us;      /* of these, what stands in the histogram; DEVICE_NEVER: nothing does */
  /* refusals without a word since its last CONNACK, by a broker that served others */
  uint32_t mute;
  bool cut; /* since it was published a session ended that the plan did not end .. */
  /* .. before its last CONNACK, or that answers an attempt which began when the brokers had it */
  bool late;
  bool looked_in;              /* the last look with its certificate was let in */
  uint64_t ended_us;           /* its session ended as it was looked at; 0: it did not */
  bool uncertain;              /* its last session that ended did so by a look */
  uint8_t refused_at, told_at; /* fleet_refused_at */
  bool renewed; /* it has got another certificate since: it shows that from its next handshake on */
  bool back; /* it was, after a broker had refused its certificate: of several one lacks the list */
};

/* Only once a CRL was published: before, nobody is revoked. */
static struct revoked_row *record_of(const struct member *m)
{
  return &m->fleet->revoked[m - m->fleet->members];
}

static uint64_t last_accepted_us(const struct revoked_row *row)
{
  return row->accepted_us[FULL] > row->accepted_us[RESUMED] ? row->accepted_us[FULL]
                                                            : row->accepted_us[RESUMED];
}

static void book_path(struct metrics *metrics, const struct revoked_row *row, int path,
                      enum metric metric)
{
  uint64_t at_us = row->accepted_us[path];
  if (at_us > 0) metrics_record_us(metrics, metric, at_us - row->since_us);
}

/* A device that was refused and is accepted later counts twice: the longer time is the one that
 * matters, and the histogram's maximum shows it. */
static void book_refusal(struct member *m)
{
  struct metrics *metrics = m->fleet->config.metrics;
  struct revoked_row *row = record_of(m);
  uint64_t last_us = last_accepted_us(row);
  if (row->booked_us == last_us) return;
  row->booked_us = last_us;
  metrics_record_us(metrics, METRIC_REVOKE_REFUSE, last_us > 0 ? last_us - row->since_us : 0);
  book_path(metrics, row, FULL, METRIC_REVOKE_REFUSE_FULL);
  book_path(metrics, row, RESUMED, METRIC_REVOKE_REFUSE_RESUMED);
}

/* Nobody knows whether the broker would have ended its session. */
static bool is_uncertain(const struct member *m)
{
  return m->facts.revoked && record_of(m)->uncertain && m->link != MEMBER_UP;
}

/* It was let in by a broker that had the CRL and has met nothing but that since, or might be: how long
   it still gets in nobody knows. */
static bool is_unrefused(const struct member *m)
{
  const struct revoked_row *row = record_of(m);
  return row->back || row->looked_in || (row->late && row->booked_us != last_accepted_us(row));
}

/* Whoever has had no CONNACK since, for no reason that was told, was refused; a restart that nobody
   has come back from so far is no such reason. */
static void close_books(struct member *m)
{
  if (record_of(m)->mute > 0) book_refusal(m);
}

/* It came with another certificate than the one that is named: what was seen of that one stands. */
static void leave_list(struct member *m)
{
  struct fleet *fleet = m->fleet;
  close_books(m);
  record_of(m)->looked_in = false; /* looks go on, and are of nobody then: fleet_former_let_in */
  if (is_unrefused(m)) fleet->left_unrefused++;
  if (is_uncertain(m)) fleet->left_uncertain++;
  m->facts.revoked = false;
  *record_of(m) = (struct revoked_row){.taken_us = DEVICE_NEVER, .booked_us = DEVICE_NEVER};
}

void revoked_renewed(struct member *m)
{
  if (m->facts.revoked) record_of(m)->renewed = true;
}

void revoked_online(struct member *m)
{
  struct metrics *metrics = m->fleet->config.metrics;
  m->pardoned = m->shut_out = m->served = false;
  m->facts.was_in = true;
  if (!m->collateral) m->facts.step_counted &= (uint16_t) ~FLEET_IN_REVOKE_COLLATERAL;
  /* a ticket is of the certificate that it was given for */
  if (m->facts.revoked && record_of(m)->renewed && !m->facts.resumed) leave_list(m);
  if (!m->facts.revoked) return;
  if (record_of(m)->mute > 0) m->facts.step_counted &= (uint16_t) ~FLEET_IN_REVOKE_REFUSALS;
  m->facts.step_counted |= FLEET_IN_REVOKE_ACCEPTS;
  if (m->facts.node >= 0) {
    record_of(m)->refused_at &= (uint8_t) ~(1u << m->facts.node);
    record_of(m)->told_at &= (uint8_t) ~(1u << m->facts.node);
  }
  metrics_take_back(metrics, METRIC_REVOKE_REFUSALS, record_of(m)->mute);
  record_of(m)->mute = 0;
  /* a broker judges by the list that it had when it took the connection; one that ends sessions to
     take a list, as in a restart, takes new ones when it has it */
  record_of(m)->late = record_of(m)->cut || m->last_turn_us >= record_of(m)->taken_us;
  /* a look has made it come; whether the list is in force is for looks to say, then */
  if (record_of(m)->uncertain) record_of(m)->late = record_of(m)->uncertain = false;
  /* a ticket of before may outlive the list until its key is changed */
  if (!m->facts.resumed && record_of(m)->late && record_of(m)->booked_us != DEVICE_NEVER)
    record_of(m)->back = true;
  record_of(m)->accepted_us[m->facts.resumed ? RESUMED : FULL] = population_clock_us(m->fleet);
  metrics_add(metrics, METRIC_REVOKE_ACCEPTS, 1);
  if (m->facts.resumed) metrics_add(metrics, METRIC_REVOKE_RESUMED_ACCEPTS, 1);
}

/* As far as it is known before the run ends. */
static bool is_collateral(const struct member *m)
{
  return m->collateral || (m->shut_out && m->served && !m->pardoned);
}

static void fail_unrevoked(struct member *m, enum device_failure failure, bool verdict)
{
  bool before = is_collateral(m);
  m->collateral = m->collateral || (verdict && !m->pardoned);
  m->shut_out = true;
  m->served = m->served || verdict || is_silence_of_its_own(m, failure);
  if (!before && is_collateral(m)) m->facts.step_counted |= FLEET_IN_REVOKE_COLLATERAL;
}

/* It may be the device's certificate that was refused. A busy broker, a refused id, silence are not of
   it. */
static bool may_be_of_certificate(enum device_failure failure)
{
  return (failure >= DEVICE_FAIL_ALERT_FIRST && failure <= DEVICE_FAIL_REFUSED_TLS_LAST) ||
         failure == DEVICE_FAIL_MQTT_REFUSED_AUTH;
}

/* Who was not let in before the list either may be kept out for a reason of its own; so may who is
   refused in these words, whatever the list. */
static bool is_by_list(const struct member *m, enum device_failure failure)
{
  if (failure == DEVICE_FAIL_TLS_ALERT_REVOKED) return true;
  return m->facts.was_in && may_be_of_certificate(failure) &&
         failure != DEVICE_FAIL_TLS_ALERT_EXPIRED && failure != DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA;
}

void revoked_failed(struct member *m, enum device_failure failure)
{
  bool verdict = is_broker_verdict(failure);
  if (!verdict && !is_mute(m, failure)) return;
  if (!m->facts.revoked && may_be_of_certificate(failure) &&
      (verdict || is_silence_of_its_own(m, failure)))
    m->facts.was_in = false;
  if (m->fleet->revoked == NULL) return;
  if (!m->facts.revoked) {
    fail_unrevoked(m, failure, verdict);
    return;
  }
  if (!verdict && !is_silence_of_its_own(m, failure)) return;
  metrics_add(m->fleet->config.metrics, METRIC_REVOKE_REFUSALS, 1);
  m->facts.step_counted |= FLEET_IN_REVOKE_REFUSALS;
  if (m->facts.node >= 0 && is_by_list(m, failure))
    record_of(m)->refused_at |= (uint8_t) (1u << m->facts.node);
  if (m->facts.node >= 0 && failure == DEVICE_FAIL_TLS_ALERT_REVOKED)
    record_of(m)->told_at |= (uint8_t) (1u << m->facts.node);
  if (verdict)
    book_refusal(m);
  else
    record_of(m)->mute++;
}

static void book_cut(struct member *m, uint64_t ended_us)
{
  record_of(m)->cut = true;
  record_of(m)->uncertain = false;
  metrics_record_us(m->fleet->config.metrics, METRIC_REVOKE_CUT, ended_us - record_of(m)->since_us);
}

/* What the plan ends, the end of the run among it, cuts nobody off. */
void revoked_ended(struct member *m, enum device_failure failure)
{
  if (!m->facts.revoked || failure == DEVICE_FAIL_SESSION_STOPPED) return;
  if (m->looked_at && record_of(m)->ended_us == 0)
    record_of(m)->ended_us = population_clock_us(m->fleet);
  else
    book_cut(m, population_clock_us(m->fleet));
}

void revoked_look_opens(struct member *m)
{
  m->looked_at = true;
  if (m->facts.revoked) record_of(m)->ended_us = 0;
}

void revoked_look_closes(struct member *m, bool let_in)
{
  bool looked_at = m->looked_at;
  m->looked_at = false;
  if (!m->facts.revoked || !looked_at || record_of(m)->ended_us == 0) return;
  if (let_in)
    record_of(m)->uncertain = true;
  else
    book_cut(m, record_of(m)->ended_us);
}

uint8_t revoked_refused_at(const struct member *m, bool told)
{
  if (!m->facts.revoked) return 0;
  return told ? record_of(m)->told_at : record_of(m)->refused_at;
}

static void set_revoked(struct member *m, bool revoked)
{
  struct fleet *fleet = m->fleet;
  /* the list before this one has shut it out until now; one that was named on it may have been met
     too early */
  bool surely = m->shut_out && m->served;
  m->collateral = m->collateral || (surely && !m->pardoned);
  /* the next CONNACK tells whether a broker that served nobody was meant */
  if (surely || revoked) m->shut_out = m->served = false;
  if (m->facts.revoked == revoked) return;
  if (!revoked) {
    close_books(m);
    if (is_unrefused(m)) fleet->left_unrefused++;
    if (m->link == MEMBER_UP) fleet->left_uncut++;
    if (is_uncertain(m)) fleet->left_uncertain++;
    m->pardoned = m->link != MEMBER_UP;
  }
  m->facts.revoked = revoked;
  *record_of(m) = (struct revoked_row){.since_us = revoked ? population_clock_us(fleet) : 0,
                                       .taken_us = DEVICE_NEVER,
                                       .booked_us = DEVICE_NEVER};
}

int revoked_publish(struct fleet *fleet, const bool *names, struct error *error)
{
  size_t n = fleet->config.device_count;
  if (fleet->revoked == NULL) fleet->revoked = calloc(n, sizeof *fleet->revoked);
  if (fleet->revoked == NULL)
    return error_set(error, EXIT_CODE_INTERNAL,
                     "out of memory to measure the revocation of %zu devices", n);
  for (size_t i = 0; i < n; i++) set_revoked(&fleet->members[i], names[i]);
  return 0;
}

void revoked_taken(struct fleet *fleet)
{
  for (size_t i = 0; i < fleet->config.device_count && fleet->revoked != NULL; i++)
    if (fleet->revoked[i].taken_us == DEVICE_NEVER)
      fleet->revoked[i].taken_us = population_clock_us(fleet);
}

void revoked_look(struct member *m, bool let_in)
{
  if (m->facts.revoked) record_of(m)->looked_in = let_in;
}

void revoked_measure(struct fleet *fleet, bool last)
{
  size_t revoked = 0, uncut = fleet->left_uncut, uncertain = fleet->left_uncertain;
  size_t unrefused = fleet->left_unrefused + fleet->former_unrefused, collateral = 0;
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct member *m = &fleet->members[i];
    if (m->facts.revoked && (last || record_of(m)->mute >= MUTE_TWICE)) close_books(m);
    revoked += m->facts.revoked;
    uncut += m->facts.revoked && m->link == MEMBER_UP;
    uncertain += is_uncertain(m);
    unrefused += m->facts.revoked && is_unrefused(m);
    collateral += is_collateral(m) || (m->shut_out && last);
  }
  metrics_set(fleet->config.metrics, METRIC_REVOKE_REVOKED, (double) revoked);
  metrics_set(fleet->config.metrics, METRIC_REVOKE_UNCUT, uncertain > 0 ? NAN : (double) uncut);
  metrics_set(fleet->config.metrics, METRIC_REVOKE_UNREFUSED, (double) unrefused);
  metrics_set(fleet->config.metrics, METRIC_REVOKE_COLLATERAL, (double) collateral);
}
