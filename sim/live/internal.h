/* The live page's own parts. Internal to sim/live. */
#ifndef FLEETSIM_LIVE_INTERNAL_H
#define FLEETSIM_LIVE_INTERNAL_H

#include "live/board.h"
#include "live/guests.h"
#include "live/live.h"
#include "live/request.h"

struct MHD_Daemon;
struct MHD_Response;

struct live {
  struct board board;
  struct live_place place; /* with the port that it has */
  char url[LIVE_URL_MAX], token[REQUEST_TOKEN_SIZE + 1];
  struct onlooker onlooker;
  atomic_uint asked;             /* bits of enum onlooker_asks, that the run has not heard so far */
  uint64_t made_ms[BOARD_KINDS]; /* the run's thread: when it made the last text; 0: not so far */
  struct running *running;       /* the run's thread; NULL: no memory so far */
  struct guests guests;          /* the server's thread */
  struct MHD_Daemon *daemon;
  struct MHD_Response *page; /* NULL: this build has none */
};

/* look.c: what the run shows becomes the texts of the board. */
void live_begin_looking(struct live *live);
void live_end_looking(struct live *live);

/* The server's thread: the run hears of it at its next beat. */
void live_ask(struct live *live, enum onlooker_asks asks);

/* server.c: takes the socket; 0, or -1 with the error. */
int live_serve(struct live *live, int socket, struct error *error);
void live_stop_serving(struct live *live);

#endif
