/* Where devices connect from: an address of 127.0.0.0/8 by its index, so that none runs out of
 * ports. */
#define _DEFAULT_SOURCE
#include "fleet/addresses.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

void addresses_source(size_t index, struct sockaddr_storage *out)
{
  assert(index < ADDRESSES_MAX);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t) index);
  memset(out, 0, sizeof *out);
  memcpy(out, &address, sizeof address);
}

void addresses_text(size_t index, char out[ADDRESSES_TEXT])
{
  struct sockaddr_storage source;
  struct sockaddr_in address;
  addresses_source(index, &source);
  memcpy(&address, &source, sizeof address);
  inet_ntop(AF_INET, &address.sin_addr, out, ADDRESSES_TEXT);
}
