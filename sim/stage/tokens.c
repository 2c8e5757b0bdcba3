/* A token is due when the time left is less than renew-before, or a half of what it had when it was
 * read; and at once where the broker has refused its device. Then its file is read. Where that holds
 * no other token, the hook is called, for some devices at a time, and the file is read again. */
#define _POSIX_C_SOURCE 200809L
#include "stage/tokens.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/device_names.h"
#include "stage/logins.h"
#include "stage/wait.h"

#define AT_ONCE  16u
#define LOOK_MS  200u
#define AGAIN_MS 2000u /* the same device is not asked for more often */

struct token {
  uint64_t due_ms; /* on the world's clock; UINT64_MAX: never */
  uint64_t not_before_ms;
  bool waits;   /* it is in the queue, or its hook is under way */
  bool refused; /* by a broker, since it was read */
  bool earlier; /* it ends before the one that it came for, which no broker had refused */
};

struct renewal {
  struct stage *stage;
  uint32_t device;
  bool under_way;
};

/* A device of an event is told by its number. */
struct numbered {
  uint32_t number, index;
};

struct stage_tokens {
  struct token *of;
  struct numbered *numbered; /* sorted */
  size_t count;
  uint32_t *queue; /* a ring of `count` */
  size_t first, waiting, under_way;
  struct renewal renewal[AT_ONCE];
  struct events_sink sink;
  uint64_t look_ms;
  bool told; /* that the hook left one as it was */
  bool over;
};

/* --- One token -------------------------------------------------------------------------------- */

static void plan_renewal(struct stage *stage, size_t device)
{
  struct token *token = &stage->tokens->of[device];
  int64_t end_s = stage_token(stage, device).end_s, before_ms, left_ms;
  token->due_ms = UINT64_MAX;
  if (end_s == 0) return;
  before_ms = (int64_t) stage->scenario->credentials.renew_before_ms;
  left_ms = end_s * 1000 - world_unix_ms(stage->world);
  if (left_ms < 0) left_ms = 0;
  if (before_ms > left_ms / 2) before_ms = left_ms / 2;
  token->due_ms = world_now_ms(stage->world) + (uint64_t) (left_ms - before_ms);
}

static void tell_of_renewal(struct stage *stage, size_t device, bool renewed)
{
  const struct token *token = &stage->tokens->of[device];
  if (stage->events == NULL) return;
  struct event event = {.kind = EVENT_TOKEN,
                        .t_s = stage_event_s(stage),
                        .device = stage->ids[device],
                        .token = {.why = token->refused ? "refused" : "due",
                                  .renewed = renewed,
                                  .end_unix_s = (uint64_t) stage_token(stage, device).end_s}};
  events_emit(stage->events, &event);
}

static bool has_run_out(const struct stage *stage, int64_t end_s)
{
  return end_s != 0 && end_s <= world_unix_s(stage->world);
}

/* The one in hand came in place of one that it can stand in for, and is not over itself. */
static bool is_renewed(const struct stage *stage, size_t device)
{
  struct stage_token token = stage_token(stage, device);
  return token.renews && !stage->tokens->of[device].earlier && !has_run_out(stage, token.end_s);
}

/* Reads the device's file: 1 if that holds another token than the one in hand, 0 if not, -1 with
   the error. */
static int take_newer(struct stage *stage, size_t device, struct error *error)
{
  struct token *token = &stage->tokens->of[device];
  int64_t end_s = stage_token(stage, device).end_s;
  int changed = stage_renew_token(stage, device, error);
  if (changed != 1) return changed;
  token->earlier = !token->refused && stage_token(stage, device).end_s < end_s;
  bool renewed = is_renewed(stage, device);
  metrics_add(stage->metrics, METRIC_TOKEN_RENEWED, renewed);
  plan_renewal(stage, device);
  tell_of_renewal(stage, device, renewed);
  token->refused = false;
  return 1;
}

/* --- Hooks ------------------------------------------------------------------------------------ */

static void begin_renewals(struct stage *stage);

static void abort_by(struct stage *stage, size_t device, struct error *error)
{
  char name[NAMES_TEXT];
  if (stage->aborted) return;
  error_wrap(error, "the token of device %s", stage_device_text(stage, device, name));
  stage_abort(stage, error);
}

/* What a hook left undone: the first device is named, the events have each. */
static void count_unrenewed(struct stage *stage, size_t device)
{
  struct stage_tokens *tokens = stage->tokens;
  char name[NAMES_TEXT], text[NAMES_TEXT + 240];
  metrics_add(stage->metrics, METRIC_TOKEN_UNRENEWED, 1);
  if (tokens->told) return;
  tokens->told = true;
  snprintf(
      text, sizeof text,
      "the hook 'renew-token' brought no new token for device %s: another text, in force and no "
      "other device's, that tells an end, no earlier one, and whom it is for as the old one did",
      stage_device_text(stage, device, name));
  stage_say(stage, text);
}

/* A hook that ended well and wrote no other token is no failure of ours: the broker will say. */
static void on_renewed(void *ctx, const struct error *failed)
{
  struct renewal *renewal = ctx;
  struct stage *stage = renewal->stage;
  struct stage_tokens *tokens = stage->tokens;
  size_t device = renewal->device;
  struct error error;
  renewal->under_way = false;
  tokens->under_way--;
  tokens->of[device].waits = false;
  tokens->of[device].not_before_ms = world_now_ms(stage->world) + AGAIN_MS;
  if (tokens->over) return;
  if (failed != NULL) {
    error = *failed;
    abort_by(stage, device, &error);
    return;
  }
  int changed = take_newer(stage, device, &error);
  if (changed < 0) abort_by(stage, device, &error);
  if (changed == 0 || (changed == 1 && !is_renewed(stage, device))) count_unrenewed(stage, device);
  if (changed == 0) {
    plan_renewal(stage, device);
    tell_of_renewal(stage, device, false);
    tokens->of[device].refused = false;
  }
  begin_renewals(stage);
}

static struct renewal *free_renewal(struct stage_tokens *tokens)
{
  size_t i = 0;
  while (tokens->renewal[i].under_way) i++; /* under_way < AT_ONCE */
  return &tokens->renewal[i];
}

static void call_hook(struct stage *stage, size_t device)
{
  struct stage_tokens *tokens = stage->tokens;
  struct renewal *renewal = free_renewal(tokens);
  *renewal = (struct renewal){stage, (uint32_t) device, true};
  tokens->under_way++;
  broker_renew_token(stage->broker, names_of(stage->names, device).name,
                     stage_token(stage, device).path, on_renewed, renewal);
}

/* Somebody else may have written a new one meanwhile. A file that cannot be read just now may be
   about to be replaced: without a hook it is read again later. */
static void renew_or_read(struct stage *stage, size_t device)
{
  struct token *token = &stage->tokens->of[device];
  struct error error;
  bool hook = stage->scenario->hook[HOOK_RENEW_TOKEN][0] != '\0';
  int changed = take_newer(stage, device, &error);
  token->not_before_ms = world_now_ms(stage->world) + AGAIN_MS;
  if (changed == 1 && token->due_ms > world_now_ms(stage->world)) {
    token->waits = false;
    return;
  }
  if (hook) {
    call_hook(stage, device);
    return;
  }
  token->waits = false;
  if (token->refused) plan_renewal(stage, device);
  token->refused = false;
}

static void begin_renewals(struct stage *stage)
{
  struct stage_tokens *tokens = stage->tokens;
  assert(tokens->waiting <= tokens->count);
  while (tokens->waiting > 0 && tokens->under_way < AT_ONCE && !tokens->over && !stage->aborted) {
    uint32_t device = tokens->queue[tokens->first++];
    if (tokens->first == tokens->count) tokens->first = 0;
    tokens->waiting--;
    renew_or_read(stage, device);
  }
}

/* --- What brokers say ------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
  uint32_t x = ((const struct numbered *) a)->number, y = ((const struct numbered *) b)->number;
  return (x > y) - (x < y);
}

/* SIZE_MAX: no device of the fleet. */
static size_t index_of(const struct stage_tokens *tokens, uint32_t number)
{
  const struct numbered *found = bsearch(&(struct numbered){.number = number}, tokens->numbered,
                                         tokens->count, sizeof *tokens->numbered, by_number);
  return found != NULL ? found->index : SIZE_MAX;
}

static bool was_over(const struct stage *stage, const struct stage_token *token)
{
  return has_run_out(stage, token->said_end_s);
}

/* Of an older token that it says no more: the new one is not to blame. */
static void on_refused(struct stage *stage, size_t device)
{
  const struct stage_token token = stage_token(stage, device);
  metrics_add(stage->metrics, METRIC_TOKEN_REFUSED, 1);
  if (was_over(stage, &token)) metrics_add(stage->metrics, METRIC_TOKEN_EXPIRED_REFUSED, 1);
  if (!token.said_newest) return;
  stage->tokens->of[device].refused = true;
  stage->tokens->of[device].due_ms = 0;
}

/* The stream of events calls it: events_attach. */
static void on_event_of(void *ctx, const struct event *event)
{
  struct stage *stage = ctx;
  bool refused =
      event->kind == EVENT_FAILED && event->failed.failure == DEVICE_FAIL_MQTT_REFUSED_AUTH;
  if (!refused && event->kind != EVENT_ONLINE) return;
  size_t device = index_of(stage->tokens, event->device);
  if (device == SIZE_MAX) return;
  const struct stage_token token = stage_token(stage, device);
  if (refused)
    on_refused(stage, device);
  else if (was_over(stage, &token))
    metrics_add(stage->metrics, METRIC_TOKEN_EXPIRED_ACCEPTS, 1);
}

/* --- The run ---------------------------------------------------------------------------------- */

static bool have_tokens(const struct stage *stage)
{
  return stage->scenario->credentials.secret == SCENARIO_SECRET_TOKEN;
}

static void look_at_tokens(struct stage *stage)
{
  struct stage_tokens *tokens = stage->tokens;
  uint64_t now_ms = world_now_ms(stage->world);
  tokens->look_ms = now_ms + LOOK_MS;
  for (size_t i = 0; i < tokens->count; i++) {
    struct token *token = &tokens->of[i];
    if (token->waits || now_ms < token->due_ms || now_ms < token->not_before_ms) continue;
    token->waits = true;
    tokens->queue[(tokens->first + tokens->waiting++) % tokens->count] = (uint32_t) i;
  }
  begin_renewals(stage);
}

static bool are_idle(struct stage *stage, void *ctx)
{
  (void) ctx;
  return stage->tokens->waiting == 0 && stage->tokens->under_way == 0;
}

int stage_begin_tokens(struct stage *stage)
{
  size_t n = stage->scenario->devices;
  if (!have_tokens(stage)) return 0;
  struct stage_tokens *tokens = stage->tokens = calloc(1, sizeof *tokens);
  if (tokens != NULL) {
    tokens->count = n;
    tokens->of = calloc(n, sizeof *tokens->of);
    tokens->queue = calloc(n, sizeof *tokens->queue);
    tokens->numbered = calloc(n, sizeof *tokens->numbered);
  }
  if (tokens == NULL || tokens->of == NULL || tokens->queue == NULL || tokens->numbered == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "not enough memory for the devices' tokens");
  for (size_t i = 0; i < n; i++) {
    tokens->numbered[i] = (struct numbered){stage->ids[i], (uint32_t) i};
    plan_renewal(stage, i);
  }
  qsort(tokens->numbered, n, sizeof *tokens->numbered, by_number);
  tokens->sink = (struct events_sink){.take = on_event_of, .ctx = stage};
  events_attach(stage->events, &tokens->sink);
  look_at_tokens(stage);
  return stage_wait(stage, are_idle, NULL, stage->scenario->run_limit_ms) == STAGE_REACHED ? 0 : -1;
}

void stage_tick_tokens(struct stage *stage)
{
  const struct stage_tokens *tokens = stage->tokens;
  if (tokens == NULL || tokens->over || stage->aborted) return;
  if (world_now_ms(stage->world) >= tokens->look_ms) look_at_tokens(stage);
}

void stage_measure_tokens(struct stage *stage)
{
  size_t n = 0;
  for (size_t i = 0; stage->tokens != NULL && i < stage->tokens->count; i++) {
    const struct stage_token token = stage_token(stage, i);
    n += fleet_facts(stage->fleet, i)->online && was_over(stage, &token);
  }
  metrics_set(stage->metrics, METRIC_TOKEN_OVERSTAYED, (double) n);
}

void stage_end_tokens(struct stage *stage)
{
  if (stage->tokens != NULL) stage->tokens->over = true;
}

void stage_forget_tokens(struct stage *stage)
{
  struct stage_tokens *tokens = stage->tokens;
  if (tokens == NULL) return;
  free(tokens->of);
  free(tokens->queue);
  free(tokens->numbered);
  free(tokens);
  stage->tokens = NULL;
}
