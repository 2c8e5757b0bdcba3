/* struct results as a tree of jansson's. json_pack takes over what it is given and gives NULL if
 * any of it is NULL, so that want of memory anywhere ends in no tree; the caller says so. */
#define _POSIX_C_SOURCE 200809L
#include "report/results_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "fleetsim/device.h"

static json_t *text(const char *from)
{
  return results_json_string(from);
}

static json_t *number(double value)
{
  if (!isfinite(value)) return json_null();
  if (fabs(value) < 0x1p53 && value == floor(value)) return json_integer((json_int_t) value);
  return json_real(value);
}

/* A seed above what JSON readers hold exactly is written as text. */
static json_t *seed_of(uint64_t seed)
{
  if (seed <= (1ull << 53)) return json_integer((json_int_t) seed);
  return json_sprintf("%" PRIu64, seed);
}

static json_t *metric_json(const struct metrics *metrics, enum metric metric)
{
  if (metric_kind(metric) != METRIC_KIND_HISTOGRAM)
    return json_pack("{s:o}", "value", number(metrics_value(metrics, metric)));
  struct metrics_stats s;
  metrics_stats(metrics, metric, &s);
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", number((double) s.count),
                   "min", number(s.min), "mean", number(s.mean), "p50", number(s.p50), "p90",
                   number(s.p90), "p99", number(s.p99), "p99_9", number(s.p99_9), "max",
                   number(s.max));
}

static json_t *metrics_of(const struct metrics *metrics)
{
  json_t *object = json_object();
  for (enum metric m = 0; metrics != NULL && m < METRIC_COUNT; m++)
    object = results_json_with(object, metric_name(m), metric_json(metrics, m));
  return object;
}

/* Where all were foretold there is no first one that was not. */
static json_t *first_phases(json_t *failure, const struct metrics_failure *entry)
{
  bool some = entry->count > entry->expected;
  failure = results_json_with(failure, "first_phase", number(entry->first_phase));
  return results_json_with(failure, "unexpected_first_phase",
                           some ? number(entry->unexpected_first_phase) : json_null());
}

static json_t *failure_of(enum device_failure failure, const struct metrics_failure *entry,
                          const struct names *names)
{
  json_t *told = json_pack(
      "{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:s}", "count", number((double) entry->count),
      "expected", entry->expected == entry->count, "expected_count",
      number((double) entry->expected), "first_devices",
      results_json_devices(names, entry->first_devices, entry->first_count), "unexpected_devices",
      results_json_devices(names, entry->unexpected_devices, entry->unexpected_count), "detail",
      text(entry->detail), "unexpected_detail", text(entry->unexpected_detail), "sentence",
      device_failure_sentence(failure));
  return first_phases(told, entry);
}

static json_t *failures_of(const struct metrics *metrics, const struct names *names)
{
  json_t *object = json_object();
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; metrics != NULL && f < DEVICE_FAIL_COUNT;
       f++) {
    const struct metrics_failure *entry = metrics_failure(metrics, f);
    if (entry->count > 0)
      object = results_json_with(object, device_failure_name(f), failure_of(f, entry, names));
  }
  return object;
}

static double count_named(const struct metrics *metrics, const char *prefix)
{
  double count = 0;
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    if (strncmp(device_failure_name(f), prefix, strlen(prefix)) == 0)
      count += (double) metrics_failure(metrics, f)->count;
  return count;
}

struct accounting {
  double attempts, ok, failed, open;
  bool closed;
};

/* Closed: attempts = ok + failed + open, and every failed one has a name. An attempt may also end
 * by a device.* failure, but not every one of those is an attempt. */
static struct accounting account(const struct metrics *metrics)
{
  struct accounting a = {.attempts = metrics_value(metrics, METRIC_CONNECT_ATTEMPTS),
                         .ok = metrics_value(metrics, METRIC_CONNECT_OK),
                         .failed = metrics_value(metrics, METRIC_CONNECT_FAILED),
                         .open = metrics_value(metrics, METRIC_CONNECT_OPEN)};
  double named = count_named(metrics, "connect."), device = count_named(metrics, "device.");
  a.closed =
      a.attempts == a.ok + a.failed + a.open && named <= a.failed && a.failed <= named + device;
  return a;
}

static json_t *accounting_of(const struct metrics *metrics)
{
  if (metrics == NULL) return json_null();
  struct accounting a = account(metrics);
  return json_pack("{s:o, s:o, s:o, s:o, s:b}", "attempts", number(a.attempts), "ok", number(a.ok),
                   "failed", number(a.failed), "open", number(a.open), "closed", a.closed);
}

static json_t *check_of(const struct results_check *check)
{
  return json_pack("{s:o, s:o, s:b}", "expr", text(check->expr), "observed", text(check->observed),
                   "pass", check->pass);
}

static json_t *checks_of(const struct results_check *checks, size_t count)
{
  json_t *array = json_array();
  for (size_t i = 0; i < count; i++) array = results_json_and(array, check_of(&checks[i]));
  return array;
}

static json_t *phases_of(const struct results *results)
{
  json_t *array = json_array();
  for (size_t i = 0; i < results->phase_count; i++) {
    const struct results_phase *phase = &results->phases[i];
    array = results_json_and(
        array, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", text(phase->name), "start_s",
                         number(phase->start_s), "duration_s", number(phase->duration_s), "gate",
                         phase->has_gate ? check_of(&phase->gate) : json_null(), "expectations",
                         checks_of(phase->expectations, phase->expectation_count), "note",
                         text(phase->note)));
  }
  return array;
}

static json_t *by_hand_of(const struct results_by_hand *by_hand)
{
  return json_pack("{s:I, s:o, s:b}", "pauses", (json_int_t) by_hand->pauses, "paused_s",
                   number(by_hand->paused_s), "aborted", by_hand->aborted);
}

static json_t *brake_of(const struct results_brake *brake)
{
  if (!brake->set) return json_null();
  return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "acted", brake->acted > 0, "when",
                   text(brake->when), "rate", number(brake->rate), "times", number(brake->acted),
                   "first_s", number(brake->first_s), "on_s", number(brake->on_s), "held",
                   number((double) brake->held), "observed", text(brake->observed));
}

static json_t *storm_of(const struct results_storm *s)
{
  json_t *storm = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "policy", text(s->policy), "base_ms",
                            number((double) s->base_ms), "cap_ms", number((double) s->cap_ms),
                            "within_ms", number((double) s->within_ms), "devices",
                            number((double) s->devices), "online", number((double) s->online));
  json_t *times =
      json_pack("{s:o, s:o, s:o, s:o}", "p50_ms", number(s->p50_ms), "p90_ms", number(s->p90_ms),
                "p99_ms", number(s->p99_ms), "all_ms", number(s->all_ms));
  json_t *counts = json_pack(
      "{s:o, s:o, s:o, s:o, s:o}", "handshakes", number((double) s->handshakes), "peak_per_s",
      number(s->peak_per_s), "wasted", number((double) s->wasted), "wasted_peak_per_s",
      number(s->wasted_peak_per_s), "timed_out", number((double) s->timed_out));
  bool whole = json_object_update(storm, times) == 0 && json_object_update(storm, counts) == 0;
  json_decref(times);
  json_decref(counts);
  if (whole) return storm;
  json_decref(storm);
  return NULL;
}

static json_t *storms_of(const struct results *results)
{
  json_t *array = json_array();
  for (size_t i = 0; i < results->storm_count; i++)
    array = results_json_and(array, storm_of(&results->storms[i]));
  return array;
}

static json_t *verdict_of(const struct results *results)
{
  return json_pack("{s:o, s:s, s:i, s:o}", "run_id", text(results->run_id), "verdict",
                   results->verdict, "exit_code", (int) results->exit_code, "message",
                   text(results->message));
}

static json_t *run_of(const struct results *results)
{
  return json_pack(
      "{s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o}}",
      "scenario", "name", text(results->scenario_name), "file", text(results->scenario_file),
      "sha256", text(results->scenario_sha256), "seed", seed_of(results->seed), "started",
      text(results->started), "duration_s", number(results->duration_s), "versions", "fleetsim",
      text(results->version_fleetsim), "mbedtls", text(results->version_mbedtls), "libuv",
      text(results->version_libuv), "broker", text(results->version_broker), "fleet", "devices",
      number((double) results->devices), "profile", text(results->profile), "timing_profile",
      text(results->timing.profile), "crypto", text(results->crypto));
}

static json_t *kind_of(const struct results *results)
{
  if (results->broker_kind[0] == '\0') return json_null();
  return json_pack("{s:o, s:o}", "kind", text(results->broker_kind), "version",
                   text(results->broker_kind_version));
}

static json_t *telemetry_of(const struct results *results)
{
  const struct results_lost *lost = &results->lost;
  return json_pack("{s:b, s:b, s:o, s:o, s:o}", "numbered", !results->unnumbered, "timed",
                   !results->untimed, "checked", text(results->checked), "lost_by",
                   number((double) lost->devices), "lost_first_devices",
                   results_json_devices(results->names, lost->first_devices, lost->first_count));
}

/* With operator: none what has no value for that reason; those of telemetry that messages without a
   number leave open are among them. */
static json_t *operator_of(const struct results *results)
{
  json_t *unknown = json_array();
  for (enum metric m = 0; m < METRIC_COUNT && results->unheard; m++) {
    char name[80];
    bool counts = metric_kind(m) == METRIC_KIND_HISTOGRAM;
    snprintf(name, sizeof name, "%s%s", metric_name(m), counts ? ".count" : "");
    if (metrics_need_operator(name)) unknown = results_json_and(unknown, text(metric_name(m)));
  }
  return json_pack("{s:b, s:o}", "none", results->unheard, "unknown", unknown);
}

static json_t *band_of(const struct results_timing *timing, double nominal)
{
  double unit = timing->k_nominal > 0 ? nominal / timing->k_nominal : 0;
  return json_pack("{s:o, s:o, s:o}", "low", number(unit * timing->k_low), "nominal",
                   number(nominal), "high", number(unit * timing->k_high));
}

static json_t *with_known(json_t *object, const char *key, uint32_t value)
{
  return value > 0 ? results_json_with(object, key, json_integer(value)) : object;
}

static json_t *budget_of(const struct results_timing *timing)
{
  json_t *budget = json_object();
  budget = with_known(budget, "rom_bytes", timing->rom_bytes);
  budget = with_known(budget, "ram_peak_bytes", timing->ram_peak_bytes);
  budget = with_known(budget, "record_bytes", timing->record_bytes);
  budget = with_known(budget, "trust_anchors_max", timing->trust_anchors_max);
  budget = with_known(budget, "chain_bytes", timing->chain_bytes);
  return budget;
}

/* Everything under "timing" is modelled. */
static json_t *timing_of(const struct results *results)
{
  const struct results_timing *timing = &results->timing;
  struct metrics_stats stats = {0};
  if (timing->profile[0] == '\0') return json_null();
  if (results->metrics != NULL) metrics_stats(results->metrics, METRIC_HANDSHAKE_DEVICE, &stats);
  json_t *device = json_null();
  if (stats.count > 0)
    device = json_pack("{s:o, s:o}", "p50", band_of(timing, stats.p50), "p99",
                       band_of(timing, stats.p99));
  return json_pack("{s:o, s:b, s:o, s:{s:o, s:o, s:o}, s:o, s:o}", "profile", text(timing->profile),
                   "paced", timing->paced, "clock_hz", number(timing->clock_hz), "k_mem", "low",
                   number(timing->k_low), "nominal", number(timing->k_nominal), "high",
                   number(timing->k_high), "device_ms", device, "budget", budget_of(timing));
}

json_t *results_json(const struct results *results)
{
  json_t *tree = json_pack("{s:s}", "schema", RESULTS_SCHEMA);
  json_t *verdict = verdict_of(results), *run = run_of(results);
  bool whole =
      json_object_update(tree, verdict) == 0 && json_object_update(tree, run) == 0 &&
      json_object_set_new(tree, "timing", timing_of(results)) == 0 &&
      json_object_set_new(tree, "broker", kind_of(results)) == 0 &&
      json_object_set_new(tree, "telemetry", telemetry_of(results)) == 0 &&
      json_object_set_new(tree, "operator", operator_of(results)) == 0 &&
      json_object_set_new(tree, "phases", phases_of(results)) == 0 &&
      json_object_set_new(tree, "planned", results_plan_json(results)) == 0 &&
      json_object_set_new(tree, "expires", results_expiries_json(results)) == 0 &&
      json_object_set_new(tree, "by_hand", by_hand_of(&results->by_hand)) == 0 &&
      json_object_set_new(tree, "brake", brake_of(&results->brake)) == 0 &&
      json_object_set_new(tree, "storms", storms_of(results)) == 0 &&
      json_object_set_new(tree, "ota", results_ota_json(&results->ota, results->names)) == 0 &&
      json_object_set_new(tree, "metrics", metrics_of(results->metrics)) == 0 &&
      json_object_set_new(tree, "failures", failures_of(results->metrics, results->names)) == 0 &&
      json_object_set_new(tree, "accounting", accounting_of(results->metrics)) == 0 &&
      json_object_set_new(tree, "series", results_series_json(results->series)) == 0 &&
      json_object_set_new(tree, "distributions", results_distributions_json(results->metrics)) ==
          0 &&
      json_object_set_new(tree, "expectations",
                          checks_of(results->expectations, results->expectation_count)) == 0;
  whole = whole && results_asked_add(tree, results);
  json_decref(verdict);
  json_decref(run);
  if (whole) return tree;
  json_decref(tree);
  return NULL;
}

bool results_json_unheard(const json_t *tree)
{
  return json_is_true(json_object_get(json_object_get(tree, "operator"), "none"));
}

json_t *results_json_with(json_t *object, const char *key, json_t *value)
{
  if (json_object_set_new(object, key, value) == 0) return object;
  json_decref(object);
  return NULL;
}

json_t *results_json_and(json_t *array, json_t *value)
{
  if (json_array_append_new(array, value) == 0) return array;
  json_decref(array);
  return NULL;
}

json_t *results_json_devices(const struct names *names, const uint32_t *numbers, size_t count)
{
  json_t *devices = json_array();
  char name[NAMES_TEXT];
  for (size_t i = 0; i < count; i++)
    devices = results_json_and(devices, results_json_string(names_text(names, numbers[i], name)));
  return devices;
}

json_t *results_json_string(const char *from)
{
  json_t *string = json_string(from);
  if (string != NULL) return string;
  /* no memory, or no UTF-8: maybe cut to fit where it was made */
  char *whole = strdup(from), *mended = NULL;
  if (whole != NULL) text_trim(whole);
  if (whole != NULL) mended = text_mend(whole);
  if (mended != NULL) string = json_string(mended);
  free(mended);
  free(whole);
  return string;
}

const char *results_json_text(const json_t *object, const char *key)
{
  const char *value = json_string_value(json_object_get(object, key));
  return value != NULL ? value : "";
}

double results_json_number(const json_t *object, const char *key)
{
  return json_number_value(json_object_get(object, key));
}
