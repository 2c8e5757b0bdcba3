/* When to show, and as what. Nothing here decides anything: without a progress a run is the
   same. */
#define _POSIX_C_SOURCE 200809L
#include "report/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/dashboard.h"
#include "report/painter.h"
#include "report/screen.h"

#define PAINT_S 0.35 /* of a terminal: three times a second */
#define PLAIN_S 5.0
#define PLAIN_COLUMNS \
  199u                /* a log has no width; what does not fit is taken from the phase's name */
#define ROWS_LEAST 2u /* of a window: a line, and the one that is the caller's */

struct progress {
  FILE *out;
  bool shown, painted; /* the picture stands there now */
  size_t phase;
  bool paused;
  double shown_s;
  struct rates rates;
};

struct progress *progress_create(FILE *out)
{
  struct progress *progress = calloc(1, sizeof *progress);
  if (progress != NULL) progress->out = out;
  return progress;
}

bool progress_is_due(const struct progress *progress, const struct onlooker_view *view,
                     bool terminal)
{
  bool news = progress->phase != view->phase || progress->paused != view->paused;
  double since_s = view->now_s - progress->shown_s;
  if (!progress->shown) return true;
  return terminal ? since_s >= PAINT_S : news || since_s >= PLAIN_S;
}

/* --- A log ------------------------------------------------------------------------------------ */

/* The name gives way to the figures. */
static void print_line(const struct progress *progress, const struct onlooker_view *view)
{
  char where[64], figures[160], left[32] = "";
  bool over = view->phase > view->phase_count;
  const char *name = over ? "verdict" : view->phase_name;
  unsigned long left_s = dashboard_left_s(view) > 0 ? (unsigned long) dashboard_left_s(view) : 0;
  if (left_s > 0) snprintf(left, sizeof left, "  %lu:%02lu left", left_s / 60, left_s % 60);
  int where_size =
      snprintf(where, sizeof where, "phase %zu/%zu%s ", over ? view->phase_count : view->phase,
               view->phase_count, view->paused ? " paused after" : "");
  int figures_size =
      snprintf(figures, sizeof figures, "  online %zu/%zu  handshakes %.0f/s  failures %.0f%s",
               view->online, view->wanted, progress->rates.per_s[RATE_HANDSHAKES],
               metrics_value(view->results->metrics, METRIC_CONNECT_FAILED), left);
  /* the devices are switched off, as planned */
  if (over && view->wanted == 0) figures[figures_size = 0] = '\0';
  fputs(where, progress->out);
  screen_put(progress->out, name, PLAIN_COLUMNS - (size_t) (where_size + figures_size));
  fprintf(progress->out, "%s\n", figures);
  fflush(progress->out);
}

/* --- A terminal ------------------------------------------------------------------------------- */

/* The last column stays free: what ends there wraps in some terminals. */
static void paint(struct progress *progress, const struct onlooker_view *view,
                  const struct terminal *terminal)
{
  char *text = NULL;
  size_t size, lines;
  FILE *page = open_memstream(&text, &size);
  if (page == NULL) return;
  lines = dashboard_draw(view, &progress->rates, terminal->columns - 1, terminal->rows - 1, page);
  if (fclose(page) == 0) painter_show(progress->out, text, lines);
  progress->painted = true;
  free(text);
}

void progress_show(struct progress *progress, const struct onlooker_view *view,
                   const struct terminal *terminal)
{
  if (terminal != NULL && !terminal->ready)
    return; /* the run does not wait for who has stopped it */
  rates_see(&progress->rates, view);
  if (terminal == NULL)
    print_line(progress, view);
  else if (terminal->rows >= ROWS_LEAST && terminal->columns > 1)
    paint(progress, view, terminal);
  progress->shown = true;
  progress->shown_s = view->now_s;
  progress->phase = view->phase;
  progress->paused = view->paused;
}

void progress_hide(struct progress *progress)
{
  if (progress == NULL || !progress->painted) return;
  painter_clear(progress->out);
  progress->painted = false;
}

void progress_destroy(struct progress *progress)
{
  progress_hide(progress);
  free(progress);
}
