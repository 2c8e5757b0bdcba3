/* Greets a broker as one of its clients: connects with a certificate, says CONNECT and leaves when
 * CONNACK has come.
 *
 * A TLS dial with the given certificate -> CONNECT -> CONNACK -> DISCONNECT. A kick is such a greeting
 * under another client's id: MQTT has the broker end the older session. Whether a broker takes a
 * certificate shows in TLS 1.3 only after the handshake, and not every broker says why not: CONNACK,
 * whatever its code, is the proof that it did. A session that is held does not leave: it pings, and
 * ends when the broker ends it.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/secret.h"
#include "broker/internal.h"
#include "broker/tls_dial.h"

enum { GREET_MS = 5000, PING_MS = 5000, CONNACK_SIZE = 4, KEEP_ALIVE_S = 30, ADDRESS_ROOM = 46 };

struct broker_session {
  struct greet *greet; /* NULL: its connection is closed */
  enum broker_session_state state;
};

struct greet {
  struct task task;
  struct tls_dial dial;
  char id[LOGIN_ID_MAX + 1];
  char user[LOGIN_USER_MAX + 1], password[LOGIN_PASSWORD_MAX + 1];
  bool has_user, has_password;
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX], ca[FILES_PATH_MAX];
  char from[ADDRESS_ROOM];
  bool keep_session;
  uint8_t answer[CONNACK_SIZE];
  size_t answered;
  void (*done)(struct greet *greet);
  struct broker_session *session; /* that holds it; NULL: it leaves with CONNACK */
  union {
    broker_done kicked;
    broker_seen_done seen;
  };
  void *ctx;
  bool failed, refused;
  struct broker_seen peer; /* what it has shown, and how it ended */
  char why[160];
  struct error error;
};

static struct greet *greeting_of_dial(struct tls_dial *dial)
{
  return (struct greet *) ((char *) dial - offsetof(struct greet, dial));
}

static void on_greeting_closed(struct tls_dial *dial)
{
  struct greet *greet = greeting_of_dial(dial);
  struct broker *broker = greet->task.broker;
  broker_task_end(&greet->task);
  greet->done(greet);
  secret_wipe(greet->password, sizeof greet->password);
  free(greet);
  broker_release(broker);
}

/* Before its TLS is gone. */
static void note_end(struct greet *greet, enum device_failure failure)
{
  struct broker_seen *peer = &greet->peer;
  if (!tls_dial_peer(&greet->dial, &peer->chain)) peer->chain.count = 0;
  peer->failure = failure;
}

static void fail_greeting(struct greet *greet, const char *why)
{
  greet->failed = true;
  note_end(greet, greet->dial.failure);
  snprintf(greet->why, sizeof greet->why, "%s", why);
  tls_dial_close(&greet->dial, on_greeting_closed);
}

/* The broker will not have this client. */
static void refuse_greeting(struct greet *greet, const char *why)
{
  greet->refused = true;
  fail_greeting(greet, why);
}

/* MQTT 3.1.1: a session that is kept has no end there, whatever the client's own version calls for
   when it is back. */
static void send_connect(struct greet *greet)
{
  uint8_t packet[LOGIN_CONNECT_MAX];
  const struct login login = {greet->has_user ? greet->user : NULL,
                              greet->has_password ? greet->password : NULL};
  size_t size = login_connect(greet->id, !greet->keep_session, KEEP_ALIVE_S, &login, packet);
  (void) tls_dial_write(&greet->dial, packet, size);
  secret_wipe(packet, sizeof packet);
}

static void leave(struct greet *greet)
{
  static const uint8_t disconnect[] = {0xe0, 0};
  if (greet->answer[0] != 0x20) {
    greet->dial.failure = DEVICE_FAIL_MQTT_PROTOCOL;
    fail_greeting(greet, "what it answers is no CONNACK");
    return;
  }
  if (greet->session != NULL && greet->answer[3] == 0) {
    greet->session->state = BROKER_SESSION_OPEN;
    tls_dial_extend(&greet->dial, PING_MS);
    return;
  }
  (void) tls_dial_write(&greet->dial, disconnect, sizeof disconnect);
  note_end(greet, device_failure_of_connack(greet->answer[3]));
  tls_dial_close(&greet->dial, on_greeting_closed);
}

static bool is_open(const struct greet *greet)
{
  return greet->session != NULL && greet->session->state == BROKER_SESSION_OPEN;
}

static void ping(struct greet *greet)
{
  static const uint8_t request[] = {0xc0, 0};
  (void) tls_dial_write(&greet->dial, request, sizeof request);
  tls_dial_extend(&greet->dial, PING_MS);
}

/* Answers to pings; and that is all that comes to a client without subscriptions, until the end. */
static void read_on(struct greet *greet)
{
  char unread[64];
  const char *why;
  int n;
  do n = tls_dial_read(&greet->dial, unread, sizeof unread, &why);
  while (n > 0);
  if (n < 0) fail_greeting(greet, "the broker has ended the session");
}

/* In TLS 1.3 a refused certificate shows here, with the first read. */
static void read_answer(struct greet *greet)
{
  const char *reason;
  int n = tls_dial_read(&greet->dial, greet->answer + greet->answered,
                        CONNACK_SIZE - greet->answered, &reason);
  if (n > 0) greet->answered += (size_t) n;
  if (greet->answered == CONNACK_SIZE) {
    leave(greet);
    return;
  }
  if (n >= 0) return;
  char why[160];
  snprintf(why, sizeof why, "it refuses the connection: %s", reason);
  refuse_greeting(greet, why);
}

/* Called by the dial. Where what we say is not taken any more, the broker may have ended it: what
 * it said before is still to be read. */
static void on_greeting_event(struct tls_dial *dial, enum tls_dial_event event, const char *why)
{
  struct greet *greet = greeting_of_dial(dial);
  switch (event) {
  case TLS_DIAL_READY:
    if (dial->failure == DEVICE_FAIL_NONE)
      send_connect(greet);
    else
      fail_greeting(greet, device_failure_sentence(dial->failure));
    return;
  case TLS_DIAL_DATA:
    if (is_open(greet))
      read_on(greet);
    else
      read_answer(greet);
    return;
  case TLS_DIAL_ENDED: refuse_greeting(greet, why); return;
  case TLS_DIAL_LATE:
    if (is_open(greet))
      ping(greet);
    else
      fail_greeting(greet, why);
    return;
  case TLS_DIAL_UNREACHED: fail_greeting(greet, why); return;
  case TLS_DIAL_UNUSABLE:
    fail_greeting(greet, "OpenSSL cannot use the client's certificate and key");
    return;
  }
}

static void on_greeting_cancel(struct task *task)
{
  struct greet *greet = (struct greet *) task;
  if (!tls_dial_is_closing(&greet->dial)) fail_greeting(greet, "stopped");
  greet->failed = true;
  greet->error.code = EXIT_CODE_INTERRUPTED;
}

static struct greet *begin_greeting(struct broker *broker, const struct broker_client *client)
{
  struct greet *greet = calloc(1, sizeof *greet);
  if (greet == NULL) memory_gone("a connection to the broker");
  bool verifies = client->ca_path != NULL, bound = client->from != NULL;
  bool shows = client->certificate_path != NULL;
  const struct login *login = &client->login;
  snprintf(greet->id, sizeof greet->id, "%s", client->client_id);
  greet->has_user = login->user != NULL;
  greet->has_password = login->password != NULL;
  if (greet->has_user) snprintf(greet->user, sizeof greet->user, "%s", login->user);
  if (greet->has_password) snprintf(greet->password, sizeof greet->password, "%s", login->password);
  if (shows)
    snprintf(greet->certificate, sizeof greet->certificate, "%s", client->certificate_path);
  if (shows) snprintf(greet->key, sizeof greet->key, "%s", client->key_path);
  if (verifies) snprintf(greet->ca, sizeof greet->ca, "%s", client->ca_path);
  if (bound) snprintf(greet->from, sizeof greet->from, "%s", client->from);
  uint32_t timeout_ms = client->timeout_ms != 0 ? client->timeout_ms : GREET_MS;
  greet->error.code = EXIT_CODE_SETUP;
  broker_task_begin(broker, &greet->task, on_greeting_cancel);
  tls_dial_start(&greet->dial, broker->loop,
                 &(struct tls_dial_config){.permit = broker->config.permit,
                                           .address = broker_address(broker, BROKER_MAIN),
                                           .port = broker->port[BROKER_MAIN],
                                           .host = broker->config.host,
                                           .alpn = broker->config.alpn,
                                           .certificate = shows ? greet->certificate : NULL,
                                           .key = shows ? greet->key : NULL,
                                           .ca = verifies ? greet->ca : NULL,
                                           .from = bound ? greet->from : NULL,
                                           .turn = client->turn,
                                           .timeout_ms = timeout_ms,
                                           .event = on_greeting_event});
  return greet;
}

static void end_kick(struct greet *greet)
{
  char why[sizeof greet->why];
  unsigned code = greet->answer[3];
  memcpy(why, greet->why, sizeof why);
  if (!greet->failed && code != 0)
    snprintf(why, sizeof why, "the broker answers CONNACK code %u", code);
  bool failed = greet->failed || code != 0;
  if (failed)
    error_set(&greet->error, greet->error.code, "the session of client %s cannot be ended: %s",
              greet->id, why);
  greet->kicked(greet->ctx, failed ? &greet->error : NULL);
}

void broker_take_over(struct broker *broker, const struct broker_kick *wanted, broker_done done,
                      void *ctx)
{
  const struct broker_client client = {.client_id = wanted->client_id,
                                       .certificate_path = wanted->certificate_path,
                                       .key_path = wanted->key_path,
                                       .login = wanted->login};
  struct greet *greet = begin_greeting(broker, &client);
  greet->keep_session = wanted->keep_session;
  greet->done = end_kick;
  greet->kicked = done;
  greet->ctx = ctx;
}

static void end_try(struct greet *greet)
{
  struct broker_seen seen = greet->peer;
  seen.takes = !greet->failed;
  bool told = !greet->failed || (greet->refused && greet->error.code != EXIT_CODE_INTERRUPTED);
  snprintf(seen.why, sizeof seen.why, "%s", greet->why);
  if (!told) error_set(&greet->error, greet->error.code, "no answer: %s", greet->why);
  greet->seen(greet->ctx, &seen, told ? NULL : &greet->error);
}

void broker_try_client(struct broker *broker, const struct broker_client *client,
                       broker_seen_done done, void *ctx)
{
  struct greet *greet = begin_greeting(broker, client);
  greet->done = end_try;
  greet->seen = done;
  greet->ctx = ctx;
}

/* --- A session that is held ------------------------------------------------------------------- */

static void end_session(struct greet *greet)
{
  struct broker_session *session = greet->session;
  if (session == NULL) return; /* let go */
  bool answered = !greet->failed || greet->refused;
  session->greet = NULL;
  session->state = session->state == BROKER_SESSION_OPEN ? BROKER_SESSION_ENDED
                   : answered                            ? BROKER_SESSION_REFUSED
                                                         : BROKER_SESSION_UNREACHED;
}

struct broker_session *broker_hold(struct broker *broker, const struct broker_client *client)
{
  struct broker_session *session = calloc(1, sizeof *session);
  if (session == NULL) memory_gone("a session at the broker");
  session->greet = begin_greeting(broker, client);
  session->greet->session = session;
  session->greet->done = end_session;
  return session;
}

enum broker_session_state broker_held(const struct broker_session *session)
{
  return session->state;
}

void broker_let_go(struct broker_session *session)
{
  struct greet *greet = session->greet;
  if (greet != NULL) {
    bool open = is_open(greet);
    greet->session = NULL;
    if (!tls_dial_is_closing(&greet->dial) && open)
      leave(greet);
    else if (!tls_dial_is_closing(&greet->dial))
      fail_greeting(greet, "let go");
  }
  free(session);
}
