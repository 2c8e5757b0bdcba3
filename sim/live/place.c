/* Where the live page is served, as the command line says it: an address in numbers, so that what is
 * opened is what was read, and no name leads elsewhere. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/live.h"

#define HERE     "127.0.0.1"
#define PORT_MAX 65535

/* The port behind the last colon, or all of it where there is no colon; NULL: there is none. */
static const char *port_of(const char *text)
{
  const char *colon = strrchr(text, ':'), *port = colon != NULL ? colon + 1 : text;
  bool digits = *port != '\0' && strlen(port) <= 5 && port[strspn(port, "0123456789")] == '\0';
  return digits ? port : NULL;
}

bool live_is_place(const char *text)
{
  return port_of(text) != NULL && strchr(text, '/') == NULL;
}

static int refuse(const char *text, struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "'%.60s' is no place for the live page: say ADDR:PORT with an address in "
                   "numbers, such as 127.0.0.1:8080 or [::1]:8080, or a port alone: 8080",
                   text);
}

static bool read_address(const char *host, struct live_place *out)
{
  struct in_addr four;
  struct in6_addr six;
  if (inet_pton(AF_INET, host, &four) == 1) {
    out->loopback = ntohl(four.s_addr) >> 24 == 127;
    return inet_ntop(AF_INET, &four, out->host, sizeof out->host) != NULL;
  }
  if (inet_pton(AF_INET6, host, &six) != 1) return false;
  out->loopback = IN6_IS_ADDR_LOOPBACK(&six);
  return inet_ntop(AF_INET6, &six, out->host, sizeof out->host) != NULL;
}

int live_place_read(const char *text, struct live_place *out, struct error *error)
{
  char host[LIVE_HOST_MAX];
  const char *port = port_of(text), *from = text;
  if (port == NULL) return refuse(text, error);
  size_t size = port == text ? 0 : (size_t) (port - 1 - text);
  bool brackets = size >= 2 && text[0] == '[' && text[size - 1] == ']';
  if (brackets) from++, size -= 2;
  if (size >= sizeof host) return refuse(text, error);
  memcpy(host, from, size);
  host[size] = '\0';
  if (!brackets && strchr(host, ':') != NULL) return refuse(text, error);
  if (!brackets && (size == 0 || strcmp(host, "localhost") == 0)) snprintf(host, sizeof host, HERE);
  long number = strtol(port, NULL, 10);
  *out = (struct live_place){.port = (uint16_t) number};
  return number <= PORT_MAX && read_address(host, out) ? 0 : refuse(text, error);
}
