/* Taken apart by hand, in one pass, since little is allowed: a scheme, a host, a port. Whatever
 * else a URL may have is refused with what to write instead, and a password in it is never
 * repeated. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/url.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXAMPLE "write mqtts://host:8883"

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

__attribute__((format(printf, 3, 4))) static int refuse(char *why, size_t size, const char *format,
                                                        ...)
{
  va_list args;
  va_start(args, format);
  vsnprintf(why, size, format, args);
  va_end(args);
  return -1;
}

static bool is_numeric(const char *host)
{
  return host[strspn(host, "0123456789.")] == '\0';
}

static bool has_bad_label(const char *host)
{
  for (const char *label = host; *label != '\0';) {
    size_t size = strcspn(label, ".");
    if (size == 0 || size > 63 || label[0] == '-' || label[size - 1] == '-') return true;
    label += size + (label[size] == '.');
  }
  return false;
}

int url_check_host(const char *host, char *why, size_t why_size)
{
  struct in6_addr v6;
  struct in_addr v4;
  if (inet_pton(AF_INET6, host, &v6) == 1 || inet_pton(AF_INET, host, &v4) == 1) return 0;
  if (*host == '\0') return refuse(why, why_size, "has no host");
  for (const char *c = host; *c != '\0'; c++)
    if ((unsigned char) *c > 126)
      return refuse(why, why_size,
                    "has a host name with letters beyond ASCII: write the name as it stands in DNS "
                    "and certificates, which begins with xn--");
  if (strchr(host, '%') != NULL)
    return refuse(why, why_size,
                  "has an address with a zone (%%): only addresses without one can be used");
  if (strchr(host, '_') != NULL)
    return refuse(why, why_size,
                  "has a host name with an underscore, which certificates cannot carry (RFC 1123): "
                  "give the broker a name of letters, digits, - and .");
  if (strlen(host) > 253)
    return refuse(why, why_size, "has a host name of more than 253 characters");
  if (host[strspn(host, letters)] != '\0')
    return refuse(why, why_size, "has '%c' in its host name: names are of letters, digits, - and .",
                  host[strspn(host, letters)]);
  if (is_numeric(host))
    return refuse(why, why_size,
                  "has a host of digits that is no IPv4 address: four numbers up to 255");
  if (has_bad_label(host))
    return refuse(
        why, why_size,
        "has a host name with an empty part, one above 63 characters, or a - at its edge");
  return 0;
}

static int check_scheme(const char *url, char *why, size_t size)
{
  static const char *const plain[] = {"mqtt://", "tcp://", "ws://", "http://"};
  static const char *const same[] = {"ssl://", "tls://", "mqtt+ssl://", "mqtt+tls://"};
  if (strncasecmp(url, "mqtts://", 8) == 0) return 0;
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (strncasecmp(url, plain[i], strlen(plain[i])) == 0)
      return refuse(why, size, "begins with %s, which is without TLS: " EXAMPLE, plain[i]);
  for (size_t i = 0; i < sizeof same / sizeof *same; i++)
    if (strncasecmp(url, same[i], strlen(same[i])) == 0)
      return refuse(why, size, "begins with %s, which is called mqtts:// here: " EXAMPLE, same[i]);
  if (strncasecmp(url, "wss://", 6) == 0 || strncasecmp(url, "https://", 8) == 0)
    return refuse(why, size, "is of a broker behind HTTP, which devices do not speak: " EXAMPLE);
  return refuse(why, size, "does not begin with mqtts://: " EXAMPLE);
}

static int take_port(const char *text, uint16_t *port, char *why, size_t size)
{
  size_t digits = strspn(text, "0123456789");
  if (*text == '\0') return refuse(why, size, "has no port: " EXAMPLE);
  if (text[digits] != '\0') return refuse(why, size, "has a port that is no number: " EXAMPLE);
  unsigned long number = digits > 5 ? 0 : strtoul(text, NULL, 10);
  if (number < 1 || number > 65535)
    return refuse(why, size, "has a port that is not from 1 to 65535: " EXAMPLE);
  *port = (uint16_t) number;
  return 0;
}

/* "[ADDRESS]:PORT" */
static int split_brackets(const char *text, char host[URL_HOST_MAX], uint16_t *port, char *why,
                          size_t size)
{
  struct in6_addr v6;
  const char *end = strchr(text, ']');
  size_t length = end == NULL ? 0 : (size_t) (end - text) - 1;
  if (length == 0 || length >= URL_HOST_MAX)
    return refuse(why, size, "has brackets that hold no IPv6 address: write mqtts://[::1]:8883");
  memcpy(host, text + 1, length);
  host[length] = '\0';
  if (inet_pton(AF_INET6, host, &v6) != 1)
    return refuse(why, size, "has brackets that hold no IPv6 address%s: write mqtts://[::1]:8883",
                  strchr(host, '%') != NULL ? ", as one with a zone (%) is none" : "");
  if (end[1] != ':') return refuse(why, size, "has no port: write mqtts://[::1]:8883");
  return take_port(end + 2, port, why, size);
}

int url_split(const char *url, char host[URL_HOST_MAX], uint16_t *port, char *why, size_t why_size)
{
  if (check_scheme(url, why, why_size) != 0) return -1;
  const char *text = strstr(url, "://") + 3;
  if (strchr(text, '@') != NULL)
    return refuse(why, why_size,
                  "carries a user name or password: here all show certificates; remove what stands "
                  "before the @");
  if (strpbrk(text, "/?#") != NULL)
    return refuse(why, why_size,
                  "goes on after the port, and a broker has no path: remove all from the '%c' on",
                  *strpbrk(text, "/?#"));
  if (*text == '[') return split_brackets(text, host, port, why, why_size);
  const char *colon = strchr(text, ':');
  if (colon != NULL && strchr(colon + 1, ':') != NULL)
    return refuse(why, why_size, "has an IPv6 address without brackets: write mqtts://[::1]:8883");
  size_t length = colon == NULL ? strlen(text) : (size_t) (colon - text);
  if (length >= URL_HOST_MAX)
    return refuse(why, why_size, "has a host name of more than 253 characters");
  memcpy(host, text, length);
  host[length] = '\0';
  if (url_check_host(host, why, why_size) != 0) return -1;
  return take_port(colon == NULL ? "" : colon + 1, port, why, why_size);
}
