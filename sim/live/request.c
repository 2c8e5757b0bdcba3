/* The head of a request against the few that are answered. */
#include "live/request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/host_port.h"
#include "report/onlooker.h"

#define HTTP_PORT 80

static const struct {
  const char *path, *method;
  enum request_route route;
} routes[] = {{"/", "GET", REQUEST_PAGE},
              {"/events", "GET", REQUEST_EVENTS},
              {"/metrics", "GET", REQUEST_METRICS},
              {"/control", "POST", REQUEST_CONTROL}};

bool request_token_is(const char *said, const char token[REQUEST_TOKEN_SIZE + 1])
{
  unsigned differs = 0;
  if (said == NULL || strlen(said) != REQUEST_TOKEN_SIZE) return false;
  for (size_t i = 0; i < REQUEST_TOKEN_SIZE; i++)
    differs |= (unsigned) ((unsigned char) said[i] ^ (unsigned char) token[i]);
  return differs == 0;
}

unsigned request_control(const char *body, size_t size)
{
  static const struct {
    const char *word;
    unsigned asks;
  } words[] = {{"pause", ONLOOKER_ASKS_PAUSE},
               {"go-on", ONLOOKER_ASKS_GO_ON},
               {"abort", ONLOOKER_ASKS_ABORT}};
  for (size_t w = 0; w < sizeof words / sizeof *words; w++)
    if (strlen(words[w].word) == size && memcmp(words[w].word, body, size) == 0)
      return words[w].asks;
  return 0;
}

static bool is_at(const char *said, const char *host, uint16_t port)
{
  char whole[HOST_PORT_MAX];
  host_port(host, port, whole);
  if (strcasecmp(said, whole) == 0) return true;
  size_t size = strlen(whole) - strlen(strrchr(whole, ':'));
  return port == HTTP_PORT && strlen(said) == size && strncasecmp(said, whole, size) == 0;
}

static bool host_is(const char *said, const struct request_place *place)
{
  if (said == NULL) return false;
  return is_at(said, place->address, place->port) ||
         (place->loopback && is_at(said, "localhost", place->port));
}

/* Whether the page that has made it is ours, as far as it says: a program that is no browser says
   nothing. */
static bool is_ours(const struct request *request, bool control)
{
  char own[HOST_PORT_MAX + sizeof "http://"];
  const char *site = request->fetch_site;
  snprintf(own, sizeof own, "http://%s", request->host);
  if (request->origin != NULL && strcasecmp(request->origin, own) != 0) return false;
  return site == NULL || strcmp(site, "same-origin") == 0 ||
         (!control && strcmp(site, "none") == 0);
}

unsigned request_judge(const struct request *request, const struct request_place *place,
                       const char token[REQUEST_TOKEN_SIZE + 1], enum request_route *route,
                       const char **why)
{
  size_t r = 0, count = sizeof routes / sizeof *routes;
  *why = "Host is not the address that this is served at\n";
  if (!host_is(request->host, place)) return 421;
  while (r < count && strcmp(request->path, routes[r].path) != 0) r++;
  bool control = r < count && routes[r].route == REQUEST_CONTROL;
  *why = "another site has sent this request\n";
  if (!is_ours(request, control)) return 403;
  *why = "there are /, /events, /metrics and /control\n";
  if (r == count) return 404;
  *why = control ? "this is for POST\n" : "this is for GET\n";
  if (strcmp(request->method, routes[r].method) != 0) return 405;
  *route = routes[r].route;
  *why =
      "the token of this run is missing or wrong: it stands behind the # of the address that the "
      "run has printed\n";
  return control && !request_token_is(request->token, token) ? 401 : 200;
}
