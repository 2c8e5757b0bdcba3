/* Plays a case's scripts: that of the wire first, that inside TLS as soon as the handshake is over.
 * A step that waits returns, and whatever it waits for calls again. */
#define _GNU_SOURCE
#include "gauntlet/visit_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TEXT_MAX 4096u /* what is longer is no head that names anybody */

static const struct script_step as_tls = {.verb = SCRIPT_TLS};
static const struct script_step as_polite = {.verb = SCRIPT_POLITE};
static const struct script_step as_listening = {.verb = SCRIPT_CONNECT};

/* The step under way; NULL: the script is over. */
static const struct script_step *step_of(const struct visit *visit)
{
  const struct gauntlet_case *c = visit->act->c;
  if (visit->talking) {
    if (!c->has_talk && visit->talk_at > 0) return NULL;
    if (!c->has_talk) return visit->act->listens ? &as_listening : &as_polite;
    return visit->talk_at < c->talk.count ? &c->talk.step[visit->talk_at] : NULL;
  }
  if (!c->has_wire) return visit->wire_at == 0 ? &as_tls : NULL;
  return visit->wire_at < c->wire.count ? &c->wire.step[visit->wire_at] : NULL;
}

/* Whether the server has done its worst, so that it is the client's turn from here on. */
static bool has_said_all(const struct visit *visit)
{
  bool over = step_of(visit) == NULL || visit->script_over || visit->polite;
  if (visit->queue.size > 0 || visit->writing != NULL) return false;
  if (visit->act->c->layer != CASE_TLS) return visit->talking && over;
  return visit->phase == VISIT_WIRE ? over : visit_tls_has_said_all(visit);
}

static void note_said(struct visit *visit)
{
  if (visit->seen.said || !has_said_all(visit)) return;
  visit->seen.said = true;
  visit->seen.said_ms = visit_ms(visit);
}

static bool awaits_client(const struct visit *visit, enum script_verb verb)
{
  switch (verb) {
  case SCRIPT_TLS: return visit->phase == VISIT_WIRE;
  case SCRIPT_HELLO:
  case SCRIPT_CONNECT:
  case SCRIPT_SUBSCRIBE:
  case SCRIPT_PUBLISH:
  case SCRIPT_PING:
  case SCRIPT_REQUEST: return true;
  default: return false;
  }
}

bool play_is_unasked(const struct visit *visit)
{
  const struct gauntlet_case *c = visit->act->c;
  const struct script *script = visit->talking ? &c->talk : &c->wire;
  for (size_t i = visit->talking ? visit->talk_at : visit->wire_at; i < script->count; i++)
    if (awaits_client(visit, script->step[i].verb)) return false;
  return visit->talking ? c->has_talk : c->has_wire;
}

static void on_step(uv_timer_t *timer)
{
  struct visit *visit = timer->data;
  visit->waiting = false;
  play_on(visit);
}

static bool has_waited(struct visit *visit, const struct script_step *step)
{
  if (visit->progress != 0) {
    visit->progress = 0;
    return true;
  }
  visit->progress = 1;
  visit->waiting = true;
  uv_timer_start(&visit->step, on_step, step->ms, 0);
  return false;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static void say(struct visit *visit, const void *data, size_t size)
{
  if (visit->talking)
    visit_tls_say(visit, data, size);
  else
    visit_send(visit, data, size);
}

static void note_connack(struct visit *visit, const struct script_bytes *bytes)
{
  if (visit->act->c->layer != CASE_MQTT || bytes->size < 4 || bytes->data[0] != 0x20) return;
  if (bytes->data[3] != 0) visit->refused_it = true;
  if (visit->seen.connack_ms < 0) visit->seen.connack_ms = visit_ms(visit);
}

/* Texts of an update server name it as the client was told: {host}, {port}. */
static void say_text(struct visit *visit, const struct script_bytes *bytes)
{
  char port[8];
  snprintf(port, sizeof port, "%u", visit->act->port);
  const struct {
    const char *mark, *value;
  } marks[] = {{"{host}", visit->act->host}, {"{port}", port}};
  for (size_t at = 0, from = 0; at <= bytes->size; at++) {
    const char *value = at == bytes->size ? "" : NULL;
    size_t mark = 0;
    for (size_t i = 0; value == NULL && i < 2; i++) {
      mark = strlen(marks[i].mark);
      if (bytes->size - at >= mark && memcmp(bytes->data + at, marks[i].mark, mark) == 0)
        value = marks[i].value;
    }
    if (value == NULL) continue;
    say(visit, bytes->data + from, at - from);
    say(visit, value, strlen(value));
    from = at + mark;
  }
}

static void say_bytes(struct visit *visit, const struct script_step *step)
{
  const struct script_bytes *bytes =
      visit->seen.mqtt == 5 && step->bytes5.data != NULL ? &step->bytes5 : &step->bytes;
  for (size_t i = 0; i < bytes->ids; i++) {
    bytes->data[bytes->id_at[i]] = (uint8_t) (visit->packet_id >> 8);
    bytes->data[bytes->id_at[i] + 1] = (uint8_t) visit->packet_id;
  }
  note_connack(visit, bytes);
  if (visit->act->c->layer == CASE_HTTPS && bytes->size < TEXT_MAX)
    say_text(visit, bytes);
  else
    say(visit, bytes->data, bytes->size);
}

/* As much as the client takes. What cannot be said any more is not said: TLS has failed. */
static bool has_progress(struct visit *visit, const struct script_step *step)
{
  if (visit->talking && visit->broken) return false;
  while (visit->progress < step->times && visit->queue.size < VISIT_QUEUE_MAX && !visit->closed) {
    say_bytes(visit, step);
    visit->progress++;
  }
  if (visit->progress < step->times) return false;
  visit->progress = 0;
  return true;
}

/* --- Who speaks ------------------------------------------------------------------------------- */

enum { PAUSE_MS = 100, PAUSES_MAX_MS = 1500 };

/* How long a peer so far away must be silent to have nothing more on its way: Nagle's algorithm holds
 * a second packet back until the first is acknowledged. */
static uint64_t pause_of(const struct visit *visit)
{
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  uv_os_fd_t fd;
  if (uv_fileno((const uv_handle_t *) &visit->tcp, &fd) != 0 ||
      getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
    return PAUSE_MS;
  return PAUSE_MS + info.tcpi_rtt / 1000 * 2;
}

static void on_hush(uv_timer_t *timer)
{
  struct visit *visit = timer->data;
  visit->heard_ms = 0;
  play_on(visit);
}

/* Of a broker that only owes an answer nobody is said to have gone on; and no CONNACK that is good must
 * be waited for, since a lie behind it needs another answer behind that (talk_mqtt.c). */
static bool needs_no_pause(const struct visit *visit)
{
  const struct script *script = &visit->act->c->talk;
  bool polite = true;
  for (size_t i = 0; i < script->count && polite; i++) {
    enum script_verb verb = script->step[i].verb;
    polite = verb == SCRIPT_POLITE || verb == SCRIPT_SLOWLY || verb == SCRIPT_WAIT;
  }
  return polite || (script_begins_well(script) && visit->seen.connack_ms < 0);
}

/* In MQTT the server speaks when the client has paused: what comes after that was said behind what the
 * server said, and nothing that was on its way before counts as an answer to a lie. */
static void wait_for_pause(struct visit *visit)
{
  uint64_t now = uv_now(visit->loop), pause = pause_of(visit);
  if (visit->closed || visit->act->c->layer != CASE_MQTT || needs_no_pause(visit)) return;
  if (visit->heard_ms == 0) visit->heard_ms = now;
  uint64_t until = visit->heard_ms + PAUSES_MAX_MS; /* of one that never pauses */
  if (now + pause > until) pause = until > now ? until - now : 0;
  uv_timer_start(&visit->hush, on_hush, pause, 0);
}

static bool client_speaks(const struct visit *visit)
{
  return uv_is_active((const uv_handle_t *) &visit->hush) != 0;
}

/* --- Steps ------------------------------------------------------------------------------------ */

static bool begin_tls(struct visit *visit, const struct script_step *step)
{
  bool more = step->filter == SCRIPT_CUT && visit->wire_at + 1 < visit->act->c->wire.count;
  if (visit->phase == VISIT_WIRE) {
    visit->phase = VISIT_SECURE;
    if (visit_tls_begin(visit) && visit->raw.size > 0)
      visit_tls_bytes(visit, visit->raw.data, visit->raw.size);
  }
  return more && visit->mute;
}

static bool wait_for(struct visit *visit, const struct script_step *step)
{
  if (step->verb == SCRIPT_REQUEST) return talk_https_take(visit, step->verb);
  if (client_speaks(visit)) return false;
  return talk_mqtt_take(visit, step->verb);
}

static bool speaks_http(const struct visit *visit)
{
  enum case_layer layer = visit->act->c->layer;
  uint8_t first = visit->talk.size > 0 ? visit->talk.data[0] : 0;
  return layer == CASE_HTTPS ||
         (layer == CASE_TLS && visit->seen.mqtt == 0 && (first == 'G' || first == 'H'));
}

static void be_polite(struct visit *visit, const struct script_step *step)
{
  visit->polite = true;
  visit->without = step->without;
  if (speaks_http(visit)) {
    if (talk_https_take(visit, SCRIPT_REQUEST)) talk_https_image(visit);
    return;
  }
  if (!client_speaks(visit)) (void) talk_mqtt_take(visit, SCRIPT_POLITE);
}

/* True: it is done, and the next one may begin. */
static bool play_step(struct visit *visit, const struct script_step *step)
{
  switch (step->verb) {
  case SCRIPT_HELLO: return visit->seen.has_hello;
  case SCRIPT_TLS: return begin_tls(visit, step);
  case SCRIPT_SEND: say_bytes(visit, step); return true;
  case SCRIPT_FLOOD: return has_progress(visit, step);
  case SCRIPT_WAIT: return has_waited(visit, step);
  case SCRIPT_SLOWLY: visit->drip_ms = step->ms; return true;
  case SCRIPT_CLOSE:
  case SCRIPT_RESET:
    visit->script_over = true;
    note_said(visit);
    visit_end(visit, step->verb == SCRIPT_RESET);
    return false;
  case SCRIPT_SILENCE: visit->script_over = true; return false;
  case SCRIPT_POLITE: be_polite(visit, step); return false;
  case SCRIPT_IMAGE: talk_https_image(visit); return true;
  default: return wait_for(visit, step);
  }
}

void play_on(struct visit *visit)
{
  size_t *at = visit->talking ? &visit->talk_at : &visit->wire_at;
  while (!visit->closed && !visit->ending && !visit->waiting && !visit->script_over) {
    const struct script_step *step = step_of(visit);
    if (step == NULL) break;
    if (!play_step(visit, step)) break;
    ++*at;
  }
  note_said(visit);
}

void play_app(struct visit *visit, const uint8_t *data, size_t size)
{
  visit->seen.application_bytes += size;
  /* the longest packet that is kept is whole before there is so much */
  if (visit->talk.size > VISIT_TALK_MAX) visit_forget(visit, visit->talk.size);
  if (!visit_keep(&visit->talk, data, size)) return;
  visit->talking = true;
  if (!speaks_http(visit)) talk_mqtt_note(visit);
  wait_for_pause(visit);
  play_on(visit);
}
