/* Straight on: TCP, TLS, CONNECT, CONNACK, DISCONNECT, all within one deadline. A look ends at the
 * first step that fails, and keeps what the steps before have shown. */
#define _GNU_SOURCE
#include "survey/look.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host_port.h"
#include "base/secret.h"
#include "device/mqtt.h"
#include "net/blocking.h"
#include "net/failure.h"
#include "net/tls_alpn.h"
#include "net/tls_failure.h"

enum { KEEP_ALIVE_S = 30, VERDICT_MS = 300, CONNECT_ROOM = 2048 };

struct looking {
  const struct survey_place *place;
  const struct survey_visitor *visitor;
  struct survey_look *out;
  struct blocking_place at;
  uint64_t until_ms;
  int fd;
  SSL_CTX *context;
  SSL *ssl;
};

/* --- TCP -------------------------------------------------------------------------------------- */

static void note_address(struct survey_look *out, const struct blocking_place *at)
{
  char host[INET6_ADDRSTRLEN], port[8];
  if (getnameinfo((const struct sockaddr *) &at->at, at->size, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return;
  char text[HOST_PORT_MAX];
  host_port(host, (uint16_t) strtoul(port, NULL, 10), text);
  snprintf(out->address, sizeof out->address, "%.63s", text);
}

static enum device_failure open_line(struct looking *looking)
{
  const struct survey_place *place = looking->place;
  struct survey_look *out = looking->out;
  uint64_t began_ms = blocking_now_ms();
  enum device_failure failure = blocking_connect(place->host, place->port, place->permit,
                                                 looking->until_ms, &looking->fd, &looking->at);
  out->tcp_ms = (double) (blocking_now_ms() - began_ms);
  if (failure == DEVICE_FAIL_NONE) note_address(out, &looking->at);
  snprintf(out->detail, sizeof out->detail, "%s", looking->at.detail);
  return failure;
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* Called by OpenSSL when the broker asks for a client certificate. */
static int on_asked(SSL *ssl, void *ctx)
{
  struct looking *looking = ctx;
  const struct survey_visitor *visitor = looking->visitor;
  struct survey_look *out = looking->out;
  const STACK_OF(X509_NAME) *issuers = SSL_get0_peer_CA_list(ssl);
  out->asked = true;
  out->issuers = sk_X509_NAME_num(issuers) > 0 ? (unsigned) sk_X509_NAME_num(issuers) : 0;
  if (out->issuers > 0)
    X509_NAME_oneline(sk_X509_NAME_value(issuers, 0), out->first_issuer, sizeof out->first_issuer);
  if (visitor->key == NULL) return 1;
  STACK_OF(X509) *rest = sk_X509_dup(visitor->chain);
  X509 *leaf = sk_X509_shift(rest);
  int done = SSL_use_cert_and_key(ssl, leaf, visitor->key, rest, 1);
  sk_X509_free(rest);
  return done;
}

/* Called by OpenSSL for each ticket; in TLS 1.2 also for a session without one. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
  struct looking *looking = SSL_get_app_data(ssl);
  if (!SSL_SESSION_has_ticket(session)) return 0;
  SSL_SESSION_free(looking->out->session);
  looking->out->session = session;
  looking->out->tickets++;
  looking->out->ticket_lifetime_s = SSL_SESSION_get_ticket_lifetime_hint(session);
  return 1;
}

/* What sim/device/tls.c offers. */
static bool offer_as_device(SSL_CTX *context, uint8_t tls)
{
  int version = tls == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  return SSL_CTX_set_min_proto_version(context, version) == 1 &&
         SSL_CTX_set_max_proto_version(context, version) == 1 &&
         SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 &&
         SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1 &&
         SSL_CTX_set1_groups_list(context, "P-256") == 1 &&
         SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256") == 1;
}

/* Level 0: also what is too weak to be trusted can be looked at. */
static bool offer_anything(SSL_CTX *context)
{
  SSL_CTX_set_security_level(context, 0);
  return SSL_CTX_set_min_proto_version(context, TLS1_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") == 1;
}

static bool make_tls(struct looking *looking)
{
  const struct survey_place *place = looking->place;
  const struct survey_visitor *visitor = looking->visitor;
  const char *name = place->server_name != NULL ? place->server_name : place->host;
  unsigned char alpn[TLS_ALPN_MAX];
  struct in6_addr address;
  SSL_CTX *context = looking->context = SSL_CTX_new(TLS_client_method());
  if (context == NULL) return false;
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_session);
  SSL_CTX_set_cert_cb(context, on_asked, looking);
  bool offered =
      visitor->tls == 0 ? offer_anything(context) : offer_as_device(context, visitor->tls);
  bool named = place->alpn == NULL ||
               SSL_CTX_set_alpn_protos(context, alpn, tls_alpn(place->alpn, alpn)) == 0;
  if (!offered || !named || (looking->ssl = SSL_new(context)) == NULL) return false;
  SSL_set_app_data(looking->ssl, looking);
  SSL_set_connect_state(looking->ssl);
  bool numeric =
      inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
  return (numeric || SSL_set_tlsext_host_name(looking->ssl, name) == 1) &&
         (visitor->session == NULL || SSL_set_session(looking->ssl, visitor->session) == 1) &&
         SSL_set_fd(looking->ssl, looking->fd) == 1;
}

/* The broker has ended the connection. */
static enum device_failure of_end(struct looking *looking, enum device_failure kind)
{
  bool unanswered = SSL_get_state(looking->ssl) == TLS_ST_CW_CLNT_HELLO;
  if (unanswered && blocking_speaks_plain_mqtt(&looking->at)) {
    strcpy(looking->out->detail, "it answers MQTT without TLS");
    return DEVICE_FAIL_TLS_NOT_TLS;
  }
  if (looking->out->shaken && kind == DEVICE_FAIL_TCP_CLOSED) return DEVICE_FAIL_TLS_CLOSED;
  if (looking->out->shaken && kind == DEVICE_FAIL_TCP_RESET) return DEVICE_FAIL_TLS_RESET;
  return kind;
}

/* What an error of OpenSSL's means; `result` is what the call returned. */
static enum device_failure of_error(struct looking *looking, int result, int system_error)
{
  int kind = SSL_get_error(looking->ssl, result);
  unsigned long error = ERR_peek_error();
  if (kind == SSL_ERROR_ZERO_RETURN || (kind == SSL_ERROR_SYSCALL && system_error == 0))
    return of_end(looking, DEVICE_FAIL_TCP_CLOSED);
  if (kind == SSL_ERROR_SYSCALL) return of_end(looking, net_failure(system_error));
  if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return of_end(looking, DEVICE_FAIL_TCP_CLOSED);
  const char *words = ERR_reason_error_string(error);
  snprintf(looking->out->detail, sizeof looking->out->detail, "%s", words != NULL ? words : "");
  return ERR_GET_LIB(error) == ERR_LIB_SSL ? tls_failure_of_reason(ERR_GET_REASON(error))
                                           : DEVICE_FAIL_TLS_INTERNAL;
}

/* 1 when the call may be made again, 0 when it has failed, -1 when time is up. */
static int may_go_on(const struct looking *looking, int result)
{
  int kind = SSL_get_error(looking->ssl, result);
  if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE) return 0;
  short events = kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
  return blocking_await(looking->fd, events, looking->until_ms) ? 1 : -1;
}

static uint8_t version_of(const SSL *ssl)
{
  int version = SSL_version(ssl);
  return version >= TLS1_VERSION && version <= TLS1_3_VERSION
             ? (uint8_t) (version - TLS1_VERSION + 10)
             : 0;
}

/* Also of a handshake that has not come to its end: what has been seen has been seen. */
static void note_tls(struct looking *looking)
{
  struct survey_look *out = looking->out;
  const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(looking->ssl);
  const unsigned char *alpn = NULL;
  unsigned size = 0;
  if (chain != NULL) out->chain = X509_chain_up_ref((STACK_OF(X509) *) chain);
  if (!out->shaken) return;
  out->tls = version_of(looking->ssl);
  out->resumed = SSL_session_reused(looking->ssl) == 1;
  snprintf(out->suite, sizeof out->suite, "%s", SSL_get_cipher_name(looking->ssl));
  const char *group = OBJ_nid2sn((int) SSL_get_negotiated_group(looking->ssl));
  snprintf(out->group, sizeof out->group, "%s", group != NULL ? group : "");
  SSL_get0_alpn_selected(looking->ssl, &alpn, &size);
  snprintf(out->alpn, sizeof out->alpn, "%.*s", (int) size,
           alpn != NULL ? (const char *) alpn : "");
}

static enum device_failure shake_hands(struct looking *looking)
{
  uint64_t began_ms = blocking_now_ms();
  if (!make_tls(looking)) return DEVICE_FAIL_TLS_INTERNAL;
  for (;;) {
    errno = 0;
    int result = SSL_do_handshake(looking->ssl), error = errno;
    looking->out->shaken = result == 1;
    looking->out->tls_ms = (double) (blocking_now_ms() - began_ms);
    if (result == 1) return DEVICE_FAIL_NONE;
    int go = may_go_on(looking, result);
    if (go < 0) return DEVICE_FAIL_TLS_TIMEOUT;
    if (go == 0) return of_error(looking, result, error);
    ERR_clear_error();
  }
}

/* --- MQTT ------------------------------------------------------------------------------------- */

/* In TLS 1.3 a refused client certificate shows only now. Who sends at once may never read why: a
 * server that closes with bytes unread resets the connection, and its alert is lost. */
static enum device_failure hear_of_certificate(struct looking *looking)
{
  uint8_t early;
  if (!blocking_await(looking->fd, POLLIN, blocking_now_ms() + VERDICT_MS)) return DEVICE_FAIL_NONE;
  errno = 0;
  int n = SSL_peek(looking->ssl, &early, 1), error = errno;
  if (n > 0 || SSL_get_error(looking->ssl, n) == SSL_ERROR_WANT_READ) return DEVICE_FAIL_NONE;
  return of_error(looking, n, error);
}

static bool send_connect(struct looking *looking)
{
  const struct survey_visitor *visitor = looking->visitor;
  const char *password = visitor->login.password;
  const struct device_mqtt_connect connect = {
      .version = visitor->mqtt,
      .client_id = visitor->client_id,
      .clean_start = true,
      .keep_alive_s = KEEP_ALIVE_S,
      .user = visitor->login.user,
      .password = {(const uint8_t *) password, password != NULL ? strlen(password) : 0},
  };
  uint8_t packet[CONNECT_ROOM];
  size_t size = device_mqtt_encode_connect(packet, sizeof packet, &connect);
  bool sent = size > 0 && SSL_write(looking->ssl, packet, (int) size) == (int) size;
  secret_wipe(packet, sizeof packet);
  return sent;
}

static void say_goodbye(struct looking *looking)
{
  uint8_t packet[8];
  size_t size = device_mqtt_encode_disconnect(packet, sizeof packet, looking->visitor->mqtt, 0);
  (void) SSL_write(looking->ssl, packet, (int) size);
  (void) SSL_shutdown(looking->ssl);
}

static enum device_failure of_answer(struct looking *looking, int read)
{
  struct survey_look *out = looking->out;
  if (read < 0) {
    strcpy(out->detail, "what it answers is no CONNACK");
    return DEVICE_FAIL_MQTT_PROTOCOL;
  }
  out->answered = true;
  out->detail[0] = '\0';
  if (out->connack.code == 0)
    say_goodbye(looking);
  else
    snprintf(out->detail, sizeof out->detail, "code 0x%02x%s%s", out->connack.code,
             out->connack.reason[0] != '\0' ? ": " : "", out->connack.reason);
  return device_failure_of_connack(out->connack.code);
}

static enum device_failure ask(struct looking *looking)
{
  uint8_t answer[SURVEY_PACKET_MAX];
  size_t size = 0;
  int read = 0;
  enum device_failure refused = hear_of_certificate(looking);
  if (refused != DEVICE_FAIL_NONE) return refused;
  errno = 0;
  if (!send_connect(looking)) return of_error(looking, -1, errno);
  while (read == 0) {
    errno = 0;
    int n = SSL_read(looking->ssl, answer + size, (int) (sizeof answer - size)), error = errno;
    int go = n > 0 ? 1 : may_go_on(looking, n);
    if (go < 0) return DEVICE_FAIL_MQTT_TIMEOUT;
    if (go == 0) return of_error(looking, n, error);
    if (n > 0) size += (size_t) n;
    read = survey_connack_read(answer, size, looking->visitor->mqtt, &looking->out->connack);
    if (read == 0 && size == sizeof answer) read = -1;
    ERR_clear_error();
  }
  return of_answer(looking, read);
}

void survey_look(const struct survey_place *place, const struct survey_visitor *visitor,
                 struct survey_look *out)
{
  struct looking looking = {.place = place,
                            .visitor = visitor,
                            .out = out,
                            .until_ms = blocking_now_ms() + SURVEY_MS,
                            .fd = -1};
  *out = (struct survey_look){.failure = DEVICE_FAIL_NONE};
  ERR_clear_error();
  out->failure = open_line(&looking);
  if (out->failure == DEVICE_FAIL_NONE) {
    out->failure = shake_hands(&looking);
    if (out->failure == DEVICE_FAIL_NONE) out->failure = ask(&looking);
    if (looking.ssl != NULL) note_tls(&looking);
  }
  /* without this OpenSSL makes a session useless whose connection the other side has broken off */
  if (looking.ssl != NULL) SSL_set_shutdown(looking.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ERR_clear_error();
  SSL_free(looking.ssl);
  SSL_CTX_free(looking.context);
  if (looking.fd >= 0) close(looking.fd);
}

void survey_look_release(struct survey_look *look)
{
  SSL_SESSION_free(look->session);
  sk_X509_pop_free(look->chain, X509_free);
  look->session = NULL;
  look->chain = NULL;
}
