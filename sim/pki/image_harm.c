/* What may be wrong with an image, by its words; and the two harms that want no key and no image. */
#include <string.h>

#include "pki/image.h"

static const struct {
  const char *name, *sentence;
  enum device_ota_status status;
} harms[] = {
#define X(symbol, word, status_, sentence_) {word, sentence_, DEVICE_OTA_##status_},
    PKI_IMAGE_HARMS(X)
#undef X
};

const char *pki_harm_name(enum pki_image_harm harm)
{
  return (unsigned) harm < PKI_HARM_COUNT ? harms[harm].name : "unknown";
}

const char *pki_harm_sentence(enum pki_image_harm harm)
{
  return (unsigned) harm < PKI_HARM_COUNT ? harms[harm].sentence : "unknown";
}

enum device_ota_status pki_harm_status(enum pki_image_harm harm)
{
  return (unsigned) harm < PKI_HARM_COUNT ? harms[harm].status : DEVICE_OTA_NONE;
}

int pki_harm_find(const char *name)
{
  for (int i = 0; i < PKI_HARM_COUNT; i++)
    if (strcmp(harms[i].name, name) == 0) return i;
  return -1;
}

void pki_manifest_spoil(enum pki_image_harm harm, uint8_t *data, size_t size)
{
  if (size == 0) return;
  if (harm == PKI_HARM_MANIFEST_SIGNATURE) data[size - 1] ^= 1;
  if (harm == PKI_HARM_BAD_MANIFEST) data[0] ^= 0xff;
}
