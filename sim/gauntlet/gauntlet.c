/* The plan is a list of trials; so many of them are under way at once, each in its own storage. */
#define _GNU_SOURCE
#include "gauntlet/gauntlet.h"

#include <assert.h>
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gauntlet/command.h"
#include "gauntlet/own_device.h"
#include "gauntlet/own_download.h"
#include "net/backend_uv.h"

enum { VERSIONS = 4, FIRST_VERSION = 10, IMAGE_SIZE = 65536, LINGER_MS = 1000 };
#define NEAR_LEAST 3u /* letters that say which case was meant */

struct run {
  const struct gauntlet_options *options;
  struct report *report;
  uv_loop_t loop;
  uv_signal_t interrupt, terminate;
  struct backend *backend;
  struct credentials credentials;
  struct trial_setting setting;
  struct command_setting command;
  uint8_t image[IMAGE_SIZE];
  size_t next, done;
  unsigned under_way;
  struct trial *trials; /* of options->jobs */
  bool *busy;
  bool stopping;
  bool refused[VERSIONS]; /* the control case was, or was not shown, in that version */
  size_t last;            /* next control to be tried once more at the end */
  size_t again;           /* next to be looked at for a second try */
  size_t controls;        /* they come first in the plan, and nothing else before they are over */
};

/* --- The plan --------------------------------------------------------------------------------- */

static bool is_named(const struct gauntlet_options *options, const struct gauntlet_case *c)
{
  for (size_t i = 0; i < options->wanted_count; i++)
    if (cases_match(c, options->wanted[i])) return true;
  return false;
}

static bool is_wanted(const struct gauntlet_options *options, const struct gauntlet_case *c)
{
  if (c->control) return true;
  if (options->layers != 0 && (options->layers >> c->layer & 1) == 0) return false;
  return c->severity >= options->severity && (options->wanted_count == 0 || is_named(options, c));
}

/* Old versions have no control of their own: that of TLS 1.2 stands for them. */
static uint8_t control_version(uint8_t tls)
{
  return tls < 12 ? 12 : tls;
}

static bool has_version(const struct gauntlet_options *options, const struct gauntlet_case *c,
                        unsigned v)
{
  const bool of[VERSIONS] = {c->tls10, c->tls11, c->tls12, c->tls13};
  unsigned asked = options->versions;
  for (uint8_t tls = FIRST_VERSION; c->control && tls < FIRST_VERSION + VERSIONS; tls++)
    if (options->versions >> tls & 1) asked |= 1u << control_version(tls);
  return of[v] && (asked == 0 || (asked >> (v + FIRST_VERSION) & 1) != 0);
}

static void plan(const struct gauntlet_options *options, bool controls, struct report *out)
{
  const struct cases *cases = options->cases;
  for (size_t i = 0; i < cases->count; i++) {
    const struct gauntlet_case *c = cases->item[i];
    if (c->control != controls || !is_wanted(options, c)) continue;
    for (unsigned v = 0; v < VERSIONS; v++) {
      if (!has_version(options, c, v)) continue;
      struct trial_result *result = &out->result[out->count++];
      result->c = c;
      result->tls = (uint8_t) (v + FIRST_VERSION);
    }
  }
}

static bool names_any(const struct cases *cases, const char *name)
{
  for (size_t i = 0; i < cases->count; i++)
    if (cases_match(cases->item[i], name)) return true;
  return false;
}

/* Letters and digits alone, which is all that people remember. */
static void plain_id(const char *text, char out[CASE_ID_SIZE])
{
  size_t n = 0;
  for (; *text != '\0' && n < CASE_ID_SIZE - 1; text++)
    if (isalnum((unsigned char) *text)) out[n++] = (char) tolower((unsigned char) *text);
  out[n] = '\0';
}

/* NULL: none is near. */
static const char *meant_by(const struct cases *cases, const char *name)
{
  char sought[CASE_ID_SIZE], id[CASE_ID_SIZE];
  plain_id(name, sought);
  if (strlen(sought) < NEAR_LEAST || strpbrk(name, "*?[") != NULL) return NULL;
  for (size_t i = 0; i < cases->count; i++) {
    plain_id(cases->item[i]->id, id);
    if (strstr(id, sought) != NULL) return cases->item[i]->id;
  }
  return NULL;
}

static int refuse_name(const struct cases *cases, const char *name, struct error *error)
{
  char hint[CASE_ID_SIZE + 32] = "";
  const char *meant = meant_by(cases, name);
  if (meant != NULL) snprintf(hint, sizeof hint, "did you mean '%s'? ", meant);
  return error_set(error, EXIT_CODE_USAGE,
                   "there is no case '%.100s'; %s'fleetsim gauntlet --list' names all of them",
                   name, hint);
}

/* The control alone proves nothing, but may be what somebody wants to see. */
static int check_left(const struct gauntlet_options *options, const struct report *report,
                      struct error *error)
{
  for (size_t i = 0; i < report->count; i++) {
    const struct gauntlet_case *c = report->result[i].c;
    assert(c != NULL);
    if (!c->control || is_named(options, c)) return 0;
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "no case is left to be tried, but for the control: of those that are named, or "
                   "all, none is of that layer, severity and TLS version; 'fleetsim gauntlet "
                   "--list' shows layer and severity of each");
}

int gauntlet_plan(const struct gauntlet_options *options, struct report *out, struct error *error)
{
  for (size_t i = 0; i < options->wanted_count; i++)
    if (!names_any(options->cases, options->wanted[i]))
      return refuse_name(options->cases, options->wanted[i], error);
  /* and room for the control once more at the end (start_last) */
  out->result = calloc(options->cases->count * VERSIONS * 2 + 1, sizeof *out->result);
  if (out->result == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for results");
  plan(options, true, out);
  plan(options, false, out);
  return check_left(options, out, error);
}

size_t gauntlet_controls(const struct report *plan)
{
  size_t count = 0;
  for (; count < plan->count; count++) {
    const struct gauntlet_case *c = plan->result[count].c;
    assert(c != NULL); /* a plan has a case for each of its trials */
    if (!c->control) break;
  }
  return count;
}

/* --- Trials ----------------------------------------------------------------------------------- */

static void start_more(struct run *run);
static void start_one(struct run *run, size_t number);

static bool is_proven(const struct run *run, uint8_t tls)
{
  return !run->refused[control_version(tls) - FIRST_VERSION];
}

static void note_control(struct run *run, const struct trial_result *result)
{
  bool content = result->conduct == CONDUCT_ACCEPTED && result->verdict == VERDICT_PASS;
  if (result->c->control && !content) run->refused[result->tls - FIRST_VERSION] = true;
}

/* A client that was cut short by a busy machine looks like one that refuses a good server, or that left
 * too early, or, of our own, like one that ended otherwise than it should: what can be had better alone
 * is tried once more. What it gave away it gave away. */
static bool deserves_another(const struct run *run, const struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  bool unsure = result->verdict == VERDICT_NOT_SHOWN && result->c->layer == CASE_TLS &&
                (result->conduct == CONDUCT_UNCLEAR || seen->connections > 0);
  bool refused_good = result->verdict == VERDICT_FAIL && result->c->clients == CASE_ACCEPT;
  bool other_end = result->verdict == VERDICT_FAIL && run->setting.by_own_device &&
                   !(result->conduct == CONDUCT_ACCEPTED && result->c->clients == CASE_REFUSE);
  bool absent = result->c->control && result->verdict != VERDICT_PASS;
  return !run->stopping && result->tries == 1 && (unsure || refused_good || other_end || absent);
}

/* Who refuses a sound server at the end may have refused everybody for a while: as an empty store does,
 * or a disk that is full. */
static void withdraw_refusals(struct run *run, uint8_t tls)
{
  for (size_t i = run->controls; i < run->report->count; i++) {
    struct trial_result *result = &run->report->result[i];
    bool of_it = control_version(result->tls) == tls;
    if (!of_it || result->verdict != VERDICT_PASS || result->conduct != CONDUCT_REFUSED) continue;
    result->verdict = VERDICT_NOT_SHOWN;
    snprintf(result->why, sizeof result->why,
             "at the end it refused a sound server, too: that it refused this one proves nothing");
  }
}

static void on_over(struct trial *trial)
{
  struct run *run = trial->ctx;
  run->busy[trial - run->trials] = false;
  run->under_way--;
  if (trial->result->c->control && deserves_another(run, trial->result)) {
    start_one(run, trial->number);
    return;
  }
  if (trial->number >= run->report->count) {
    bool stopped = run->stopping || trial->result->conduct == CONDUCT_ACCEPTED;
    if (!stopped) withdraw_refusals(run, trial->result->tls);
    start_more(run);
    return;
  }
  if (trial->result->tries == 1 || trial->result->c->control) run->done++; /* once each */
  note_control(run, trial->result);
  if (run->options->progress != NULL)
    run->options->progress(run->options->ctx, run->report, run->done);
  start_more(run);
}

static void leave_out(struct run *run, struct trial_result *result, const char *why)
{
  result->verdict = VERDICT_NOT_SHOWN;
  result->conduct = CONDUCT_NONE;
  snprintf(result->why, sizeof result->why, "%s", why);
  run->done++;
}

static void start_one(struct run *run, size_t number)
{
  size_t at = 0;
  while (run->busy[at]) at++;
  struct trial *trial = &run->trials[at];
  run->busy[at] = true;
  run->under_way++;
  *trial = (struct trial){.setting = &run->setting,
                          .c = run->report->result[number].c,
                          .tls = run->report->result[number].tls,
                          .number = number,
                          .result = &run->report->result[number],
                          .over = on_over,
                          .ctx = run};
  uint8_t tries = run->report->result[number].tries;
  trial_start(trial);
  run->report->result[number].tries = (uint8_t) (tries + 1);
}

/* One by one, when everything has been tried. */
static void start_again(struct run *run)
{
  while (run->again < run->report->count) {
    size_t number = run->again++;
    if (!deserves_another(run, &run->report->result[number])) continue;
    start_one(run, number);
    return;
  }
}

/* The control once more, in each version in which it was accepted. */
static void start_last(struct run *run)
{
  while (run->last < run->controls && !run->stopping) {
    size_t of = run->last++, number = run->report->count + of;
    if (run->report->result[of].verdict != VERDICT_PASS) continue;
    run->report->result[number].c = run->report->result[of].c;
    run->report->result[number].tls = run->report->result[of].tls;
    start_one(run, number);
    return;
  }
}

static void close_signals(struct run *run)
{
  if (uv_is_closing((uv_handle_t *) &run->interrupt)) return;
  uv_close((uv_handle_t *) &run->interrupt, NULL);
  uv_close((uv_handle_t *) &run->terminate, NULL);
}

static void start_more(struct run *run)
{
  while (run->next < run->report->count && run->under_way < run->options->jobs) {
    struct trial_result *result = &run->report->result[run->next];
    if (run->next >= run->controls && run->done < run->controls) return;
    run->next++;
    if (run->stopping)
      leave_out(run, result, "the gauntlet was ended before it");
    else if (run->next > run->controls && !is_proven(run, result->tls))
      leave_out(run, result,
                "the control case was not accepted in this version of TLS: nothing "
                "that it refuses would prove anything");
    else
      start_one(run, run->next - 1);
  }
  if (run->under_way == 0 && run->next == run->report->count) start_again(run);
  if (run->under_way == 0 && run->next == run->report->count) start_last(run);
  if (run->under_way == 0 && run->next == run->report->count) close_signals(run);
}

static void on_signal(uv_signal_t *handle, int number)
{
  struct run *run = handle->data;
  (void) number;
  run->stopping = run->report->interrupted = true;
  for (unsigned i = 0; i < run->options->jobs; i++)
    if (run->busy[i]) trial_stop(&run->trials[i]);
}

/* --- Begin and end ---------------------------------------------------------------------------- */

static int set_up_run(struct run *run, struct error *error)
{
  const struct gauntlet_options *options = run->options;
  mint_warm_up();
  if (credentials_make(&run->credentials, options->cases, options->host, NULL, (int64_t) time(NULL),
                       error) != 0)
    return -1;
  for (size_t i = 0; i < sizeof run->image; i++) run->image[i] = (uint8_t) (i * 2654435761u >> 13);
  run->backend = backend_uv_create(&run->loop);
  run->command = (struct command_setting){.text = options->command, .folder = options->folder};
  run->setting = (struct trial_setting){
      .loop = &run->loop,
      .credentials = &run->credentials,
      .client = options->command != NULL ? &command_client : &own_device,
      .client_setting = options->command != NULL ? (void *) &run->command : (void *) run->backend,
      .downloads = options->command != NULL ? NULL : &own_download,
      .folder = options->folder,
      .patience_ms = options->patience_ms,
      .linger_ms = options->linger_ms != 0 ? options->linger_ms : LINGER_MS,
      .watches_refusal = options->command != NULL && options->linger_ms == 0,
      .by_own_device = options->command == NULL,
      .image = run->image,
      .image_size = sizeof run->image,
  };
  run->trials = calloc(options->jobs, sizeof *run->trials);
  run->busy = calloc(options->jobs, sizeof *run->busy);
  if (run->backend == NULL || run->trials == NULL || run->busy == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for trials");
  if (options->command == NULL) return 0;
  return command_prepare(&run->command, &run->credentials, error);
}

static void run_to_the_end(struct run *run)
{
  uv_signal_init(&run->loop, &run->interrupt);
  uv_signal_init(&run->loop, &run->terminate);
  run->interrupt.data = run->terminate.data = run;
  uv_signal_start(&run->interrupt, on_signal, SIGINT);
  uv_signal_start(&run->terminate, on_signal, SIGTERM);
  start_more(run);
  uv_run(&run->loop, UV_RUN_DEFAULT);
}

static void describe_target(const struct gauntlet_options *options, struct report *out)
{
  out->target = options->command != NULL ? "exec" : "self";
  out->command = options->command;
  snprintf(out->client, sizeof out->client, "%s",
           options->command != NULL ? options->command : "the built-in device");
}

int gauntlet_run(const struct gauntlet_options *options, struct report *out, struct error *error)
{
  struct run *run = calloc(1, sizeof *run);
  *out = (struct report){.started_unix_s = (int64_t) time(NULL)};
  describe_target(options, out);
  if (run == NULL || uv_loop_init(&run->loop) != 0) {
    free(run);
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a gauntlet");
  }
  run->options = options;
  run->report = out;
  uint64_t began = uv_hrtime();
  int result = gauntlet_plan(options, out, error);
  run->controls = gauntlet_controls(out);
  if (result == 0) result = set_up_run(run, error);
  if (result == 0) run_to_the_end(run);
  out->duration_s = (double) (uv_hrtime() - began) / 1e9;
  if (run->backend != NULL) backend_uv_destroy(run->backend);
  uv_run(&run->loop, UV_RUN_DEFAULT);
  (void) uv_loop_close(&run->loop);
  credentials_close(&run->credentials);
  free(run->trials);
  free(run->busy);
  free(run);
  return result;
}

void gauntlet_free(struct report *report)
{
  free(report->result);
  report->result = NULL;
}
