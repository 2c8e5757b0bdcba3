/* Spelled hosts and resolved addresses against loopback and the list of those that both sides have
 * named. In doubt the answer is no; only a name that leads nowhere passes, for nobody is reached
 * by it. */
#define _POSIX_C_SOURCE 200809L
#include "net/permit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool permit_is_loopback(const char *host)
{
  struct in_addr v4;
  struct in6_addr v6;
  if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (inet_pton(AF_INET6, host, &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return permit_same_host(host, "localhost");
}

bool permit_same_host(const char *a, const char *b)
{
  return strcasecmp(a, b) == 0;
}

bool permit_is_listed(const struct permit *permit, const char *host)
{
  for (size_t i = 0; permit != NULL && i < permit->count; i++)
    if (permit_same_host(permit->hosts[i], host)) return true;
  return false;
}

bool permit_host(const struct permit *permit, const char *host)
{
  return permit_is_loopback(host) || permit_is_listed(permit, host);
}

static bool is_loopback_address(const struct sockaddr *address)
{
  if (address->sa_family == AF_INET)
    return (ntohl(((const struct sockaddr_in *) (const void *) address)->sin_addr.s_addr) >> 24) ==
           127;
  return address->sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) (const void *) address)->sin6_addr);
}

bool permit_address(const struct permit *permit, const char *host, const struct sockaddr *address)
{
  return is_loopback_address(address) || permit_is_listed(permit, host);
}

bool permit_addresses(const struct permit *permit, const char *host,
                      const struct sockaddr_storage *addresses, size_t count,
                      char beyond[PERMIT_ADDRESS_MAX])
{
  for (size_t i = 0; i < count; i++) {
    const struct sockaddr *address = (const struct sockaddr *) &addresses[i];
    if (permit_address(permit, host, address)) continue;
    if (getnameinfo(address, sizeof addresses[i], beyond, PERMIT_ADDRESS_MAX, NULL, 0,
                    NI_NUMERICHOST) != 0)
      strcpy(beyond, "an address elsewhere");
    return false;
  }
  return true;
}

bool permit_look_up(const struct permit *permit, const char *host, char beyond[PERMIT_ADDRESS_MAX])
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
  bool permitted = true;
  if (permit_is_listed(permit, host) || getaddrinfo(host, NULL, &hints, &found) != 0) return true;
  for (const struct addrinfo *a = found; a != NULL && permitted; a = a->ai_next) {
    struct sockaddr_storage address = {0};
    memcpy(&address, a->ai_addr, a->ai_addrlen);
    permitted = permit_addresses(permit, host, &address, 1, beyond);
  }
  freeaddrinfo(found);
  return permitted;
}
