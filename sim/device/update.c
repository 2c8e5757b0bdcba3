/* A message on the topics of trust and of certificates, from its bytes to the acknowledgement:
 * tried, committed to NVM or refused there, noted, and answered with the status in words. Only
 * where the answer finds no room is the message left unconfirmed: the broker then sends it again.
 */
#include "update.h"

#include <string.h>

#include <mbedtls/platform_util.h>

#include "identity.h"
#include "text.h"
#include "trust.h"

void device_update_text(enum device_update update, uint32_t version, uint32_t of,
                        char out[DEVICE_UPDATE_TEXT_MAX])
{
  char *at = device_text_append(out, "{\"status\":\"");
  at = device_text_append(at, device_update_name(update));
  at = device_text_append(at, "\",\"version\":");
  at = device_text_number(at, version);
  at = device_text_number(device_text_append(at, ",\"of\":"), of);
  (void) device_text_append(at, "}");
}

static enum device_update update_trust(struct device_session *session,
                                       const struct device_mqtt_publish *message, uint32_t *version)
{
  struct device_nvm_identity identity;
  if (device_nvm_read_identity(session->host, &identity) != 0) return DEVICE_UPDATE_NVM_FAILED;
  enum device_update update = device_trust_update(
      session->host, identity.update_key, (enum device_revocation) session->profile->revocation,
      *version, message->payload, message->payload_size, version);
  mbedtls_platform_zeroize(&identity, sizeof identity);
  return update;
}

static enum device_update update_identity(struct device_session *session,
                                          const struct device_mqtt_publish *message)
{
  struct device_nvm_identity identity;
  if (device_nvm_read_identity(session->host, &identity) != 0) return DEVICE_UPDATE_NVM_FAILED;
  enum device_update update =
      device_identity_update(session->host, &identity, message->payload, message->payload_size);
  mbedtls_platform_zeroize(&identity, sizeof identity);
  return update;
}

static int answer(struct device_session *session, const struct device_mqtt_publish *message,
                  enum device_note_kind kind, enum device_update update, uint32_t version)
{
  char text[DEVICE_UPDATE_TEXT_MAX];
  uint32_t of = device_nvm_crc(message->payload, message->payload_size);
  if (update == DEVICE_UPDATE_COMMITTED) device_tls_credentials_changed(session->tls);
  if (session->host->observe != NULL)
    session->host->observe(session->host->ctx, &(struct device_note){.kind = kind,
                                                                     .code = (uint8_t) update,
                                                                     .version = version,
                                                                     .of = of});
  device_update_text(update, version, of, text);
  return device_session_acknowledge(session, kind == DEVICE_NOTE_TRUST ? "trust/ack" : "cert/ack",
                                    text, 0)
             ? 1
             : -1;
}

int device_update_handle(struct device_session *session, const struct device_mqtt_publish *message,
                         uint32_t *trust_version)
{
  /* how a retained message is taken back: it brings nothing */
  if (message->payload_size == 0) return 0;
  if (device_session_topic_is(session, message, "trust")) {
    enum device_update update = update_trust(session, message, trust_version);
    return answer(session, message, DEVICE_NOTE_TRUST, update, *trust_version);
  }
  if (device_session_topic_is(session, message, "cert"))
    return answer(session, message, DEVICE_NOTE_IDENTITY, update_identity(session, message),
                  *trust_version);
  return 0;
}
