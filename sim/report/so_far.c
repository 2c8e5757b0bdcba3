/* A run that did not end, by its list of events alone: line by line, as long as lines are whole. A run that
 * could not write its results has ended for itself, and says why in its last line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/files.h"
#include "report/results_json.h"
#include "report/so_far.h"

#define FIRST_DEVICES 3u
#define LONGEST_S     1e8 /* three years: a list may hold anything */

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
  series_set_online(so_far->series, so_far->online_count);
}

/* Of another version's there may be more: NONE. */
static enum device_failure failure_named(const char *name)
{
  enum device_failure f = DEVICE_FAIL_NONE + 1;
  while (f < DEVICE_FAIL_COUNT && strcmp(device_failure_name(f), name) != 0) f++;
  return f < DEVICE_FAIL_COUNT ? f : DEVICE_FAIL_NONE;
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
  enum device_failure f = failure_named(name);
  if (f != DEVICE_FAIL_NONE) metrics_fail(so_far->metrics, f, 0, false, NULL);
}

/* Whoever lists events begins a second where the first event after it is. */
static void come_to(struct so_far *so_far, double t_s)
{
  uint64_t t_ms = t_s > 0 && t_s < LONGEST_S ? (uint64_t) (1000 * t_s) : 0;
  if (t_ms <= so_far->now_ms) return;
  so_far->now_ms = t_ms;
  series_look(so_far->series, so_far->metrics, t_ms);
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
  come_to(so_far, results_json_number(event, "t"));
  if (strcmp(kind, event_name(EVENT_END)) == 0) so_far->ended = true;
  if (strcmp(kind, event_name(EVENT_PHASE)) == 0) (void) json_array_append(so_far->phases, event);
  if (strcmp(kind, event_name(EVENT_STEP)) == 0) remember(&so_far->step, event);
  if (strcmp(kind, event_name(EVENT_UNWRITTEN)) == 0) remember(&so_far->unwritten, event);
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

/* As run/out.c locks it; a lock that all may share takes nothing from anybody. */
static bool folder_is_held(const char *folder)
{
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (fd >= 0) close(fd);
  return held;
}

bool so_far_read(const char *folder, struct so_far *out)
{
  char path[FILES_PATH_MAX];
  *out = (struct so_far){.phases = json_array(),
                         .online = json_object(),
                         .failures = json_object(),
                         .metrics = metrics_create(),
                         .series = series_create()};
  if (out->metrics == NULL || out->series == NULL) return false;
  FILE *file = events_read(folder, path, NULL);
  if (file == NULL) return false;
  read_events(file, out);
  fclose(file);
  series_end(out->series, out->metrics, out->now_ms);
  out->under_way = !out->ended && folder_is_held(folder);
  return strcmp(results_json_text(out->run, "event"), event_name(EVENT_RUN)) == 0 && !out->ended;
}

void so_far_release(struct so_far *so_far)
{
  json_decref(so_far->run);
  json_decref(so_far->phases);
  json_decref(so_far->online);
  json_decref(so_far->failures);
  json_decref(so_far->step);
  json_decref(so_far->last);
  json_decref(so_far->unwritten);
  metrics_destroy(so_far->metrics);
  series_destroy(so_far->series);
}

bool so_far_between(const struct so_far *so_far)
{
  return so_far->paused || so_far->unwritten != NULL;
}

/* Its own end, that of the next one, or that of all lines. */
double so_far_phase_end_s(const struct so_far *so_far, size_t p)
{
  const json_t *phase = json_array_get(so_far->phases, p),
               *next = json_array_get(so_far->phases, p + 1);
  if (json_object_get(phase, "until") != NULL) return results_json_number(phase, "until");
  return results_json_number(next != NULL ? next : so_far->last, "t");
}
