/* Straight on from one step to the next: address, TCP, TLS, CONNECT, CONNACK. Every step has what
 * is left of one deadline. */
#define _GNU_SOURCE
#include "office/diagnose.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "net/blocking.h"
#include "net/failure.h"
#include "net/tls_alpn.h"
#include "net/tls_failure.h"

enum { CONNACK_SIZE = 4, KEEP_ALIVE_S = 20, VERDICT_MS = 500 };

struct look {
  const struct diagnose_question *question;
  uint64_t until_ms;
  struct blocking_place place; /* where it has connected */
  int fd;
  SSL_CTX *context;
  SSL *ssl;
  bool shaken; /* the handshake was complete: OpenSSL forgets that with an error */
  int verdict; /* the first X509_V_ERR_ of the verification, X509_V_OK */
  char detail[200];
};

/* --- TCP -------------------------------------------------------------------------------------- */

static enum device_failure connect_to(struct look *look)
{
  const struct diagnose_question *q = look->question;
  enum device_failure failure =
      blocking_connect(q->host, q->port, q->permit, look->until_ms, &look->fd, &look->place);
  if (failure != DEVICE_FAIL_NONE)
    snprintf(look->detail, sizeof look->detail, "%s", look->place.detail);
  return failure;
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void add_name(char *out, size_t size, const char *name, int length)
{
  size_t used = strlen(out);
  snprintf(out + used, size - used, "%s%.*s", used > 0 ? ", " : "", length, name);
}

/* The names that a certificate is for. */
static void list_names(X509 *certificate, char *out, size_t size)
{
  char address[INET6_ADDRSTRLEN];
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  out[0] = '\0';
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS)
      add_name(out, size, (const char *) ASN1_STRING_get0_data(name->d.dNSName),
               ASN1_STRING_length(name->d.dNSName));
    else if (name->type == GEN_IPADD &&
             inet_ntop(ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6,
                       ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address) != NULL)
      add_name(out, size, address, (int) strlen(address));
  }
  GENERAL_NAMES_free(names);
}

static void print_time(const ASN1_TIME *time, char out[24])
{
  struct tm utc;
  if (ASN1_TIME_to_tm(time, &utc) != 1 || strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
    strcpy(out, "?");
}

/* What of the certificate is wrong. */
static void note_verdict(struct look *look, X509_STORE_CTX *store)
{
  X509 *certificate = X509_STORE_CTX_get_current_cert(store);
  char subject[80] = "", issuer[80] = "", time[24];
  if (certificate == NULL) return;
  X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
  X509_NAME_oneline(X509_get_issuer_name(certificate), issuer, sizeof issuer);
  switch (tls_failure_of_verdict(look->verdict)) {
  case DEVICE_FAIL_TLS_NAME_MISMATCH: list_names(certificate, look->detail, 120); break;
  case DEVICE_FAIL_TLS_EXPIRED:
    print_time(X509_get0_notAfter(certificate), time);
    snprintf(look->detail, sizeof look->detail, "%s, until %s", subject, time);
    break;
  case DEVICE_FAIL_TLS_NOT_YET_VALID:
    print_time(X509_get0_notBefore(certificate), time);
    snprintf(look->detail, sizeof look->detail, "%s, from %s", subject, time);
    break;
  default:
    snprintf(look->detail, sizeof look->detail, "%s, issued by %s: %.60s", subject, issuer,
             X509_verify_cert_error_string(look->verdict));
  }
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct look *look = SSL_get_app_data(ssl);
  if (ok != 1 && look->verdict == X509_V_OK) {
    look->verdict = X509_STORE_CTX_get_error(store);
    note_verdict(look, store);
  }
  return ok;
}

static bool note_file(struct look *look, const char *what, const char *path)
{
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  snprintf(look->detail, sizeof look->detail, "the operator's %.20s %.90s cannot be used: %.50s",
           what, path, reason != NULL ? reason : "not readable");
  return false;
}

static bool make_tls(struct look *look)
{
  const struct diagnose_question *q = look->question;
  const char *name = q->server_name != NULL ? q->server_name : q->host;
  struct in6_addr address;
  unsigned char alpn[TLS_ALPN_MAX];
  look->context = SSL_CTX_new(TLS_client_method());
  if (look->context == NULL) return false;
  if (q->alpn != NULL && SSL_CTX_set_alpn_protos(look->context, alpn, tls_alpn(q->alpn, alpn)) != 0)
    return false;
  if (SSL_CTX_load_verify_file(look->context, q->ca_path) != 1)
    return note_file(look, "CA file", q->ca_path);
  bool shows = q->certificate_path != NULL;
  if (shows && SSL_CTX_use_certificate_chain_file(look->context, q->certificate_path) != 1)
    return note_file(look, "certificate", q->certificate_path);
  if (shows && SSL_CTX_use_PrivateKey_file(look->context, q->key_path, SSL_FILETYPE_PEM) != 1)
    return note_file(look, "key", q->key_path);
  SSL_CTX_set_verify(look->context, SSL_VERIFY_PEER, on_verify);
  look->ssl = SSL_new(look->context);
  if (look->ssl == NULL) return false;
  SSL_set_app_data(look->ssl, look);
  bool numeric =
      inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
  bool named = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(look->ssl), name) == 1
                       : SSL_set1_host(look->ssl, name) == 1 &&
                             SSL_set_tlsext_host_name(look->ssl, name) == 1;
  SSL_set_connect_state(look->ssl);
  return named && SSL_set_fd(look->ssl, look->fd) == 1;
}

/* The peer has ended the connection, before the handshake was complete or after. */
static enum device_failure of_end(struct look *look, enum device_failure kind)
{
  if (look->shaken && kind == DEVICE_FAIL_TCP_CLOSED) return DEVICE_FAIL_TLS_CLOSED;
  if (look->shaken && kind == DEVICE_FAIL_TCP_RESET) return DEVICE_FAIL_TLS_RESET;
  bool unanswered = !look->shaken && SSL_get_state(look->ssl) == TLS_ST_CW_CLNT_HELLO;
  if (unanswered && blocking_speaks_plain_mqtt(&look->place)) {
    strcpy(look->detail, "it answers MQTT without TLS");
    return DEVICE_FAIL_TLS_NOT_TLS;
  }
  strcpy(look->detail, unanswered     ? "without a byte of TLS"
                       : look->shaken ? "after a complete handshake"
                                      : "in the midst of the handshake");
  return kind;
}

/* What an error of OpenSSL's means; `result` is what the call returned. */
static enum device_failure of_tls(struct look *look, int result, int system_error)
{
  int kind = SSL_get_error(look->ssl, result);
  unsigned long error = ERR_peek_error();
  int reason = ERR_GET_REASON(error);
  if (look->verdict != X509_V_OK) return tls_failure_of_verdict(look->verdict);
  if (kind == SSL_ERROR_ZERO_RETURN || (kind == SSL_ERROR_SYSCALL && system_error == 0))
    return of_end(look, DEVICE_FAIL_TCP_CLOSED);
  if (kind == SSL_ERROR_SYSCALL) return of_end(look, net_failure(system_error));
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) {
    snprintf(look->detail, sizeof look->detail, "%.150s", ERR_reason_error_string(error));
    return DEVICE_FAIL_TLS_INTERNAL;
  }
  if (reason <= SSL_AD_REASON_OFFSET)
    snprintf(look->detail, sizeof look->detail, "%.150s", ERR_reason_error_string(error));
  return reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ? of_end(look, DEVICE_FAIL_TCP_CLOSED)
                                                      : tls_failure_of_reason(reason);
}

/* 1 when the call may be made again, 0 when it has failed, -1 when time is up. */
static int may_go_on(struct look *look, int result)
{
  int kind = SSL_get_error(look->ssl, result);
  if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE) return 0;
  return blocking_await(look->fd, kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, look->until_ms)
             ? 1
             : -1;
}

static enum device_failure shake_hands(struct look *look)
{
  if (!make_tls(look)) return DEVICE_FAIL_TLS_INTERNAL;
  for (;;) {
    errno = 0;
    int result = SSL_do_handshake(look->ssl), error = errno;
    look->shaken = result == 1;
    if (result == 1) return DEVICE_FAIL_NONE;
    int go = may_go_on(look, result);
    if (go < 0) return DEVICE_FAIL_TLS_TIMEOUT;
    if (go == 0) return of_tls(look, result, error);
    ERR_clear_error();
  }
}

/* --- MQTT ------------------------------------------------------------------------------------- */

static bool send_connect(struct look *look)
{
  const struct diagnose_question *q = look->question;
  uint8_t packet[LOGIN_CONNECT_MAX];
  int size = (int) login_connect(q->client_id, !q->keep_session, KEEP_ALIVE_S, &q->login, packet);
  bool sent = SSL_write(look->ssl, packet, size) == size;
  secret_wipe(packet, sizeof packet);
  return sent;
}

static enum device_failure of_answer(struct look *look, const uint8_t answer[CONNACK_SIZE])
{
  static const uint8_t disconnect[] = {0xe0, 0};
  bool refuses_as_mqtt_5 = answer[1] >= 3 && answer[1] < 0x80 && answer[3] >= 0x80;
  if (answer[0] != 0x20 || (answer[1] != 2 && !refuses_as_mqtt_5)) {
    snprintf(look->detail, sizeof look->detail, "it begins with %02x %02x", answer[0], answer[1]);
    return DEVICE_FAIL_MQTT_PROTOCOL;
  }
  if (answer[3] == 0) SSL_write(look->ssl, disconnect, sizeof disconnect);
  if (answer[3] != 0) snprintf(look->detail, sizeof look->detail, "code %u", answer[3]);
  return device_failure_of_connack(answer[3]);
}

/* In TLS 1.3 a refused client certificate shows only now. Who sends at once may never read why: a
 * server that closes with bytes unread resets the connection, and its alert is lost. One that is
 * content mostly sends its tickets. */
static enum device_failure hear_of_certificate(struct look *look)
{
  uint8_t early;
  if (!blocking_await(look->fd, POLLIN, blocking_now_ms() + VERDICT_MS)) return DEVICE_FAIL_NONE;
  errno = 0;
  int n = SSL_peek(look->ssl, &early, 1), error = errno;
  if (n > 0 || SSL_get_error(look->ssl, n) == SSL_ERROR_WANT_READ) return DEVICE_FAIL_NONE;
  return of_tls(look, n, error);
}

static enum device_failure ask(struct look *look)
{
  uint8_t answer[CONNACK_SIZE];
  size_t size = 0;
  enum device_failure refused = hear_of_certificate(look);
  if (refused != DEVICE_FAIL_NONE) return refused;
  errno = 0;
  if (!send_connect(look)) return of_tls(look, -1, errno);
  while (size < CONNACK_SIZE) {
    errno = 0;
    int n = SSL_read(look->ssl, answer + size, (int) (CONNACK_SIZE - size)), error = errno;
    int go = n > 0 ? 1 : may_go_on(look, n);
    if (n > 0) size += (size_t) n;
    if (go < 0) return DEVICE_FAIL_MQTT_TIMEOUT;
    if (go == 0) return of_tls(look, n, error);
    ERR_clear_error();
  }
  return of_answer(look, answer);
}

/* --- What to do --------------------------------------------------------------------------------- */

/* Of two who have never heard of each other neither can be mended. */
static bool is_strangers(enum device_failure failure)
{
  return failure == DEVICE_FAIL_TLS_NOT_TRUSTED || failure == DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA ||
         failure == DEVICE_FAIL_TLS_ALERT_BAD_CERT || failure == DEVICE_FAIL_MQTT_REFUSED_AUTH;
}

static const char *advice(enum device_failure failure, const struct diagnose_question *question)
{
  if (failure == DEVICE_FAIL_MQTT_REFUSED_AUTH && question->login.user != NULL)
    return "let the operator in by the user name and password of 'operator', or mend these there";
  if (question->new_fleet && is_strangers(failure))
    return "no fleet was named, so one was made for this run alone, which no broker that stands "
           "already can know: name the one that it knows with --fleet DIR ('fleetsim pki make' or "
           "'fleetsim pki import' makes it)";
  switch (failure) {
  case DEVICE_FAIL_TLS_NOT_TRUSTED:
    return "let the broker serve its intermediates too, under a root of the fleet folder";
  case DEVICE_FAIL_TLS_EXPIRED:
  case DEVICE_FAIL_TLS_NOT_YET_VALID: return "renew it, or put this machine's clock right";
  case DEVICE_FAIL_TLS_NAME_MISMATCH:
    return "write a name that it carries into the broker's url, or make it one for this name";
  case DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA:
  case DEVICE_FAIL_TLS_ALERT_BAD_CERT:
    return "here that is the operator's: the broker's CA file needs the back office's CA, which "
           "'fleetsim pki export FLEET --what client-ca' writes";
  case DEVICE_FAIL_TLS_ALERT_REVOKED:
  case DEVICE_FAIL_TLS_ALERT_EXPIRED:
    return "here that is the operator's, or the revocation list of the back office's CA: renew "
           "what the broker has of it";
  case DEVICE_FAIL_TLS_CLOSED:
  case DEVICE_FAIL_TLS_RESET:
    return "here that is the operator's certificate, and it speaks MQTT 3.1.1: the log of the "
           "broker, or of the proxy before it, may say why";
  case DEVICE_FAIL_TCP_CLOSED:
  case DEVICE_FAIL_TCP_RESET:
    return "if a proxy stands before the broker, is the broker behind it up? Its log may say why";
  case DEVICE_FAIL_TLS_NOT_TLS: return "name the port of a listener with TLS";
  case DEVICE_FAIL_TLS_INTERNAL:
    return "mend the fleet folder, or make a new one with 'fleetsim pki make'";
  case DEVICE_FAIL_MQTT_REFUSED_AUTH:
    return "let in the user that the CN of the operator's certificate names, or name one that it "
           "lets in: 'operator: {user, password-file}'";
  case DEVICE_FAIL_MQTT_REFUSED_VERSION: return "let the broker speak MQTT 3.1.1";
  case DEVICE_FAIL_TCP_REFUSED: return "start the broker, or name the port where it listens";
  case DEVICE_FAIL_NAME_NOT_FOUND: return "mend the name";
  default: return "the broker's log may say why";
  }
}

void diagnose_describe(enum device_failure failure, const struct diagnose_question *question,
                       const char *detail, struct diagnosis *out)
{
  out->failure = failure;
  snprintf(out->text, sizeof out->text, "%s: %s%s%s%s: %s", device_failure_name(failure),
           device_failure_sentence(failure), *detail != '\0' ? " (" : "", detail,
           *detail != '\0' ? ")" : "", advice(failure, question));
}

bool diagnose_is_final(enum device_failure failure)
{
  switch (failure) {
  case DEVICE_FAIL_TLS_TIMEOUT:
  case DEVICE_FAIL_TLS_CLOSED: /* a proxy whose broker is not up yet does that too */
  case DEVICE_FAIL_TLS_RESET:
  case DEVICE_FAIL_MQTT_REFUSED_BUSY: return false;
  case DEVICE_FAIL_MQTT_REFUSED_VERSION:
  case DEVICE_FAIL_MQTT_REFUSED_ID:
  case DEVICE_FAIL_MQTT_REFUSED_AUTH:
  case DEVICE_FAIL_MQTT_REFUSED_MOVED:
  case DEVICE_FAIL_MQTT_REFUSED_OTHER:
  case DEVICE_FAIL_MQTT_PROTOCOL: return true;
  default: return failure >= DEVICE_FAIL_TLS_FIRST && failure <= DEVICE_FAIL_TLS_LAST;
  }
}

void diagnose(const struct diagnose_question *question, struct diagnosis *out)
{
  struct look look = {.question = question,
                      .until_ms = blocking_now_ms() + DIAGNOSE_MS,
                      .fd = -1,
                      .verdict = X509_V_OK};
  ERR_clear_error();
  enum device_failure failure = connect_to(&look);
  if (failure == DEVICE_FAIL_NONE) failure = shake_hands(&look);
  if (failure == DEVICE_FAIL_NONE) failure = ask(&look);
  ERR_clear_error();
  SSL_free(look.ssl);
  SSL_CTX_free(look.context);
  if (look.fd >= 0) close(look.fd);
  diagnose_describe(failure, question, look.detail, out);
  if (failure == DEVICE_FAIL_NONE) out->text[0] = '\0';
}
