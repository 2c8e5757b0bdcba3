/* One line, redrawn in place on a terminal and printed now and then elsewhere. What does not fit
 * is taken from the phase's name. Nothing here decides anything: without a progress a run is the
 * same. */
#define _DEFAULT_SOURCE
#include "report/progress.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

#define LIVE_MS     100u
#define PLAIN_MS    5000u
#define RATE_MS     1000u /* the rate is of the latest whole window of this length */
#define COLUMNS_MAX 200
#define COLUMNS     80 /* of a terminal that does not tell */
#define CLEAR_LINE  "\r\033[K"

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
  progress->per_s =
      (double) (state->handshakes - progress->rate_handshakes) * 1000.0 / (double) passed_ms;
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

/* A longer line would wrap, and could not be redrawn then; the last column stays free. A log has no
   width. */
static int width_of(const struct progress *progress)
{
  struct winsize window = {0};
  if (!progress->live) return COLUMNS_MAX - 1;
  bool told = ioctl(fileno(progress->out), TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
  int columns = told ? window.ws_col : COLUMNS;
  return columns < COLUMNS_MAX ? columns - 1 : COLUMNS_MAX - 1;
}

/* The name gives way to the figures. */
static void describe(const struct progress *progress, const struct progress_state *state,
                     char line[COLUMNS_MAX])
{
  char text[2 * COLUMNS_MAX], where[64], figures[COLUMNS_MAX], left[32];
  int width = width_of(progress);
  describe_left(state, left, sizeof left);
  size_t phase = state->phase <= state->phase_count ? state->phase : state->phase_count;
  int where_size = snprintf(where, sizeof where, "phase %zu/%zu", phase, state->phase_count);
  /* the devices are switched off, as planned */
  bool over = state->phase > state->phase_count && state->wanted == 0;
  int figures_size = snprintf(
      figures, sizeof figures, "  online %zu/%zu  handshakes %.0f/s  failures %llu%s",
      state->online, state->wanted, progress->per_s, (unsigned long long) state->failures, left);
  if (over) figures[figures_size = 0] = '\0';
  int room = width - 1 - where_size - figures_size;
  snprintf(text, sizeof text, "%s %.*s%s", where,
           (int) text_fit(state->phase_name, COLUMNS_MAX, room > 0 ? (size_t) room : 0),
           state->phase_name, figures);
  snprintf(line, COLUMNS_MAX, "%.*s",
           (int) text_fit(text, COLUMNS_MAX - 1, width > 0 ? (size_t) width : 0), text);
}

void progress_update(struct progress *progress, const struct progress_state *state)
{
  measure_rate(progress, state);
  if (!is_due(progress, state)) return;
  char line[COLUMNS_MAX];
  describe(progress, state, line);
  if (progress->live)
    fprintf(progress->out, CLEAR_LINE "%s", line);
  else
    fprintf(progress->out, "%s\n", line);
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
