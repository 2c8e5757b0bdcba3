/* Spelled hosts and resolved addresses against loopback and the list of those that both sides have
 * named. In doubt the answer is no; only a name that leads nowhere passes, for nobody is reached
 * by it. */
#define _POSIX_C_SOURCE 200809L
#include "net/permit.h"

#include <arpa/inet.h>
#include <curl/curl.h>
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

static bool is_listed(const struct permit *permit, const char *host)
{
  for (size_t i = 0; permit != NULL && i < permit->count; i++)
    if (permit_same_host(permit->hosts[i], host)) return true;
  return false;
}

bool permit_host(const struct permit *permit, const char *host)
{
  return permit_is_loopback(host) || is_listed(permit, host);
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
  return is_loopback_address(address) || is_listed(permit, host);
}

bool permit_look_up(const struct permit *permit, const char *host, char beyond[PERMIT_ADDRESS_MAX])
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
  bool permitted = true;
  if (is_listed(permit, host) || getaddrinfo(host, NULL, &hints, &found) != 0) return true;
  for (const struct addrinfo *a = found; a != NULL && permitted; a = a->ai_next) {
    permitted = permit_address(permit, host, a->ai_addr);
    if (!permitted && getnameinfo(a->ai_addr, a->ai_addrlen, beyond, PERMIT_ADDRESS_MAX, NULL, 0,
                                  NI_NUMERICHOST) != 0)
      strcpy(beyond, "an address elsewhere");
  }
  freeaddrinfo(found);
  return permitted;
}

int permit_url_host(const char *url, char host[PERMIT_HOST_MAX])
{
  CURLU *parsed = curl_url();
  char *text = NULL;
  int result = -1;
  if (parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get(parsed, CURLUPART_HOST, &text, 0) == CURLUE_OK) {
    size_t size = strlen(text);
    bool brackets = size > 2 && text[0] == '[' && text[size - 1] == ']';
    size -= brackets ? 2 : 0;
    if (size > 0 && size < PERMIT_HOST_MAX) {
      memcpy(host, text + brackets, size);
      host[size] = '\0';
      result = 0;
    }
  }
  curl_free(text);
  curl_url_cleanup(parsed);
  return result;
}
