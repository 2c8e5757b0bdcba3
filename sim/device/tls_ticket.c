/* Session tickets: kept from one connection to the next, and in NVM across power-off where the
 * profile says so. There is one copy of a ticket, in the form of NVM; it becomes the library's when
 * it is offered.
 *
 * In NVM and RAM, big-endian:
 *     4   magic "FTK1"
 *     8   when it was received, seconds since 1970 by the device's clock
 *     4   how long it may be offered, seconds
 *    32   standing: SHA-256 of what it was got on (anchors, certificate, endpoint and its name)
 *     n   mbedtls_ssl_session_save
 *
 * It holds the secret that resumes a session, as flash holds the device's private key; it never
 * leaves the device. */

/* what a ticket consists of: the library has no getters for it */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <psa/crypto.h>

#include "bytes.h"
#include "tls.h"

#define MAGIC       0x46544b31u /* "FTK1" */
#define LIFETIME_AT 12u
#define STANDING_AT 16u
#define SESSION_AT  (STANDING_AT + DEVICE_TLS_STANDING_SIZE)
/* RFC 8446 4.6.1: seven days; also where a TLS 1.2 server does not say */
#define LIFETIME_MAX_S 604800u

static int hash_slot(psa_hash_operation_t *hash, const struct device_nvm_slot *slot)
{
  uint8_t text[12];
  device_put32(text, slot->sequence);
  device_put32(text + 4, slot->size);
  device_put32(text + 8, slot->crc);
  return psa_hash_update(hash, text, sizeof text) == PSA_SUCCESS ? 0 : -1;
}

/* What a session of this connection stands on. A ticket got on something else is not offered: not
 * at another endpoint, and not once an anchor or the certificate was replaced, even if the power
 * went before it could be erased. */
static int find_standing(const struct device_tls *tls, const struct device_tls_options *options,
                         uint8_t out[DEVICE_TLS_STANDING_SIZE])
{
  uint8_t endpoint = options->profile->resume_anywhere ? UINT8_MAX : options->endpoint;
  psa_hash_operation_t hash = PSA_HASH_OPERATION_INIT;
  size_t size = 0;
  bool done = psa_hash_setup(&hash, PSA_ALG_SHA_256) == PSA_SUCCESS &&
              hash_slot(&hash, &tls->found[DEVICE_NVM_TRUST]) == 0 &&
              hash_slot(&hash, &tls->found[DEVICE_NVM_CERTIFICATE]) == 0 &&
              psa_hash_update(&hash, &endpoint, 1) == PSA_SUCCESS &&
              psa_hash_update(&hash, (const uint8_t *) options->peer, strlen(options->peer)) ==
                  PSA_SUCCESS &&
              psa_hash_finish(&hash, out, DEVICE_TLS_STANDING_SIZE, &size) == PSA_SUCCESS;
  if (!done) psa_hash_abort(&hash);
  return done ? 0 : -1;
}

static uint32_t lifetime_s(const mbedtls_ssl_session *session)
{
  uint32_t said = session->ticket_lifetime;
  return said == 0 || said > LIFETIME_MAX_S ? LIFETIME_MAX_S : said;
}

static bool suite_is_ours(int suite)
{
  return suite == MBEDTLS_TLS1_3_AES_128_GCM_SHA256 ||
         suite == MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
}

/* The library believes what it loads: a length beyond its array would be copied later. */
static bool is_sound(const mbedtls_ssl_session *session)
{
  return session->endpoint == MBEDTLS_SSL_IS_CLIENT && session->ticket != NULL &&
         session->id_len <= sizeof session->id && suite_is_ours(session->ciphersuite);
}

static int load(mbedtls_ssl_session *out, const uint8_t *data, size_t size)
{
  int error = mbedtls_ssl_session_load(out, data + SESSION_AT, size - SESSION_AT);
  if (error != 0 || is_sound(out)) return error;
  mbedtls_ssl_session_free(out);
  mbedtls_ssl_session_init(out);
  return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
}

enum device_tls_ticket device_tls_ticket_parse(const uint8_t *data, size_t size,
                                               const uint8_t standing[DEVICE_TLS_STANDING_SIZE],
                                               int64_t unix_s, mbedtls_ssl_session *out,
                                               uint32_t *age_s)
{
  if (size <= SESSION_AT || device_get32(data) != MAGIC) return DEVICE_TLS_TICKET_BAD;
  if (memcmp(data + STANDING_AT, standing, DEVICE_TLS_STANDING_SIZE) != 0)
    return DEVICE_TLS_TICKET_ELSEWHERE;
  /* a clock that went back does not say how old the ticket is: it counts as expired */
  uint64_t age =
      (uint64_t) unix_s - ((uint64_t) device_get32(data + 4) << 32 | device_get32(data + 8));
  uint32_t lifetime = device_get32(data + LIFETIME_AT);
  if (lifetime > LIFETIME_MAX_S || age >= lifetime) return DEVICE_TLS_TICKET_EXPIRED;
  *age_s = (uint32_t) age;
  return load(out, data, size) == 0 ? DEVICE_TLS_TICKET_GOOD : DEVICE_TLS_TICKET_BAD;
}

/* One block of the size that it takes, or none. */
static void encode(struct device_tls *tls, const mbedtls_ssl_session *session)
{
  size_t size = 0;
  uint64_t received = (uint64_t) mbedtls_time(NULL);
  (void) mbedtls_ssl_session_save(session, NULL, 0, &size);
  uint8_t *out = mbedtls_calloc(1, SESSION_AT + size);
  if (out == NULL) return;
  device_put32(out, MAGIC);
  device_put32(out + 4, (uint32_t) (received >> 32));
  device_put32(out + 8, (uint32_t) received);
  device_put32(out + LIFETIME_AT, lifetime_s(session));
  memcpy(out + STANDING_AT, tls->standing, DEVICE_TLS_STANDING_SIZE);
  tls->ticket = out;
  tls->ticket_size = SESSION_AT + size;
  tls->ticket_ms = mbedtls_ms_time();
  if (mbedtls_ssl_session_save(session, out + SESSION_AT, size, &size) != 0)
    device_tls_forget_ticket(tls);
}

/* A ticket that does not fit, or flash that does not take it, costs a full handshake after the next
   power-off. */
static void store_ticket(struct device_tls *tls)
{
  size_t size = tls->ticket_size;
  if (tls->store == NULL || tls->ticket == NULL || tls->stored || tls->tickets_barred) return;
  if (size > DEVICE_NVM_TICKET_MAX ||
      device_nvm_holds(tls->store, DEVICE_NVM_TICKET, tls->ticket, size) != 0)
    return;
  tls->stored = true;
  (void) device_nvm_replace(tls->store, DEVICE_NVM_TICKET, tls->ticket, size);
}

void device_tls_confirmed(struct device_tls *tls)
{
  tls->confirmed = true;
  store_ticket(tls);
}

/* Into RAM, from NVM. */
static void take_stored(struct device_tls *tls, const uint8_t *data, size_t size, uint32_t age_s)
{
  tls->ticket = mbedtls_calloc(1, size);
  if (tls->ticket == NULL) return;
  memcpy(tls->ticket, data, size);
  tls->ticket_size = size;
  tls->ticket_ms = mbedtls_ms_time() - (int64_t) age_s * 1000;
}

/* After power-on: what NVM holds. One that can never be offered again is erased. */
static void fetch(struct device_tls *tls)
{
  uint8_t bytes[DEVICE_NVM_TICKET_MAX];
  struct device_nvm_slot slot;
  mbedtls_ssl_session session;
  uint32_t age_s = 0;
  if (tls->store == NULL || device_nvm_find(tls->store, DEVICE_NVM_TICKET, &slot) != 0 ||
      slot.size == 0)
    return;
  if (tls->store->nvm_read(tls->store->ctx, slot.offset, bytes, slot.size) != 0) return;
  mbedtls_ssl_session_init(&session);
  enum device_tls_ticket verdict = device_tls_ticket_parse(bytes, slot.size, tls->standing,
                                                           mbedtls_time(NULL), &session, &age_s);
  mbedtls_ssl_session_free(&session);
  if (verdict == DEVICE_TLS_TICKET_GOOD) take_stored(tls, bytes, slot.size, age_s);
  mbedtls_platform_zeroize(bytes, sizeof bytes);
  if (verdict == DEVICE_TLS_TICKET_BAD || verdict == DEVICE_TLS_TICKET_EXPIRED)
    (void) device_nvm_erase(tls->store, DEVICE_NVM_TICKET);
}

/* In RAM it ages by the clock that nobody sets. */
static bool may_be_offered(const struct device_tls *tls)
{
  return tls->ticket != NULL &&
         memcmp(tls->ticket + STANDING_AT, tls->standing, sizeof tls->standing) == 0 &&
         mbedtls_ms_time() - tls->ticket_ms <
             (int64_t) device_get32(tls->ticket + LIFETIME_AT) * 1000;
}

/* Hands it to the library, if the profile has its version of TLS. */
static int offer(struct device_tls *tls, const struct device_profile *profile,
                 mbedtls_ssl_session *session)
{
  bool is_13 = session->tls_version == MBEDTLS_SSL_VERSION_TLS1_3;
  uint8_t version = is_13 ? 13 : 12;
  if (version < profile->tls_min || version > profile->tls_max) return 0;
  if (is_13) session->ticket_reception_time = tls->ticket_ms;
  tls->offered_ticket = true;
  return mbedtls_ssl_set_session(&tls->ssl, session);
}

int device_tls_ticket_offer(struct device_tls *tls, const struct device_tls_options *options)
{
  mbedtls_ssl_session session;
  if (options->profile->resume == DEVICE_RESUME_NO) return 0;
  if (find_standing(tls, options, tls->standing) != 0) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  tls->store = options->profile->resume == DEVICE_RESUME_NVM ? options->host : NULL;
  if (options->full_handshake) return 0;
  if (tls->ticket == NULL) fetch(tls);
  if (!may_be_offered(tls)) return 0;
  mbedtls_ssl_session_init(&session);
  /* one that cannot be loaded for want of memory is no loss either */
  int error = load(&session, tls->ticket, tls->ticket_size) == 0
                  ? offer(tls, options->profile, &session)
                  : 0;
  mbedtls_ssl_session_free(&session);
  return error;
}

/* Whether it is the one in RAM. */
static bool is_known(const struct device_tls *tls, const mbedtls_ssl_session *fresh)
{
  mbedtls_ssl_session kept;
  if (tls->ticket == NULL) return false;
  mbedtls_ssl_session_init(&kept);
  bool known = load(&kept, tls->ticket, tls->ticket_size) == 0 &&
               kept.ticket_len == fresh->ticket_len &&
               memcmp(kept.ticket, fresh->ticket, kept.ticket_len) == 0;
  mbedtls_ssl_session_free(&kept);
  return known;
}

void device_tls_ticket_keep(struct device_tls *tls)
{
  const mbedtls_ssl_session *fresh = tls->ssl.session;
  bool got = fresh != NULL && fresh->ticket != NULL;
  if (tls->tickets_barred) return;
  /* TLS 1.2, resumed: the server gave no new one, and the one that it took does not get younger */
  if (got && is_known(tls, fresh)) return;
  device_tls_forget_ticket(tls);
  if (!got) return;
  encode(tls, fresh);
  tls->fresh_ticket = tls->ticket != NULL;
  if (tls->confirmed) store_ticket(tls);
}

void device_tls_forget_ticket(struct device_tls *tls)
{
  if (tls->ticket != NULL) mbedtls_platform_zeroize(tls->ticket, tls->ticket_size);
  mbedtls_free(tls->ticket);
  tls->ticket = NULL;
  tls->ticket_size = 0;
}

void device_tls_drop_ticket(struct device_tls *tls)
{
  device_tls_forget_ticket(tls);
  if (tls->store != NULL) (void) device_nvm_erase(tls->store, DEVICE_NVM_TICKET);
}
