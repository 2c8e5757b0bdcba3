/* One listener on loopback and one case, made once for all who come. Each connection is a visit as in a
 * gauntlet, and is judged as it ends. The storage goes with the last handle. */
#define _GNU_SOURCE
#include "gauntlet/ambush.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gauntlet/act.h"
#include "gauntlet/judge.h"
#include "gauntlet/visit.h"
#include "pki/root_pair.h"
#include "relay/listener.h"

#define FIRST_ADDRESS 0x7f4d0001u /* 127.77.0.1: devices of a run come from the first hundreds */

struct ambush_visit {
  struct ambush *ambush;
  size_t guest;
  struct visit *visit;
  struct ambush_visit *next;
};

struct ambush {
  struct ambush_setting as;
  struct act act;
  struct listener listener;
  struct sockaddr_in address;
  struct ambush_visit *visits;
  uint64_t began_ms;
  bool listening, closed;
};

/* --- Who comes -------------------------------------------------------------------------------- */

static enum ambush_result result_of(enum conduct conduct)
{
  switch (conduct) {
  case CONDUCT_REFUSED: return AMBUSH_REFUSED;
  case CONDUCT_ACCEPTED: return AMBUSH_BELIEVED;
  case CONDUCT_UNSERVED: return AMBUSH_UNSERVED;
  default: return AMBUSH_UNCLEAR;
  }
}

static void tell_outcome(const struct ambush_visit *own, const struct observation *seen)
{
  const struct ambush *ambush = own->ambush;
  struct trial_result *trial = calloc(1, sizeof *trial);
  if (trial == NULL) return; /* the client counts as one that never came */
  *trial = (struct trial_result){
      .c = ambush->as.c, .tls = ambush->as.tls, .verdict = VERDICT_NOT_SHOWN, .seen = *seen};
  judge_trial(trial, false);
  if (trial->conduct == CONDUCT_HUNG)
    snprintf(trial->why, sizeof trial->why,
             "it had sent nothing and not gone when the time was up: give it more ('for')");
  ambush->as.outcome(ambush->as.ctx, &(struct ambush_outcome){.guest = own->guest,
                                                              .result = result_of(trial->conduct),
                                                              .why = trial->why});
  free(trial);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void free_when_over(struct ambush *ambush)
{
  if (!ambush->closed || ambush->listening || ambush->visits != NULL) return;
  act_close(&ambush->act);
  free(ambush);
}

static void on_ambush_unheard(void *ctx)
{
  struct ambush *ambush = ctx;
  ambush->listening = false;
  free_when_over(ambush);
}

/* A visit has seen all that it will as soon as it is closed. */
void ambush_close(struct ambush *ambush)
{
  for (struct ambush_visit *v = ambush->visits; v != NULL; v = v->next) {
    visit_close(v->visit);
    tell_outcome(v, visit_seen(v->visit));
  }
  ambush->closed = true;
  listener_close(&ambush->listener, on_ambush_unheard);
}

static void on_ambush_left(void *ctx, const struct observation *seen)
{
  struct ambush_visit *own = ctx;
  struct ambush *ambush = own->ambush;
  if (!ambush->closed) tell_outcome(own, seen);
  for (struct ambush_visit **at = &ambush->visits; *at != NULL; at = &(*at)->next)
    if (*at == own) {
      *at = own->next;
      break;
    }
  free(own);
  free_when_over(ambush);
}

static const struct visit_handler ambush_handler = {.ended = on_ambush_left};

/* False: it is none of those that were led here. */
static bool guest_of_peer(const struct ambush *ambush, int fd, size_t *guest)
{
  struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
  socklen_t size = sizeof peer;
  if (getpeername(fd, (struct sockaddr *) &peer, &size) != 0 || peer.sin_family != AF_INET)
    return false;
  uint32_t first = FIRST_ADDRESS + (uint32_t) ambush->as.first_guest;
  *guest = ntohl(peer.sin_addr.s_addr) - first;
  return ntohl(peer.sin_addr.s_addr) >= first && *guest < ambush->as.guests;
}

static void on_ambush_accepted(void *ctx, int fd)
{
  struct ambush *ambush = ctx;
  struct ambush_visit *own = calloc(1, sizeof *own);
  if (own == NULL || !guest_of_peer(ambush, fd, &own->guest)) {
    free(own);
    close(fd);
    return;
  }
  own->ambush = ambush;
  own->visit =
      visit_open(ambush->as.loop, fd, &ambush->act, ambush->began_ms, &ambush_handler, own);
  if (own->visit == NULL) {
    free(own);
    return;
  }
  own->next = ambush->visits;
  ambush->visits = own;
}

/* --- The begin -------------------------------------------------------------------------------- */

/* What clients hold is what the case calls its root; its other anchor nobody holds, and no case that
 * fits needs it. */
static int make_act(const struct ambush_setting *as, struct act *act, struct error *error)
{
  const struct gauntlet_case *defaults = &as->cases->defaults;
  int at = case_find(defaults, defaults->trusts.name[0]);
  struct mint *kept = calloc(1, sizeof *kept);
  if (kept == NULL || at < 0) {
    free(kept);
    return error_set(error, EXIT_CODE_INTERNAL, "no memory, or no root, for a hostile server");
  }
  kept->count = defaults->certificate_count;
  int status = pki_root_pair(as->pki, as->root, &kept->x509[at], &kept->key[at], error);
  struct mint_setting setting = {
      .now_unix_s = as->now_unix_s, .host = as->host, .kept = kept, .kept_case = defaults};
  if (status == 0) status = act_open(act, as->c, as->tls, &setting, error);
  if (status != 0) act_close(act);
  mint_free(kept);
  free(kept);
  act->listens = true;
  return status;
}

int ambush_try(const struct ambush_setting *setting, struct error *error)
{
  struct act act = {.c = setting->c};
  if (make_act(setting, &act, error) != 0) return -1;
  act_close(&act);
  return 0;
}

static int listen_to_guests(struct ambush *ambush, struct error *error)
{
  ambush->address =
      (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = listener_bind(&ambush->address), status = fd;
  if (fd >= 0) {
    status = listen(fd, SOMAXCONN) == 0
                 ? listener_open(&ambush->listener, ambush->as.loop, fd, on_ambush_accepted, ambush)
                 : UV_EADDRINUSE;
    if (status != 0) close(fd);
  }
  if (status == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP, "a hostile server cannot listen on 127.0.0.1: %s",
                   uv_strerror(status));
}

int ambush_open(const struct ambush_setting *setting, struct ambush **out, struct error *error)
{
  struct ambush *ambush = calloc(1, sizeof *ambush);
  *out = NULL;
  if (ambush == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a hostile server");
  ambush->as = *setting;
  ambush->began_ms = uv_now(setting->loop);
  if (make_act(&ambush->as, &ambush->act, error) != 0) {
    free(ambush);
    return -1;
  }
  if (listen_to_guests(ambush, error) != 0) {
    act_close(&ambush->act);
    free(ambush);
    return -1;
  }
  ambush->listening = true;
  *out = ambush;
  return 0;
}

void ambush_address(const struct ambush *ambush, size_t guest, struct sockaddr_storage *to,
                    struct sockaddr_storage *from)
{
  struct sockaddr_in own = {.sin_family = AF_INET};
  own.sin_addr.s_addr = htonl(FIRST_ADDRESS + (uint32_t) ambush->as.first_guest + (uint32_t) guest);
  *to = *from = (struct sockaddr_storage){0};
  memcpy(to, &ambush->address, sizeof ambush->address);
  memcpy(from, &own, sizeof own);
}
