/* A list of one. */
#define _POSIX_C_SOURCE 200809L
#include "net/tls_alpn.h"

#include <string.h>

unsigned tls_alpn(const char *protocol, unsigned char out[TLS_ALPN_MAX])
{
  size_t size = strnlen(protocol, TLS_ALPN_MAX - 2);
  out[0] = (unsigned char) size;
  memcpy(out + 1, protocol, size);
  out[size + 1] = 0;
  return (unsigned) size + 1;
}
