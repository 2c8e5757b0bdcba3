/* The stable words: failures, update outcomes, a device's id. */
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

void device_id_text(uint32_t id, char out[DEVICE_ID_TEXT])
{
  for (unsigned i = 0; i < 8; i++) out[i] = "0123456789abcdef"[(id >> (28 - 4 * i)) & 0xf];
  out[8] = 0;
}
