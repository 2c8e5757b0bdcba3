/* A run that did not end, by its list of events alone: read line by line, as long as lines are whole.
 * Whatever it holds, nothing of what is printed is a verdict. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "report/results_json.h"
#include "report/screen.h"

#define FIRST_DEVICES 3u
#define RED           "\033[1;31m"
#define PLAIN         "\033[0m"

struct so_far {
  json_t *run;      /* its first line; NULL: there is none */
  json_t *phases;   /* the lines that begin them */
  json_t *online;   /* each device that ever was, and whether it is */
  json_t *failures; /* by name: count, and the first devices */
  json_t *step, *last;
  size_t online_count;
  /* by hand, on the live page */
  unsigned pauses;
  double paused_s, pause_began_s; /* of those that are over; of the one that is not */
  bool pause_asked, paused;
  bool ended;
};

static void remember(json_t **where, json_t *event)
{
  json_decref(*where);
  *where = json_incref(event);
}

/* As event.h says who is online. */
static void count_online(struct so_far *so_far, const char *device, bool online)
{
  bool before = json_is_true(json_object_get(so_far->online, device));
  if (before == online) return;
  (void) json_object_set_new(so_far->online, device, json_boolean(online));
  so_far->online_count += online ? 1 : (size_t) -1;
}

static void count_failure(struct so_far *so_far, const char *name, const char *device)
{
  json_t *entry = json_object_get(so_far->failures, name);
  if (entry == NULL) {
    entry = json_pack("{s:i, s:[]}", "count", 0, "first");
    if (json_object_set_new(so_far->failures, name, entry) != 0) return;
  }
  json_t *count = json_object_get(entry, "count"), *first = json_object_get(entry, "first");
  (void) json_integer_set(count, json_integer_value(count) + 1);
  if (json_array_size(first) < FIRST_DEVICES)
    (void) json_array_append_new(first, results_json_string(device));
}

/* A pause is between two phases: it is no part of the one before. */
static void take_pause(struct so_far *so_far, bool on, double t_s)
{
  json_t *phase = json_array_get(so_far->phases, json_array_size(so_far->phases) - 1);
  if (on && phase != NULL) (void) json_object_set_new(phase, "until", json_real(t_s));
  if (on)
    so_far->pause_began_s = t_s;
  else if (so_far->paused)
    so_far->pauses++, so_far->paused_s += t_s - so_far->pause_began_s;
  so_far->paused = on;
  so_far->pause_asked = false;
}

static void take_by_hand(struct so_far *so_far, const char *kind, const json_t *event)
{
  if (strcmp(kind, event_name(EVENT_CONTROL)) == 0)
    so_far->pause_asked = strcmp(results_json_text(event, "asked"), "pause") == 0;
  if (strcmp(kind, event_name(EVENT_PAUSED)) == 0)
    take_pause(so_far, json_is_true(json_object_get(event, "on")), results_json_number(event, "t"));
}

static void take(struct so_far *so_far, json_t *event)
{
  const char *kind = results_json_text(event, "event"),
             *device = results_json_text(event, "device");
  bool failed = strcmp(kind, event_name(EVENT_FAILED)) == 0;
  if (so_far->run == NULL) {
    remember(&so_far->run, event);
    return;
  }
  remember(&so_far->last, event);
  if (strcmp(kind, event_name(EVENT_END)) == 0) so_far->ended = true;
  if (strcmp(kind, event_name(EVENT_PHASE)) == 0) (void) json_array_append(so_far->phases, event);
  if (strcmp(kind, event_name(EVENT_STEP)) == 0) remember(&so_far->step, event);
  take_by_hand(so_far, kind, event);
  if (strcmp(kind, event_name(EVENT_ONLINE)) == 0 &&
      strcmp(results_json_text(event, "endpoint"), "main") == 0)
    count_online(so_far, device, true);
  if (failed || strcmp(kind, event_name(EVENT_OFFLINE)) == 0) count_online(so_far, device, false);
  if (failed) count_failure(so_far, results_json_text(event, "failure"), device);
}

/* The last line may be half of one. */
static void read_events(FILE *file, struct so_far *so_far)
{
  char *line = NULL;
  size_t room = 0;
  ssize_t size;
  bool whole = true;
  while (whole && (size = getline(&line, &room, file)) > 0) {
    json_t *event = line[size - 1] == '\n'
                        ? json_loadb(line, (size_t) size, JSON_REJECT_DUPLICATES, NULL)
                        : NULL;
    whole = json_is_object(event);
    if (whole) take(so_far, event);
    json_decref(event);
  }
  free(line);
}

/* --- Printing --------------------------------------------------------------------------------- */

/* A run that stood still when it was killed has not hung. */
static void print_pauses(const struct so_far *so_far, FILE *out)
{
  char before[80] = "";
  if (so_far->pauses > 0)
    snprintf(before, sizeof before, "%s, for %.1f s%s",
             so_far->pauses > 1 ? "several times" : "once", so_far->paused_s,
             so_far->pauses > 1 ? " in all" : "");
  if (so_far->paused)
    screen_line(out, "  it was paused by hand then, since %.1f s%s%s", so_far->pause_began_s,
                so_far->pauses > 0 ? "; before that " : "", before);
  else if (so_far->pauses > 0)
    screen_line(out, "  it was paused by hand %s", before);
  if (so_far->pause_asked)
    screen_line(out, "  it was asked by hand to pause when its phase is over");
}

/* Until when it was under way: its own end, that of the next one, or that of all lines. */
static double phase_end_s(const struct so_far *so_far, size_t p)
{
  const json_t *phase = json_array_get(so_far->phases, p),
               *next = json_array_get(so_far->phases, p + 1);
  if (json_object_get(phase, "until") != NULL) return results_json_number(phase, "until");
  return results_json_number(next != NULL ? next : so_far->last, "t");
}

static void print_progress(const struct so_far *so_far, FILE *out)
{
  char cell[SCREEN_CELL];
  size_t count = json_array_size(so_far->phases);
  if (count > 0) screen_line(out, "  phase                          began  seconds");
  for (size_t p = 0; p < count; p++) {
    const json_t *phase = json_array_get(so_far->phases, p);
    double began_s = results_json_number(phase, "t");
    bool last = p + 1 == count;
    screen_line(out, "  %s %8.1f %8.1f%s%s",
                screen_cell(results_json_text(phase, "phase"), 26, cell), began_s,
                phase_end_s(so_far, p) - began_s,
                !last            ? ""
                : so_far->paused ? "  over"
                                 : "  under way: ",
                last && !so_far->paused ? results_json_text(so_far->step, "step") : "");
  }
  if (count == 0) screen_line(out, "  no phase had begun");
}

static void print_reasons(const struct so_far *so_far, FILE *out)
{
  char cell[SCREEN_CELL];
  const char *name;
  json_t *entry;
  if (json_object_size(so_far->failures) > 0)
    screen_line(out, "  failures                       count");
  json_object_foreach(so_far->failures, name, entry)
  {
    char devices[SCREEN_TEXT] = "";
    const json_t *first = json_object_get(entry, "first");
    for (size_t d = 0; d < json_array_size(first); d++) {
      size_t used = strlen(devices);
      snprintf(devices + used, sizeof devices - used, " %s",
               json_string_value(json_array_get(first, d)));
    }
    screen_line(out, "  %s %9.0f %s", screen_cell(name, 26, cell),
                results_json_number(entry, "count"), devices);
  }
}

static void print_all(const struct so_far *so_far, FILE *out, bool colour)
{
  double t_s = results_json_number(so_far->last != NULL ? so_far->last : so_far->run, "t");
  fprintf(out, "%sNONE%s  ", colour ? RED : "", colour ? PLAIN : "");
  screen_line(out, "%s: no verdict: the run did not end",
              results_json_text(so_far->run, "scenario"));
  screen_line(out, "  it was killed, has crashed or is under way; its events go to %.1f s", t_s);
  print_pauses(so_far, out);
  print_progress(so_far, out);
  screen_line(out, "  devices      %zu online then, %zu ever, of %.0f", so_far->online_count,
              json_object_size(so_far->online), results_json_number(so_far->run, "devices"));
  print_reasons(so_far, out);
}

void so_far_print(const char *folder, FILE *out, bool colour)
{
  char path[FILES_PATH_MAX];
  struct so_far so_far = {
      .phases = json_array(), .online = json_object(), .failures = json_object()};
  FILE *file = events_read(folder, path, NULL);
  if (file != NULL) read_events(file, &so_far);
  if (file != NULL) fclose(file);
  bool is_run = strcmp(results_json_text(so_far.run, "event"), event_name(EVENT_RUN)) == 0;
  if (is_run && !so_far.ended) print_all(&so_far, out, colour);
  json_decref(so_far.run);
  json_decref(so_far.phases);
  json_decref(so_far.online);
  json_decref(so_far.failures);
  json_decref(so_far.step);
  json_decref(so_far.last);
}
