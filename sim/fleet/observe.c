/* What a device says about itself becomes facts, metrics and events. Called from inside a step: it
   only writes down. */
#include "fleet/observe.h"

#include <stdio.h>
#include <string.h>

#include "fleetsim/nvm.h"

#include "fleet/divert.h"
#include "fleet/emit.h"
#include "fleet/firmware.h"
#include "fleet/line.h"
#include "fleet/outage.h"
#include "fleet/places.h"
#include "fleet/population.h"
#include "fleet/power.h"
#include "fleet/revoked.h"
#include "fleet/serving.h"
#include "fleet/telemetry.h"
#include "fleet/trespass.h"

/* Foretold when the attempt was begun; a session may have begun long ago, and what ends it is of
   today. */
static bool was_expected(const struct member *m, enum device_failure failure)
{
  const struct fleet *fleet = m->fleet;
  return m->link == MEMBER_DIALLING && m->planned_us < fleet->expected_at_us &&
         failure_set_has(&fleet->expected_before, failure);
}

/* A look takes its session over, where the broker takes ids from certificates. */
static bool is_by_look(const struct member *m, enum device_failure failure)
{
  return m->looked_at && m->link == MEMBER_UP &&
         (failure == DEVICE_FAIL_SESSION_CLOSED || failure == DEVICE_FAIL_SESSION_RESET ||
          failure == DEVICE_FAIL_SESSION_DISCONNECT);
}

static bool is_expected(const struct member *m, enum device_failure failure)
{
  if (is_by_look(m, failure)) return true;
  if ((m->facts.revoked || m->pardoned) && m->opened && device_failure_is_refusal(failure))
    return true;
  return failure == DEVICE_FAIL_STOPPED || failure_set_has(&m->fleet->expected, failure) ||
         line_foretells(m, failure) || divert_foretells(m, failure) || was_expected(m, failure);
}

void observe_failure(struct member *m, enum device_failure failure, const char *detail)
{
  const struct fleet_config *config = &m->fleet->config;
  metrics_fail(config->metrics, failure, m->facts.id, is_expected(m, failure), detail);
  failure_set_add(&m->facts.step_failures, failure);
  emit_event(m, (struct event){.kind = EVENT_FAILED, .failed = {failure, detail}});
}

static int root_of(const struct fleet *fleet, const uint8_t *anchor_id)
{
  for (size_t r = 0; anchor_id != NULL && r < fleet->config.root_count; r++)
    if (memcmp(fleet->config.anchor_id[r], anchor_id, 32) == 0) return (int) r;
  return -1;
}

/* In a handshake a client signs for one purpose: CertificateVerify, after the chain that it was
   asked for. */
static bool has_sent_chain(const struct member *m)
{
  return m->meter.sign > 0;
}

/* The roots of the chain that the device has just sent; nothing has been written to its page since
   it was read. */
static uint16_t identity_of(const struct member *m, const struct device_note *note)
{
  const struct fleet_config *config = &m->fleet->config;
  size_t index = population_index(m);
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  if (config->roots_of == NULL || note->own_size == 0 || !has_sent_chain(m)) return 0;
  if (note->own_size > sizeof chain ||
      power_read_page(m, note->own_offset, chain, note->own_size) != 0)
    return 0;
  return config->roots_of(config->roots_ctx, index, chain, note->own_size);
}

/* What the handshake has shown; that nobody looked at before CONNACK counts then. The work is ours,
 * not the device's.
 */
static void look_at(struct member *m, const struct device_note *note)
{
  m->seen_root = (int8_t) (note->resumed ? -1 : root_of(m->fleet, note->anchor_id));
  m->seen_leaf = LEAVES_NONE;
  m->seen_identity = 0;
  if (note->resumed) return;
  crypto_meter_use(NULL);
  m->seen_leaf = note->leaf != NULL
                     ? leaves_number_of(&m->fleet->leaves, note->leaf, note->leaf_size)
                     : LEAVES_OTHER;
  m->seen_identity = identity_of(m, note);
  crypto_meter_use(&m->meter);
}

/* What a broker was seen to serve it serves to everybody; what was under way by then is of before. */
static void count_stale_leaf(struct member *m)
{
  struct fleet *fleet = m->fleet;
  bool full = m->seen_leaf != LEAVES_NONE && m->seen_leaf != LEAVES_OTHER;
  if (m->endpoint != FLEET_MAIN || m->facts.node < 0 || !full) return;
  size_t node = (size_t) m->facts.node;
  bool known = fleet->served[node] != LEAVES_NONE && fleet->served[node] != LEAVES_OTHER &&
               fleet->served_us[node] < m->opened_us;
  if (!known || m->seen_leaf == fleet->served[node]) return;
  if (metrics_value(fleet->config.metrics, METRIC_BROKER_STALE) < 1)
    fleet->stale = (struct fleet_stale){m->facts.id, m->facts.node};
  metrics_add(fleet->config.metrics, METRIC_BROKER_STALE, 1);
}

static void on_handshake(struct member *m, const struct device_note *note)
{
  struct metrics *metrics = m->fleet->config.metrics;
  m->handshaking = false;
  m->shook = true;
  m->facts.resumed = note->resumed;
  look_at(m, note);
  count_stale_leaf(m);
  metrics_add(metrics, note->resumed ? METRIC_HANDSHAKE_RESUMED : METRIC_HANDSHAKE_FULL, 1);
  if (!m->clocked) return;
  /* the handshake ends inside its dearest step: chain, signature and key are checked and made
     there */
  m->cpu_us += (uint32_t) (backend_cpu_us(m->fleet->config.backend) - m->fleet->step.cpu_us);
  metrics_record_us(metrics, METRIC_HANDSHAKE_CPU, m->cpu_us);
}

static void count_online(struct member *m)
{
  struct fleet *fleet = m->fleet;
  m->facts.online = m->facts.ever_online = m->facts.phase_connected = true;
  m->facts.connects++;
  m->facts.left_open = false;
  if (m->telemetry_at_ms == DEVICE_NEVER) telemetry_stagger(m);
  fleet->online++;
  line_count_half_open(m);
  /* a resumed session stands for the full handshake that its ticket is of */
  if (!m->facts.resumed) {
    m->facts.leaf = m->seen_leaf;
    m->facts.identified = m->seen_identity;
    emit_change(m);
  }
  if ((double) fleet->online > metrics_value(fleet->config.metrics, METRIC_FLEET_ONLINE_MAX))
    metrics_set(fleet->config.metrics, METRIC_FLEET_ONLINE_MAX, (double) fleet->online);
  outage_count_change(fleet);
  if (fleet->online < fleet->wanted) return;
  if (!fleet->complete)
    metrics_set(fleet->config.metrics, METRIC_FLEET_ONLINE_MIN, (double) fleet->online);
  fleet->complete = true;
}

static void count_offline(struct member *m)
{
  struct fleet *fleet = m->fleet;
  m->facts.online = false;
  fleet->online--;
  outage_count_lost(fleet);
  line_count_half_open(m);
  if (fleet->complete &&
      (double) fleet->online < metrics_value(fleet->config.metrics, METRIC_FLEET_ONLINE_MIN))
    metrics_set(fleet->config.metrics, METRIC_FLEET_ONLINE_MIN, (double) fleet->online);
}

static void on_online(struct member *m, const struct device_note *note)
{
  struct metrics *metrics = m->fleet->config.metrics;
  uint64_t now_us = population_clock_us(m->fleet);
  uint64_t planned_us = m->planned_us - m->fleet->config.began_us;
  m->link = MEMBER_UP;
  m->fleet->dialling--;
  m->full_handshake = false;
  telemetry_began_session(m);
  backoff_reset(&m->backoff);
  metrics_add(metrics, METRIC_CONNECT_OK, 1);
  metrics_add(metrics, METRIC_MQTT_SESSION_PRESENT, note->session_present);
  metrics_record_us(metrics, METRIC_CONNECT_TOTAL, now_us > planned_us ? now_us - planned_us : 0);
  if (m->ended_us != 0) metrics_record_us(metrics, METRIC_RECONNECT_TOTAL, now_us - m->ended_us);
  serving_let_in(m);
  revoked_online(m);
  if (m->seen_root >= 0) m->facts.proven |= (uint16_t) (1u << m->seen_root);
  if (m->endpoint == FLEET_MAIN) count_online(m);
  if (m->endpoint == FLEET_PROVE) {
    m->facts.proof_pending = false;
    m->facts.proof = DEVICE_FAIL_NONE;
    m->planned_us = now_us + m->fleet->config.began_us;
    m->start_at_ms = m->planned_us / 1000;
    m->next_endpoint = FLEET_MAIN;
  }
  emit_event(m, (struct event){.kind = EVENT_ONLINE,
                               .online = {m->endpoint == FLEET_MAIN ? "main" : "prove",
                                          m->facts.node, m->facts.resumed, note->session_present}});
}

/* True for what is a verdict about certificates, either side's: trying again would not change
   it. */
static bool is_verdict(enum device_failure failure)
{
  return failure >= DEVICE_FAIL_VERDICT_FIRST && failure <= DEVICE_FAIL_VERDICT_LAST;
}

/* A broker that closes after the handshake has probably judged: more than a bad line, and less than
   a word. */
static bool outweighs(enum device_failure failure, enum device_failure before)
{
  bool mute = before == DEVICE_FAIL_TLS_CLOSED || before == DEVICE_FAIL_TLS_RESET;
  return !is_verdict(before) &&
         (!mute || device_failure_is_refusal(failure) || is_verdict(failure));
}

/* A chain counts from when it is parsed: what cannot be is no chain of none. */
static int describe_chain(const struct device_note *note, char *out, size_t size)
{
  unsigned sent = note->chain_certificates;
  bool unparsed =
      note->failure == DEVICE_FAIL_TLS_BAD_CERTIFICATE || note->failure == DEVICE_FAIL_TLS_WEAK;
  if (sent > 0)
    return snprintf(out, size, "broker sent %u certificate%s", sent, sent == 1 ? "" : "s");
  if (note->resumed)
    return snprintf(out, size, "session resumed, so the broker sent no certificate");
  if (unparsed) return snprintf(out, size, "broker sent a chain that cannot be parsed");
  return snprintf(out, size, "no certificate of the broker seen");
}

static void describe(const struct member *m, const struct device_note *note, char *out, size_t size)
{
  if (!m->opened) {
    snprintf(out, size, "no connection came about");
    return;
  }
  int n = describe_chain(note, out, size);
  if (note->secured && n < (int) size)
    n += snprintf(out + n, size - (size_t) n, ", TLS handshake done");
  if (note->close_notify && n < (int) size)
    n += snprintf(out + n, size - (size_t) n, ", close_notify received");
  if (note->verify_flags != 0 && n < (int) size)
    n += snprintf(out + n, size - (size_t) n, ", verify flags 0x%02x",
                  (unsigned) note->verify_flags);
  if (note->alert != 0 && n < (int) size)
    n += snprintf(out + n, size - (size_t) n, ", alert %u received", (unsigned) note->alert);
  if (note->tls_error != 0 && n < (int) size)
    n += snprintf(out + n, size - (size_t) n, ", TLS code -0x%04x", (unsigned) -note->tls_error);
  if (note->code != 0 && n < (int) size)
    n += snprintf(out + n, size - (size_t) n, ", MQTT reason 0x%02x", note->code);
  /* some brokers refuse a message like that, for its topic or its QoS */
  if (m->link == MEMBER_UP && m->unacked_count > 0 && n < (int) size)
    snprintf(out + n, size - (size_t) n, ", %u message%s of QoS %u unanswered", m->unacked_count,
             m->unacked_count > 1 ? "s" : "", (unsigned) m->fleet->telemetry.qos);
}

static void on_attempt_failed(struct member *m, enum device_failure failure)
{
  struct metrics *metrics = m->fleet->config.metrics;
  m->fleet->dialling--;
  metrics_add(metrics, METRIC_CONNECT_FAILED, 1);
  if (m->opened) outage_count_wasted(m->fleet);
  if (failure == DEVICE_FAIL_STOPPED) return;
  m->facts.step_counted |= FLEET_IN_CONNECT_FAILED;
  if (!divert_has_led(m)) revoked_failed(m, failure);
  if (outweighs(failure, m->facts.phase_failure)) m->facts.phase_failure = failure;
  if (failure >= DEVICE_FAIL_TLS_FIRST && failure <= DEVICE_FAIL_TLS_LAST)
    m->facts.phase_refusals |= UINT32_C(1) << (failure - DEVICE_FAIL_TLS_FIRST);
  bool final =
      is_verdict(failure) || (m->facts.revoked && m->opened && device_failure_is_refusal(failure));
  if (m->endpoint != FLEET_PROVE) return;
  m->facts.proof = failure;
  if (!final) return;
  m->facts.proof_pending = false;
  m->next_endpoint = FLEET_MAIN;
  m->planned_us = population_clock_us(m->fleet) + m->fleet->config.began_us;
  m->start_at_ms = m->planned_us / 1000;
}

/* By DISCONNECT, or as the broker ended it: what the device gives up, and what it says on a line
   that swallows everything, the broker learns by its keep-alive only. */
static bool is_known_there(const struct member *m, enum device_failure failure)
{
  bool by_broker = failure == DEVICE_FAIL_SESSION_CLOSED || failure == DEVICE_FAIL_SESSION_RESET ||
                   failure == DEVICE_FAIL_SESSION_DISCONNECT;
  bool in_order = failure == DEVICE_FAIL_SESSION_STOPPED && !m->dark;
  return by_broker || (in_order && !m->half_open);
}

/* What the device gives up may have been let in all the same. */
static void count_attempt(struct member *m, const struct device_note *note,
                          enum device_failure failure)
{
  bool in_tls = note->chain_certificates > 0 || note->resumed || (m->opened && !m->handshaking);
  bool by_list = m->facts.revoked && device_failure_is_refusal(failure);
  if (m->link == MEMBER_DIALLING && m->endpoint == FLEET_MAIN && in_tls && !by_list &&
      !divert_has_led(m) && m->facts.unseen < UINT16_MAX)
    m->facts.unseen++;
}

static void on_ended(struct member *m, const struct device_note *note)
{
  enum device_failure failure = m->end_failure != DEVICE_FAIL_NONE ? m->end_failure : note->failure;
  char detail[160];
  bool was_online = m->facts.online;
  describe(m, note, detail, sizeof detail);
  m->end_failure = DEVICE_FAIL_NONE;
  m->facts.last_failure = failure;
  count_attempt(m, note, failure);
  m->handshaking = false;
  m->ended = true;
  places_turn(m, failure, note);
  if (m->link == MEMBER_DIALLING) {
    on_attempt_failed(m, failure);
  } else {
    m->ended_us = m->last_turn_us = population_clock_us(m->fleet);
    revoked_ended(m, failure);
    trespass_ended(m, failure);
    if (m->facts.online && !is_known_there(m, failure)) m->facts.left_open = true;
    if (m->facts.online) count_offline(m);
    serving_ended(m, failure);
  }
  /* a session that the plan ends is no failure; an attempt it cuts short is one, so that attempts
     add up */
  if (failure != DEVICE_FAIL_SESSION_STOPPED)
    observe_failure(m, failure, detail);
  else if (was_online)
    emit_event(m, (struct event){.kind = EVENT_OFFLINE, .offline = {m->facts.node}});
  if (failure != DEVICE_FAIL_SESSION_STOPPED && failure != DEVICE_FAIL_STOPPED)
    power_met_otherwise(m);
}

void observe_end(struct member *m)
{
  if (m->link != MEMBER_DIALLING && m->link != MEMBER_UP) return;
  bool attempt = m->link == MEMBER_DIALLING;
  on_ended(m, &(struct device_note){.failure = attempt ? DEVICE_FAIL_STOPPED
                                                       : DEVICE_FAIL_SESSION_STOPPED});
}

static void on_update(struct member *m, const struct device_note *note)
{
  bool trust = note->kind == DEVICE_NOTE_TRUST;
  enum metric committed = trust ? METRIC_TRUST_COMMITTED : METRIC_CERT_COMMITTED;
  enum metric refused = trust ? METRIC_TRUST_REFUSED : METRIC_CERT_REFUSED;
  struct metrics *metrics = m->fleet->config.metrics;
  bool anew = note->code == DEVICE_UPDATE_COMMITTED; /* what it has, it may be told again */
  bool good = anew || note->code == DEVICE_UPDATE_SAME;
  if (good && trust) m->facts.trust_of = note->of;
  if (anew && !trust) revoked_renewed(m);
  if (!good) m->facts.step_counted |= trust ? FLEET_IN_TRUST_REFUSED : FLEET_IN_CERT_REFUSED;
  if (!good) trespass_answered_word(m, note->of);
  if (!good || anew) metrics_add(metrics, good ? committed : refused, 1);
  enum device_update status = (enum device_update) note->code;
  if (trust)
    emit_event(m, (struct event){.kind = EVENT_TRUST, .trust = {status, note->version}});
  else
    emit_event(m,
               (struct event){.kind = EVENT_CERTIFICATE, .certificate = {status, note->version}});
}

static bool is_telemetry(const struct device_note *note)
{
  return (note->tag & MEMBER_TAG_MASK) == MEMBER_TAG_TELEMETRY;
}

static enum device_failure refusal(const struct device_note *note)
{
  if (note->subscription) return DEVICE_FAIL_SUBSCRIBE_REFUSED;
  switch (note->code) {
  case 0x87: return DEVICE_FAIL_PUBLISH_REFUSED_AUTH; /* reason codes of MQTT 5 */
  case 0x95: return DEVICE_FAIL_PUBLISH_REFUSED_SIZE;
  case 0x97: return DEVICE_FAIL_PUBLISH_REFUSED_QUOTA;
  case 0x9b: return DEVICE_FAIL_PUBLISH_REFUSED_QOS;
  default: return DEVICE_FAIL_PUBLISH_REFUSED_OTHER;
  }
}

/* A fleet whose telemetry is refused is refused every other second: all are counted, the events
 * have the first one of each device, session and reason. */
static void on_denied(struct member *m, const struct device_note *note)
{
  const struct fleet_config *config = &m->fleet->config;
  enum device_failure failure = refusal(note);
  char detail[160];
  if (note->tag == MEMBER_TAG_TRESPASS) {
    trespass_answered(m, note->code, note->declined);
    return;
  }
  if (is_telemetry(note)) telemetry_denied(m, note->tag, note->declined);
  snprintf(detail, sizeof detail, "%.*s, MQTT reason 0x%02x%s", (int) note->topic_size,
           note->topic != NULL ? note->topic : "", note->code,
           note->declined ? " of CONNACK: not sent" : "");
  metrics_fail(config->metrics, failure, m->facts.id, is_expected(m, failure), detail);
  if (is_telemetry(note) && !telemetry_tells(m, note->code)) return;
  emit_event(m, (struct event){.kind = EVENT_REFUSED, .refused = {failure, detail}});
}

void observe_note(void *ctx, const struct device_note *note)
{
  struct member *m = ctx;
  struct metrics *metrics = m->fleet->config.metrics;
  if (m->dark) {
    if (note->kind == DEVICE_NOTE_OTA_BYTES) firmware_note(m, note);
    return;
  }
  switch (note->kind) {
  case DEVICE_NOTE_HANDSHAKE: on_handshake(m, note); break;
  case DEVICE_NOTE_ONLINE: on_online(m, note); break;
  case DEVICE_NOTE_ENDED: on_ended(m, note); break;
  case DEVICE_NOTE_ACKED:
    if (note->tag == MEMBER_TAG_TRESPASS) trespass_answered(m, 0, false);
    if (is_telemetry(note)) telemetry_acked(m, note->tag, note->qos > 0);
    break;
  case DEVICE_NOTE_RESENT:
    if (is_telemetry(note)) metrics_add(metrics, METRIC_TELEMETRY_RESENT, 1);
    break;
  case DEVICE_NOTE_DENIED: on_denied(m, note); break;
  case DEVICE_NOTE_TRUST:
    m->facts.trust_version = note->version;
    emit_change(m);
    on_update(m, note);
    break;
  case DEVICE_NOTE_IDENTITY: on_update(m, note); break;
  case DEVICE_NOTE_MESSAGE: trespass_heard(m, note); break;
  case DEVICE_NOTE_BOOTED:
  case DEVICE_NOTE_OTA:
  case DEVICE_NOTE_OTA_BYTES: firmware_note(m, note); break;
  case DEVICE_NOTE_STATE:
  case DEVICE_NOTE_READY: break;
  }
}
