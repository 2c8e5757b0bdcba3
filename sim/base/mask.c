/* Finds what may be a secret in a text that was put together elsewhere. In doubt it masks: a
 * password may hold blanks, quotes and @, and may have been cut off before its @. It works in
 * place and never makes a text longer, so it cannot fail. */
#include "base/mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char stars[] = "***", blanks[] = " \t\r\n", stops[] = ".,:;)]}";

/* Replaces the bytes from `from` up to `to` by stars, never more than there were; what follows them
   now. */
static char *star(char *from, const char *to)
{
  size_t room = (size_t) (to - from), shown = room < sizeof stars - 1 ? room : sizeof stars - 1;
  memcpy(from, stars, shown);
  memmove(from + shown, to, strlen(to) + 1);
  return from + shown;
}

/* A quote closes what it quotes; one amid letters belongs to them. */
static bool is_closing(const char *c)
{
  return (*c == '\'' || *c == '"') &&
         (c[1] == '\0' || strchr(blanks, c[1]) != NULL || strchr(stops, c[1]) != NULL);
}

static bool is_end(const char *c)
{
  return *c == '\0' || strchr(blanks, *c) != NULL || is_closing(c);
}

/* "::1:8883", an address that lacks its brackets. */
static bool is_ipv6(const char *text, size_t size)
{
  size_t address = strspn(text, "0123456789abcdefABCDEF:.");
  if (address > size) address = size;
  for (size_t i = 0; i + 1 < address; i++)
    if (text[i] == ':' && text[i + 1] == ':')
      return address == size || strchr("/?#%)],;", text[address]) != NULL;
  return false;
}

/* A user name whose password was cut off before its @: "user:secr" is no host with its port. */
static bool is_cut_off(const char *text, size_t size)
{
  const char *colon = memchr(text, ':', size);
  if (*text == '[' || colon == NULL || is_ipv6(text, size)) return false;
  const char *after = colon + 1 + strspn(colon + 1, "0123456789");
  size_t rest = (size_t) (text + size - after);
  bool is_port = after - colon <= 6 && (rest == 0 || strchr("/?#", *after) != NULL ||
                                        (rest == 1 && strchr(stops, *after) != NULL));
  return !is_port;
}

/* The last @ of what begins with a URL: before its end, or beyond blanks that a password may hold,
 * but not in the next URL, and not an @ of the sentence, which stands alone. */
static char *last_at(char *text, const char *end, bool secret)
{
  char *at = NULL;
  for (char *c = text; *c != '\0' && *c != '\n' && !is_closing(c); c++) {
    if (c >= end && !secret && at == NULL) break;
    if (c >= end && strncmp(c, "://", 3) == 0) break;
    if (*c == '@' && (c < end || strchr(blanks, c[-1]) == NULL)) at = c;
  }
  return at;
}

/* "?token=..." of a URL, whatever it is called; a "?" that ends a question has no letter after
   it. */
static void mask_queries(char *text)
{
  for (char *c = strpbrk(text, "?"); c != NULL; c = strpbrk(c, "?")) {
    char *end = ++c;
    if (!isalnum((unsigned char) *c) && (*c == '\0' || strchr("%&_-", *c) == NULL)) continue;
    while (!is_end(end)) end++;
    while (end > c && strchr(stops, end[-1]) != NULL) end--;
    c = star(c, end);
  }
}

/* "user:password@" without a scheme. */
static void mask_bare(char *text)
{
  for (char *c = text; *c != '\0';) {
    c += strspn(c, blanks);
    char *end = c, *at = NULL, *colon = NULL;
    for (; *end != '\0' && strchr(blanks, *end) == NULL; end++) {
      if (*end == ':' && colon == NULL) colon = end;
      if (*end == '@' && colon != NULL) at = end;
    }
    char *start = colon;
    while (start != NULL && start > c && strchr("[({,='\"", start[-1]) == NULL) start--;
    bool is_url = colon != NULL && strncmp(colon, "://", 3) == 0;
    c = at != NULL && at > colon + 1 && !is_url ? star(start, at) : end;
  }
}

void mask_urls(char *text)
{
  for (char *scheme = strstr(text, "://"); scheme != NULL; scheme = strstr(scheme, "://")) {
    scheme += 3;
    char *end = scheme;
    while (!is_end(end)) end++;
    bool secret = is_cut_off(scheme, (size_t) (end - scheme));
    char *at = last_at(scheme, end, secret);
    if (at == NULL && secret) at = end;
    if (at != NULL) (void) star(scheme, at);
  }
  mask_bare(text);
  mask_queries(text);
}

const char *mask_url(const char *url, char *out, size_t capacity)
{
  const char *scheme = strstr(url, "://"), *start = scheme != NULL ? scheme + 3 : url,
             *at = strrchr(start, '@');
  if (at == NULL)
    snprintf(out, capacity, "%s", url);
  else
    snprintf(out, capacity, "%.*s%s%s", (int) (start - url), url, stars, at);
  mask_queries(out);
  return out;
}

const char *mask_value(const char *value, char *out, size_t capacity)
{
  char whole[2048];
  snprintf(whole, sizeof whole, "%s", value);
  mask_urls(whole);
  snprintf(out, capacity, "%s", whole);
  return out;
}

const char *mask_setting(const char *path, const char *value, char *out, size_t capacity)
{
  static const char *const secret[] = {"password", "command", "hooks"};
  bool hidden = false;
  for (size_t s = 0; s < sizeof secret / sizeof *secret; s++)
    hidden = hidden || strstr(path, secret[s]) != NULL || strstr(value, secret[s]) != NULL;
  return mask_value(hidden ? "***" : value, out, capacity);
}
