/* Every device is a subject with its last status; all decisions follow from counts over them.
 * Ticks offer what is due, reports are judged at once. It cannot fail after its making: no memory
 * is taken later. */
#include "office/rollout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

#define NOWHERE UINT32_MAX

/* What is known of one device; they lie in the order of config.devices. */
struct subject {
  uint8_t wave;   /* in which it was offered */
  uint8_t status; /* enum device_ota_status: the last final one, else the last one */
  bool offered, open_at_stop;
};

struct due {
  uint64_t at_ms; /* rollout time */
  uint32_t position;
};

struct rollout {
  struct rollout_config config;
  uint32_t *devices;  /* config.devices */
  uint32_t *position; /* by fleet index; NOWHERE: not in this rollout */
  struct subject *subjects;
  struct due *due;        /* of the wave under way, ascending */
  size_t due_count, next; /* waves: of `due`; by rate: of `devices` */
  enum rollout_state state;
  bool begun;
  size_t wave; /* under way */
  struct rollout_wave waves[ROLLOUT_WAVES_MAX];
  /* final statuses of the devices offered in that wave */
  size_t counts[ROLLOUT_WAVES_MAX][DEVICE_OTA_STATUS_COUNT];
  size_t offered, offered_after, open_when_stopped;
  uint64_t deadline_ms;                /* rollout time */
  uint64_t paused_ms, paused_since_ms; /* how long before now, and since when */
  double rate, next_due_ms;            /* by rate */
  size_t successes_at_step;
  uint64_t random;
  int met;
  size_t met_count, met_of;
};

const char *rollout_state_name(enum rollout_state state)
{
  static const char *const names[] = {"running", "paused", "done", "aborted", "cancelled"};
  return names[state];
}

static bool is_final(enum device_ota_status status)
{
  return status != DEVICE_OTA_NONE && !device_ota_is_under_way(status);
}

static bool is_failure(enum device_ota_status status)
{
  return device_ota_is_refusal(status) || device_ota_is_rolled_back(status);
}

static bool is_updated(enum device_ota_status status)
{
  return status == DEVICE_OTA_CONFIRMED || status == DEVICE_OTA_SAME;
}

static bool by_rate(const struct rollout *rollout)
{
  return rollout->config.wave_count == 0;
}

/* Final statuses that `counts` holds and `matches` accepts. */
static size_t count_of(const size_t *counts, bool (*matches)(enum device_ota_status status))
{
  size_t n = 0;
  for (int s = 0; s < DEVICE_OTA_STATUS_COUNT; s++)
    if (matches((enum device_ota_status) s)) n += counts[s];
  return n;
}

/* The clock without the pauses. */
static uint64_t rollout_time(const struct rollout *rollout, uint64_t now_ms)
{
  uint64_t pauses_ms = rollout->paused_ms;
  if (rollout->state == ROLLOUT_PAUSED) pauses_ms += now_ms - rollout->paused_since_ms;
  return now_ms - pauses_ms;
}

static size_t wave_begin(const struct rollout *rollout, size_t wave)
{
  return wave == 0 ? 0 : rollout->config.until[wave - 1];
}

static bool take_memory(struct rollout *rollout)
{
  const struct rollout_config *config = &rollout->config;
  rollout->devices = malloc((config->count + 1) * sizeof *rollout->devices);
  rollout->position = malloc((config->fleet_size + 1) * sizeof *rollout->position);
  rollout->subjects = calloc(config->count + 1, sizeof *rollout->subjects);
  rollout->due = malloc((config->count + 1) * sizeof *rollout->due);
  return rollout->devices != NULL && rollout->position != NULL && rollout->subjects != NULL &&
         rollout->due != NULL;
}

static void check_config(const struct rollout_config *config)
{
  assert(config->offer != NULL && config->cancel != NULL &&
         config->wave_count <= ROLLOUT_WAVES_MAX);
  assert(config->abort_count <= ROLLOUT_CRITERIA_MAX);
  assert(config->wave_count > 0 || (config->rate > 0 && config->growth >= 1));
  assert(config->wave_count == 0 || config->until[config->wave_count - 1] == config->count);
  for (size_t w = 1; w < config->wave_count; w++) assert(config->until[w - 1] <= config->until[w]);
}

struct rollout *rollout_create(const struct rollout_config *config)
{
  check_config(config);
  struct rollout *rollout = calloc(1, sizeof *rollout);
  if (rollout == NULL) return NULL;
  rollout->config = *config;
  if (!take_memory(rollout)) {
    rollout_destroy(rollout);
    return NULL;
  }
  memset(rollout->position, 0xff, config->fleet_size * sizeof *rollout->position);
  for (size_t i = 0; i < config->count; i++) {
    assert(config->devices[i] < config->fleet_size);
    rollout->devices[i] = config->devices[i];
    rollout->position[config->devices[i]] = (uint32_t) i;
  }
  rollout->config.devices = rollout->devices;
  rollout->rate = config->rate;
  rollout->random = config->seed;
  rollout->met = -1;
  return rollout;
}

void rollout_destroy(struct rollout *rollout)
{
  if (rollout == NULL) return;
  free(rollout->devices);
  free(rollout->position);
  free(rollout->subjects);
  free(rollout->due);
  free(rollout);
}

/* --- Offering --------------------------------------------------------------------------------- */

static void offer(struct rollout *rollout, size_t position)
{
  struct subject *subject = &rollout->subjects[position];
  subject->offered = true;
  subject->wave = (uint8_t) rollout->wave;
  rollout->waves[rollout->wave].offered++;
  rollout->offered++;
  rollout->offered_after += rollout_is_over(rollout);
  rollout->config.offer(rollout->config.ctx, rollout->devices[position]);
}

static int compare_due(const void *a, const void *b)
{
  const struct due *left = a, *right = b;
  if (left->at_ms != right->at_ms) return left->at_ms < right->at_ms ? -1 : 1;
  return (left->position > right->position) - (left->position < right->position);
}

static void begin_wave(struct rollout *rollout, size_t wave, uint64_t now_ms)
{
  size_t begin = wave_begin(rollout, wave), end = rollout->config.until[wave];
  uint64_t time_ms = rollout_time(rollout, now_ms);
  rollout->wave = wave;
  rollout->waves[wave].devices = end - begin;
  rollout->waves[wave].began_ms = now_ms;
  rollout->deadline_ms = time_ms + rollout->config.within_ms;
  rollout->due_count = end - begin;
  rollout->next = 0;
  for (size_t i = 0; i < rollout->due_count; i++) {
    double jitter_ms = random_unit(&rollout->random) * (double) rollout->config.jitter_ms;
    rollout->due[i] =
        (struct due){.at_ms = time_ms + (uint64_t) jitter_ms, .position = (uint32_t) (begin + i)};
  }
  if (rollout->config.jitter_ms > 0)
    qsort(rollout->due, rollout->due_count, sizeof *rollout->due, compare_due);
}

static void offer_due(struct rollout *rollout, uint64_t time_ms)
{
  while (rollout->state == ROLLOUT_RUNNING && rollout->next < rollout->due_count &&
         rollout->due[rollout->next].at_ms <= time_ms)
    offer(rollout, rollout->due[rollout->next++].position);
}

static size_t ended_in(const struct rollout *rollout, size_t wave)
{
  return count_of(rollout->counts[wave], is_final);
}

static void end_wave(struct rollout *rollout, bool timed_out, uint64_t now_ms)
{
  rollout->waves[rollout->wave].ended_ms = now_ms;
  rollout->waves[rollout->wave].timed_out = timed_out;
}

static void tick_waves(struct rollout *rollout, uint64_t now_ms)
{
  while (rollout->state == ROLLOUT_RUNNING) {
    uint64_t time_ms = rollout_time(rollout, now_ms);
    offer_due(rollout, time_ms);
    bool ended = rollout->next == rollout->due_count &&
                 ended_in(rollout, rollout->wave) == rollout->due_count;
    bool late = time_ms >= rollout->deadline_ms && rollout->next == rollout->due_count;
    if (rollout->state != ROLLOUT_RUNNING || (!ended && !late)) return;
    end_wave(rollout, !ended, now_ms);
    if (rollout->wave + 1 == rollout->config.wave_count)
      rollout->state = ROLLOUT_DONE;
    else
      begin_wave(rollout, rollout->wave + 1, now_ms);
  }
}

/* --- By rate ---------------------------------------------------------------------------------- */

static size_t updated_in_all(const struct rollout *rollout)
{
  size_t n = 0;
  for (size_t w = 0; w <= rollout->wave; w++) n += count_of(rollout->counts[w], is_updated);
  return n;
}

static size_t ended_in_all(const struct rollout *rollout)
{
  size_t n = 0;
  for (size_t w = 0; w <= rollout->wave; w++) n += ended_in(rollout, w);
  return n;
}

/* Beyond the last row the rate grows on, and that row goes on. */
static void grow_rate(struct rollout *rollout, uint64_t now_ms)
{
  const struct rollout_config *config = &rollout->config;
  while (config->successes > 0 &&
         updated_in_all(rollout) - rollout->successes_at_step >= config->successes) {
    rollout->successes_at_step += config->successes;
    rollout->rate *= config->growth;
    if (rollout->wave + 1 == ROLLOUT_WAVES_MAX || rollout->waves[rollout->wave].offered == 0)
      continue;
    end_wave(rollout, false, now_ms);
    rollout->wave++;
    rollout->waves[rollout->wave].began_ms = now_ms;
  }
}

static void tick_rate(struct rollout *rollout, uint64_t now_ms)
{
  uint64_t time_ms = rollout_time(rollout, now_ms);
  size_t count = rollout->config.count;
  grow_rate(rollout, now_ms);
  while (rollout->state == ROLLOUT_RUNNING && rollout->next < count &&
         rollout->next_due_ms <= (double) time_ms) {
    offer(rollout, rollout->next++);
    rollout->next_due_ms += 1000 / rollout->rate;
    rollout->deadline_ms = time_ms + rollout->config.within_ms;
  }
  if (rollout->state != ROLLOUT_RUNNING || rollout->next < count) return;
  bool ended = ended_in_all(rollout) == count;
  if (!ended && time_ms < rollout->deadline_ms) return;
  end_wave(rollout, !ended, now_ms);
  rollout->state = ROLLOUT_DONE;
}

void rollout_tick(struct rollout *rollout, uint64_t now_ms)
{
  if (rollout->state != ROLLOUT_RUNNING) return;
  if (!rollout->begun) {
    rollout->begun = true;
    rollout->next_due_ms = (double) rollout_time(rollout, now_ms);
    rollout->waves[0].began_ms = now_ms;
    if (!by_rate(rollout)) begin_wave(rollout, 0, now_ms);
  }
  if (by_rate(rollout))
    tick_rate(rollout, now_ms);
  else
    tick_waves(rollout, now_ms);
}

/* --- Stopping --------------------------------------------------------------------------------- */

static bool is_open(const struct subject *subject)
{
  return subject->offered && !is_final((enum device_ota_status) subject->status);
}

/* A device in its trial has restarted: a cancel would come too late. */
static void stop(struct rollout *rollout, enum rollout_state state, uint64_t now_ms)
{
  rollout->state = state;
  if (rollout->begun && rollout->waves[rollout->wave].ended_ms == 0)
    end_wave(rollout, false, now_ms);
  for (size_t i = 0; i < rollout->config.count; i++) {
    struct subject *subject = &rollout->subjects[i];
    if (!is_open(subject)) continue;
    subject->open_at_stop = by_rate(rollout) || subject->wave == rollout->wave;
    rollout->open_when_stopped += subject->open_at_stop;
    if (subject->status != DEVICE_OTA_TRIAL)
      rollout->config.cancel(rollout->config.ctx, rollout->devices[i]);
  }
}

static size_t matching(const struct rollout_criterion *criterion, const size_t *counts)
{
  return criterion->status == ROLLOUT_ANY_FAILURE ? count_of(counts, is_failure)
                                                  : counts[criterion->status];
}

static bool is_met(const struct rollout_criterion *criterion, size_t n, size_t of)
{
  size_t minimum = criterion->minimum > 0 ? criterion->minimum : 1;
  return n >= minimum && (double) n >= criterion->share * (double) of;
}

static void judge(struct rollout *rollout, uint64_t now_ms)
{
  size_t all[DEVICE_OTA_STATUS_COUNT] = {0};
  for (size_t w = 0; w <= rollout->wave; w++)
    for (int s = 0; s < DEVICE_OTA_STATUS_COUNT; s++) all[s] += rollout->counts[w][s];
  for (int c = 0; c < (int) rollout->config.abort_count; c++) {
    const struct rollout_criterion *criterion = &rollout->config.abort[c];
    bool whole = criterion->of_all || by_rate(rollout);
    size_t n = matching(criterion, whole ? all : rollout->counts[rollout->wave]);
    size_t of = whole ? rollout->offered : rollout->waves[rollout->wave].offered;
    if (criterion->of_all) of = rollout->config.count;
    if (!is_met(criterion, n, of)) continue;
    rollout->met = c;
    rollout->met_count = n;
    rollout->met_of = of;
    stop(rollout, ROLLOUT_ABORTED, now_ms);
    return;
  }
}

void rollout_report(struct rollout *rollout, uint32_t device, enum device_ota_status status,
                    uint64_t now_ms)
{
  uint32_t position = device < rollout->config.fleet_size ? rollout->position[device] : NOWHERE;
  if (position == NOWHERE || !rollout->subjects[position].offered || status == DEVICE_OTA_NONE)
    return;
  struct subject *subject = &rollout->subjects[position];
  bool was_final = is_final((enum device_ota_status) subject->status);
  /* sent again after a reconnect: the final one follows */
  if (was_final && !is_final(status)) return;
  size_t *counts = rollout->counts[subject->wave];
  if (was_final) counts[subject->status]--;
  if (is_final(status)) counts[status]++;
  subject->status = (uint8_t) status;
  if (is_final(status) && !rollout_is_over(rollout)) judge(rollout, now_ms);
}

void rollout_pause(struct rollout *rollout, uint64_t now_ms)
{
  if (rollout->state != ROLLOUT_RUNNING) return;
  rollout->state = ROLLOUT_PAUSED;
  rollout->paused_since_ms = now_ms;
}

void rollout_resume(struct rollout *rollout, uint64_t now_ms)
{
  if (rollout->state != ROLLOUT_PAUSED) return;
  rollout->paused_ms += now_ms - rollout->paused_since_ms;
  rollout->state = ROLLOUT_RUNNING;
}

void rollout_cancel(struct rollout *rollout, uint64_t now_ms)
{
  if (!rollout_is_over(rollout)) stop(rollout, ROLLOUT_CANCELLED, now_ms);
}

/* --- What is known ---------------------------------------------------------------------------- */

enum rollout_state rollout_state(const struct rollout *rollout)
{
  return rollout->state;
}

bool rollout_is_over(const struct rollout *rollout)
{
  return rollout->state > ROLLOUT_PAUSED;
}

bool rollout_is_for(const struct rollout *rollout, uint32_t device)
{
  return device < rollout->config.fleet_size && rollout->position[device] != NOWHERE;
}

bool rollout_touched(const struct rollout *rollout, uint32_t device)
{
  uint32_t position = device < rollout->config.fleet_size ? rollout->position[device] : NOWHERE;
  return position != NOWHERE && rollout->subjects[position].offered;
}

bool rollout_is_open(const struct rollout *rollout, uint32_t device)
{
  uint32_t position = device < rollout->config.fleet_size ? rollout->position[device] : NOWHERE;
  return position != NOWHERE && is_open(&rollout->subjects[position]);
}

enum device_ota_status rollout_heard(const struct rollout *rollout, uint32_t device)
{
  uint32_t position = device < rollout->config.fleet_size ? rollout->position[device] : NOWHERE;
  return position == NOWHERE ? DEVICE_OTA_NONE
                             : (enum device_ota_status) rollout->subjects[position].status;
}

const struct rollout_criterion *rollout_criterion(const struct rollout *rollout, int index)
{
  assert(index >= 0 && (size_t) index < rollout->config.abort_count);
  return &rollout->config.abort[index];
}

static struct rollout_wave summarize(const struct rollout *rollout, size_t w)
{
  struct rollout_wave wave = rollout->waves[w];
  const size_t *counts = rollout->counts[w];
  if (by_rate(rollout))
    wave.devices = wave.offered;
  else
    wave.devices = rollout->config.until[w] - wave_begin(rollout, w);
  wave.updated = count_of(counts, is_updated);
  wave.refused = count_of(counts, device_ota_is_refusal);
  wave.rolled_back = count_of(counts, device_ota_is_rolled_back);
  wave.cancelled = counts[DEVICE_OTA_CANCELLED];
  wave.open = wave.offered - count_of(counts, is_final);
  return wave;
}

void rollout_summary(const struct rollout *rollout, struct rollout_summary *out)
{
  *out = (struct rollout_summary){.state = rollout->state,
                                  .wave_count = by_rate(rollout) ? rollout->wave + 1
                                                                 : rollout->config.wave_count,
                                  .offered = rollout->offered,
                                  .untouched = rollout->config.count - rollout->offered,
                                  .met = rollout->met,
                                  .met_count = rollout->met_count,
                                  .met_of = rollout->met_of,
                                  .open_when_stopped = rollout->open_when_stopped,
                                  .touched_after = rollout->offered_after};
  for (size_t w = 0; w < out->wave_count; w++) out->wave[w] = summarize(rollout, w);
  for (size_t i = 0; i < rollout->config.count; i++)
    out->touched_after +=
        rollout->subjects[i].open_at_stop && rollout->subjects[i].status != DEVICE_OTA_CANCELLED;
}
