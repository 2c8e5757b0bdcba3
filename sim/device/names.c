/* The stable words: failures, outcomes of updates, an image's version. */
#include <string.h>

#include "fleetsim/device.h"

static const char *const failure_names[] = {
#define X(symbol, name, sentence) name,
    DEVICE_FAILURES(X)
#undef X
};

static const char *const failure_sentences[] = {
#define X(symbol, name, sentence) sentence,
    DEVICE_FAILURES(X)
#undef X
};

static const char *const update_names[] = {
#define X(symbol, name, sentence) name,
    DEVICE_UPDATES(X)
#undef X
};

static const char *const ota_names[] = {
#define X(symbol, name, sentence) name,
    DEVICE_OTA_STATUSES(X)
#undef X
};

static const char *const ota_sentences[] = {
#define X(symbol, name, sentence) sentence,
    DEVICE_OTA_STATUSES(X)
#undef X
};

bool device_failure_is_refusal(enum device_failure failure)
{
  return (failure >= DEVICE_FAIL_ALERT_FIRST && failure <= DEVICE_FAIL_REFUSED_TLS_LAST) ||
         (failure >= DEVICE_FAIL_CONNACK_FIRST && failure <= DEVICE_FAIL_CONNACK_LAST) ||
         failure == DEVICE_FAIL_TCP_RESET || failure == DEVICE_FAIL_TCP_CLOSED;
}

enum device_failure device_failure_of_alert(uint8_t alert)
{
  switch (alert) {
  case 42: /* bad_certificate */
  case 43: /* unsupported_certificate */
  case 46: /* certificate_unknown */ return DEVICE_FAIL_TLS_ALERT_BAD_CERT;
  case 44: /* certificate_revoked */ return DEVICE_FAIL_TLS_ALERT_REVOKED;
  case 45: /* certificate_expired */ return DEVICE_FAIL_TLS_ALERT_EXPIRED;
  case 48: /* unknown_ca */ return DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA;
  case 116: /* certificate_required */ return DEVICE_FAIL_TLS_ALERT_NO_CERT;
  case 40: /* handshake_failure */
  case 70: /* protocol_version */
  case 71: /* insufficient_security */
  case 86: /* inappropriate_fallback */
  case 120: /* no_application_protocol, RFC 7301 3.2 */ return DEVICE_FAIL_TLS_ALERT_HANDSHAKE;
  default: return DEVICE_FAIL_TLS_ALERT_OTHER;
  }
}

enum device_failure device_failure_of_connack(uint8_t code)
{
  switch (code) {
  case 0: return DEVICE_FAIL_NONE;
  case 1:
  case 0x84: return DEVICE_FAIL_MQTT_REFUSED_VERSION;
  case 2:
  case 0x85: return DEVICE_FAIL_MQTT_REFUSED_ID;
  case 4:
  case 5:
  case 0x86:
  case 0x87:
  case 0x8a:
  case 0x8c: return DEVICE_FAIL_MQTT_REFUSED_AUTH;
  case 3:
  case 0x88:
  case 0x89:
  case 0x97:
  case 0x9f: return DEVICE_FAIL_MQTT_REFUSED_BUSY;
  case 0x9c:
  case 0x9d: return DEVICE_FAIL_MQTT_REFUSED_MOVED;
  default: return DEVICE_FAIL_MQTT_REFUSED_OTHER;
  }
}

const char *device_failure_name(enum device_failure failure)
{
  return (unsigned) failure < DEVICE_FAIL_COUNT ? failure_names[failure] : "unknown";
}

const char *device_failure_sentence(enum device_failure failure)
{
  return (unsigned) failure < DEVICE_FAIL_COUNT ? failure_sentences[failure] : "unknown";
}

const char *device_update_name(enum device_update update)
{
  return (unsigned) update < DEVICE_UPDATE_COUNT ? update_names[update] : "unknown";
}

const char *device_ota_status_name(enum device_ota_status status)
{
  return (unsigned) status < DEVICE_OTA_STATUS_COUNT ? ota_names[status] : "unknown";
}

const char *device_ota_status_sentence(enum device_ota_status status)
{
  return (unsigned) status < DEVICE_OTA_STATUS_COUNT ? ota_sentences[status] : "unknown";
}

int device_ota_status_find(const char *name, size_t size)
{
  for (int i = 0; i < DEVICE_OTA_STATUS_COUNT; i++)
    if (strlen(ota_names[i]) == size && memcmp(ota_names[i], name, size) == 0) return i;
  return -1;
}

static char *put_number(char *at, uint32_t number)
{
  char digits[5];
  size_t count = 0;
  do digits[count++] = (char) ('0' + number % 10);
  while ((number /= 10) != 0);
  while (count > 0) *at++ = digits[--count];
  return at;
}

void device_version_text(uint32_t version, char out[DEVICE_VERSION_TEXT])
{
  char *at = put_number(out, version >> 24);
  *at++ = '.';
  at = put_number(at, version >> 16 & 0xff);
  *at++ = '.';
  at = put_number(at, version & 0xffff);
  *at = '\0';
}
