/* Stands for report/events.c and report/results.c: what they would write to files is said in lines.
 * An event is told as it comes, the results at the end; times are virtual, so nothing of it
 * moves. */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/digest.h"
#include "report/events.h"
#include "report/results.h"
#include "site.h"
#include "virtual.h"

struct events {
  const struct names *names;
  bool open;
  struct events_sink *sinks;
  const char *of; /* said before an event */
};

static struct events of_run, of_copies; /* of devices that were stolen: step compromise */
static char *text;
static size_t used, room;
static const struct scenario *scenario;

static void add(const char *format, va_list arguments)
{
  char line[4096];
  int size = vsnprintf(line, sizeof line, format, arguments);
  assert(size >= 0 && (size_t) size < sizeof line);
  if (used + (size_t) size + 2 > room) {
    room = 2 * room + sizeof line;
    text = realloc(text, room);
    assert(text != NULL);
  }
  memcpy(text + used, line, (size_t) size);
  used += (size_t) size;
}

static void put(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  add(format, arguments);
  va_end(arguments);
}

void trace_line(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  add(format, arguments);
  va_end(arguments);
  put("\n");
}

void trace_say(const char *who, const char *format, ...)
{
  va_list arguments;
  put("%9.3f  %-8s  ", virtual_s(), who);
  va_start(arguments, format);
  add(format, arguments);
  va_end(arguments);
  put("\n");
}

void trace_begin(const struct scenario *of)
{
  used = 0;
  scenario = of;
}

char *trace_take(const char *folder)
{
  put("%c", '\0');
  size_t size = strlen(folder);
  for (char *at = strstr(text, folder); at != NULL; at = strstr(at, folder)) {
    memmove(at + 3, at + size, strlen(at + size) + 1);
    memcpy(at, "OUT", 3);
  }
  char *taken = text;
  text = NULL;
  used = room = 0;
  return taken;
}

/* --- Events ----------------------------------------------------------------------------------- */

int events_open(const char *folder, struct events **out, struct error *error)
{
  bool copies = strstr(folder, "/clones") != NULL;
  (void) error;
  *out = copies ? &of_copies : &of_run;
  **out = (struct events){.open = true, .of = copies ? "its copy " : ""};
  return 0;
}

int events_open_compressed(const char *folder, struct events **out, struct error *error)
{
  return events_open(folder, out, error);
}

int events_close(struct events *events, struct error *error)
{
  (void) error;
  events->open = false;
  return 0;
}

void events_name_devices(struct events *events, const struct names *names)
{
  events->names = names;
}

void events_attach(struct events *events, struct events_sink *sink)
{
  sink->next = events->sinks;
  events->sinks = sink;
}

void events_flush(struct events *events)
{
  (void) events;
}

int events_check(struct events *events, struct error *error)
{
  (void) events, (void) error;
  return 0;
}

static void put_update(const struct event *event, const char *what)
{
  put("%s %s, version %llu\n", what, device_update_name(event->trust.status),
      (unsigned long long) event->trust.version);
}

static const char *name_of_node(int node)
{
  if (node < 0) return "nobody";
  if ((size_t) node == scenario->node_count) return "the false broker";
  return scenario->node_count > 1 ? scenario->nodes[node].name : "broker";
}

static void put_online(const struct event *event)
{
  static const char *const words[] = {"", ", resumed", ", its session was kept"};
  put("online at %s%s%s%s\n", name_of_node(event->online.node),
      strcmp(event->online.endpoint, "prove") == 0 ? " to prove" : "",
      words[event->online.resumed ? 1 : 0], words[event->online.session_present ? 2 : 0]);
}

static void put_failed(const struct event *event, const char *what)
{
  put("%s %s%s%s\n", what, device_failure_name(event->failed.failure),
      event->failed.detail[0] != '\0' ? ": " : "", event->failed.detail);
}

static void put_ota(const struct event *event)
{
  char version[DEVICE_VERSION_TEXT];
  device_version_text(event->ota.version, version);
  put("update %llu to %s: %s\n", (unsigned long long) event->ota.serial, version,
      device_ota_status_name(event->ota.status));
}

static void put_booted(const struct event *event)
{
  char version[DEVICE_VERSION_TEXT];
  device_version_text(event->booted.version, version);
  put("boots %s: %s\n", version, device_ota_status_name(event->booted.status));
}

static void put_event(const struct event *event)
{
  switch (event->kind) {
  case EVENT_PHASE: put("\"%s\"\n", event->phase.phase); break;
  case EVENT_STEP: put("%s\n", event->step.step); break;
  case EVENT_SHORT:
    put("of %llu devices: %s\n", (unsigned long long) event->fell_short.devices,
        event->fell_short.first);
    break;
  case EVENT_CONTROL: put("%s\n", event->control.asked); break;
  case EVENT_PAUSED: put("%s\n", event->paused.on ? "on" : "over"); break;
  case EVENT_BRAKE: put("%s\n", event->brake.on ? "on" : "let go"); break;
  case EVENT_OFFICE:
    put("%s%s%s\n", event->office.state, event->office.why[0] != '\0' ? ": " : "",
        event->office.why);
    break;
  case EVENT_FAILED: put_failed(event, "failed"); break;
  case EVENT_REFUSED: put_failed(event, "was refused"); break;
  case EVENT_ONLINE: put_online(event); break;
  case EVENT_TRUST: put_update(event, "trust"); break;
  case EVENT_CERTIFICATE: put_update(event, "certificate"); break;
  case EVENT_OTA: put_ota(event); break;
  case EVENT_BOOTED: put_booted(event); break;
  case EVENT_POWER_CUT:
    put("loses its power at operation %llu\n", (unsigned long long) event->power_cut.operation);
    break;
  case EVENT_TOKEN:
    put("is %s: %s\n", event->token.why, event->token.renewed ? "renewed" : "not renewed");
    break;
  case EVENT_MITM: put("met %s: %s\n", event->mitm.shown, event->mitm.result); break;
  default: put("%s\n", event_name(event->kind)); break;
  }
}

/* --- Who is online, by the lines alone -------------------------------------------------------- */

/* As somebody counts who has nothing but the list: after each change. */
struct count {
  double t_s;
  size_t online;
};
static struct count *counts;
static size_t count_size, count_room;
static uint32_t *online_devices;
static size_t online_count, online_room;

static void remember_count(double t_s)
{
  if (count_size == count_room) {
    count_room = 2 * count_room + 64;
    counts = realloc(counts, count_room * sizeof *counts);
    assert(counts != NULL);
  }
  counts[count_size++] = (struct count){t_s, online_count};
}

static size_t find_online(uint32_t device)
{
  size_t at = 0;
  while (at < online_count && online_devices[at] != device) at++;
  return at;
}

static void count_online(const struct event *event)
{
  if (event->device == 0) return;
  bool comes = event->kind == EVENT_ONLINE && strcmp(event->online.endpoint, "main") == 0;
  bool goes = event->kind == EVENT_OFFLINE || event->kind == EVENT_FAILED;
  size_t at = find_online(event->device);
  if (online_count == online_room) {
    online_room = 2 * online_room + 64;
    online_devices = realloc(online_devices, online_room * sizeof *online_devices);
    assert(online_devices != NULL);
  }
  if (comes && at == online_count) online_devices[online_count++] = event->device;
  if (goes && at < online_count) online_devices[at] = online_devices[--online_count];
  if (comes || goes) remember_count(event->t_s);
}

static void forget_counts(void)
{
  free(counts);
  free(online_devices);
  counts = NULL;
  online_devices = NULL;
  count_size = count_room = online_count = online_room = 0;
}

/* The gauge was read at the first beat after a second's end, of which there are fifty in one; before or
   after what came in the same millisecond. */
static bool was_counted(double from_s, double to_s, double online)
{
  size_t before = 0;
  bool any = false;
  for (size_t c = 0; c < count_size && counts[c].t_s <= to_s; c++) {
    if (counts[c].t_s <= from_s)
      before = counts[c].online;
    else
      any = any || (double) counts[c].online == online;
  }
  return any || (double) before == online;
}

static void check_counts(const struct results *results)
{
  const struct series *series = results->series;
  double step_s = series_step_s(series), end_s = series_end_s(series);
  for (size_t p = 0; p < series_points(series); p++) {
    double online = series_value(series, 0, p), at_s = step_s * (double) (p + 1);
    if (at_s > end_s) at_s = end_s;
    if (isnan(online) || was_counted(at_s - 0.0005, at_s + 0.021, online)) continue;
    fprintf(stderr, "at %g s %g are online, and the events say otherwise\n", at_s, online);
    abort();
  }
}

void events_emit(struct events *events, const struct event *event)
{
  char who[NAMES_TEXT];
  assert(events->open);
  if (event->kind == EVENT_RUN || event->kind == EVENT_END) return;
  if (events == &of_run) count_online(event);
  /* the one its step has told, the other the line before it */
  if (event->kind == EVENT_OFFLINE || event->kind == EVENT_SECOND) return;
  put("%9.3f  %-8s  %s", event->t_s,
      event->device != 0 ? names_text(events->names, event->device, who) : event_name(event->kind),
      events->of);
  put_event(event);
  for (struct events_sink *sink = events->sinks; sink != NULL; sink = sink->next)
    sink->take(sink->ctx, event); /* stage/tokens.c */
}

/* --- Results ---------------------------------------------------------------------------------- */

static void put_check(const char *what, const struct results_check *check)
{
  put("  %s %s %s: %s\n", check->pass ? "pass" : "FAIL", what, check->expr, check->observed);
}

static void put_phase(const struct results_phase *phase)
{
  put("phase \"%s\" from %.3f for %.3f s\n", phase->name, phase->start_s, phase->duration_s);
  if (phase->has_gate) put_check("gate", &phase->gate);
  for (size_t e = 0; e < phase->expectation_count; e++)
    put_check("expect", &phase->expectations[e]);
  if (phase->note[0] != '\0') put("  note: %s\n", phase->note);
}

static void put_storm(const struct results_storm *storm)
{
  put("storm %s: %zu of %zu back, half in %.0f ms, all in %.0f ms; %llu handshakes, %llu wasted\n",
      storm->policy, storm->online, storm->devices, storm->p50_ms, storm->all_ms,
      (unsigned long long) storm->handshakes, (unsigned long long) storm->wasted);
}

static void put_rollout(const struct results_rollout *rollout)
{
  put("rollout of %s %s: offered to %zu, untouched %zu%s%s\n", rollout->image, rollout->state,
      rollout->offered, rollout->untouched, rollout->criterion[0] != '\0' ? "; stopped by " : "",
      rollout->criterion);
}

static void put_failures(const struct metrics *metrics)
{
  for (int f = 1; f < DEVICE_FAIL_COUNT; f++) {
    const struct metrics_failure *failure = metrics_failure(metrics, (enum device_failure) f);
    if (failure->count == 0) continue;
    put("failures %s: %llu, foretold %llu\n", device_failure_name((enum device_failure) f),
        (unsigned long long) failure->count, (unsigned long long) failure->expected);
  }
}

static double sum_of(const struct series *series, const char *name)
{
  double sum = 0;
  for (size_t c = 0; c < series_columns(series); c++)
    for (size_t p = 0; p < series_points(series); p++)
      if (strcmp(series_name(series, c), name) == 0) sum += series_value(series, c, p);
  return sum;
}

/* By its lines at `main`; a count of several at one moment is in between. */
static void check_most(const struct results *results)
{
  double most = 0, told = metrics_value(results->metrics, METRIC_FLEET_ONLINE_MAX);
  for (size_t c = 0; c < count_size; c++)
    if ((double) counts[c].online > most) most = (double) counts[c].online;
  if (most == told) return;
  fprintf(stderr, "fleet.online_max is %g, and the events have %g\n", told, most);
  abort();
}

/* Nothing is lost between the seconds, and nothing is in two of them. */
static void check_series(const struct results *results)
{
  const struct series *series = results->series;
  const struct metrics *metrics = results->metrics;
  assert(sum_of(series, "connect.ok") == metrics_value(metrics, METRIC_CONNECT_OK));
  assert(sum_of(series, "connect.failed") == metrics_value(metrics, METRIC_CONNECT_FAILED));
  assert(sum_of(series, "telemetry.sent") == metrics_value(metrics, METRIC_TELEMETRY_SENT));
  for (int f = 1; f < DEVICE_FAIL_COUNT; f++) {
    double sum = 0;
    for (size_t p = 0; p < series_points(series); p++)
      sum += series_failures(series, (enum device_failure) f, p);
    assert(sum == (double) metrics_failure(metrics, (enum device_failure) f)->count);
  }
}

int results_conclude(struct results *results, struct events *events, double t_s, const char *folder,
                     struct error *error)
{
  (void) t_s, (void) folder;
  check_series(results);
  check_most(results);
  check_counts(results);
  forget_counts();
  for (size_t p = 0; p < results->phase_count; p++) put_phase(&results->phases[p]);
  for (size_t s = 0; s < results->storm_count; s++) put_storm(&results->storms[s]);
  if (results->brake.acted > 0)
    put("brake %s came on %u times, first at %.3f s, for %.3f s; held back %llu\n",
        results->brake.when, results->brake.acted, results->brake.first_s, results->brake.on_s,
        (unsigned long long) results->brake.held);
  if (results->by_hand.pauses > 0 || results->by_hand.aborted)
    put("by hand %u pauses of %.3f s%s\n", results->by_hand.pauses, results->by_hand.paused_s,
        results->by_hand.aborted ? ", aborted" : "");
  for (size_t r = 0; r < results->ota.rollout_count; r++) put_rollout(&results->ota.rollouts[r]);
  put_failures(results->metrics);
  for (size_t e = 0; e < results->expectation_count; e++)
    if (e < scenario->expect_count || !results->expectations[e].pass)
      put_check("expect", &results->expectations[e]);
  put("verdict %s after %.3f s%s%s\n", results->verdict, results->duration_s,
      results->message[0] != '\0' ? ": " : "", results->message);
  return events_close(events, error);
}

/* The verdict that it would print is the trace's own. */
void results_print(const struct results *results, FILE *out, const struct results_extent *extent)
{
  (void) results, (void) out, (void) extent;
}

int results_page(const struct results *results, const char *folder, struct error *error)
{
  (void) results, (void) folder, (void) error;
  return 0;
}

/* --- report/digest.h: nobody checks a file here ----------------------------------------------- */

int digest_of(const void *data, size_t size, char out[DIGEST_TEXT])
{
  (void) data, (void) size;
  memset(out, '0', DIGEST_TEXT - 1);
  out[DIGEST_TEXT - 1] = '\0';
  return 0;
}
