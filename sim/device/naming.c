/* A device's name: the eight digits of old, and what else it may be. */
#include <string.h>

#include "fleetsim/device.h"
#include "utf8.h"

void device_id_text(uint32_t id, char out[DEVICE_ID_TEXT])
{
  for (unsigned i = 0; i < 8; i++) out[i] = "0123456789abcdef"[(id >> (28 - 4 * i)) & 0xf];
  out[8] = 0;
}

/* U+0001 to U+001F, U+007F, U+0080 to U+009F. */
static bool is_control(const uint8_t *character)
{
  return character[0] < 0x20 || character[0] == 0x7f ||
         (character[0] == 0xc2 && character[1] < 0xa0);
}

bool device_name_is_good(const char *name)
{
  const char *end = memchr(name, '\0', DEVICE_NAME_TEXT);
  if (end == NULL || end == name) return false;
  const uint8_t *at = (const uint8_t *) name;
  for (size_t left = (size_t) (end - name), step; left > 0; left -= step, at += step) {
    step = device_utf8_character(at, left);
    if (step == 0 || is_control(at)) return false;
  }
  return true;
}

bool device_name_is_level(const char *name)
{
  return strchr(name, '/') == NULL && strchr(name, '+') == NULL && strchr(name, '#') == NULL;
}
