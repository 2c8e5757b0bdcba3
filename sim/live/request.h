/* Whether a request is answered: decided from its head alone, by whoever serves. Internal to
 * sim/live.
 *
 * A browser of the user's may be led here by anybody's page. So a request is answered only if its
 * Host is the address that was connected to (a name that leads here by a trick is another Host),
 * and if neither Origin nor Sec-Fetch-Site say that another site has made it; no answer allows another
 * origin to read it. A control needs the run's token besides, which is told on the terminal alone.
 */
#ifndef FLEETSIM_LIVE_REQUEST_H
#define FLEETSIM_LIVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_TOKEN_SIZE   32u /* digits */
#define REQUEST_TOKEN_HEADER "Fleetsim-Token"

enum request_route { REQUEST_PAGE, REQUEST_EVENTS, REQUEST_METRICS, REQUEST_CONTROL };

/* Of the head; NULL: it has none such. */
struct request {
  const char *method, *path, *host, *origin, *fetch_site, *token;
};

/* What was connected to. */
struct request_place {
  const char *address; /* in numbers, without brackets */
  uint16_t port;
  bool loopback;
};

/* 200 with the route, or the status of a refusal with its sentence in *why. `token` is the run's. */
unsigned request_judge(const struct request *request, const struct request_place *place,
                       const char token[REQUEST_TOKEN_SIZE + 1], enum request_route *route,
                       const char **why);

/* The body of a control: a bit of enum onlooker_asks, or 0. Longer bodies are none. */
#define REQUEST_BODY_MAX 16u
unsigned request_control(const char *body, size_t size);

/* Takes as long whichever digit is wrong. */
bool request_token_is(const char *said, const char token[REQUEST_TOKEN_SIZE + 1]);

#endif
