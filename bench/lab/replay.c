/* Second by second, as a run does it: its lines and their way to the disk, fifty looks of the series, two
 * documents. Counting itself (metrics) is of the fleet and is not measured. */
#define _GNU_SOURCE
#include "lab/replay.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/files.h"
#include "report/onlooker.h"
#include "report/results.h"
#include "report/running.h"

#define BEATS_PER_S  50u
#define STATES_PER_S 2u
#define CACHE_BYTES  (16u << 20)

struct player {
  struct events *events;
  struct metrics *metrics;
  struct series *series;
  struct running *running;
  struct results results;
  struct results_phase phase;
  struct replay_cost cost;
  size_t told[4]; /* lines so far, as struct replay_lines has them */
};

static double cpu_s(void)
{
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* A run's fleet has been through the caches before it records anything. */
static void cool_down(void)
{
  static volatile char other[CACHE_BYTES];
  for (size_t at = 0; at < CACHE_BYTES; at += 64) other[at]++;
}

static bool has(const char *line, const char *kind)
{
  char word[40];
  snprintf(word, sizeof word, "\"event\": \"%s\"", kind);
  return strstr(line, word) != NULL;
}

int replay_count(const char *folder, struct replay_lines *out, struct error *error)
{
  char path[FILES_PATH_MAX], *line = NULL;
  size_t room = 0;
  ssize_t size;
  FILE *file = events_read(folder, path, error);
  *out = (struct replay_lines){0};
  if (file == NULL) return -1;
  while ((size = getline(&line, &room, file)) > 0) {
    out->bytes += (size_t) size;
    size_t *of = has(line, event_name(EVENT_ONLINE))    ? &out->online
                 : has(line, event_name(EVENT_OFFLINE)) ? &out->offline
                 : has(line, event_name(EVENT_FAILED))  ? &out->failed
                                                        : &out->others;
    ++*of;
  }
  free(line);
  fclose(file);
  return 0;
}

static struct event event_of(size_t kind, uint32_t device, double t_s)
{
  static const char detail[] = "the broker ended the connection";
  switch (kind) {
  case 0: return (struct event){EVENT_ONLINE, t_s, device, .online = {"main", 0, false, false}};
  case 1: return (struct event){EVENT_OFFLINE, t_s, device, .offline = {0}};
  case 2:
    return (struct event){EVENT_FAILED, t_s, device,
                          .failed = {DEVICE_FAIL_SESSION_CLOSED, detail}};
  default: return (struct event){EVENT_SECOND, t_s, 0, .second = {device}};
  }
}

/* Of each kind as many as are due at that time. */
static int play_lines(struct player *player, const struct replay_lines *lines, double part,
                      double t_s, struct error *error)
{
  const size_t all[4] = {lines->online, lines->offline, lines->failed, lines->others};
  double before_s = cpu_s();
  for (size_t k = 0; k < 4; k++)
    for (size_t due = (size_t) ((double) all[k] * part); player->told[k] < due;) {
      struct event event = event_of(k, (uint32_t) ++player->told[k], t_s);
      events_emit(player->events, &event);
    }
  int status = events_check(player->events, error);
  player->cost.events += cpu_s() - before_s;
  return status;
}

static void count_connects(struct player *player, size_t connects)
{
  metrics_add(player->metrics, METRIC_CONNECT_ATTEMPTS, connects);
  metrics_add(player->metrics, METRIC_CONNECT_OK, connects);
  metrics_add(player->metrics, METRIC_HANDSHAKE_FULL, connects);
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    if (metric_kind(m) != METRIC_KIND_HISTOGRAM) continue; /* more of them than a run has */
    for (size_t c = 0; c < connects; c++)
      metrics_record_us(player->metrics, m, 800 + 37 * (c % 211));
  }
}

static void play_series(struct player *player, size_t second)
{
  double before_s = cpu_s();
  for (size_t beat = 0; beat < BEATS_PER_S; beat++) {
    series_set_online(player->series, player->told[0]);
    series_look(player->series, player->metrics, 1000 * second + 1000 / BEATS_PER_S * beat);
  }
  player->cost.series += cpu_s() - before_s;
}

static int play_documents(struct player *player, double now_s, struct error *error)
{
  struct onlooker_view view = {.results = &player->results,
                               .phase = 1,
                               .phase_count = 1,
                               .phase_name = "hold",
                               .step = "wait",
                               .now_s = now_s,
                               .online = player->told[0]};
  for (size_t s = 0; s < STATES_PER_S; s++) {
    size_t size;
    cool_down();
    double before_s = cpu_s();
    char *document = running_document(player->running, &view, &size);
    player->cost.documents += cpu_s() - before_s;
    if (document == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a document");
    free(document);
  }
  return 0;
}

/* It failed: of a run that passed, all figures would have to fit each other. */
static void set_up_results(struct player *player, size_t devices)
{
  player->phase = (struct results_phase){.name = "hold"};
  player->results = (struct results){.run_id = "00112233445566778899aabbccddeeff",
                                     .verdict = "fail",
                                     .exit_code = EXIT_CODE_FAIL,
                                     .message = "a replay",
                                     .scenario_name = "replay",
                                     .devices = devices,
                                     .phases = &player->phase,
                                     .phase_count = 1,
                                     .metrics = player->metrics,
                                     .series = player->series};
}

static int play_end(struct player *player, const char *folder, double seconds, struct error *error)
{
  cool_down();
  double before_s = cpu_s();
  series_end(player->series, player->metrics, (uint64_t) (1000 * seconds));
  player->results.duration_s = seconds;
  struct events *events = player->events;
  player->events = NULL;
  int status = results_conclude(&player->results, events, seconds, folder, error);
  if (status == 0) status = results_page(&player->results, folder, error);
  player->cost.results = cpu_s() - before_s;
  return status;
}

static int play(struct player *player, const char *folder, const struct replay_lines *lines,
                double seconds, struct error *error)
{
  size_t count = (size_t) seconds, connected = 0;
  int status = 0;
  for (size_t s = 0; s < count && status == 0; s++) {
    double part = (double) (s + 1) / (double) count;
    cool_down();
    status = play_lines(player, lines, part, (double) s, error);
    count_connects(player, player->told[0] - connected);
    connected = player->told[0];
    cool_down();
    play_series(player, s);
    if (status == 0) status = play_documents(player, (double) s, error);
  }
  return status == 0 ? play_end(player, folder, seconds, error) : status;
}

int replay(const char *folder, const struct replay_lines *lines, size_t devices, double seconds,
           struct replay_cost *out, struct error *error)
{
  struct player player = {
      .metrics = metrics_create(), .series = series_create(), .running = running_create()};
  struct replay_lines again;
  int status = error_set(error, EXIT_CODE_INTERNAL, "no memory for a replay");
  if (player.metrics != NULL && player.series != NULL && player.running != NULL)
    status = events_open(folder, &player.events, error);
  set_up_results(&player, devices);
  if (status == 0) status = play(&player, folder, lines, seconds, error);
  if (player.events != NULL) (void) events_close(player.events, NULL);
  metrics_destroy(player.metrics);
  series_destroy(player.series);
  if (player.running != NULL) running_destroy(player.running);
  if (status == 0) status = replay_count(folder, &again, error);
  *out = player.cost;
  if (status == 0) out->bytes = (double) again.bytes / (double) lines->bytes;
  return status;
}
