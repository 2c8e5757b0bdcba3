/* Connections come when devices want: each is given the trial that its device is at. A beat looks
 * after what takes too long: connections that have shown enough or had their time, devices that stay
 * away. */
#define _GNU_SOURCE
#include "gauntlet/session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gauntlet/handout.h"
#include "gauntlet/judge.h"
#include "gauntlet/power.h"
#include "gauntlet/visit.h"
#include "relay/listener.h"

enum { BEAT_MS = 50, SHOW_BEATS = 10, CONTENT_MS = 400, VISITS_MAX = 2048, IMAGE_SIZE = 65536 };

struct door {
  struct listener listener;
  struct session *session;
  unsigned number;
  bool open;
};

/* A connection under way. */
struct call {
  struct session *session;
  struct call *next;
  struct visit *visit;
  struct guest *guest;
  size_t trial;      /* of the guest, when it began */
  double content_ms; /* when the guest had shown that it is content; -1 */
};

struct session {
  const struct session_options *options;
  struct session_outcome *out;
  uv_loop_t loop;
  uv_timer_t beat;
  uv_signal_t interrupt, terminate;
  uv_idle_t idle;
  struct credentials credentials;
  struct act *act;     /* one for each trial of the plan .. */
  size_t made;         /* .. of which so many were made while there was nothing else to do */
  struct error *error; /* the caller's .. */
  bool failed;         /* .. which is set */
  struct report plan;  /* what every guest begins with */
  size_t controls;     /* they come first in it */
  struct door *door;
  struct call *calls;
  size_t call_count;
  struct power *power;
  uint8_t image[IMAGE_SIZE];
  uint64_t began;
  double last_ms;   /* when somebody came or went last */
  double cycled_ms; /* when the power was switched last */
  unsigned beats;
  bool prompted, ending;
};

static double now_of(const struct session *session)
{
  return (double) (uv_now(&session->loop) - session->began);
}

static void say_of_session(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say_of_session(struct session *session, const char *format, ...)
{
  char line[400];
  va_list args;
  if (session->options->say == NULL) return;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  session->options->say(session->options->ctx, line);
}

static void show(struct session *session)
{
  if (session->options->show != NULL)
    session->options->show(session->options->ctx, session->out->guest, session->out->count);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void close_everything(struct session *session)
{
  if (session->ending) return;
  session->ending = true;
  for (struct call *call = session->calls; call != NULL; call = call->next)
    if (call->visit != NULL) visit_close(call->visit);
  for (unsigned i = 0; i < session->options->ports; i++)
    if (session->door[i].open) listener_close(&session->door[i].listener, NULL);
  power_close(session->power);
  session->power = NULL;
  uv_close((uv_handle_t *) &session->beat, NULL);
  uv_close((uv_handle_t *) &session->idle, NULL);
  uv_close((uv_handle_t *) &session->interrupt, NULL);
  uv_close((uv_handle_t *) &session->terminate, NULL);
}

static void on_session_signal(uv_signal_t *handle, int number)
{
  struct session *session = handle->data;
  (void) number;
  session->out->interrupted = true;
  close_everything(session);
}

/* Not counting whoever came with no ClientHello. */
static size_t count_devices(const struct session *session)
{
  size_t devices = 0;
  for (size_t i = 0; i < session->out->count; i++) devices += session->out->guest[i].has_come;
  return devices;
}

static bool all_are_through(const struct session *session)
{
  for (size_t i = 0; i < session->out->count; i++) {
    const struct guest *guest = &session->out->guest[i];
    if (guest->has_come && !guest_is_through(guest)) return false;
  }
  return count_devices(session) > 0;
}

/* --- Guests ----------------------------------------------------------------------------------- */

static void place_of(const struct session *session, int fd, const struct door *door, char out[64])
{
  struct sockaddr_in from = {0};
  socklen_t size = sizeof from;
  char address[INET_ADDRSTRLEN] = "?";
  if (getpeername(fd, (struct sockaddr *) &from, &size) == 0)
    inet_ntop(AF_INET, &from.sin_addr, address, sizeof address);
  if (session->options->ports > 1 && !session->options->cases_by_port)
    snprintf(out, 64, "%s at port %u", address,
             ntohs(session->options->address.sin_port) + door->number);
  else
    snprintf(out, 64, "%s", address);
}

static bool begin_guest(struct session *session, struct guest *guest, const char *place)
{
  *guest = (struct guest){.began_ms = -1, .ended_ms = -1, .heard_ms = -1, .back_ms = -1};
  snprintf(guest->address, sizeof guest->address, "%s", place);
  guest->controls = session->controls;
  guest->by_port = session->options->cases_by_port;
  guest->report = session->plan;
  guest->report.started_unix_s = (int64_t) time(NULL);
  size_t each = sizeof *guest->report.result;
  guest->report.result = malloc(guest_trials(guest) * each);
  if (guest->report.result == NULL) return false;
  memcpy(guest->report.result, session->plan.result, session->plan.count * each);
  memcpy(guest->report.result + session->plan.count, session->plan.result,
         session->controls * each);
  return true;
}

static void count_silent(struct session *session, const struct guest *guest)
{
  session->out->silent += guest->silent;
  if (guest->silent > 0)
    say_of_session(session,
                   "%u connection%s without a ClientHello came from %s: nothing is counted of that",
                   guest->silent, guest->silent == 1 ? "" : "s", guest->address);
}

/* A place for one more: behind the others, or that of somebody who was no device. */
static struct guest *make_place(struct session *session)
{
  struct session_outcome *out = session->out;
  if (out->count < SESSION_GUESTS_MAX) return &out->guest[out->count++];
  for (size_t i = 0; i < out->count; i++) {
    struct guest *guest = &out->guest[i];
    if (guest->has_come || guest->open > 0) continue;
    count_silent(session, guest);
    gauntlet_free(&guest->report);
    return guest;
  }
  return NULL;
}

static struct guest *find_guest(struct session *session, const char *place)
{
  struct session_outcome *out = session->out;
  for (size_t i = 0; i < out->count; i++)
    if (strcmp(out->guest[i].address, place) == 0) return &out->guest[i];
  struct guest *guest = make_place(session);
  if (guest == NULL || begin_guest(session, guest, place)) return guest;
  *guest = (struct guest){0}; /* nobody's, for want of memory */
  return NULL;
}

static void note_coming(struct session *session, const struct guest *guest, bool before)
{
  if (!before && guest->has_come)
    say_of_session(session, "a device has come from %s: %zu trials", guest->address,
                   guest->report.count);
  session->last_ms = now_of(session);
  session->prompted = false;
}

/* The control that is shown once more is none of the plan's. */
static size_t act_of(const struct session *session, size_t trial)
{
  return trial < session->plan.count ? trial : trial - session->plan.count;
}

/* Who goes from port to port has to be told where to go once more. */
static void ask_for_controls(struct session *session, struct guest *guest)
{
  size_t at = guest->at;
  bool owed = guest->by_port && at >= guest->report.count && at < guest_trials(guest);
  if (!owed || guest->asked == at) return;
  guest->asked = at;
  say_of_session(session,
                 "%s has been shown every case: once more to port %zu, please, to show that it "
                 "still lets in a sound server",
                 guest->name[0] != '\0' ? guest->name : guest->address,
                 ntohs(session->options->address.sin_port) + act_of(session, at));
}

static void tell_trial(struct session *session, struct guest *guest, size_t trial)
{
  const struct trial_result *r = &guest->report.result[trial];
  const char *who = guest->name[0] != '\0' ? guest->name : guest->address;
  char number[48] = "at the end";
  if (trial < guest->report.count)
    snprintf(number, sizeof number, "%zu/%zu", trial + 1, guest->report.count);
  say_of_session(session, "%s  %s  %-12s %s, TLS 1.%u: %s", who, number, verdict_word(r->verdict),
                 r->c->id, r->tls - 10u, r->why);
  ask_for_controls(session, guest);
}

/* --- Acts ------------------------------------------------------------------------------------- */

/* When it is due, or when there is nothing else to do. A file of cases that cannot be served ends the
 * session. */
static bool ready_act(struct session *session, size_t trial)
{
  struct act *act = &session->act[trial];
  const struct trial_result *r = &session->plan.result[trial];
  if (act->context != NULL && !session->failed) return true;
  if (session->failed ||
      act_open(act, r->c, r->tls, &session->credentials.setting, session->error) != 0) {
    session->failed = true;
    close_everything(session);
    return false;
  }
  snprintf(act->host, sizeof act->host, "%s", session->credentials.setting.host);
  act->port = (uint16_t) (ntohs(session->options->address.sin_port) +
                          (session->options->cases_by_port ? trial : 0));
  act->image = session->image;
  act->image_size = sizeof session->image;
  return true;
}

static void on_idle(uv_idle_t *idle)
{
  struct session *session = idle->data;
  size_t trial = session->made++;
  if (trial >= session->plan.count)
    uv_idle_stop(idle);
  else if (session->plan.result[trial].verdict != VERDICT_SKIPPED)
    (void) ready_act(session, trial);
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void drop_call(struct call *call)
{
  struct call **at = &call->session->calls;
  while (*at != call) at = &(*at)->next;
  *at = call->next;
  call->session->call_count--;
  free(call);
}

static void on_call_ended(void *ctx, const struct observation *seen)
{
  struct call *call = ctx;
  struct session *session = call->session;
  struct guest *guest = call->guest;
  size_t trial = call->trial;
  guest->report.result[trial].seen.cut_short |= session->out->interrupted;
  bool mixed = guest->mixed[0] != '\0', here = guest->has_come;
  unsigned silent = guest->silent;
  bool over = guest_seen(guest, trial, seen, now_of(session));
  if (guest->silent == silent) note_coming(session, guest, here);
  if (over) tell_trial(session, guest, trial);
  if (!mixed && guest->mixed[0] != '\0') say_of_session(session, "attention: %s", guest->mixed);
  drop_call(call);
  show(session);
  if (all_are_through(session) && session->calls == NULL) close_everything(session);
}

static const struct visit_handler callers = {.ended = on_call_ended};

static void on_guest(void *ctx, int fd)
{
  struct door *door = ctx;
  struct session *session = door->session;
  char place[64];
  place_of(session, fd, door, place);
  struct guest *guest = session->call_count < VISITS_MAX ? find_guest(session, place) : NULL;
  struct call *call = guest != NULL ? calloc(1, sizeof *call) : NULL;
  size_t trial = call != NULL ? guest_next(guest, door->number, now_of(session)) : GUEST_NONE;
  bool made = trial != GUEST_NONE && ready_act(session, act_of(session, trial));
  if (trial != GUEST_NONE && !made) guest->open--;
  if (!made) {
    session->out->turned_away += call == NULL;
    free(call);
    close(fd);
    return;
  }
  *call = (struct call){.session = session, .guest = guest, .trial = trial, .content_ms = -1};
  call->next = session->calls;
  session->calls = call;
  session->call_count++;
  call->visit = visit_open(&session->loop, fd, &session->act[act_of(session, trial)],
                           session->began, &callers, call);
  if (call->visit == NULL) {
    session->out->turned_away++;
    guest->open--;
    drop_call(call);
  }
  show(session);
}

/* --- The beat --------------------------------------------------------------------------------- */

/* Content with a server, and its trial is of nothing that comes later. */
static bool has_shown_enough(const struct call *call)
{
  const struct gauntlet_case *c = call->guest->report.result[call->trial].c;
  const struct observation *seen = visit_seen(call->visit);
  return seen->application_bytes > 0 && c->layer == CASE_TLS;
}

static void look_after(struct call *call)
{
  struct session *session = call->session;
  double now = now_of(session);
  if (visit_seen(call->visit)->has_hello) {
    bool before = call->guest->has_come;
    call->guest->has_come = true;
    note_coming(session, call->guest, before);
  }
  if (call->content_ms < 0 && has_shown_enough(call)) call->content_ms = now;
  bool content = call->content_ms >= 0 && now - call->content_ms >= CONTENT_MS;
  bool late = now - visit_seen(call->visit)->first_ms >= session->options->gauntlet->patience_ms;
  if (content || late) visit_close(call->visit);
}

static void look_for_the_absent(struct session *session)
{
  double away = now_of(session) - session->last_ms;
  if (away >= session->options->give_up_ms) {
    close_everything(session);
    return;
  }
  if (away < session->options->absent_ms || session->prompted) return;
  bool came = count_devices(session) > 0;
  if (came && session->power != NULL) {
    bool soon = now_of(session) - session->cycled_ms < session->options->absent_ms;
    if (soon || !power_cycle(session->power)) return; /* it may be booting */
    say_of_session(session, "nobody has come for %.0f s: the power is switched off and on",
                   away / 1000);
    session->cycled_ms = now_of(session);
    return;
  }
  session->prompted = true;
  say_of_session(session, "nobody has come for %.0f s: %s", away / 1000,
                 came ? "switch the device off and on, please"
                      : "is the device told this address and port?");
}

static void on_beat(uv_timer_t *timer)
{
  struct session *session = timer->data;
  for (struct call *call = session->calls, *next; call != NULL; call = next) {
    next = call->next;
    look_after(call);
  }
  look_for_the_absent(session);
  if (++session->beats % SHOW_BEATS == 0) show(session);
}

/* --- The begin -------------------------------------------------------------------------------- */

static int listen_at(struct session *session, unsigned number, struct error *error)
{
  struct door *door = &session->door[number];
  struct sockaddr_in address = session->options->address;
  uint16_t port = (uint16_t) (ntohs(address.sin_port) + number);
  char host[INET_ADDRSTRLEN] = "";
  address.sin_port = htons(port);
  inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
  door->session = session;
  door->number = number;
  int fd = listener_bind(&address), status = fd;
  if (fd >= 0) {
    status = listen(fd, 1024) == 0
                 ? listener_open(&door->listener, &session->loop, fd, on_guest, door)
                 : UV_EADDRINUSE;
    if (status != 0) close(fd);
  }
  door->open = status == 0;
  if (status == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP, "cannot listen on %s:%u: %s%s", host, port,
                   uv_strerror(status),
                   status == UV_EADDRINUSE      ? "; end what listens there, or name another port"
                   : status == UV_EADDRNOTAVAIL ? "; it is no address of this machine"
                                                : "");
}

static int open_doors(struct session *session, struct error *error)
{
  session->door = calloc(session->options->ports, sizeof *session->door);
  if (session->door == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory");
  for (unsigned i = 0; i < session->options->ports; i++)
    if (listen_at(session, i, error) != 0) return -1;
  return 0;
}

/* A device holds what it was given once, and knows one name. */
static bool can_be_shown(const struct session *session, const struct gauntlet_case *c)
{
  return mint_trusts_kept(c, &session->credentials.setting) && strcmp(c->host, MINT_HOST) == 0;
}

static int prepare_trials(struct session *session, struct error *error)
{
  session->controls = gauntlet_controls(&session->plan);
  session->act = calloc(session->plan.count + 1, sizeof *session->act);
  if (session->act == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for cases");
  for (size_t i = 0; i < session->plan.count; i++) {
    struct trial_result *r = &session->plan.result[i];
    struct observation *seen = &r->seen;
    seen->first_ms = seen->last_ms = seen->hello_ms = seen->said_ms = seen->ended_ms =
        seen->took_ms = -1;
    r->verdict = VERDICT_NOT_SHOWN;
    snprintf(r->why, sizeof r->why, "it never connected");
    if (can_be_shown(session, r->c)) continue;
    r->verdict = VERDICT_SKIPPED;
    snprintf(r->why, sizeof r->why,
             "the device would have to be given other roots, another name or another time for it");
  }
  return 0;
}

static int set_up_session(struct session *session, struct error *error)
{
  const struct session_options *options = session->options;
  session->plan.target = "listen";
  mint_warm_up();
  if (gauntlet_plan(options->gauntlet, &session->plan, error) != 0 ||
      credentials_make(&session->credentials, options->gauntlet->cases, options->gauntlet->host,
                       options->keys, (int64_t) time(NULL), error) != 0 ||
      (options->export != NULL &&
       handout_write(options->export, &session->credentials, &options->address, error) != 0) ||
      prepare_trials(session, error) != 0)
    return -1;
  return power_open(&session->loop, options->power, &session->power, error);
}

static void turn(struct session *session)
{
  uv_timer_init(&session->loop, &session->beat);
  uv_signal_init(&session->loop, &session->interrupt);
  uv_signal_init(&session->loop, &session->terminate);
  uv_idle_init(&session->loop, &session->idle);
  session->idle.data = session;
  uv_idle_start(&session->idle, on_idle);
  session->beat.data = session->interrupt.data = session->terminate.data = session;
  uv_timer_start(&session->beat, on_beat, BEAT_MS, BEAT_MS);
  uv_signal_start(&session->interrupt, on_session_signal, SIGINT);
  uv_signal_start(&session->terminate, on_session_signal, SIGTERM);
  uv_run(&session->loop, UV_RUN_DEFAULT);
}

static void close_session(struct session *session)
{
  for (unsigned i = 0; session->door != NULL && i < session->options->ports; i++)
    if (session->door[i].open && !session->ending) listener_close(&session->door[i].listener, NULL);
  power_close(session->power);
  uv_run(&session->loop, UV_RUN_DEFAULT);
  int status = uv_loop_close(&session->loop);
  assert(status == 0); /* nothing of it is left open */
  (void) status;
  for (size_t i = 0; session->act != NULL && i < session->plan.count; i++)
    act_close(&session->act[i]);
  credentials_close(&session->credentials);
  gauntlet_free(&session->plan);
  free(session->act);
  free(session->door);
  free(session);
}

static void name_client(struct guest *guest)
{
  char who[sizeof guest->report.client]; /* the guest's own text must not be written to itself */
  if (guest->mixed[0] != '\0')
    snprintf(who, sizeof who, "two devices at %s, it seems", guest->address);
  else
    snprintf(who, sizeof who, "%s", guest->name[0] != '\0' ? guest->name : guest->address);
  memcpy(guest->report.client, who, sizeof who);
}

static void conclude_guest(struct session *session, struct guest *guest)
{
  guest_conclude(guest, session->out->interrupted);
  guest->report.duration_s = now_of(session) / 1000;
  guest->report.interrupted = session->out->interrupted;
  name_client(guest);
  if (guest->mixed[0] != '\0') say_of_session(session, "attention: %s", guest->mixed);
}

/* Who was no device has no results. */
static void conclude_guests(struct session *session)
{
  struct session_outcome *out = session->out;
  size_t devices = 0;
  for (size_t i = 0; i < out->count; i++) {
    struct guest *guest = &out->guest[i];
    count_silent(session, guest);
    if (!guest->has_come) {
      gauntlet_free(&guest->report);
      continue;
    }
    conclude_guest(session, guest);
    if (devices != i) out->guest[devices] = *guest;
    devices++;
  }
  out->count = devices;
}

static int say_nobody_came(const struct session_outcome *out, struct error *error)
{
  char silent[80] = "";
  if (out->silent > 0)
    snprintf(silent, sizeof silent, " but for %u without a ClientHello", out->silent);
  return error_set(error, EXIT_CODE_SETUP,
                   "nobody connected%s: give the device what --export writes, and this machine's "
                   "address and port",
                   silent);
}

int session_run(const struct session_options *options, struct session_outcome *out,
                struct error *error)
{
  struct session *session = calloc(1, sizeof *session);
  *out = (struct session_outcome){0};
  if (session == NULL || uv_loop_init(&session->loop) != 0) {
    free(session);
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a session");
  }
  session->options = options;
  session->out = out;
  session->error = error;
  int result = open_doors(session, error); /* who comes already waits until all is ready */
  if (result == 0) result = set_up_session(session, error);
  if (result == 0) {
    uv_update_time(&session->loop); /* making roots took a while */
    session->began = uv_now(&session->loop);
    say_of_session(session, "listening: %zu trials for each device", session->plan.count);
    turn(session);
    conclude_guests(session);
    if (session->failed) result = -1;
  }
  close_session(session);
  if (result == 0 && out->count == 0 && !out->interrupted) result = say_nobody_came(out, error);
  return result;
}

void session_free(struct session_outcome *outcome)
{
  for (size_t i = 0; i < outcome->count; i++) gauntlet_free(&outcome->guest[i].report);
  outcome->count = 0;
}
