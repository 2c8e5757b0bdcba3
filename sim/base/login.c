/* A CONNECT by hand, for those who only knock: the back office's look for what is wrong, a kick, a
   probe. */
#define _POSIX_C_SOURCE 200809L
#include "base/login.h"

#include <string.h>

static size_t put_text(uint8_t *out, const char *text, size_t most)
{
  size_t size = strnlen(text, most);
  out[0] = (uint8_t) (size >> 8);
  out[1] = (uint8_t) size;
  memcpy(out + 2, text, size);
  return size + 2;
}

size_t login_connect(const char *client_id, bool clean_session, uint8_t keep_alive_s,
                     const struct login *login, uint8_t out[LOGIN_CONNECT_MAX])
{
  static const uint8_t head[] = {0, 4, 'M', 'Q', 'T', 'T', 4};
  bool password = login->user != NULL && login->password != NULL;
  uint8_t flags = clean_session ? 0x02 : 0x00;
  uint8_t *body =
      out + 3; /* a remaining length of two bytes (2.2.3) lies before it; of one, below */
  if (login->user != NULL) flags |= 0x80;
  if (password) flags |= 0x40;
  memcpy(body, head, sizeof head);
  size_t size = sizeof head;
  body[size++] = flags;
  body[size++] = 0;
  body[size++] = keep_alive_s;
  size += put_text(body + size, client_id, LOGIN_ID_MAX);
  if (login->user != NULL) size += put_text(body + size, login->user, LOGIN_USER_MAX);
  if (password) size += put_text(body + size, login->password, LOGIN_PASSWORD_MAX);
  out[0] = 0x10;
  if (size < 128) {
    out[1] = (uint8_t) size;
    memmove(out + 2, body, size);
    return size + 2;
  }
  out[1] = (uint8_t) ((size & 0x7f) | 0x80);
  out[2] = (uint8_t) (size >> 7);
  return size + 3;
}
