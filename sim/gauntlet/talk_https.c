/* What an update server reads and serves: the head of a request, and one image, whole or a range of
 * it (RFC 9110 14.2), as a good one does. */
#define _GNU_SOURCE
#include "gauntlet/visit_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The end of the head in what has come; 0: it is not whole yet. */
static size_t head_size(const struct visit *visit)
{
  const uint8_t *data = visit->talk.data;
  for (size_t i = 3; i < visit->talk.size; i++)
    if (memcmp(data + i - 3, "\r\n\r\n", 4) == 0) return i + 1;
  return 0;
}

/* The first and last byte that are asked for, of a head that is terminated. */
static void read_range(const char *head, size_t size, struct visit *visit)
{
  visit->range = false;
  for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, "range: bytes=", 13) != 0) continue;
    char *end;
    visit->first = strtoul(line + 15, &end, 10);
    visit->last =
        *end == '-' && end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, NULL, 10) : size - 1;
    visit->range = *end == '-' && end != line + 15;
  }
}

bool talk_https_take(struct visit *visit, enum script_verb wanted)
{
  char head[4096];
  size_t size = head_size(visit);
  (void) wanted;
  if (size == 0) return false;
  snprintf(head, sizeof head, "%.*s", (int) size, (const char *) visit->talk.data);
  visit->seen.requests++;
  visit->seen.asked = true;
  read_range(head, visit->act->image_size, visit);
  visit->head_only = strncmp(head, "HEAD ", 5) == 0;
  visit_forget(visit, size);
  return true;
}

void talk_https_image(struct visit *visit)
{
  char head[256];
  size_t whole = visit->act->image_size, first = 0, size = whole;
  bool part = visit->range && visit->first < whole;
  if (part) {
    size_t last = visit->last < whole ? visit->last : whole - 1;
    first = visit->first;
    size = last >= first ? last - first + 1 : whole - first;
    snprintf(head, sizeof head,
             "HTTP/1.1 206 Partial Content\r\nContent-Length: %zu\r\nContent-Range: bytes "
             "%zu-%zu/%zu\r\n\r\n",
             size, first, first + size - 1, whole);
  } else {
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nAccept-Ranges: "
             "bytes\r\nContent-Length: %zu\r\n\r\n",
             whole);
  }
  visit_tls_say(visit, head, strlen(head));
  if (!visit->head_only && size > 0) visit_tls_say(visit, visit->act->image + first, size);
}
