#define _POSIX_C_SOURCE 200809L
#include "report/progress.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define LIVE_MS    100u
#define PLAIN_MS   5000u
#define RATE_MS    1000u /* the rate is of the latest whole window of this length */
#define LINE_SIZE  80u   /* 79 columns and the end: a longer line would wrap and could not be redrawn */
#define CLEAR_LINE "\r\033[K"

struct progress {
  FILE *out;
  bool live, shown;
  size_t phase;
  uint64_t shown_ms;
  uint64_t rate_ms, rate_handshakes;
  double per_s;
};

struct progress *progress_create(FILE *out)
{
  struct progress *progress = calloc(1, sizeof *progress);
  if (progress == NULL) return NULL;
  progress->out = out;
  progress->live = isatty(fileno(out)) != 0;
  return progress;
}

static void measure_rate(struct progress *progress, const struct progress_state *state)
{
  uint64_t passed_ms = state->now_ms - progress->rate_ms;
  if (passed_ms < RATE_MS) return;
  progress->per_s = (double) (state->handshakes - progress->rate_handshakes) * 1000.0 / (double) passed_ms;
  progress->rate_ms = state->now_ms;
  progress->rate_handshakes = state->handshakes;
}

static bool is_due(const struct progress *progress, const struct progress_state *state)
{
  if (!progress->shown || progress->phase != state->phase) return true;
  return state->now_ms - progress->shown_ms >= (progress->live ? LIVE_MS : PLAIN_MS);
}

static void describe_left(const struct progress_state *state, char *out, size_t size)
{
  out[0] = '\0';
  if (state->deadline_ms <= state->now_ms) return;
  unsigned long long left_s = (state->deadline_ms - state->now_ms) / 1000;
  snprintf(out, size, "  %llu:%02llu left", left_s / 60, left_s % 60);
}

/* The name gives way to the figures. */
static void describe(const struct progress *progress, const struct progress_state *state, char line[2 * LINE_SIZE])
{
  char where[24], figures[LINE_SIZE], left[32];
  describe_left(state, left, sizeof left);
  size_t phase = state->phase <= state->phase_count ? state->phase : state->phase_count;
  int where_size = snprintf(where, sizeof where, "phase %zu/%zu", phase, state->phase_count);
  int figures_size =
      snprintf(figures, sizeof figures, "  online %zu/%zu  handshakes %.0f/s  failures %llu%s", state->online,
               state->wanted, progress->per_s, (unsigned long long) state->failures, left);
  int room = (int) LINE_SIZE - 2 - where_size - figures_size;
  snprintf(line, (size_t) 2 * LINE_SIZE, "%s %.*s%s", where, room > 0 ? room : 0, state->phase_name, figures);
}

void progress_update(struct progress *progress, const struct progress_state *state)
{
  measure_rate(progress, state);
  if (!is_due(progress, state)) return;
  char line[2 * LINE_SIZE];
  describe(progress, state, line);
  if (progress->live)
    fprintf(progress->out, CLEAR_LINE "%.*s", (int) LINE_SIZE - 1, line);
  else
    fprintf(progress->out, "%.*s\n", (int) LINE_SIZE - 1, line);
  fflush(progress->out);
  progress->shown = true;
  progress->shown_ms = state->now_ms;
  progress->phase = state->phase;
}

void progress_destroy(struct progress *progress)
{
  if (progress == NULL) return;
  if (progress->live && progress->shown) {
    fputs(CLEAR_LINE, progress->out);
    fflush(progress->out);
  }
  free(progress);
}
