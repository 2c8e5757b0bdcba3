/* TLS in memory: what OpenSSL makes goes out record by record, spoiled as the case has it; what
 * comes is read by it. When it fails the connection stays open: how the client goes is what is to be
 * seen. Only where it has nothing to serve does the server close, as real ones do. */
#define _GNU_SOURCE
#include "gauntlet/visit_internal.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gauntlet/tamper.h"

/* An alert in TLS 1.3 is 19 bytes, 32 where a library pads it; the least that goes on, a Finished, is
 * 53. */
enum { ALERT_MOST = 40 };

enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23, CLIENT_KEY_EXCHANGE = 16 };

static const struct script_step *spoiling(const struct visit *visit)
{
  static const struct script_step whole = {.verb = SCRIPT_TLS};
  const struct gauntlet_case *c = visit->act->c;
  for (size_t i = 0; c->has_wire && i < c->wire.count; i++)
    if (c->wire.step[i].verb == SCRIPT_TLS) return &c->wire.step[i];
  return &whole;
}

/* --- What OpenSSL tells ----------------------------------------------------------------------- */

static void on_info(const SSL *ssl, int where, int value)
{
  struct visit *visit = SSL_get_app_data(ssl);
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT) return;
  int level = value >> 8, alert = value & 255;
  if (alert == SSL_AD_CLOSE_NOTIFY || (level != 2 && alert != SSL_AD_USER_CANCELLED)) return;
  visit->seen.alerted = true;
  visit->seen.alert = (uint8_t) alert;
  if (visit->seen.ended_ms < 0) visit->seen.ended_ms = visit_ms(visit);
}

static void on_message(int out, int version, int type, const void *data, size_t size, SSL *ssl,
                       void *ctx)
{
  struct visit *visit = ctx;
  (void) version, (void) ssl;
  if (!out || type != RECORD_HANDSHAKE || size < 1) return;
  bool to_finished = visit->act->tls == 13 || visit->tamper != NULL;
  int kind = *(const uint8_t *) data, last = to_finished ? SSL3_MT_FINISHED : SSL3_MT_SERVER_DONE;
  visit->flight |= kind == last;
}

static void on_key(const SSL *ssl, const char *line)
{
  struct visit *visit = SSL_get_app_data(ssl);
  tamper_learn(visit->tamper, line);
}

/* --- Out -------------------------------------------------------------------------------------- */

static void send_record(struct visit *visit, const uint8_t *record, size_t size)
{
  const struct script_step *step = spoiling(visit);
  if (visit->mute) return;
  if (step->filter == SCRIPT_CUT) {
    size_t left = step->number - visit->let_through;
    visit->mute = size >= left;
    visit->let_through += (uint32_t) (size < left ? size : left);
    visit_send(visit, record, size < left ? size : left);
    return;
  }
  visit_send(visit, record, size);
}

static void spoil_record(struct visit *visit, uint8_t *record, size_t size)
{
  const struct script_step *step = spoiling(visit);
  bool this = ++visit->records == step->number;
  if (step->filter == SCRIPT_FLIP && 5 + step->byte > size) this = false;
  visit->spoiled |= this;
  if (visit->tamper != NULL) tamper_record(visit->tamper, visit->ssl, record, size);
  if (step->filter == SCRIPT_FLIP && this) record[4 + step->byte] ^= 1;
  if (step->filter == SCRIPT_DROP && this) return;
  if (step->filter == SCRIPT_SWAP && this) {
    (void) visit_keep(&visit->held, record, size);
    return;
  }
  send_record(visit, record, size);
  if (step->filter == SCRIPT_TWICE && this) send_record(visit, record, size);
  if (visit->held.size == 0) return;
  send_record(visit, visit->held.data, visit->held.size);
  visit->held.size = 0;
}

static void flush_tls(struct visit *visit)
{
  uint8_t piece[4096];
  int n;
  while ((n = BIO_read(SSL_get_wbio(visit->ssl), piece, sizeof piece)) > 0)
    if (!visit_keep(&visit->out, piece, (size_t) n)) return;
  while (visit->out.size >= 5) {
    size_t size = 5 + (size_t) (visit->out.data[3] << 8 | visit->out.data[4]);
    if (visit->out.size < size) return;
    spoil_record(visit, visit->out.data, size);
    visit_drop(&visit->out, size);
  }
}

void visit_tls_say(struct visit *visit, const void *data, size_t size)
{
  const uint8_t *at = data;
  while (size > 0 && !visit->broken) {
    int piece = size > 16384 ? 16384 : (int) size;
    if (SSL_write(visit->ssl, at, piece) != piece) return;
    at += piece;
    size -= (size_t) piece;
    flush_tls(visit);
  }
}

/* --- In --------------------------------------------------------------------------------------- */

static void note_agreed(struct visit *visit)
{
  struct observation *seen = &visit->seen;
  X509 *certificate = SSL_get0_peer_certificate(visit->ssl);
  if (certificate != NULL && !seen->client_certificate) {
    seen->client_certificate = true;
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, seen->client_cn,
                              sizeof seen->client_cn);
  }
  if (SSL_get_current_cipher(visit->ssl) == NULL) return;
  const char *group = OBJ_nid2sn((int) SSL_get_negotiated_group(visit->ssl));
  seen->tls = visit->act->tls;
  snprintf(seen->suite, sizeof seen->suite, "%s", SSL_get_cipher_name(visit->ssl));
  snprintf(seen->group, sizeof seen->group, "%s", group != NULL ? group : "");
}

/* The server itself has nothing to go on with: that is nobody's refusal. */
static bool has_nothing_in_common(int reason)
{
  switch (reason) {
  case SSL_R_NO_SHARED_CIPHER:
  case SSL_R_NO_SHARED_GROUPS:
  case SSL_R_NO_SUITABLE_GROUPS:
  case SSL_R_NO_SUITABLE_KEY_SHARE:
  case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
  case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
  case SSL_R_UNSUPPORTED_PROTOCOL:
  case SSL_R_VERSION_TOO_LOW:
  case SSL_R_NO_PROTOCOLS_AVAILABLE:
  case SSL_R_INAPPROPRIATE_FALLBACK: return true;
  default: return false;
  }
}

static void note_broken(struct visit *visit)
{
  int reason = ERR_GET_REASON(ERR_peek_error());
  const char *words = ERR_reason_error_string(ERR_peek_error());
  visit->broken = true;
  ERR_clear_error();
  flush_tls(visit);
  if (visit->flight || !visit->seen.has_hello || !has_nothing_in_common(reason)) return;
  visit->seen.unserved = true;
  snprintf(visit->seen.unserved_why, sizeof visit->seen.unserved_why, "%s",
           words != NULL ? words : "");
  visit_end(visit, false);
}

/* 1: there may be more; 0: not now; -1: never again. */
static int turn_tls(struct visit *visit)
{
  uint8_t data[4096];
  bool shaken = SSL_is_init_finished(visit->ssl);
  ERR_clear_error();
  int n = shaken ? SSL_read(visit->ssl, data, sizeof data) : SSL_accept(visit->ssl);
  int kind = n > 0 ? SSL_ERROR_NONE : SSL_get_error(visit->ssl, n);
  if (kind == SSL_ERROR_SSL || kind == SSL_ERROR_SYSCALL || kind == SSL_ERROR_ZERO_RETURN) {
    if (kind != SSL_ERROR_ZERO_RETURN) note_broken(visit);
    return -1;
  }
  flush_tls(visit);
  note_agreed(visit);
  if (!visit->seen.shaken && SSL_is_init_finished(visit->ssl)) {
    visit->seen.shaken = true;
    visit->seen.shaken_ms = visit_ms(visit);
  }
  if (shaken && n > 0) play_app(visit, data, (size_t) n);
  return kind == SSL_ERROR_NONE ? 1 : 0;
}

/* Of one of the client's records, by what is not encrypted of it: before TLS 1.3 the key exchange,
 * in TLS 1.3 anything larger than an alert. */
static void judge_record(struct visit *visit, const uint8_t *head, size_t size)
{
  bool old = visit->act->tls < 13;
  bool on = old ? head[0] == RECORD_HANDSHAKE && size >= 2 && head[5] == CLIENT_KEY_EXCHANGE
                : head[0] == RECORD_DATA && size > ALERT_MOST;
  if (visit_tls_has_said_all(visit) && visit->act->c->layer == CASE_TLS) visit->seen.went_on |= on;
  if (visit->broken && head[0] == RECORD_ALERT && size == 2 && head[5] == 2) {
    visit->seen.alerted = true;
    visit->seen.alert = head[6];
  }
}

static void follow_records(struct visit *visit, const uint8_t *data, size_t size)
{
  while (size > 0) {
    if (visit->in_left > 0 && visit->in.size == 0) { /* the rest of one that was judged */
      size_t part = size < visit->in_left ? size : visit->in_left;
      visit->in_left -= part;
      data += part;
      size -= part;
      continue;
    }
    if (!visit_keep(&visit->in, data++, 1)) return;
    size--;
    size_t length = visit->in.size >= 5 ? (size_t) (visit->in.data[3] << 8 | visit->in.data[4]) : 0;
    if (visit->in.size < 5 || (visit->in.size < 7 && length >= 2)) continue;
    judge_record(visit, visit->in.data, length);
    visit->in_left = 5 + length > visit->in.size ? 5 + length - visit->in.size : 0;
    visit->in.size = 0;
  }
}

void visit_tls_bytes(struct visit *visit, const uint8_t *data, size_t size)
{
  follow_records(visit, data, size);
  if (visit->broken || visit->ssl == NULL) return;
  (void) BIO_write(SSL_get_rbio(visit->ssl), data, (int) size);
  while (!visit->closed && !visit->broken && turn_tls(visit) > 0) continue;
  if (!visit->closed) play_on(visit);
}

static bool is_of_one_record(const struct visit *visit)
{
  enum script_filter filter = spoiling(visit)->filter;
  return filter == SCRIPT_FLIP || filter == SCRIPT_DROP || filter == SCRIPT_TWICE ||
         filter == SCRIPT_SWAP;
}

bool visit_tls_has_said_all(const struct visit *visit)
{
  return visit->mute || (visit->flight && (!is_of_one_record(visit) || visit->spoiled));
}

/* --- Begin and end ---------------------------------------------------------------------------- */

bool visit_tls_begin(struct visit *visit)
{
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  visit->ssl = SSL_new(visit->act->context);
  if (visit->ssl == NULL || in == NULL || out == NULL) {
    BIO_free(in);
    BIO_free(out);
    visit->broken = true;
    return false;
  }
  SSL_set_bio(visit->ssl, in, out);
  SSL_set_accept_state(visit->ssl);
  SSL_set_app_data(visit->ssl, visit);
  SSL_set_info_callback(visit->ssl, on_info);
  SSL_set_msg_callback(visit->ssl, on_message);
  SSL_set_msg_callback_arg(visit->ssl, visit);
  if (spoiling(visit)->filter == SCRIPT_FINISHED) {
    visit->tamper = tamper_new(visit->act->tls);
    SSL_CTX_set_keylog_callback(visit->act->context, on_key);
  }
  return true;
}

/* The client was shown a sound handshake: nothing was tried. */
static void note_sound(struct visit *visit, const char *why)
{
  visit->seen.said = false;
  visit->seen.unserved = true;
  snprintf(visit->seen.unserved_why, sizeof visit->seen.unserved_why, "%s", why);
}

/* Who was asked for a certificate and sends it before TLS 1.3 shows it to all who listen; what was
 * agreed on is kept however it ended. */
void visit_tls_end(struct visit *visit)
{
  if (visit->ssl != NULL) note_agreed(visit);
  if (visit->tamper != NULL && visit->flight && !tamper_has_changed(visit->tamper))
    note_sound(visit, "the Finished of this suite cannot be spoiled here");
  if (visit->seen.shaken && is_of_one_record(visit) && !visit->spoiled)
    note_sound(visit, "the record to be spoiled is none that this server sends to it");
  tamper_free(visit->tamper);
  visit->tamper = NULL;
}
