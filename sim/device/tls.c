/* The library's life from device_tls_open to device_tls_close: set up, handshake, settled, reading
 * and writing. Chain, name and time are always verified; what the policy leaves open is
 * tls_policy's. Each failure keeps the library's code, and once there is one the connection is
 * only good for closing. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* alert number, handshake state, peer chain: the library has no getter for them \
                                       */
#include "tls.h"

#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>

#include "anchors.h"
#include "tls_records.h"
#include "tls_settings.h"

/* Inside the library no header that it installs declares it. Frees and wipes what ssl->handshake
 * holds, not the block.
 */
void mbedtls_ssl_handshake_free(mbedtls_ssl_context *ssl);

static const mbedtls_x509_crt_profile certificate_profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1),
    .rsa_min_bitlen = 0,
};
static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
                                      MBEDTLS_TLS1_3_SIG_NONE};
static const int suites[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                             MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};

static int send_bytes(void *ctx, const unsigned char *data, size_t size)
{
  struct device_tls *tls = ctx;
  size_t room = tls->out_capacity - tls->out_size;
  size_t taken = size < room ? size : room;
  if (taken == 0) return MBEDTLS_ERR_SSL_WANT_WRITE;
  memcpy(tls->out + tls->out_size, data, taken);
  tls->out_size += taken;
  return (int) taken;
}

static int receive_bytes(void *ctx, unsigned char *data, size_t size)
{
  struct device_tls *tls = ctx;
  size_t taken = size < tls->in_size ? size : tls->in_size;
  if (taken == 0) return MBEDTLS_ERR_SSL_WANT_READ;
  memcpy(data, tls->in, taken);
  tls->in += taken;
  tls->in_size -= taken;
  return (int) taken;
}

/* The library calls this once per certificate of the chain it built, from its end down to the
   leaf. */
static int note_certificate(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
  struct device_tls *tls = ctx;
  struct device_tls_verdict *verdict = &tls->verdict;
  *flags = device_tls_revocation(tls->handshake, certificate, !verdict->checked, *flags);
  if (!verdict->checked) {
    size_t size;
    verdict->checked = true;
    if (psa_hash_compute(PSA_ALG_SHA_256, certificate->raw.p, certificate->raw.len,
                         verdict->anchor_id, sizeof verdict->anchor_id, &size) != PSA_SUCCESS)
      return MBEDTLS_ERR_X509_FATAL_ERROR;
  }
  verdict->flags |= *flags;
  if (depth == 0)
    for (const mbedtls_x509_crt *sent = certificate;
         sent != NULL && verdict->certificates < UINT8_MAX; sent = sent->next)
      verdict->certificates++;
  return 0;
}

void device_tls_init(struct device_tls *tls)
{
  memset(tls, 0, sizeof *tls);
}

void device_tls_wake(struct device_tls *tls)
{
  device_tls_records_wake(tls);
}

void device_tls_rest(struct device_tls *tls)
{
  int error = device_tls_records_rest(tls);
  if (tls->error == 0) tls->error = error;
}

static void handshake_free(struct device_tls *tls)
{
  struct device_tls_handshake *handshake = tls->handshake;
  if (handshake == NULL) return;
  mbedtls_ssl_config_free(&handshake->config);
  mbedtls_pk_free(&handshake->key);
  mbedtls_x509_crt_free(&handshake->chain);
  device_anchors_put(handshake->anchors, &handshake->own_anchors);
  mbedtls_x509_crl_free(&handshake->crls);
  (void) psa_destroy_key(handshake->key_id);
  tls->handshake = NULL;
}

static mbedtls_ssl_protocol_version version_of(uint8_t version)
{
  return version >= 13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
}

static int configure(struct device_tls *tls, const struct device_profile *profile)
{
  mbedtls_ssl_config *config = &tls->handshake->config;
  int error = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT,
                                          MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (error != 0) return error;
  mbedtls_ssl_conf_min_tls_version(config, version_of(profile->tls_min));
  mbedtls_ssl_conf_max_tls_version(config, version_of(profile->tls_max));
  mbedtls_ssl_conf_ciphersuites(config, suites);
  mbedtls_ssl_conf_groups(config, groups);
  mbedtls_ssl_conf_sig_algs(config, signatures);
  mbedtls_ssl_conf_cert_profile(config, &certificate_profile);
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  /* the build has no other: a resumption without a key exchange would have no forward secrecy */
  mbedtls_ssl_conf_tls13_key_exchange_modes(config,
                                            MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
  mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
  mbedtls_ssl_conf_verify(config, note_certificate, tls);
  mbedtls_ssl_conf_session_tickets(config, profile->resume != DEVICE_RESUME_NO
                                               ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                               : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(config,
                                                           profile->resume != DEVICE_RESUME_NO);
  /* the library only reads them, and has no const for that */
  return profile->alpn == NULL
             ? 0
             : mbedtls_ssl_conf_alpn_protocols(config, (const char **) (uintptr_t) profile->alpn);
}

int device_tls_open(struct device_tls *tls, struct device_tls_handshake *handshake,
                    const struct device_tls_options *options)
{
  mbedtls_ssl_config_init(&handshake->config);
  mbedtls_ssl_init(&tls->ssl);
  mbedtls_x509_crt_init(&handshake->own_anchors);
  handshake->anchors = &handshake->own_anchors;
  mbedtls_x509_crt_init(&handshake->chain);
  mbedtls_x509_crl_init(&handshake->crls);
  handshake->revocation = options->profile->revocation;
  mbedtls_pk_init(&handshake->key);
  handshake->key_id = PSA_KEY_ID_NULL;
  tls->handshake = handshake;
  tls->open = true;
  tls->tickets_barred = tls->offered_ticket = tls->fresh_ticket = tls->confirmed = tls->stored =
      false;
  tls->error = configure(tls, options->profile);
  if (tls->error == 0) tls->error = device_tls_load(tls, options);
  if (tls->error == 0) tls->error = mbedtls_ssl_setup(&tls->ssl, &handshake->config);
  if (tls->error == 0) tls->error = mbedtls_ssl_set_hostname(&tls->ssl, options->peer);
  if (tls->error == 0) tls->error = device_tls_ticket_offer(tls, options);
  if (tls->error == 0) mbedtls_ssl_set_bio(&tls->ssl, tls, send_bytes, receive_bytes, NULL);
  return tls->error;
}

static void free_peer_chain(mbedtls_ssl_session *session)
{
  if (session == NULL || session->peer_cert == NULL) return;
  mbedtls_x509_crt_free(session->peer_cert);
  mbedtls_free(session->peer_cert);
  session->peer_cert = NULL;
}

/* What only a TLS 1.3 handshake needed: the library would carry it until the connection ends, a
 * kilobyte and two traffic keys. The block itself it asks for once more when it reads a ticket, and
 * then only for an address to write to. */
static void free_library_handshake(struct device_tls *tls)
{
  mbedtls_ssl_context *ssl = &tls->ssl;
  /* TLS 1.2: the library has freed it */
  if (device_tls_version(tls) != 13 || ssl->handshake == NULL) return;
  mbedtls_ssl_handshake_free(ssl);
  mbedtls_free(ssl->transform_negotiate); /* TLS 1.2's, and never had a key */
  ssl->transform_negotiate = NULL;
  if (ssl->conf->session_tickets != 0) return;
  mbedtls_free(ssl->handshake);
  ssl->handshake = NULL;
}

static int fail(struct device_tls *tls, int error)
{
  tls->error = error == MBEDTLS_ERR_SSL_WANT_WRITE ? DEVICE_TLS_FULL : error;
  if (error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) tls->verdict.alert = tls->ssl.in_msg[1];
  return tls->error;
}

/* The library also says WANT_READ when it wants to be called again: after a ticket, after a record
   it ignored. */
static bool wants_bytes(const struct device_tls *tls, int result)
{
  return result == MBEDTLS_ERR_SSL_WANT_READ && tls->in_size == 0 && !tls->ssl.keep_current_message;
}

int device_tls_handshake(struct device_tls *tls)
{
  int result;
  do {
    result = mbedtls_ssl_handshake(&tls->ssl);
    if (wants_bytes(tls, result)) return DEVICE_TLS_WANT;
  } while (result == MBEDTLS_ERR_SSL_WANT_READ);
  /* key usage is checked after the callback, so the library's own flags are the whole truth */
  uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
  if (tls->verdict.checked) tls->verdict.flags |= flags;
  return result == 0 ? 0 : fail(tls, result);
}

const mbedtls_x509_crt *device_tls_leaf(const struct device_tls *tls)
{
  return tls->verdict.checked ? mbedtls_ssl_get_peer_cert(&tls->ssl) : NULL;
}

/* The device has its own copy, or wants none. */
static void free_library_ticket(mbedtls_ssl_session *session)
{
  if (session == NULL) return;
  if (session->ticket != NULL) mbedtls_platform_zeroize(session->ticket, session->ticket_len);
  mbedtls_free(session->ticket);
  session->ticket = NULL;
  session->ticket_len = 0;
}

/* Of use to a ticket that comes later, in TLS 1.3; and the name is the device's own. */
static void free_session(struct device_tls *tls)
{
  mbedtls_ssl_context *ssl = &tls->ssl;
  mbedtls_free(ssl->hostname);
  ssl->hostname = NULL;
  free_library_ticket(ssl->session);
  if (ssl->conf->session_tickets != 0 && device_tls_version(tls) == 13) return;
  mbedtls_ssl_session_free(ssl->session);
  mbedtls_free(ssl->session);
  ssl->session = ssl->session_in = ssl->session_out = NULL;
}

/* Nothing looks at the broker's chain, the anchors or our own key again: an idle device does not
   carry them. */
void device_tls_settle(struct device_tls *tls)
{
  tls->settings = device_tls_settings_get(tls->ssl.conf);
  if (tls->settings == NULL) {
    tls->error = MBEDTLS_ERR_SSL_ALLOC_FAILED;
    return;
  }
  tls->ssl.conf = tls->settings;
  free_peer_chain(tls->ssl.session);
  handshake_free(tls);
  free_library_handshake(tls);
  if (tls->ssl.conf->session_tickets != 0 && device_tls_version(tls) == 12)
    device_tls_ticket_keep(tls);
  free_session(tls);
  device_tls_records_share(tls);
}

int device_tls_read(struct device_tls *tls, uint8_t *data, size_t capacity)
{
  for (;;) {
    int result = mbedtls_ssl_read(&tls->ssl, data, capacity);
    if (result > 0) return result;
    if (wants_bytes(tls, result)) return 0;
    if (result == MBEDTLS_ERR_SSL_WANT_READ) continue;
    if (result != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
      return fail(tls, result == 0 ? MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY : result);
    device_tls_ticket_keep(tls);
    free_library_ticket(tls->ssl.session);
  }
}

int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size)
{
  size_t sent = 0;
  while (sent < size && tls->error == 0) {
    int result = mbedtls_ssl_write(&tls->ssl, data + sent, size - sent);
    if (result < 0) return fail(tls, result);
    sent += (size_t) result;
  }
  return tls->error;
}

bool device_tls_is_secured(const struct device_tls *tls)
{
  return tls->open && tls->handshake == NULL;
}

void device_tls_notify(struct device_tls *tls)
{
  if (device_tls_is_secured(tls)) (void) mbedtls_ssl_close_notify(&tls->ssl);
}

void device_tls_close(struct device_tls *tls)
{
  if (!tls->open) return;
  device_tls_records_leave(tls);
  mbedtls_ssl_free(&tls->ssl);
  handshake_free(tls);
  device_tls_settings_put(tls->settings);
  tls->settings = NULL;
  tls->open = false;
  tls->error = 0;
  memset(&tls->verdict, 0, sizeof tls->verdict);
}

void device_tls_credentials_changed(struct device_tls *tls)
{
  memset(tls->found, 0, sizeof tls->found);
  device_tls_drop_ticket(tls);
  tls->tickets_barred = true;
}

uint8_t device_tls_version(const struct device_tls *tls)
{
  return mbedtls_ssl_get_version_number(&tls->ssl) == MBEDTLS_SSL_VERSION_TLS1_3 ? 13 : 12;
}
