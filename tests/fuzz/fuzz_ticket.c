/* Any bytes as a stored session ticket: what is taken for one can be offered without reading past
 * its arrays, and the device that finds it after power-on offers what is good, erases what can
 * never be, and keeps what replaces it.
 *
 * The input is the ticket as NVM holds it; but where it stands on something else (its byte 16 is
 * not 0xff), it is made to stand on this device, so that most inputs come past the comparison. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <psa/crypto.h>

#include "device/bytes.h"
#include "device/platform.h"
#include "device/tls.h"
#include "fuzz.h"

#define STANDING_AT 16u

static uint8_t page[DEVICE_NVM_PAGE_SIZE];

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "reads inside the page");
  memcpy(out, page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "writes inside the page");
  memcpy(page + offset, data, size);
  return 0;
}

static int same_numbers(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  memset(out, 7, size);
  return 0;
}

static int library_numbers(void *ctx, unsigned char *out, size_t size)
{
  return same_numbers(ctx, out, size);
}

static const struct device_profile profile = {
    .tls_min = 12, .tls_max = 13, .resume = DEVICE_RESUME_NVM};
static const struct device_host host = {
    .random = same_numbers, .nvm_read = read_page, .nvm_write = write_page};
static struct device_platform platform = {.host = &host};
static mbedtls_ssl_config config;

static void begin(void)
{
  static bool begun;
  if (begun) return;
  device_platform_enter(&platform);
  require(psa_crypto_init() == PSA_SUCCESS, "PSA starts");
  mbedtls_ssl_config_init(&config);
  require(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT) == 0,
          "there is a configuration");
  mbedtls_ssl_conf_rng(&config, library_numbers, NULL);
  begun = true;
}

/* A connection of a device that was switched on just now; only NVM knows of a ticket. */
static void power_on(struct device_tls *tls)
{
  device_tls_init(tls);
  mbedtls_ssl_init(&tls->ssl);
  require(mbedtls_ssl_setup(&tls->ssl, &config) == 0, "there is memory");
  for (int area = 0; area < DEVICE_NVM_IMAGES; area++)
    require(device_nvm_find(&host, (enum device_nvm_area) area, &tls->found[area]) == 0,
            "NVM is read");
}

static void power_off(struct device_tls *tls)
{
  device_tls_forget_ticket(tls);
  mbedtls_ssl_free(&tls->ssl);
}

static bool offers(struct device_tls *tls, bool full_handshake)
{
  const struct device_tls_options options = {
      .profile = &profile, .host = &host, .peer = "broker.test", .full_handshake = full_handshake};
  int result = device_tls_ticket_offer(tls, &options);
  require(result == 0 || tls->offered_ticket, "what fails was offered");
  return tls->offered_ticket && result == 0;
}

static bool nvm_holds_any(void)
{
  struct device_nvm_slot slot;
  require(device_nvm_find(&host, DEVICE_NVM_TICKET, &slot) == 0, "NVM is read");
  return slot.size > 0;
}

static int first_byte_of_kept(const struct device_tls *tls)
{
  mbedtls_ssl_session session;
  uint32_t age_s;
  mbedtls_ssl_session_init(&session);
  bool good = tls->ticket != NULL &&
              device_tls_ticket_parse(tls->ticket, tls->ticket_size, tls->standing, platform.unix_s,
                                      &session, &age_s) == DEVICE_TLS_TICKET_GOOD;
  int first = good ? session.ticket[0] : -1;
  mbedtls_ssl_session_free(&session);
  return first;
}

/* The broker gives another ticket in the session that was resumed. */
static void get_another(struct device_tls *tls)
{
  tls->ssl.session = tls->ssl.session_negotiate;
  tls->ssl.session_negotiate = NULL;
  if (tls->ssl.session == NULL || tls->ssl.session->ticket_len == 0) return;
  uint8_t first = tls->ssl.session->ticket[0];
  device_tls_ticket_keep(tls);
  require(tls->ticket != NULL, "the same ticket again is no loss");
  tls->ssl.session->ticket[0] = first ^ 1;
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  tls->ssl.session->exported = 0;
#endif
  device_tls_ticket_keep(tls);
  require(first_byte_of_kept(tls) == (first ^ 1), "the newest one is kept");
  device_tls_confirmed(tls);
}

static void live_on(const uint8_t *data, size_t size, const uint8_t *standing,
                    enum device_tls_ticket verdict)
{
  struct device_tls tls;
  uint8_t mine[DEVICE_TLS_STANDING_SIZE];
  power_on(&tls);
  (void) offers(&tls, true);
  memcpy(mine, tls.standing, sizeof mine);
  power_off(&tls);
  uint8_t stored[DEVICE_NVM_TICKET_MAX];
  memcpy(stored, data, size);
  bool elsewhere = size < STANDING_AT + sizeof mine || standing[0] == 0xff;
  if (!elsewhere) memcpy(stored + STANDING_AT, mine, sizeof mine);
  if (device_nvm_replace(&host, DEVICE_NVM_TICKET, stored, size) != 0) return;

  power_on(&tls);
  bool offered = offers(&tls, false);
  if (!elsewhere) {
    require(!offered || verdict == DEVICE_TLS_TICKET_GOOD, "offers only what is good");
    require(nvm_holds_any() || verdict != DEVICE_TLS_TICKET_GOOD, "what is good stays");
    require(!nvm_holds_any() || verdict == DEVICE_TLS_TICKET_GOOD,
            "what can never be offered is erased");
  }
  if (offered) get_another(&tls);
  bool stored_another = offered && tls.stored;
  power_off(&tls);
  power_on(&tls);
  if (stored_another) require(offers(&tls, false), "what was stored is offered after power-on");
  device_tls_credentials_changed(&tls);
  require(tls.ticket == NULL, "nothing is kept that stood on what was replaced");
  device_tls_ticket_keep(&tls);
  require(tls.ticket == NULL, "and nothing of this connection is");
  power_off(&tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint8_t standing[DEVICE_TLS_STANDING_SIZE] = {0};
  mbedtls_ssl_session session;
  uint32_t age_s = 0;
  begin();
  mbedtls_ssl_session_init(&session);
  /* most inputs shall come past the comparison; one second after it was received */
  bool whole = size >= STANDING_AT + sizeof standing;
  if (whole) memcpy(standing, data + STANDING_AT, sizeof standing);
  uint64_t received = whole ? (uint64_t) device_get32(data + 4) << 32 | device_get32(data + 8) : 0;
  platform.unix_s = (int64_t) (received + 1);
  enum device_tls_ticket verdict =
      device_tls_ticket_parse(data, size, standing, (int64_t) (received + 1), &session, &age_s);
  if (verdict == DEVICE_TLS_TICKET_GOOD) {
    require(whole && age_s == 1, "a good ticket has an age");
    require(session.ticket != NULL && session.ticket_len > 0, "a good ticket has a ticket");
    require(session.id_len <= sizeof session.id, "the session id is inside its array");
    require(session.resumption_key_len <= sizeof session.resumption_key,
            "the secret is inside its array");
    standing[0] ^= 1;
    mbedtls_ssl_session other;
    mbedtls_ssl_session_init(&other);
    require(device_tls_ticket_parse(data, size, standing, (int64_t) (received + 1), &other,
                                    &age_s) == DEVICE_TLS_TICKET_ELSEWHERE,
            "nowhere else");
    standing[0] ^= 1;
  }
  mbedtls_ssl_session_free(&session);
  memset(page, 0xff, sizeof page);
  if (size > 0 && size <= DEVICE_NVM_TICKET_MAX) live_on(data, size, standing, verdict);
  return 0;
}
