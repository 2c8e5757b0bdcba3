/* Brokers in memory (broker/broker.h): MQTT 3.1.1 and 5 over the records of tls.c, with sessions
 * that are kept, wills, an ACL by the certificate's name, revocation lists, bridges and the gates
 * before a broker. What is not here says so with an assertion; what a trace's script does to a
 * broker is at the end.
 *
 * Connections and sessions are freed with their broker only: what is under way may still look at
 * them. */
#define _POSIX_C_SOURCE 200809L
#include "broker/broker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bouncer.h"
#include "clock.h"
#include "net/backend.h"
#include "papers.h"
#include "site.h"
#include "wire.h"

#define MS          1000u
#define START_US    (20 * MS)
#define STOP_US     (10 * MS)
#define RELOAD_US   (5 * MS)
#define HOOK_US     (40 * MS)
#define SILENCE_US  (5000 * MS)
#define ROOM        16384u
#define FIRST_PORT  8880u
#define FILTERS_MAX 40
#define TOPIC_ROOM  128
#define BROKERS_MAX 8
#define TEXT_MAX    4096

enum { NOT_AUTHORIZED = 0x87, UNKNOWN_CA = 48, REVOKED = 44, EXPIRED = 45 };

struct message {
  struct message *next;
  char topic[TOPIC_ROOM];
  uint16_t id; /* given to a device; 0: not so far */
  uint8_t qos;
  bool retained;
  size_t size;
  uint8_t data[];
};

struct mailbox {
  struct message *first, **end;
};

struct conn;

struct session {
  struct session *next;
  char id[40];
  char filter[FILTERS_MAX][TOPIC_ROOM];
  uint8_t qos[FILTERS_MAX];
  size_t filters;
  struct mailbox mail; /* QoS 1, until it is acknowledged */
  struct conn *conn;
  uint16_t last_id;
  uint16_t received[16]; /* QoS 2, between PUBLISH and PUBREL */
  bool kept;
};

struct conn {
  struct conn *next;
  struct broker *broker;
  struct wire *wire; /* NULL: it has ended */
  enum broker_listener listener;
  bool taken, secured, said_goodbye;
  uint8_t in[ROOM]; /* records */
  size_t size;
  uint8_t mqtt[ROOM];
  size_t mqtt_size;
  char name[40];                                         /* of the certificate */
  char root[NAMES_ROOT_MAX], telemetry[NAMES_TOPIC_MAX]; /* where it may write */
  uint8_t version;
  struct session *session;
  char will_topic[TOPIC_ROOM], will[64];
};

struct broker {
  struct broker_config config;
  char folder[FILES_PATH_MAX], host[80], version[96];
  const char *name; /* in folder */
  bool up, frozen, opened;
  struct wire_port port[BROKER_LISTENERS];
  char presented[BROKER_LISTENERS][TEXT_MAX];
  struct papers clients, lists, lists_before;
  struct papers kept_lists; /* of a machine that every second connection meets .. */
  bool lags;                /* .. if there is one */
  struct conn *conns;
  struct session *sessions;
  struct mailbox retained, office, bridge;
  bool office_attached, office_known;
  unsigned life; /* grows whenever all sessions end */
  uint64_t next_turn_us, timed_out;
  bool refuses, deaf, keeps_chain, fails_start, keeps_nothing, cuts, drops;
  bool kicks_all;              /* whoever of them is to be, by a hook */
  bool shares_chain;           /* both listeners have one file: .. */
  enum broker_listener shared; /* .. the one that came last */
  /* every second connection meets a machine that has no list; a restart leaves it without roots */
  bool forgetful, forgets_roots, restores_roots;
  unsigned judged;
  uint64_t late_us[SITE_FILES];
  char split[16];    /* who comes from there meets a machine that keeps its chain .. */
  char listless[16]; /* .. or one that has read no list */
  /* of looks: who comes from there is answered so late; refused ids, and CONNACK 3,
     where these are not the certificate's name */
  char slow[16];
  uint64_t slow_us;
  bool wants_names, busy;
  bool wants_known;  /* CONNACK 5 to ids that are not */
  bool by_beginning; /* ids that begin with the certificate's name are */
  bool slams;        /* it closes on the others, in place of CONNACK 5 */
  enum site_installs installs;
  bool says_nothing; /* to whom TLS does not take: it closes */
  bool takes_ids;    /* from certificates .. */
  bool takes_over;   /* .. and of several looks under one id only the last is let in */
  bool shields;      /* CONNACK 5 to looks with the certificate of a session that is open */
  struct bouncer bouncer, of_ids; /* by certificates, and by client ids */
  bool bouncer_closes;            /* it closes on them, in place of CONNACK 5 */
  /* so many looks are taken; the others are closed on, after TLS or before it */
  struct bouncer of_all;
  bool early;
  char spurned[16]; /* whose certificate has expired, by its clock; or .. */
  bool closes;      /* .. whom it closes on, without a word */
  /* a look that comes while others are open meets a second machine each second time: one that has
     the files of the beginning, and no list */
  bool balances;
  unsigned looking;
  struct look *looks; /* that are open, the latest first */
  struct papers first_clients;
  char trusts[16];  /* whatever its file says */
  char omitted[40]; /* whom its lists do not name */
  bool reads_first; /* of its lists */
  bool forgets_office;
  char forgot[40]; /* the password of this user name, for another */
  char first[TEXT_MAX];
};

static struct broker *brokers[BROKERS_MAX];
static size_t broker_count;
static struct pki_roots first_roots;
static char first_presented[PKI_NAME_MAX];
static bool hook_fails[HOOK_COUNT], hook_idle[HOOK_COUNT];
static char hook_skips[HOOK_COUNT][32]; /* a broker that the hook forgets */

static bool is_elsewhere(const struct broker *broker)
{
  return broker_kind_is(broker->config.kind, BROKER_HOOKED);
}

/* --- Messages --------------------------------------------------------------------------------- */

static struct message *make_message(const char *topic, const void *data, size_t size, uint8_t qos)
{
  struct message *message = calloc(1, sizeof *message + size);
  assert(message != NULL);
  snprintf(message->topic, sizeof message->topic, "%s", topic);
  message->qos = qos;
  message->size = size;
  if (size > 0) memcpy(message->data, data, size);
  return message;
}

static void keep(struct mailbox *mail, struct message *message)
{
  if (mail->end == NULL) mail->end = &mail->first;
  *mail->end = message;
  mail->end = &message->next;
}

static void empty(struct mailbox *mail)
{
  while (mail->first != NULL) {
    struct message *message = mail->first;
    mail->first = message->next;
    free(message);
  }
  mail->end = NULL;
}

static void take_out(struct mailbox *mail, uint16_t id)
{
  for (struct message **at = &mail->first; *at != NULL; at = &(*at)->next) {
    struct message *message = *at;
    if (message->id != id) continue;
    *at = message->next;
    if (mail->end == &message->next) mail->end = at;
    free(message);
    return;
  }
}

/* MQTT 4.7.1, without $ topics. */
static bool matches(const char *filter, const char *topic)
{
  while (*filter != '\0' && *topic != '\0') {
    if (*filter == '#') return true;
    if (*filter == '+') {
      while (*topic != '\0' && *topic != '/') topic++;
      filter++;
      continue;
    }
    if (*filter++ != *topic++) return false;
  }
  return *filter == *topic || strcmp(filter, "/#") == 0;
}

/* --- Packets ---------------------------------------------------------------------------------- */

static void send_record(struct conn *conn, char type, const void *data, size_t size)
{
  uint8_t record[3 + 8192];
  assert(size <= 8192);
  if (conn->wire == NULL) return;
  record[0] = (uint8_t) type;
  record[1] = (uint8_t) (size >> 8);
  record[2] = (uint8_t) size;
  if (size > 0) memcpy(record + 3, data, size);
  wire_send(conn->wire, record, size + 3);
}

static void send_packet(struct conn *conn, uint8_t first, const uint8_t *body, size_t size)
{
  uint8_t packet[8192];
  size_t at = 0;
  packet[at++] = first;
  size_t left = size;
  do {
    packet[at++] = (uint8_t) ((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  assert(at + size <= sizeof packet);
  if (size > 0) memcpy(packet + at, body, size);
  send_record(conn, 'D', packet, at + size);
}

static void send_publish(struct conn *conn, const struct message *message, uint8_t qos, bool again)
{
  uint8_t body[8000];
  size_t at = 0, topic = strlen(message->topic);
  body[at++] = (uint8_t) (topic >> 8);
  body[at++] = (uint8_t) topic;
  memcpy(body + at, message->topic, topic);
  at += topic;
  if (qos > 0) {
    body[at++] = (uint8_t) (message->id >> 8);
    body[at++] = (uint8_t) message->id;
  }
  if (conn->version == 5) body[at++] = 0;
  memcpy(body + at, message->data, message->size);
  uint8_t first = (uint8_t) (0x30 | qos << 1 | (again ? 8 : 0) | (message->retained ? 1 : 0));
  send_packet(conn, first, body, at + message->size);
}

static void send_ack(struct conn *conn, uint8_t first, uint16_t id, uint8_t reason)
{
  uint8_t body[4] = {(uint8_t) (id >> 8), (uint8_t) id, reason, 0};
  send_packet(conn, first, body, conn->version == 5 && reason != 0 ? 4 : 2);
}

/* --- Routing ---------------------------------------------------------------------------------- */

static void give(struct session *session, const struct message *message, uint8_t qos)
{
  struct conn *conn = session->conn;
  if (conn == NULL && (qos == 0 || !session->kept)) return;
  if (qos == 0) {
    send_publish(conn, message, 0, false);
    return;
  }
  struct message *copy = make_message(message->topic, message->data, message->size, 1);
  copy->retained = message->retained;
  if (++session->last_id == 0) session->last_id = 1;
  copy->id = session->last_id;
  keep(&session->mail, copy);
  if (conn != NULL) send_publish(conn, copy, 1, false);
}

struct delivery {
  struct broker *broker;
  struct message *message;
};

static void hear(void *ctx)
{
  struct delivery *delivery = ctx;
  const struct message *message = delivery->message;
  const char *below = strrchr(message->topic, '/');
  const struct broker *broker = delivery->broker;
  bool telemetry = strcmp(below, "/telemetry") == 0, cut = broker->cuts && telemetry;
  if (!broker->drops || !telemetry)
    site_hear(message->topic, message->data, message->size - cut, message->retained);
  free(delivery->message);
  free(delivery);
}

static void route(struct broker *broker, const struct message *message, bool bridged);

static void cross_bridge(void *ctx)
{
  struct delivery *delivery = ctx;
  if (delivery->broker->up) route(delivery->broker, delivery->message, true);
  free(delivery->message);
  free(delivery);
}

static void post(struct broker *to, const struct message *message, void (*arrive)(void *ctx))
{
  struct delivery *delivery = malloc(sizeof *delivery);
  assert(delivery != NULL);
  delivery->broker = to;
  delivery->message = make_message(message->topic, message->data, message->size, message->qos);
  delivery->message->retained = message->retained;
  clock_in(WIRE_US, arrive, delivery);
}

static bool is_bridged(const struct broker *broker)
{
  for (size_t i = 0; i < broker_count; i++)
    if (broker->config.bridge.peer != NULL || brokers[i]->config.bridge.peer == broker) return true;
  return false;
}

static bool is_for_office(const struct broker *broker, const char *topic)
{
  static const char *const below[] = {"trust/ack", "cert/ack",   "status",
                                      "csr",       "ota/status", "ota/get"};
  const struct names *names = broker->config.names;
  char filter[NAMES_TOPIC_MAX];
  if (names == NULL) return false; /* a false broker */
  for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
    names_filter(names, below[i], filter);
    if (matches(filter, topic)) return true;
  }
  return names_is_telemetry(names, topic, strlen(topic));
}

static void tell_office(struct broker *broker, const struct message *message)
{
  if (!is_for_office(broker, message->topic)) return;
  if (broker->office_attached && !broker->frozen)
    post(broker, message, hear);
  else if (broker->office_known && message->qos > 0)
    keep(&broker->office, make_message(message->topic, message->data, message->size, 1));
}

static void forward(struct broker *broker, const struct message *message)
{
  for (size_t i = 0; i < broker_count; i++) {
    struct broker *other = brokers[i];
    if (other == broker || !is_bridged(other)) continue;
    if (other->up)
      post(other, message, cross_bridge);
    else
      keep(&broker->bridge, make_message(message->topic, message->data, message->size, 1));
  }
}

static void route(struct broker *broker, const struct message *message, bool bridged)
{
  for (struct session *s = broker->sessions; s != NULL; s = s->next)
    for (size_t f = 0; f < s->filters; f++) {
      if (!matches(s->filter[f], message->topic)) continue;
      give(s, message, message->qos < s->qos[f] ? message->qos : s->qos[f] > 1 ? 1 : s->qos[f]);
      break;
    }
  tell_office(broker, message);
  if (!bridged && is_bridged(broker)) forward(broker, message);
}

/* --- Ends of connections ---------------------------------------------------------------------- */

static void say_will(struct conn *conn)
{
  if (conn->said_goodbye || conn->will_topic[0] == '\0') return;
  struct message *will = make_message(conn->will_topic, conn->will, strlen(conn->will), 1);
  conn->will_topic[0] = '\0';
  route(conn->broker, will, false);
  free(will);
}

static void leave_session(struct conn *conn)
{
  struct session *session = conn->session;
  conn->session = NULL;
  if (session == NULL) return;
  session->conn = NULL;
  if (session->kept) return;
  session->filters = 0;
  session->id[0] = '\0';
  empty(&session->mail);
}

static void end_conn(struct conn *conn, bool reset)
{
  if (conn->wire != NULL) wire_end(conn->wire, reset);
  conn->wire = NULL;
  leave_session(conn);
}

static void on_closed(void *session)
{
  struct conn *conn = session;
  conn->wire = NULL;
  say_will(conn);
  leave_session(conn);
}

/* --- MQTT as a broker takes it ---------------------------------------------------------------- */

struct reader {
  const uint8_t *at;
  size_t left;
};

static uint8_t get8(struct reader *r)
{
  assert(r->left > 0);
  r->left--;
  return *r->at++;
}

static uint16_t get16(struct reader *r)
{
  uint16_t high = get8(r);
  return (uint16_t) (high << 8 | get8(r));
}

static void get_text(struct reader *r, char *out, size_t room)
{
  uint16_t size = get16(r);
  assert(size < room && size <= r->left);
  memcpy(out, r->at, size);
  out[size] = '\0';
  r->at += size;
  r->left -= size;
}

/* Its properties are not looked at, but for whether a session is to be kept. */
static bool skip_properties(struct reader *r)
{
  size_t size = get8(r);
  if (size > 0x7f) size = (size & 0x7f) | (size_t) get8(r) << 7;
  bool expiry = size > 0 && r->at[0] == 0x11 && memcmp(r->at + 1, "\0\0\0\0", 4) != 0;
  r->at += size;
  r->left -= size;
  return expiry;
}

static struct session *session_of(struct broker *broker, const char *id)
{
  for (struct session *s = broker->sessions; s != NULL; s = s->next)
    if (strcmp(s->id, id) == 0) return s;
  return NULL;
}

static struct session *open_session(struct broker *broker, const char *id, bool clean,
                                    bool *present)
{
  struct session *session = session_of(broker, id);
  if (session != NULL && session->conn != NULL) {
    struct conn *older = session->conn;
    say_will(older);
    end_conn(older, false);
    session = session_of(broker, id);
  }
  *present = session != NULL && !clean;
  if (session == NULL) {
    session = calloc(1, sizeof *session);
    assert(session != NULL);
    session->next = broker->sessions;
    broker->sessions = session;
    snprintf(session->id, sizeof session->id, "%s", id);
  }
  if (!*present) {
    session->filters = 0;
    empty(&session->mail);
    memset(session->received, 0, sizeof session->received);
  }
  return session;
}

/* By user name and password, where it goes by them; what they may do goes by them too. */
static bool let_in(struct conn *conn, struct reader *r, uint8_t flags)
{
  const struct broker *broker = conn->broker;
  const struct broker_accounts *accounts = &broker->config.accounts;
  char user[64] = "", password[64] = "";
  if ((flags & 0x80) != 0) get_text(r, user, sizeof user);
  if ((flags & 0x40) != 0) get_text(r, password, sizeof password);
  if (accounts->count == 0) return true;
  for (size_t i = 0; i < accounts->count; i++) {
    struct broker_account account;
    accounts->get(accounts->ctx, i, &account);
    if (strcmp(account.login.user, user) != 0) continue;
    if (account.root != NULL) snprintf(conn->root, sizeof conn->root, "%s", account.root);
    if (account.telemetry != NULL)
      snprintf(conn->telemetry, sizeof conn->telemetry, "%s", account.telemetry);
    return strcmp(account.login.password, password) == 0 && strcmp(broker->forgot, user) != 0;
  }
  return false;
}

/* Not authorised, as mosquitto says it. */
static void refuse_login(struct conn *conn)
{
  uint8_t body[3] = {0, conn->version == 5 ? 0x87 : 5, 0};
  conn->will_topic[0] = '\0';
  send_packet(conn, 0x20, body, conn->version == 5 ? 3 : 2);
  end_conn(conn, false);
}

/* By the certificate's name. */
static void take_rights(struct conn *conn)
{
  const struct names *names = conn->broker->config.names;
  size_t index;
  if (names == NULL || !names_find_name(names, conn->name, &index)) return;
  snprintf(conn->root, sizeof conn->root, "%s", names_of(names, index).root);
  snprintf(conn->telemetry, sizeof conn->telemetry, "%s", names_of(names, index).telemetry);
}

static void take_connect(struct conn *conn, struct reader *r)
{
  char protocol[8], id[40];
  bool kept = true, present;
  get_text(r, protocol, sizeof protocol);
  conn->version = get8(r);
  uint8_t flags = get8(r);
  (void) get16(r);
  if (conn->version == 5) kept = skip_properties(r);
  bool clean = (flags & 2) != 0;
  if (conn->version != 5) kept = !clean;
  get_text(r, id, sizeof id);
  if ((flags & 4) != 0) {
    if (conn->version == 5) (void) skip_properties(r);
    get_text(r, conn->will_topic, sizeof conn->will_topic);
    get_text(r, conn->will, sizeof conn->will);
  }
  if (!let_in(conn, r, flags) || !bouncer_admits(&conn->broker->bouncer, conn->name)) {
    refuse_login(conn);
    return;
  }
  struct session *session = open_session(conn->broker, id, clean, &present);
  session->kept = kept;
  session->conn = conn;
  conn->session = session;
  uint8_t body[3] = {present, 0, 0};
  send_packet(conn, 0x20, body, conn->version == 5 ? 3 : 2);
  for (struct message *m = session->mail.first; m != NULL; m = m->next)
    send_publish(conn, m, 1, true);
}

/* At its own topics only, by the certificate's name or the account's. */
static bool may(const struct conn *conn, const char *topic)
{
  bool below = conn->root[0] != '\0' && strncmp(topic, conn->root, strlen(conn->root)) == 0;
  return conn->broker->config.anyone || below || strcmp(topic, conn->telemetry) == 0;
}

static bool is_new(struct session *session, uint16_t id)
{
  for (size_t i = 0; i < 16; i++)
    if (session->received[i] == id) return false;
  for (size_t i = 0; i < 16; i++)
    if (session->received[i] == 0) {
      session->received[i] = id;
      break;
    }
  return true;
}

static void forget_received(struct session *session, uint16_t id)
{
  for (size_t i = 0; i < 16; i++)
    if (session->received[i] == id) session->received[i] = 0;
}

static void take_publish(struct conn *conn, uint8_t first, struct reader *r)
{
  char topic[TOPIC_ROOM];
  uint8_t qos = first >> 1 & 3;
  get_text(r, topic, sizeof topic);
  uint16_t id = qos > 0 ? get16(r) : 0;
  if (conn->version == 5) (void) skip_properties(r);
  bool allowed = may(conn, topic);
  uint8_t reason = allowed ? 0 : NOT_AUTHORIZED;
  if (allowed && (qos < 2 || is_new(conn->session, id))) {
    struct message *message = make_message(topic, r->at, r->left, qos > 1 ? 1 : qos);
    route(conn->broker, message, false);
    free(message);
  }
  if (qos == 1) send_ack(conn, 0x40, id, reason);
  if (qos == 2) send_ack(conn, 0x50, id, reason);
}

static void give_retained(struct conn *conn, const char *filter)
{
  for (const struct message *m = conn->broker->retained.first; m != NULL; m = m->next)
    if (matches(filter, m->topic)) give(conn->session, m, 1);
}

static void take_subscribe(struct conn *conn, struct reader *r)
{
  struct session *session = conn->session;
  uint16_t id = get16(r);
  uint8_t body[3 + FILTERS_MAX] = {(uint8_t) (id >> 8), (uint8_t) id};
  size_t at = 2, first_new = session->filters;
  if (conn->version == 5) {
    (void) skip_properties(r);
    body[at++] = 0;
  }
  while (r->left > 0) {
    char filter[TOPIC_ROOM];
    get_text(r, filter, sizeof filter);
    uint8_t qos = get8(r) & 3;
    bool allowed = may(conn, filter);
    body[at++] = allowed ? qos : conn->version == 5 ? NOT_AUTHORIZED : 0x80;
    if (!allowed) continue;
    size_t f = 0;
    while (f < session->filters && strcmp(session->filter[f], filter) != 0) f++;
    assert(f < FILTERS_MAX);
    if (f == session->filters) session->filters++;
    snprintf(session->filter[f], sizeof session->filter[f], "%s", filter);
    session->qos[f] = qos;
  }
  send_packet(conn, 0x90, body, at);
  for (size_t f = first_new; f < session->filters; f++) give_retained(conn, session->filter[f]);
}

static void take_packet(struct conn *conn, uint8_t first, struct reader *r)
{
  switch (first >> 4) {
  case 1: take_connect(conn, r); break;
  case 3: take_publish(conn, first, r); break;
  case 4: take_out(&conn->session->mail, get16(r)); break;
  case 6: {
    uint16_t id = get16(r);
    forget_received(conn->session, id);
    send_ack(conn, 0x70, id, 0);
    break;
  }
  case 8: take_subscribe(conn, r); break;
  case 12: send_packet(conn, 0xd0, NULL, 0); break;
  case 14: conn->said_goodbye = true; break;
  default: assert(!"a packet that the client does not send");
  }
}

/* 0: the next packet is not whole. */
static size_t packet_size(const struct conn *conn, size_t *header)
{
  size_t size = 0;
  for (*header = 1; *header < 5 && *header < conn->mqtt_size; ++*header) {
    uint8_t byte = conn->mqtt[*header];
    size |= (size_t) (byte & 0x7f) << 7 * (*header - 1);
    if ((byte & 0x80) != 0) continue;
    size += ++*header;
    return size <= conn->mqtt_size ? size : 0;
  }
  return 0;
}

static void take_mqtt(struct conn *conn, const uint8_t *data, size_t size)
{
  size_t header;
  assert(conn->mqtt_size + size <= ROOM);
  memcpy(conn->mqtt + conn->mqtt_size, data, size);
  conn->mqtt_size += size;
  while (conn->wire != NULL && (size = packet_size(conn, &header)) > 0) {
    struct reader r = {.at = conn->mqtt + header, .left = size - header};
    take_packet(conn, conn->mqtt[0], &r);
    conn->mqtt_size -= size;
    memmove(conn->mqtt, conn->mqtt + size, conn->mqtt_size);
  }
}

/* --- The handshake ---------------------------------------------------------------------------- */

/* One that stands elsewhere checks them from when it has some. */
static bool checks_lists(const struct broker *broker)
{
  return is_elsewhere(broker) ? broker->lists.count > 0 : broker->config.crl;
}

/* `from`: where somebody comes from who looks; "" of a device. */
static enum papers_verdict judge(struct broker *broker, const struct papers *chain,
                                 const char *from, bool second)
{
  char anchor[40];
  bool other = second || (broker->forgetful && broker->judged++ % 2 == 0);
  other = other || (broker->listless[0] != '\0' && strcmp(broker->listless, from) == 0);
  other = other || strcmp(chain->of[0].name, broker->omitted) == 0;
  bool listed = checks_lists(broker) && !other;
  bool kept = broker->lags && broker->judged++ % 2 == 0;
  const struct papers_question question = {.chain = chain,
                                           .anchors =
                                               second ? &broker->first_clients : &broker->clients,
                                           .lists = !listed ? NULL
                                                    : kept  ? &broker->kept_lists
                                                            : &broker->lists,
                                           .lists_required = true,
                                           .unix_s = backend_unix_s(wire_backend())};
  if (broker->config.anyone) return PAPERS_GOOD;
  if (strcmp(chain->of[0].issuer, "back-office-devices") == 0)
    return broker->forgets_office ? PAPERS_NOT_TRUSTED : PAPERS_GOOD;
  if (strcmp(chain->of[0].name, broker->spurned) == 0) return PAPERS_EXPIRED;
  return papers_judge(&question, anchor);
}

static void take_client(struct conn *conn, const uint8_t *data, size_t size)
{
  struct papers chain;
  papers_read((const char *) data, size, &chain);
  enum papers_verdict verdict =
      chain.count == 0 ? PAPERS_NOT_TRUSTED : judge(conn->broker, &chain, "", false);
  if (chain.count == 0 && conn->broker->config.certificate_free) verdict = PAPERS_GOOD;
  if (verdict == PAPERS_GOOD) {
    conn->secured = true;
    if (chain.count > 0) snprintf(conn->name, sizeof conn->name, "%s", chain.of[0].name);
    take_rights(conn);
    return;
  }
  uint8_t alert = verdict == PAPERS_REVOKED                            ? REVOKED
                  : verdict == PAPERS_EXPIRED || verdict == PAPERS_CRL ? EXPIRED
                                                                       : UNKNOWN_CA;
  send_record(conn, 'A', &alert, 1);
  end_conn(conn, false);
}

static void take_record(struct conn *conn, char type, const uint8_t *data, size_t size)
{
  const char *presented = conn->broker->presented[conn->listener];
  switch (type) {
  case 'H': send_record(conn, 'C', presented, strlen(presented)); break;
  case 'F': take_client(conn, data, size); break;
  case 'D': take_mqtt(conn, data, size); break;
  default: break; /* its alert, or its goodbye: it closes */
  }
}

static void go_on(struct conn *conn)
{
  while (conn->wire != NULL && conn->taken && !conn->broker->frozen && conn->size >= 3) {
    uint8_t record[3 + 8192];
    size_t size = (size_t) conn->in[1] << 8 | conn->in[2];
    if (conn->size < size + 3) return;
    assert(size <= 8192);
    memcpy(record, conn->in, size + 3);
    conn->size -= size + 3;
    memmove(conn->in, conn->in + size + 3, conn->size);
    take_record(conn, (char) record[0], record + 3, size);
  }
}

static void on_bytes(void *session, const uint8_t *data, size_t size)
{
  struct conn *conn = session;
  assert(conn->size + size <= ROOM);
  memcpy(conn->in + conn->size, data, size);
  conn->size += size;
  go_on(conn);
}

static void look_at_handshake(void *ctx)
{
  struct conn *conn = ctx;
  if (conn->wire == NULL || conn->secured) return;
  conn->broker->timed_out++;
  end_conn(conn, false);
}

static void take_up(void *ctx)
{
  struct conn *conn = ctx;
  uint32_t within_ms = conn->broker->config.handshake_timeout_ms;
  conn->taken = true;
  if (within_ms > 0) clock_in(within_ms * MS, look_at_handshake, conn);
  go_on(conn);
}

/* The gate: connections in their order, so many a second. */
static uint64_t wait_for_turn_us(struct broker *broker)
{
  double rate = broker->config.handshake_rate;
  uint64_t now_us = clock_now_us();
  if (rate <= 0) return 0;
  if (broker->next_turn_us < now_us) broker->next_turn_us = now_us;
  uint64_t turn_us = broker->next_turn_us;
  broker->next_turn_us += (uint64_t) (1e6 / rate);
  return turn_us - now_us;
}

static void *accept_at(struct broker *broker, struct wire *wire, enum broker_listener listener)
{
  if (!broker->up || broker->refuses) return NULL;
  struct conn *conn = calloc(1, sizeof *conn);
  assert(conn != NULL);
  conn->broker = broker;
  conn->wire = wire;
  conn->listener = listener;
  conn->next = broker->conns;
  broker->conns = conn;
  uint64_t wait_us = wait_for_turn_us(broker);
  if (wait_us == 0)
    take_up(conn);
  else
    clock_in(wait_us, take_up, conn);
  return conn;
}

static void *accept_main(void *ctx, struct wire *wire)
{
  return accept_at(ctx, wire, BROKER_MAIN);
}

static void *accept_prove(void *ctx, struct wire *wire)
{
  return accept_at(ctx, wire, BROKER_PROVE);
}

/* --- Files ------------------------------------------------------------------------------------ */

/* One set of hooks serves all that stand elsewhere. */
static const struct broker *keeper_of_files(const struct broker *broker)
{
  for (size_t i = 0; i < broker_count && is_elsewhere(broker); i++)
    if (strcmp(brokers[i]->name, "a") == 0) return brokers[i];
  return broker;
}

static void place(const struct broker *broker, const char *file, char out[FILES_PATH_MAX])
{
  struct error error;
  int failed = files_join(out, broker->folder, file, &error);
  assert(failed == 0);
  (void) failed;
}

static size_t read_file(const struct broker *broker, const char *file, char text[TEXT_MAX])
{
  char path[FILES_PATH_MAX];
  uint8_t *data = NULL;
  size_t size = 0;
  struct error error;
  place(keeper_of_files(broker), file, path);
  if (files_read(path, TEXT_MAX - 1, &data, &size, &error) != 0) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  free(data);
  return size;
}

/* What its hook makes of the file that it is given. */
static void install_chain(const struct broker *broker, char out[TEXT_MAX], const char *text)
{
  char before[TEXT_MAX];
  const char *old = strchr(out, '\n'), *after = "";
  snprintf(before, sizeof before, "%s", old != NULL ? old + 1 : "");
  size_t size = strlen(text), leaf = strcspn(text, "\n") + 1;
  switch (broker->installs) {
  case SITE_INSTALLS_ALL: break;
  case SITE_INSTALLS_LEAF: size = leaf; break;
  case SITE_INSTALLS_LEAF_BEFORE_OLD: size = leaf, after = before; break;
  case SITE_INSTALLS_MORE: after = "ca stranger 99 strangers valid\n"; break;
  }
  assert(size + strlen(after) < TEXT_MAX);
  memcpy(out, text, size);
  memcpy(out + size, after, strlen(after) + 1);
}

static void read_chain(struct broker *broker, enum broker_listener listener)
{
  char text[TEXT_MAX];
  if (broker->keeps_chain && broker->presented[listener][0] != '\0') return;
  enum broker_listener of = broker->shares_chain ? broker->shared : listener;
  if (read_file(broker, of == BROKER_MAIN ? "main.crt" : "prove.crt", text) > 0)
    install_chain(broker, broker->presented[listener], text);
}

static void read_chains(void *ctx)
{
  read_chain(ctx, BROKER_MAIN);
  read_chain(ctx, BROKER_PROVE);
}

static void read_clients(void *ctx)
{
  struct broker *broker = ctx;
  char text[TEXT_MAX];
  size_t size = read_file(broker, "clients.crt", text);
  if (size > 0 && broker->trusts[0] != '\0')
    size += (size_t) snprintf(text + size, sizeof text - size, "root %s\n", broker->trusts);
  if (size > 0) papers_read(text, size, &broker->clients);
}

static void read_lists(void *ctx)
{
  struct broker *broker = ctx;
  char text[TEXT_MAX];
  size_t size = read_file(broker, "crl.pem", text);
  broker->lists_before = broker->lists;
  if (size > 0) papers_read(text, size, &broker->lists);
  if (broker->reads_first && broker->lists.count > 1) broker->lists.count = 1;
}

static void load(struct broker *broker, enum site_files what)
{
  static void (*const read[SITE_FILES])(void *ctx) = {
      [SITE_CHAINS] = read_chains, [SITE_CLIENTS] = read_clients, [SITE_LISTS] = read_lists};
  if (broker->late_us[what] > 0)
    clock_in(broker->late_us[what], read[what], broker);
  else
    read[what](broker);
}

static void load_all(struct broker *broker)
{
  for (int what = 0; what < SITE_FILES; what++) load(broker, (enum site_files) what);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void end_all(struct broker *broker, bool in_order)
{
  broker->life++;
  for (struct conn *conn = broker->conns; conn != NULL; conn = conn->next) {
    if (in_order && conn->wire != NULL) say_will(conn);
    end_conn(conn, false);
  }
  if (broker->office_attached) site_lose_office(broker);
  broker->office_attached = false;
}

static void forget_all(struct broker *broker)
{
  for (struct session *s = broker->sessions; s != NULL; s = s->next) {
    s->id[0] = '\0';
    s->filters = 0;
    empty(&s->mail);
  }
  broker->office_known = false;
  empty(&broker->office);
  empty(&broker->bridge);
}

static void come_up(struct broker *broker)
{
  load_all(broker);
  broker->up = true;
  broker->frozen = false;
  for (size_t i = 0; i < broker_count; i++) {
    struct mailbox mail = brokers[i]->bridge;
    if (brokers[i] == broker) continue;
    brokers[i]->bridge = (struct mailbox){0};
    for (struct message *m = mail.first; m != NULL; m = m->next) post(broker, m, cross_bridge);
    empty(&mail);
  }
}

static void thaw(struct broker *broker)
{
  broker->frozen = false;
  for (struct conn *conn = broker->conns; conn != NULL; conn = conn->next) go_on(conn);
  while (broker->office_attached && broker->office.first != NULL) {
    struct message *message = broker->office.first;
    broker->office.first = message->next;
    post(broker, message, hear);
    free(message);
  }
  if (broker->office.first == NULL) broker->office.end = NULL;
}

/* --- Operations ------------------------------------------------------------------------------- */

struct operation {
  struct broker *broker;
  void (*act)(struct operation *operation);
  broker_done done;
  void *ctx;
  enum hook_kind hook;
  enum broker_listener listener;
  char client[40];
  struct error error;
};

static void end_operation(void *ctx)
{
  struct operation *operation = ctx;
  if (operation->broker->opened) operation->act(operation); /* one of the acts below */
  const struct error *error = operation->error.code != 0 ? &operation->error : NULL;
  operation->done(operation->ctx, error); /* stage/operation.c, steps/kick.c */
  free(operation);
}

static struct operation *begin(struct broker *broker, const char *what,
                               void (*act)(struct operation *operation), uint64_t us,
                               broker_done done, void *ctx)
{
  struct operation *operation = calloc(1, sizeof *operation);
  assert(operation != NULL);
  *operation = (struct operation){.broker = broker, .act = act, .done = done, .ctx = ctx};
  if (what[0] != '\0') trace_say(broker->name, "%s", what);
  clock_in(us, end_operation, operation);
  return operation;
}

static void fail(struct operation *operation, const char *text)
{
  error_set(&operation->error, EXIT_CODE_SETUP, "%s", text);
}

static bool must_run(struct operation *operation)
{
  if (!operation->broker->up) fail(operation, "mosquitto is not running");
  return operation->broker->up;
}

static void act_start(struct operation *operation)
{
  struct broker *broker = operation->broker;
  if (broker->fails_start)
    fail(operation, is_elsewhere(broker) ? "the broker cannot be reached: connection refused"
                                         : "mosquitto did not start; its log says why");
  else if (!broker->up)
    come_up(broker);
}

static void act_reload(struct operation *operation)
{
  struct broker *broker = operation->broker;
  if (!must_run(operation)) return;
  load(broker, SITE_CHAINS);
  load(broker, SITE_LISTS);
  if (broker->config.crl) load(broker, SITE_CLIENTS);
}

static void act_stop(struct operation *operation)
{
  if (!must_run(operation)) return;
  end_all(operation->broker, true);
  operation->broker->up = false;
}

static void act_kill(struct operation *operation)
{
  if (!must_run(operation)) return;
  operation->broker->up = false;
  end_all(operation->broker, false);
  forget_all(operation->broker);
}

static void act_restart(struct operation *operation)
{
  act_stop(operation);
  if (operation->error.code == 0) act_start(operation);
}

static void act_freeze(struct operation *operation)
{
  if (must_run(operation)) operation->broker->frozen = true;
}

static void act_thaw(struct operation *operation)
{
  if (must_run(operation)) thaw(operation->broker);
}

static void act_nothing(struct operation *operation)
{
  (void) operation;
}

static void kick(struct broker *broker, const char *client)
{
  struct session *session = session_of(broker, client);
  if (session == NULL || session->conn == NULL) return;
  struct conn *conn = session->conn;
  say_will(conn);
  end_conn(conn, false);
}

static void act_kick(struct operation *operation)
{
  if (must_run(operation)) kick(operation->broker, operation->client);
}

static void hook_on(struct broker *broker, const struct operation *operation)
{
  enum hook_kind hook = operation->hook;
  bool restart = hook == HOOK_RESTART;
  if (hook == HOOK_PRESENT) broker->shared = operation->listener;
  if (restart) end_all(broker, true);
  if (restart && broker->keeps_nothing) forget_all(broker);
  if (hook == HOOK_KICK && broker->kicks_all) end_all(broker, true);
  if (hook == HOOK_KICK) {
    kick(broker, operation->client);
    bouncer_kicked(&broker->bouncer, operation->client);
  }
  if (hook == HOOK_TRUST_CLIENTS || restart) load(broker, SITE_CLIENTS);
  if (restart && broker->forgets_roots) broker->clients.count = 0;
  if (restart && broker->restores_roots) broker->clients = broker->first_clients;
  if (hook == HOOK_PUBLISH_CRL || restart) load(broker, SITE_LISTS);
  if (hook != HOOK_PRESENT && hook != HOOK_RELOAD && !restart) return;
  load(broker, SITE_CHAINS);
}

/* What a hook does to every machine of the service. */
static void act_hook(struct operation *operation)
{
  enum hook_kind hook = operation->hook;
  if (hook_fails[hook]) {
    error_set(&operation->error, EXIT_CODE_SETUP, "the hook '%s' ended with exit code 1",
              hook_key(hook));
    return;
  }
  for (size_t i = 0; i < broker_count && !hook_idle[hook]; i++)
    if (is_elsewhere(brokers[i]) && strcmp(brokers[i]->name, hook_skips[hook]) != 0)
      hook_on(brokers[i], operation);
}

static struct operation *call_hook(struct broker *broker, enum hook_kind hook, broker_done done,
                                   void *ctx)
{
  char what[64];
  bool set = broker->config.hooks.of[hook] != NULL;
  snprintf(what, sizeof what, "hook %s is called", hook_key(hook));
  struct operation *operation =
      begin(broker, set ? what : "", set ? act_hook : act_nothing, HOOK_US, done, ctx);
  operation->hook = hook;
  return operation;
}

void broker_start(struct broker *broker, broker_done done, void *ctx)
{
  bool local = !is_elsewhere(broker);
  begin(broker, local ? "is started" : "", act_start, local ? START_US : WIRE_US, done, ctx);
}

void broker_reload(struct broker *broker, broker_done done, void *ctx)
{
  if (is_elsewhere(broker))
    call_hook(broker, HOOK_RELOAD, done, ctx);
  else
    begin(broker, "is reloaded", act_reload, RELOAD_US, done, ctx);
}

void broker_restart(struct broker *broker, broker_done done, void *ctx)
{
  if (is_elsewhere(broker))
    call_hook(broker, HOOK_RESTART, done, ctx);
  else
    begin(broker, "is restarted", act_restart, START_US, done, ctx);
}

void broker_presented(struct broker *broker, enum broker_listener listener, broker_done done,
                      void *ctx)
{
  call_hook(broker, HOOK_PRESENT, done, ctx)->listener = listener;
}

void broker_clients_trusted(struct broker *broker, broker_done done, void *ctx)
{
  call_hook(broker, HOOK_TRUST_CLIENTS, done, ctx);
}

void broker_crl_published(struct broker *broker, broker_done done, void *ctx)
{
  call_hook(broker, HOOK_PUBLISH_CRL, done, ctx);
}

void broker_stop(struct broker *broker, broker_done done, void *ctx)
{
  begin(broker, "is stopped", act_stop, STOP_US, done, ctx);
}

void broker_kill(struct broker *broker, broker_done done, void *ctx)
{
  begin(broker, "is killed", act_kill, WIRE_US, done, ctx);
}

void broker_freeze(struct broker *broker, broker_done done, void *ctx)
{
  begin(broker, "is frozen", act_freeze, WIRE_US, done, ctx);
}

void broker_thaw(struct broker *broker, broker_done done, void *ctx)
{
  begin(broker, "is thawed", act_thaw, WIRE_US, done, ctx);
}

void broker_kick(struct broker *broker, const struct broker_kick *kick, broker_done done, void *ctx)
{
  struct operation *operation = is_elsewhere(broker)
                                    ? call_hook(broker, HOOK_KICK, done, ctx)
                                    : begin(broker, "", act_kick, 3 * WIRE_US, done, ctx);
  snprintf(operation->client, sizeof operation->client, "%s", kick->client_id);
}

void broker_sign(struct broker *broker, const struct broker_signing *signing, broker_done done,
                 void *ctx)
{
  (void) broker, (void) signing, (void) done, (void) ctx;
  assert(!"there are no commands in memory");
}

void broker_renew_token(struct broker *broker, const char *device, const char *path,
                        broker_done done, void *ctx)
{
  (void) device;
  (void) path;
  call_hook(broker, HOOK_RENEW_TOKEN, done, ctx);
}

/* --- Looks ------------------------------------------------------------------------------------ */

struct look {
  struct look *next; /* that began before this one and is open */
  struct broker *broker;
  enum broker_listener listener;
  struct papers client;  /* of broker_try_client .. */
  struct papers anchors; /* .. who verifies by them; none: nothing */
  char id[40];
  bool late;   /* for it, as the broker is slow */
  bool second; /* it meets the second machine */
  bool surplus;
  char from[16];
  broker_seen_done done;
  void *ctx;
};

static enum device_failure name_verdict(enum papers_verdict verdict)
{
  switch (verdict) {
  case PAPERS_GOOD: return DEVICE_FAIL_NONE;
  case PAPERS_EXPIRED: return DEVICE_FAIL_TLS_EXPIRED;
  case PAPERS_NAME: return DEVICE_FAIL_TLS_NAME_MISMATCH;
  default: return DEVICE_FAIL_TLS_NOT_TRUSTED;
  }
}

static bool is_own_id(const struct broker *broker, const char *id, const char *name)
{
  return strcmp(id, name) == 0 || (broker->by_beginning && strncmp(id, name, strlen(name)) == 0);
}

/* Whoever has a session there under his certificate's name. */
static bool is_there(const struct broker *broker, const char *name)
{
  for (const struct conn *conn = broker->conns; conn != NULL; conn = conn->next)
    if (conn->wire != NULL && strcmp(conn->name, name) == 0) return true;
  return false;
}

/* For limits, bans and sessions: a device's name, or which certificate of nobody's. */
static const char *client_of(const struct look *look, char text[40])
{
  const struct paper *leaf = &look->client.of[0];
  snprintf(text, 40, "%s", leaf->name);
  if (strcmp(leaf->name, PKI_PROBE_NAME) == 0) snprintf(text, 40, "nobody's %u", leaf->serial);
  return text;
}

/* What the broker makes of an id, when TLS has taken the certificate. */
static enum device_failure name_answer(const struct look *look)
{
  struct broker *broker = look->broker;
  char client[40];
  const char *name = look->client.of[0].name;
  bool worn_out = !bouncer_admits(&broker->bouncer, client_of(look, client)) ||
                  !bouncer_admits(&broker->of_ids, look->id);
  if (worn_out && broker->bouncer_closes) return DEVICE_FAIL_TLS_CLOSED;
  if (worn_out || (broker->shields && is_there(broker, name))) return DEVICE_FAIL_MQTT_REFUSED_AUTH;
  for (const struct look *other = broker->looks; broker->takes_over && other != look;
       other = other->next)
    if (other->client.count > 0 && strcmp(other->client.of[0].name, name) == 0)
      return DEVICE_FAIL_TLS_CLOSED;
  if (is_own_id(broker, look->id, name)) return DEVICE_FAIL_NONE;
  if (broker->busy) return DEVICE_FAIL_MQTT_REFUSED_BUSY;
  if (broker->slams) return DEVICE_FAIL_TLS_CLOSED;
  if (broker->wants_known) return DEVICE_FAIL_MQTT_REFUSED_AUTH;
  return broker->wants_names ? DEVICE_FAIL_MQTT_REFUSED_ID : DEVICE_FAIL_NONE;
}

/* What the client makes of the chain, then what the broker makes of the client. */
static enum device_failure name_end(const struct look *look, const struct papers *chain,
                                    enum papers_verdict of_client)
{
  char anchor[40];
  const struct papers_question question = {.chain = chain,
                                           .anchors = &look->anchors,
                                           .host = look->broker->host,
                                           .unix_s = backend_unix_s(wire_backend())};
  enum papers_verdict verdict =
      look->anchors.count > 0 ? papers_judge(&question, anchor) : PAPERS_GOOD;
  if (verdict != PAPERS_GOOD) return name_verdict(verdict);
  bool unsaid = of_client != PAPERS_GOOD && look->broker->says_nothing;
  if (look->surplus || unsaid) return DEVICE_FAIL_TLS_CLOSED;
  if (of_client == PAPERS_REVOKED) return DEVICE_FAIL_TLS_ALERT_REVOKED;
  if (of_client == PAPERS_EXPIRED || of_client == PAPERS_CRL)
    return look->broker->closes ? DEVICE_FAIL_TLS_CLOSED : DEVICE_FAIL_TLS_ALERT_EXPIRED;
  return of_client == PAPERS_GOOD ? name_answer(look) : DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA;
}

static const char *shown_to(const struct look *look)
{
  const struct broker *broker = look->broker;
  bool split = broker->split[0] != '\0' && strcmp(broker->split, look->from) == 0;
  return look->second || split ? broker->first : broker->presented[look->listener];
}

/* Who is let in under a name takes its session over. */
static void end_session_of(struct broker *broker, const char *name)
{
  struct conn *conn = broker->conns, *next;
  for (; conn != NULL; conn = next) {
    next = conn->next;
    if (conn->wire != NULL && strcmp(conn->name, name) == 0) end_conn(conn, false);
  }
}

static void end_look(void *ctx)
{
  struct look *look = ctx;
  struct broker *broker = look->broker;
  struct broker_seen seen = {.takes = false};
  struct error error;
  struct papers chain;
  bool answered = broker->up && !broker->frozen && !broker->refuses && !look->late;
  if (!answered) error_set(&error, EXIT_CODE_SETUP, "there was no answer");
  const char *shown = shown_to(look);
  papers_read(shown, strlen(shown), &chain);
  bool early = look->surplus && broker->early;
  size_t sent = answered && !early ? chain.count : 0;
  for (size_t i = 0; i < sent && i < CHAIN_PRINTS_MAX; i++)
    papers_hash(chain.of[i].line, strlen(chain.of[i].line), seen.chain.sha256[seen.chain.count++]);
  enum papers_verdict of_client = PAPERS_NOT_TRUSTED;
  if (answered && look->client.count > 0)
    of_client = judge(broker, &look->client, look->from, look->second);
  seen.takes = of_client == PAPERS_GOOD;
  seen.failure = look->late               ? DEVICE_FAIL_TLS_TIMEOUT
                 : !answered              ? DEVICE_FAIL_TCP_CLOSED
                 : look->client.count > 0 ? name_end(look, &chain, of_client)
                                          : DEVICE_FAIL_NONE;
  seen.takes = seen.takes && seen.failure != DEVICE_FAIL_TLS_CLOSED;
  if (seen.takes && broker->takes_ids) end_session_of(broker, look->client.of[0].name);
  bool closed = look->surplus || seen.failure == DEVICE_FAIL_TLS_CLOSED;
  if (!seen.takes) snprintf(seen.why, sizeof seen.why, closed ? "it closed" : "alert unknown_ca");
  /* stage/operation.c */
  broker->looking--;
  for (struct look **at = &broker->looks; *at != NULL; at = &(*at)->next)
    if (*at == look) {
      *at = look->next;
      break;
    }
  look->done(look->ctx, &seen, answered ? NULL : &error);
  free(look);
}

static struct look *begin_look(struct broker *broker, const char *from, uint32_t timeout_ms,
                               broker_seen_done done, void *ctx)
{
  struct look *look = calloc(1, sizeof *look);
  assert(look != NULL);
  look->broker = broker;
  look->second = broker->balances && broker->looking % 2 == 1;
  look->surplus = !bouncer_admits(&broker->of_all, "");
  broker->looking++;
  look->next = broker->looks;
  broker->looks = look;
  look->done = done;
  look->ctx = ctx;
  if (from != NULL) snprintf(look->from, sizeof look->from, "%s", from);
  uint64_t allowed_us = timeout_ms != 0 ? timeout_ms * MS : SILENCE_US;
  bool slow = from != NULL && broker->slow[0] != '\0' && strcmp(broker->slow, from) == 0;
  look->late = slow && broker->slow_us > allowed_us;
  uint64_t after_us = broker->frozen || look->late ? allowed_us
                      : slow                       ? broker->slow_us
                                                   : 4 * WIRE_US;
  clock_in(after_us, end_look, look);
  return look;
}

void broker_probe(struct broker *broker, const struct broker_look *look, broker_seen_done done,
                  void *ctx)
{
  begin_look(broker, look->from, look->timeout_ms, done, ctx)->listener = look->listener;
}

static void read_client(const char *path, struct papers *out)
{
  uint8_t *text = NULL;
  size_t size = 0;
  struct error error;
  out->count = 0;
  if (files_read(path, TEXT_MAX, &text, &size, &error) == 0)
    papers_read((const char *) text, size, out);
  free(text);
}

void broker_try_client(struct broker *broker, const struct broker_client *client,
                       broker_seen_done done, void *ctx)
{
  struct look *look = begin_look(broker, client->from, client->timeout_ms, done, ctx);
  snprintf(look->id, sizeof look->id, "%s", client->client_id);
  read_client(client->certificate_path, &look->client);
  if (client->ca_path != NULL) read_client(client->ca_path, &look->anchors);
}

struct broker_session {
  struct broker *broker;
  bool refused; /* its id */
  unsigned life;
  uint64_t open_us;
};

struct broker_session *broker_hold(struct broker *broker, const struct broker_client *client)
{
  struct broker_session *session = malloc(sizeof *session);
  struct papers papers;
  assert(session != NULL);
  read_client(client->certificate_path, &papers);
  bool own = papers.count > 0 && is_own_id(broker, client->client_id, papers.of[0].name);
  bool particular = broker->wants_names || broker->wants_known || broker->busy;
  *session = (struct broker_session){.broker = broker,
                                     .refused = particular && !own,
                                     .life = broker->life,
                                     .open_us = clock_now_us() + 4 * WIRE_US};
  return session;
}

enum broker_session_state broker_held(const struct broker_session *session)
{
  if (session->refused) return BROKER_SESSION_REFUSED;
  if (session->broker->life != session->life) return BROKER_SESSION_ENDED;
  if (!session->broker->up) return BROKER_SESSION_UNREACHED;
  return clock_now_us() < session->open_us ? BROKER_SESSION_OPENING : BROKER_SESSION_OPEN;
}

void broker_let_go(struct broker_session *session)
{
  free(session);
}

/* --- The rest of broker.h --------------------------------------------------------------------- */

static void present_at_first(struct broker *broker)
{
  char text[TEXT_MAX];
  size_t used = 0;
  int size =
      snprintf(text, sizeof text, "leaf %s 5 %s-brokers valid %s\nca %s-brokers 6 %s valid\n",
               broker->host, first_presented, broker->host, first_presented, first_presented);
  for (int l = 0; l < BROKER_LISTENERS; l++) memcpy(broker->presented[l], text, (size_t) size + 1);
  for (size_t r = 0; r < first_roots.count; r++)
    used += (size_t) snprintf(text + used, sizeof text - used, "root %s\n", first_roots.name[r]);
  papers_read(text, used, &broker->clients);
  broker->first_clients = broker->clients;
  memcpy(broker->first, text, (size_t) size + 1);
  broker->up = true;
}

int broker_open(struct uv_loop_s *loop, const struct broker_config *config, struct broker **out,
                struct error *error)
{
  (void) loop;
  struct broker *broker = calloc(1, sizeof *broker);
  assert(broker != NULL && broker_count < BROKERS_MAX);
  broker->config = *config;
  snprintf(broker->folder, sizeof broker->folder, "%s", config->folder);
  snprintf(broker->host, sizeof broker->host, "%s", config->host);
  const char *slash = strrchr(broker->folder, '/'), *dash = strchr(slash, '-');
  broker->name = dash != NULL ? dash + 1 : slash + 1;
  broker->opened = true;
  snprintf(broker->version, sizeof broker->version, "%s",
           broker_kind_is(config->kind, BROKER_HOOKED) ? "remote, in memory" : "in memory");
  if (files_make_folder(config->folder, 0700, error) != 0) return -1;
  for (int l = 0; l < BROKER_LISTENERS; l++) {
    uint16_t given = config->port[l],
             own = (uint16_t) (FIRST_PORT + 10 * broker_count + (size_t) l);
    bool none = broker_kind_is(config->kind, BROKER_HOOKED) && given == 0;
    broker->port[l] = (struct wire_port){.port = none         ? 0
                                                 : given != 0 ? given
                                                              : own,
                                         .accept = l == BROKER_MAIN ? accept_main : accept_prove,
                                         .bytes = on_bytes,
                                         .closed = on_closed,
                                         .ctx = broker};
    if (!none) wire_listen(&broker->port[l]);
  }
  brokers[broker_count++] = broker;
  if (broker_kind_is(config->kind, BROKER_HOOKED)) present_at_first(broker);
  *out = broker;
  return 0;
}

static void free_broker(struct broker *broker)
{
  for (struct conn *conn = broker->conns, *next; conn != NULL; conn = next) {
    next = conn->next;
    free(conn);
  }
  for (struct session *s = broker->sessions, *next; s != NULL; s = next) {
    next = s->next;
    empty(&s->mail);
    free(s);
  }
  empty(&broker->retained);
  empty(&broker->office);
  empty(&broker->bridge);
  free(broker);
}

struct closing {
  void (*closed)(void *ctx);
  void *ctx;
};

static void end_closing(void *ctx)
{
  struct closing *closing = ctx;
  closing->closed(closing->ctx); /* stage/nodes.c */
  free(closing);
}

/* The memory is freed by site_begin: others' operations may still look at it. */
void broker_close(struct broker *broker, void (*closed)(void *ctx), void *ctx)
{
  struct closing *closing = malloc(sizeof *closing);
  assert(closing != NULL);
  *closing = (struct closing){closed, ctx};
  if (broker->up) end_all(broker, false);
  broker->up = broker->opened = false;
  clock_in(WIRE_US, end_closing, closing);
}

struct broker_pair broker_chain_place(const struct broker *broker, enum broker_listener listener)
{
  struct broker_pair pair;
  place(broker, listener == BROKER_MAIN ? "main.crt" : "prove.crt", pair.certificate);
  place(broker, listener == BROKER_MAIN ? "main.key" : "prove.key", pair.key);
  return pair;
}

struct broker_pair broker_probe_place(const struct broker *broker)
{
  struct broker_pair pair;
  place(broker, "probe.crt", pair.certificate);
  place(broker, "probe.key", pair.key);
  return pair;
}

struct broker_pair broker_device_place(const struct broker *broker, unsigned number)
{
  struct broker_pair pair;
  char name[32];
  snprintf(name, sizeof name, "%u-device.crt", number);
  place(broker, name, pair.certificate);
  snprintf(name, sizeof name, "%u-device.key", number);
  place(broker, name, pair.key);
  return pair;
}

void broker_place(const struct broker *broker, enum broker_material what, char out[FILES_PATH_MAX])
{
  static const char *const files[] = {"clients.crt", "crl.pem", "tickets.key", "probe-ca.crt"};
  place(broker, files[what], out);
}

bool broker_is(const struct broker *broker, enum broker_trait trait)
{
  return broker_kind_is(broker->config.kind, trait);
}

const char *broker_name(const struct broker *broker)
{
  return is_elsewhere(broker) ? "the broker" : "mosquitto";
}

const char *broker_log_name(const struct broker *broker)
{
  (void) broker;
  return "mosquitto.log";
}

bool broker_trusts_at_start_only(const struct broker *broker)
{
  return !is_elsewhere(broker) && !broker->config.crl;
}

const char *broker_host(const struct broker *broker)
{
  return broker->host;
}

uint64_t broker_timed_out(const struct broker *broker)
{
  return broker->timed_out;
}

const char *broker_address(const struct broker *broker, enum broker_listener listener)
{
  if (!is_elsewhere(broker)) return "127.0.0.1";
  return broker->config.address[listener] != NULL ? broker->config.address[listener] : broker->host;
}

uint16_t broker_port(const struct broker *broker, enum broker_listener listener)
{
  return broker->port[listener].port;
}

uint16_t broker_inner_port(const struct broker *broker, enum broker_listener listener)
{
  return broker->port[listener].port;
}

const char *broker_version(const struct broker *broker)
{
  return broker->version;
}

/* --- What the script does --------------------------------------------------------------------- */

void site_begin(const struct pki_roots *roots, const char *presented)
{
  for (size_t i = 0; i < broker_count; i++) free_broker(brokers[i]);
  broker_count = 0;
  memset(hook_fails, 0, sizeof hook_fails);
  memset(hook_idle, 0, sizeof hook_idle);
  memset(hook_skips, 0, sizeof hook_skips);
  wire_forget_ports();
  if (roots == NULL) return;
  first_roots = *roots;
  snprintf(first_presented, sizeof first_presented, "%s", presented);
}

struct broker *site_find(const char *name)
{
  for (size_t i = 0; i < broker_count; i++)
    if (strcmp(brokers[i]->name, name) == 0) return brokers[i];
  return NULL;
}

struct broker *site_at(uint16_t port)
{
  for (size_t i = 0; i < broker_count; i++)
    if (brokers[i]->port[BROKER_MAIN].port == port) return brokers[i];
  return NULL;
}

void site_die(struct broker *broker)
{
  if (!broker->up) return;
  broker->up = false;
  end_all(broker, false);
  forget_all(broker);
  /* stage/start_nodes.c */
  if (!is_elsewhere(broker)) broker->config.died(broker->config.ctx, "killed by signal 9");
}

void site_freeze(struct broker *broker, bool on)
{
  if (on)
    broker->frozen = true;
  else
    thaw(broker);
}

void site_refuse(struct broker *broker, bool on)
{
  broker->refuses = on;
}

void site_go_deaf(struct broker *broker)
{
  broker->deaf = true;
}

void site_cut_telemetry(struct broker *broker)
{
  broker->cuts = true;
}

void site_drop_telemetry(struct broker *broker)
{
  broker->drops = true;
}

void site_install(struct broker *broker, enum site_installs how)
{
  broker->installs = how;
}

void site_keep_chain(struct broker *broker)
{
  broker->keeps_chain = true;
}

void site_share_chain(struct broker *broker)
{
  broker->shares_chain = true;
}

/* Somebody else's hand: nobody of the run has asked for it. */
void site_serve(struct broker *broker, const char *root)
{
  snprintf(broker->presented[BROKER_MAIN], TEXT_MAX,
           "leaf %s 7 %s-brokers valid %s\nca %s-brokers 8 %s valid\n", broker->host, root,
           broker->host, root, root);
}

void site_split(struct broker *broker, const char *from)
{
  snprintf(broker->split, sizeof broker->split, "%s", from);
}

void site_forget_lists(struct broker *broker)
{
  broker->lists.count = 0;
}

void site_go_back(struct broker *broker)
{
  broker->lists = broker->lists_before;
}

void site_forget_roots(struct broker *broker)
{
  broker->forgets_roots = true;
}

void site_restore_roots(struct broker *broker, bool now)
{
  if (now)
    broker->clients = broker->first_clients;
  else
    broker->restores_roots = true;
}

void site_kick_all(struct broker *broker)
{
  broker->kicks_all = true;
}

void site_trust(struct broker *broker, const char *root)
{
  snprintf(broker->trusts, sizeof broker->trusts, "%s", root);
}

void site_omit(struct broker *broker, const char *name)
{
  snprintf(broker->omitted, sizeof broker->omitted, "%s", name);
}

void site_be_forgetful(struct broker *broker)
{
  broker->forgetful = true;
}

void site_lag(struct broker *broker)
{
  broker->kept_lists = broker->lists;
  broker->lags = true;
}

void site_read_first(struct broker *broker)
{
  broker->reads_first = true;
}

void site_forget_office(struct broker *broker)
{
  broker->forgets_office = true;
}

void site_be_listless(struct broker *broker, const char *from)
{
  snprintf(broker->listless, sizeof broker->listless, "%s", from);
}

void site_read_late(struct broker *broker, enum site_files what, uint64_t us)
{
  broker->late_us[what] = us;
}

void site_be_slow_for(struct broker *broker, const char *from, uint64_t us)
{
  snprintf(broker->slow, sizeof broker->slow, "%s", from);
  broker->slow_us = us;
}

void site_want_names(struct broker *broker)
{
  broker->wants_names = true;
}

void site_want_known(struct broker *broker)
{
  broker->wants_known = true;
}

void site_want_beginnings(struct broker *broker)
{
  broker->wants_known = broker->by_beginning = true;
}

void site_slam(struct broker *broker)
{
  broker->wants_known = broker->slams = true;
}

void site_say_nothing(struct broker *broker)
{
  broker->says_nothing = true;
}

void site_balance(struct broker *broker)
{
  broker->balances = true;
}

void site_forget_password(struct broker *broker, const char *user)
{
  snprintf(broker->forgot, sizeof broker->forgot, "%s", user);
}

void site_limit_looks(struct broker *broker, unsigned most, unsigned per_s, bool early)
{
  broker->of_all.limit = most;
  broker->of_all.per_s = per_s;
  broker->early = early;
}

void site_take_ids(struct broker *broker, bool over)
{
  broker->takes_ids = true;
  broker->takes_over = over;
}

void site_shield(struct broker *broker)
{
  broker->shields = true;
}

void site_ban(struct broker *broker)
{
  broker->bouncer.bans = true;
}

void site_limit(struct broker *broker, enum site_limited of, unsigned most, bool closes)
{
  struct bouncer *bouncer = of == SITE_IDS ? &broker->of_ids : &broker->bouncer;
  bouncer->limit = most;
  broker->bouncer_closes = closes;
}

void site_spurn(struct broker *broker, const char *name, bool closes)
{
  snprintf(broker->spurned, sizeof broker->spurned, "%s", name);
  broker->closes = closes;
}

void site_be_busy(struct broker *broker)
{
  broker->busy = true;
}

void site_fail_start(struct broker *broker)
{
  broker->fails_start = true;
}

void site_keep_nothing(struct broker *broker)
{
  broker->keeps_nothing = true;
}

static enum hook_kind hook_of(const char *key)
{
  int h = 0;
  while (h < HOOK_COUNT && strcmp(hook_key((enum hook_kind) h), key) != 0) h++;
  assert(h < HOOK_COUNT);
  return (enum hook_kind) h;
}

void site_hook_fails(const char *hook)
{
  hook_fails[hook_of(hook)] = true;
}

void site_hook_does_nothing(const char *hook)
{
  hook_idle[hook_of(hook)] = true;
}

void site_hook_skips(const char *hook, const char *name)
{
  snprintf(hook_skips[hook_of(hook)], sizeof hook_skips[0], "%s", name);
}

/* --- The back office at a broker -------------------------------------------------------------- */

bool site_attach(struct broker *broker)
{
  if (!broker->up || broker->frozen || broker->refuses) return false;
  broker->office_attached = broker->office_known = true;
  thaw(broker);
  return true;
}

void site_detach(struct broker *broker)
{
  broker->office_attached = false;
}

bool site_is_silent(const struct broker *broker)
{
  return broker->frozen;
}

static void retain(struct broker *broker, const struct message *message)
{
  struct mailbox kept = {0};
  for (struct message *m = broker->retained.first, *next; m != NULL; m = next) {
    next = m->next;
    m->next = NULL;
    if (strcmp(m->topic, message->topic) == 0)
      free(m);
    else
      keep(&kept, m);
  }
  broker->retained = kept;
  if (message->size == 0) return;
  struct message *copy = make_message(message->topic, message->data, message->size, message->qos);
  copy->retained = true;
  keep(&broker->retained, copy);
}

void site_publish(struct broker *broker, const char *topic, const void *data, size_t size,
                  uint8_t qos, bool to_keep)
{
  if (broker->deaf) return;
  struct message *message = make_message(topic, data, size, qos);
  if (to_keep) retain(broker, message);
  for (struct session *s = broker->sessions; s != NULL; s = s->next)
    for (size_t f = 0; f < s->filters; f++)
      if (matches(s->filter[f], topic)) {
        give(s, message, qos);
        break;
      }
  if (is_bridged(broker)) forward(broker, message);
  free(message);
}
