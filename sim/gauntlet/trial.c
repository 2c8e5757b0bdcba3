/* A listener on a port of its own, so that no client can get into another's case. It is over when the
 * client has ended, when enough was seen and a while has passed, or when time is up; then the server
 * goes first, the client after it, and what was seen is judged. */
#define _GNU_SOURCE
#include "gauntlet/trial.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gauntlet/judge.h"
#include "relay/listener.h"

enum { GRACE_MS = 60 }; /* what a client that has ended sent last is still on its way */

struct listener_of_trial {
  struct listener listener;
  struct trial *trial;
};

/* --- The end ---------------------------------------------------------------------------------- */

static size_t count_visits(const struct trial *trial)
{
  size_t open = 0;
  for (size_t i = 0; i < TRIAL_VISITS_MAX; i++) open += trial->visits[i] != NULL;
  return open;
}

static const struct trial_client *client_of(const struct trial *trial)
{
  const struct trial_setting *setting = trial->setting;
  bool downloads = trial->c->layer == CASE_HTTPS && setting->downloads != NULL;
  return downloads ? setting->downloads : setting->client;
}

static void finish_trial(struct trial *trial)
{
  if (!trial->ending || trial->client_open || !trial->deadline_closed || !trial->listener_closed ||
      count_visits(trial) > 0)
    return;
  judge_trial(trial->result, trial->setting->by_own_device);
  act_close(&trial->act);
  trial->over(trial);
}

static void on_deadline_closed(uv_handle_t *handle)
{
  struct trial *trial = handle->data;
  trial->deadline_closed = true;
  finish_trial(trial);
}

static void on_listener_closed(void *ctx)
{
  struct listener_of_trial *own = ctx;
  struct trial *trial = own->trial;
  free(own);
  trial->listener = NULL;
  trial->listener_closed = true;
  finish_trial(trial);
}

void trial_stop(struct trial *trial)
{
  if (trial->ending) return;
  trial->ending = true;
  trial->result->seen.cut_short = uv_timer_get_due_in(&trial->deadline) > 0;
  for (size_t i = 0; i < TRIAL_VISITS_MAX; i++)
    if (trial->visits[i] != NULL) visit_close(trial->visits[i]);
  if (trial->client_open) client_of(trial)->stop(trial);
  uv_close((uv_handle_t *) &trial->deadline, on_deadline_closed);
  if (trial->listener != NULL)
    listener_close(&trial->listener->listener, on_listener_closed);
  else
    trial->listener_closed = true;
}

static void on_trial_deadline(uv_timer_t *timer)
{
  trial_stop(timer->data);
}

static void end_in(struct trial *trial, uint32_t ms)
{
  uint64_t left = uv_timer_get_due_in(&trial->deadline);
  if (!trial->ending && ms < left) uv_timer_start(&trial->deadline, on_trial_deadline, ms, 0);
}

void trial_client_done(struct trial *trial)
{
  struct observation *seen = &trial->result->seen;
  if (trial->client_done) return;
  trial->client_done = true;
  seen->ended = true;
  seen->took_ms = (double) (uv_now(trial->setting->loop) - trial->began_ms);
  end_in(trial, GRACE_MS);
}

void trial_client_gone(struct trial *trial)
{
  trial->client_open = false;
  finish_trial(trial);
}

/* --- Visits ----------------------------------------------------------------------------------- */

static void on_visit_ended(void *ctx, const struct observation *seen);

static const struct visit_handler handler = {.ended = on_visit_ended};

/* The context of a visit: which of its trial's it is. */
struct place {
  struct trial *trial;
  size_t at;
};

/* Who has refused may come again and be careless then: he is watched for as long as he lives. */
static bool has_shown_all(const struct trial *trial)
{
  const struct observation *seen = &trial->result->seen;
  bool content = seen->application_bytes > 0 || seen->clear_bytes > 0;
  return judge_has_enough(trial->result) && (content || !trial->setting->watches_refusal);
}

static void on_visit_ended(void *ctx, const struct observation *seen)
{
  struct place *place = ctx;
  struct trial *trial = place->trial;
  trial->visits[place->at] = NULL;
  free(place);
  judge_add(&trial->result->seen, seen);
  trial->last_end_ms = seen->ended_ms;
  if (has_shown_all(trial)) end_in(trial, trial->setting->linger_ms);
  finish_trial(trial);
}

static void note_retry(struct trial *trial)
{
  struct observation *seen = &trial->result->seen;
  double now = (double) (uv_now(trial->setting->loop) - trial->began_ms);
  if (seen->connections == 0 || trial->last_end_ms < 0 || count_visits(trial) > 0) return;
  if (seen->retries < sizeof seen->retry_ms / sizeof *seen->retry_ms)
    seen->retry_ms[seen->retries++] = now - trial->last_end_ms;
}

static void on_accepted(void *ctx, int fd)
{
  struct trial *trial = ((struct listener_of_trial *) ctx)->trial;
  struct place *place = malloc(sizeof *place);
  size_t at = 0;
  while (at < TRIAL_VISITS_MAX && trial->visits[at] != NULL) at++;
  if (place == NULL || at == TRIAL_VISITS_MAX) {
    free(place);
    close(fd);
    return;
  }
  note_retry(trial);
  *place = (struct place){trial, at};
  trial->visits[at] =
      visit_open(trial->setting->loop, fd, &trial->act, trial->began_ms, &handler, place);
  if (trial->visits[at] == NULL) free(place);
}

/* --- The begin -------------------------------------------------------------------------------- */

static void skip_trial(struct trial *trial, const struct error *error)
{
  trial->result->verdict = VERDICT_SKIPPED;
  snprintf(trial->result->why, sizeof trial->result->why, "%.300s", error->text);
  trial_stop(trial);
}

/* The name that the client is told: ours for MINT_HOST, else the case's own. */
static const char *host_of(const struct trial *trial)
{
  const char *ours = trial->setting->credentials->setting.host;
  return ours != NULL && strcmp(trial->c->host, MINT_HOST) == 0 ? ours : trial->c->host;
}

static int listen_for(struct trial *trial, struct error *error)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct listener_of_trial *own = calloc(1, sizeof *own);
  int fd = own != NULL ? listener_bind(&address) : UV_ENOMEM;
  int status = fd;
  if (fd >= 0) {
    own->trial = trial;
    status = listen(fd, 64) == 0
                 ? listener_open(&own->listener, trial->setting->loop, fd, on_accepted, own)
                 : UV_EADDRINUSE;
    if (status != 0) close(fd);
  }
  if (status != 0) {
    free(own);
    return error_set(error, EXIT_CODE_SETUP, "a hostile server cannot listen on 127.0.0.1: %s",
                     uv_strerror(status));
  }
  trial->listener = own;
  trial->port = ntohs(address.sin_port);
  return 0;
}

static void begin_result(struct trial *trial)
{
  struct trial_result *result = trial->result;
  *result = (struct trial_result){.c = trial->c, .tls = trial->tls, .verdict = VERDICT_NOT_SHOWN};
  struct observation *seen = &result->seen;
  seen->watched = true;
  seen->first_ms = seen->last_ms = seen->hello_ms = seen->said_ms = seen->ended_ms = seen->took_ms =
      -1;
}

void trial_start(struct trial *trial)
{
  const struct trial_setting *setting = trial->setting;
  struct error error = {.code = EXIT_CODE_PASS};
  begin_result(trial);
  uv_update_time(setting->loop);
  trial->began_ms = uv_now(setting->loop);
  trial->last_end_ms = -1;
  trial->host = host_of(trial);
  uv_timer_init(setting->loop, &trial->deadline);
  trial->deadline.data = trial;
  uv_timer_start(&trial->deadline, on_trial_deadline, setting->patience_ms, 0);
  if (act_open(&trial->act, trial->c, trial->tls, &setting->credentials->setting, &error) != 0 ||
      listen_for(trial, &error) != 0) {
    skip_trial(trial, &error);
    return;
  }
  snprintf(trial->act.host, sizeof trial->act.host, "%s", trial->host);
  trial->act.port = trial->port;
  trial->act.image = setting->image;
  trial->act.image_size = setting->image_size;
  trial->client_open = true;
  if (client_of(trial)->start(trial, &error) == 0) return;
  trial->client_open = false;
  skip_trial(trial, &error);
}

size_t trial_anchors(const struct trial *trial, X509 *out[CASE_NAMES_MAX])
{
  for (size_t i = 0; i < trial->c->trusts.count; i++)
    out[i] = act_certificate(&trial->act, trial->c->trusts.name[i]);
  return trial->c->trusts.count;
}
