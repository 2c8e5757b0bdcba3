/* The live page of a run: a small HTTP server on a thread of its own, which knows of the run what
 * that shows it (report/onlooker.h) and is known to it as nothing more.
 *
 *     GET /          the page, the same as report.html, fed by /events
 *     GET /events    server-sent events: how the run stands, twice a second at most
 *     GET /metrics   Prometheus' text format, as of the moment of the request
 *     POST /control  "pause", "go-on" or "abort", with the token of this run
 *
 * Everything has a limit: connections, memory and time of each. A reader gets the newest state and
 * never a queue of older ones, so a slow one costs nothing but its own view. The run's thread makes
 * a text where somebody waits for one, and never waits itself.
 */
#ifndef FLEETSIM_LIVE_H
#define FLEETSIM_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "report/onlooker.h"

#define LIVE_HOST_MAX 64u
#define LIVE_URL_MAX  128u

struct live_place {
  char host[LIVE_HOST_MAX]; /* an address in numbers, as inet_ntop writes it */
  uint16_t port;            /* 0: the system chooses */
  bool loopback;
};

/* Whether a text is meant as a place: "ADDR:PORT", "[ADDR]:PORT", ":PORT", "PORT". */
bool live_is_place(const char *text);

/* Reads one; without an address it is 127.0.0.1, as is "localhost". -1: a USAGE sentence. */
int live_place_read(const char *text, struct live_place *out, struct error *error);

struct live;

/* Serves from here on. -1: a SETUP sentence, as where the port is taken, or where this fleetsim was
   built without libmicrohttpd. */
int live_open(const struct live_place *place, struct live **out, struct error *error);

/* "http://127.0.0.1:8080/" */
const char *live_url(const struct live *live);

/* What a control has to say: whoever knows it may end the run. For a terminal alone. */
const char *live_token(const struct live *live);

/* For the run; lives as long as `live`. */
const struct onlooker *live_onlooker(struct live *live);

/* Gives those who have the page open a second to hear how the run has ended. Frees; NULL: nothing. */
void live_close(struct live *live);

#endif
