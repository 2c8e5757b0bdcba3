#include "base/mask.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char stars[] = "***";

/* A user name whose password was cut off before its @: "user:secr" is no host with its port. */
static bool is_cut_off(const char *text, size_t size)
{
  const char *colon = memchr(text, ':', size);
  if (*text == '[' || colon == NULL) return false;
  const char *after = colon + 1 + strspn(colon + 1, "0123456789");
  size_t rest = (size_t) (text + size - after);
  bool is_port = after - colon <= 6 &&
                 (rest == 0 || strchr("/?#", *after) != NULL || (rest == 1 && strchr(".,:;)]", *after) != NULL));
  return !is_port;
}

void mask_urls(char *text)
{
  for (char *scheme = strstr(text, "://"); scheme != NULL; scheme = strstr(scheme, "://")) {
    scheme += 3;
    char *end = scheme + strcspn(scheme, " \t\r\n'\""), *at = NULL;
    for (char *c = scheme; c < end; c++)
      if (*c == '@') at = c;
    if (at == NULL && is_cut_off(scheme, (size_t) (end - scheme))) at = end;
    if (at == NULL) continue;
    size_t room = (size_t) (at - scheme), shown = room < sizeof stars - 1 ? room : sizeof stars - 1;
    memcpy(scheme, stars, shown);
    memmove(scheme + shown, at, strlen(at) + 1);
  }
}

const char *mask_url(const char *url, char *out, size_t capacity)
{
  const char *scheme = strstr(url, "://"), *start = scheme != NULL ? scheme + 3 : url, *at = strrchr(start, '@');
  if (at == NULL)
    snprintf(out, capacity, "%s", url);
  else
    snprintf(out, capacity, "%.*s%s%s", (int) (start - url), url, stars, at);
  return out;
}
