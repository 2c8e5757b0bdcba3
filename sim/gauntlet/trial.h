/* One case in one version of TLS against one client: a server of its own, a client that is started,
 * and what was seen when it is over.
 *
 *     trial_start -> ... -> over, once, from the loop
 */
#ifndef FLEETSIM_GAUNTLET_TRIAL_H
#define FLEETSIM_GAUNTLET_TRIAL_H

#include <uv.h>

#include "gauntlet/credentials.h"
#include "gauntlet/report.h"
#include "gauntlet/visit.h"

#define TRIAL_VISITS_MAX 32u /* at once; one more is closed as soon as it is accepted */

struct trial;

/* How a kind of client is brought before the server. */
struct trial_client {
  /* Starts it; it may be refused (-1, with an error: the trial is skipped). It says trial_client_done
   * when it has ended by itself. */
  int (*start)(struct trial *trial, struct error *error);
  /* The trial's time is up, or enough was seen. trial_client_gone follows, from the loop, in any case
   * in which start has returned 0. */
  void (*stop)(struct trial *trial);
};

/* What all trials of a gauntlet share; outlives them. */
struct trial_setting {
  uv_loop_t *loop;
  const struct credentials *credentials;
  const struct trial_client *client;
  void *client_setting;                 /* the client's own */
  const struct trial_client *downloads; /* who is tried by HTTPS instead; NULL: the same */
  const char *folder;                   /* for files of trials; the caller's */
  uint32_t patience_ms;                 /* a trial's deadline */
  uint32_t linger_ms;                   /* from when enough was seen: for what a client does next */
  bool watches_refusal; /* who has refused is watched until it ends, or its time is up */
  bool by_own_device;   /* verdicts are of what our device must do, to the letter */
  const uint8_t *image;
  size_t image_size;
};

struct trial {
  const struct trial_setting *setting;
  const struct gauntlet_case *c;
  uint8_t tls;
  size_t number; /* of this trial in its gauntlet, for names of files */
  struct trial_result *result;
  void (*over)(struct trial *trial);
  void *ctx; /* the caller's */

  struct act act;
  struct listener_of_trial *listener;
  uint16_t port;
  const char *host; /* what the client calls the server */
  struct visit *visits[TRIAL_VISITS_MAX];
  uint64_t began_ms;
  uv_timer_t deadline;
  void *client; /* its own state */
  bool client_open, client_done, ending, deadline_closed, listener_closed;
  double last_end_ms;
};

/* The trial's storage is the caller's; `setting`, `c`, `tls`, `number`, `result`, `over` and `ctx` are
 * set, the rest is zero. What cannot be tried is told as VERDICT_SKIPPED, also by `over`. */
void trial_start(struct trial *trial);
/* At once, as an interrupt does: what was seen until then is judged. */
void trial_stop(struct trial *trial);

/* For clients. */
void trial_client_done(struct trial *trial);
void trial_client_gone(struct trial *trial);
/* The anchors that the case has its client trust. */
size_t trial_anchors(const struct trial *trial, X509 *out[CASE_NAMES_MAX]);

#endif
