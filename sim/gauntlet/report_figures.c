/* What the trials of a report show together: how long the client took to give up on what, whether
 * and when it tried again, and what it told to whom. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <stdlib.h>

#include "gauntlet/report_json.h"

#define RETRIES_MAX (sizeof((struct observation *) NULL)->retry_ms / sizeof(double))

/* --- Numbers ---------------------------------------------------------------------------------- */

struct sample {
  double *at; /* NULL: no memory */
  size_t count, room;
};

static struct sample sample_begin(size_t room)
{
  return (struct sample){.at = malloc((room + 1) * sizeof(double)), .room = room};
}

static void sample_add(struct sample *sample, double value)
{
  assert(sample->count < sample->room);
  if (sample->at != NULL) sample->at[sample->count++] = value;
}

static int by_size(const void *a, const void *b)
{
  const double *left = a, *right = b;
  return (*left > *right) - (*left < *right);
}

/* Of what is sorted; between two of them in proportion. */
static double quantile(const struct sample *sample, double part)
{
  double place = part * (double) (sample->count - 1);
  size_t below = (size_t) place, above = below + 1 < sample->count ? below + 1 : below;
  return sample->at[below] + (place - (double) below) * (sample->at[above] - sample->at[below]);
}

/* Releases the sample. */
static json_t *sample_json(struct sample *sample)
{
  json_t *told = NULL;
  if (sample->at != NULL && sample->count == 0) told = json_pack("{s:i}", "count", 0);
  if (sample->at != NULL && sample->count > 0) {
    qsort(sample->at, sample->count, sizeof *sample->at, by_size);
    told = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t) sample->count, "min_ms",
        report_json_ms(sample->at[0]), "p10_ms", report_json_ms(quantile(sample, 0.1)), "median_ms",
        report_json_ms(quantile(sample, 0.5)), "p90_ms", report_json_ms(quantile(sample, 0.9)),
        "max_ms", report_json_ms(sample->at[sample->count - 1]));
  }
  free(sample->at);
  return told;
}

/* --- Giving up -------------------------------------------------------------------------------- */

/* What a client was up against, by the check that the case is about; word, sentence. */
#define FIGURE_KINDS(X)                                        \
  X(CERTIFICATE, "certificate", "a certificate to be refused") \
  X(HANDSHAKE, "handshake", "a handshake to be refused")       \
  X(SILENCE, "silence", "a server that falls silent")          \
  X(FLOOD, "flood", "a server that never stops")               \
  X(MQTT, "mqtt", "MQTT that is wrong")                        \
  X(DOWNLOAD, "download", "a download that is wrong")

enum figure_kind {
#define X(symbol, word, sentence) KIND_##symbol,
  FIGURE_KINDS(X)
#undef X
      KIND_COUNT
};

static const struct {
  const char *word, *sentence;
} kinds[KIND_COUNT] = {
#define X(symbol, word, sentence) {word, sentence},
    FIGURE_KINDS(X)
#undef X
};

#define FLAW(symbol) (1u << CASE_FLAW_##symbol)

/* KIND_COUNT: of none of them. */
static enum figure_kind figure_kind_of(const struct gauntlet_case *c)
{
  if (c->flaws & FLAW(FLOOD)) return KIND_FLOOD;
  if (c->flaws & FLAW(DEADLINE)) return KIND_SILENCE;
  if (c->flaws & FLAW(DOWNLOAD)) return KIND_DOWNLOAD;
  if (c->flaws & FLAW(MQTT)) return KIND_MQTT;
  if (c->flaws & (FLAW(VERSION) | FLAW(STRENGTH) | FLAW(INTEGRITY) | FLAW(ORDER)))
    return KIND_HANDSHAKE;
  return c->flaws != 0 ? KIND_CERTIFICATE : KIND_COUNT;
}

static json_t *gave_up_on(const struct report *report, enum figure_kind kind)
{
  struct sample sample = sample_begin(report->count);
  json_int_t hung = 0;
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    double ms = report_gave_up_ms(&trial->seen);
    if (figure_kind_of(trial->c) != kind) continue;
    hung += trial->conduct == CONDUCT_HUNG;
    if (trial->conduct == CONDUCT_REFUSED && ms >= 0) sample_add(&sample, ms);
  }
  json_t *told = report_json_with(sample_json(&sample), "never", json_integer(hung));
  told = report_json_with(told, "kind", json_string(kinds[kind].word));
  return report_json_with(told, "of", json_string(kinds[kind].sentence));
}

static json_t *gave_up_json(const struct report *report)
{
  json_t *all = json_array();
  for (enum figure_kind k = 0; k < KIND_COUNT; k++)
    all = report_json_and(all, gave_up_on(report, k));
  return all;
}

/* --- Trying again ----------------------------------------------------------------------------- */

/* Of all retries, or of the nth after each end, from 1. */
static json_t *retries_of(const struct report *report, size_t nth)
{
  struct sample sample = sample_begin(report->count * RETRIES_MAX);
  for (size_t i = 0; i < report->count; i++) {
    const struct observation *seen = &report->result[i].seen;
    for (size_t r = 0; r < seen->retries && r < RETRIES_MAX; r++)
      if (nth == 0 || nth == r + 1) sample_add(&sample, seen->retry_ms[r]);
  }
  return sample_json(&sample);
}

static size_t most_retries(const struct report *report, json_int_t *trials)
{
  size_t most = 0;
  for (size_t i = 0; i < report->count; i++) {
    size_t retries = report->result[i].seen.retries;
    *trials += retries > 0;
    if (retries > most) most = retries;
  }
  return most < RETRIES_MAX ? most : RETRIES_MAX;
}

static json_t *retries_json(const struct report *report)
{
  json_int_t trials = 0;
  size_t most = most_retries(report, &trials);
  json_t *nth = json_array();
  for (size_t n = 1; n <= most; n++) nth = report_json_and(nth, retries_of(report, n));
  json_t *told = report_json_with(retries_of(report, 0), "trials", json_integer(trials));
  return report_json_with(told, "nth", nth);
}

/* --- Told ------------------------------------------------------------------------------------- */

json_t *report_figures_json(const struct report *report)
{
  json_int_t clear = 0, passwords = 0, crashes = 0, plain = 0;
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    const struct observation *seen = &trial->seen;
    clear += seen->client_certificate && seen->tls > 0 && seen->tls < 13;
    passwords += report_fooled(trial) && seen->has_password;
    crashes += seen->sanitizer;
    plain += seen->plain_requests > 0;
  }
  return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "gave_up", gave_up_json(report), "retries",
                   retries_json(report), "certificate_in_clear", clear, "passwords_told", passwords,
                   "crashes", crashes, "plain_requests", plain);
}
