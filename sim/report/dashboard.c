/* One function a line, in the order of the screen; each line has a rank, and of a low window the
 * lines of the highest ranks are left out. The failures take what rows are left. */
#include "report/dashboard.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "report/screen.h"

#define WORD_COLUMNS  9u /* "  online ", before a bar or a text */
#define BAR_MAX       40u
#define FAILURES_ROWS 8u  /* in a window that has so many rows .. */
#define FAILURES_PART 4u  /* .. they have at least one in so many */
#define NAME_COLUMNS  34u /* of a failure */

struct drawing {
  const struct onlooker_view *view;
  const struct rates *rates;
  size_t columns;
  char text[SCREEN_TEXT]; /* the line being made; "": there is nothing to say */
};

static void add(struct drawing *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct drawing *d, const char *format, ...)
{
  size_t used = strlen(d->text);
  va_list args;
  va_start(args, format);
  vsnprintf(d->text + used, sizeof d->text - used, format, args);
  va_end(args);
  text_trim(d->text);
}

static double measured(const struct drawing *d, enum metric metric)
{
  return metrics_value(d->view->results->metrics, metric);
}

/* "1:05", "1:02:07" */
static void add_time(struct drawing *d, double seconds)
{
  unsigned long s = seconds > 0 ? (unsigned long) seconds : 0;
  if (s >= 3600)
    add(d, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
  else
    add(d, "%lu:%02lu", s / 60, s % 60);
}

/* A word, and a bar of what has been reached; the figures behind it come next. */
static void add_bar(struct drawing *d, const char *word, double part, double whole)
{
  size_t room = d->columns > WORD_COLUMNS + 30 ? d->columns - WORD_COLUMNS - 30 : 0;
  size_t size = room < BAR_MAX ? room : BAR_MAX;
  double share = whole > 0 ? part / whole : 0;
  size_t filled = share >= 1 ? size : share > 0 ? (size_t) (share * (double) size) : 0;
  add(d, "  %-*s", (int) WORD_COLUMNS - 2, word);
  if (size < 5) return;
  add(d, "[");
  for (size_t i = 0; i < size; i++) add(d, "%c", i < filled ? '#' : '-');
  add(d, "] ");
}

double dashboard_left_s(const struct onlooker_view *view)
{
  return view->limit_s > 0 ? view->limit_s + view->held_s - view->now_s : -1;
}

static bool is_over(const struct onlooker_view *view)
{
  return view->phase > view->phase_count;
}

/* --- Lines ------------------------------------------------------------------------------------ */

static void draw_head(struct drawing *d)
{
  const struct onlooker_view *view = d->view;
  bool over = is_over(view);
  double left_s = dashboard_left_s(view);
  if (view->paused) add(d, "PAUSED  ");
  add(d, "phase %zu/%zu  %s", over ? view->phase_count : view->phase, view->phase_count,
      over ? "all are over: the verdict" : view->phase_name);
  char end[64];
  size_t at = strlen(d->text);
  add(d, "  ");
  add_time(d, view->now_s);
  if (left_s > 0) add(d, ", "), add_time(d, left_s), add(d, " left");
  snprintf(end, sizeof end, "%s", d->text + at);
  d->text[at] = '\0';
  /* the name gives way to the time, which stands at the right */
  size_t width = text_columns(end);
  if (width + 20 > d->columns) return;
  d->text[text_fit(d->text, SIZE_MAX, d->columns - width)] = '\0';
  add(d, "%*s%s", (int) (d->columns - width - text_columns(d->text)), "", end);
}

static void draw_pause(struct drawing *d)
{
  if (d->view->paused)
    add(d, "  paused on the live page, which can go on; so can Ctrl-C, which ends the run");
  else if (d->view->pausing)
    add(d, "  it will pause when this phase is over");
}

static void draw_step(struct drawing *d)
{
  if (d->view->step[0] != '\0') add(d, "  step   %s", d->view->step);
}

static void draw_gate(struct drawing *d)
{
  if (d->view->gate != NULL) add(d, "  gate   %s", d->view->gate);
}

static void draw_observed(struct drawing *d)
{
  if (d->view->gate != NULL && d->view->observed != NULL && d->view->observed[0] != '\0')
    add(d, "  seen   %s", d->view->observed);
}

static void draw_waited(struct drawing *d)
{
  if (d->view->gate == NULL) return;
  add_bar(d, "waited", d->view->gate_s, d->view->gate_within_s);
  add(d, "%.0f of %.0f s", d->view->gate_s, d->view->gate_within_s);
}

static void draw_phases(struct drawing *d)
{
  const struct onlooker_view *view = d->view;
  size_t done = view->phase > 0 ? view->phase - 1 : 0;
  add_bar(d, "phases", (double) done, (double) view->phase_count);
  add(d, "%zu of %zu done", done, view->phase_count);
}

static void draw_online(struct drawing *d)
{
  const struct onlooker_view *view = d->view;
  if (view->wanted == 0 && is_over(view)) return; /* they are switched off, as planned */
  add_bar(d, "online", (double) view->online, (double) view->wanted);
  add(d, "%zu of %zu", view->online, view->wanted);
  if (view->attempts_open > 0) add(d, ", %zu trying", view->attempts_open);
  if (view->shelved > 0) add(d, ", %zu off", view->shelved);
}

static void draw_rates(struct drawing *d)
{
  const double *per_s = d->rates->per_s;
  add(d, "  rates  handshakes %.0f/s  connected %.0f/s  failures %.0f/s", per_s[RATE_HANDSHAKES],
      per_s[RATE_CONNECTS], per_s[RATE_FAILURES]);
  if (measured(d, METRIC_TELEMETRY_SENT) > 0) add(d, "  messages %.0f/s", per_s[RATE_SENT]);
}

static void draw_share(struct drawing *d)
{
  struct metrics_stats delay;
  metrics_stats(d->view->results->metrics, METRIC_PROCESS_LOOP_DELAY, &delay);
  add(d, "  self   %.0f %% of a processor, %.0f MiB; devices wait for it p99 %.0f, max %.0f ms",
      100 * d->rates->per_s[RATE_CPU], measured(d, METRIC_PROCESS_RSS) / 1048576, delay.p99,
      delay.max);
}

static void draw_failed(struct drawing *d)
{
  double failed = measured(d, METRIC_CONNECT_FAILED);
  enum device_failure failures[DEVICE_FAIL_COUNT];
  size_t names = rates_failures(d->rates, failures);
  if (names == 0) return;
  add(d, "  failed %.0f attempts; %zu name%s of failures, the latest first", failed, names,
      names == 1 ? "" : "s");
}

static void draw_failure(struct drawing *d, enum device_failure failure)
{
  const struct metrics_failure *entry = metrics_failure(d->view->results->metrics, failure);
  char name[SCREEN_CELL];
  double ago_s = d->view->now_s - d->rates->failed_s[failure];
  bool expected = entry->expected == entry->count;
  add(d, "%-2s%s %7llu", expected ? "" : "x",
      screen_cell(device_failure_name(failure), NAME_COLUMNS, name),
      (unsigned long long) entry->count);
  if (ago_s < 1)
    add(d, "       now");
  else
    add(d, " %5.0f s ago", ago_s);
  if (expected)
    add(d, "  expected");
  else if (entry->expected > 0)
    add(d, "  %llu of them expected", (unsigned long long) entry->expected);
}

/* --- The whole -------------------------------------------------------------------------------- */

/* In the order of the screen; of the highest ranks a low window has none. */
static const struct {
  void (*draw)(struct drawing *d);
  unsigned rank;
} lines[] = {{draw_head, 0},     {draw_pause, 2},  {draw_step, 6},   {draw_gate, 3},
             {draw_observed, 4}, {draw_waited, 8}, {draw_phases, 9}, {draw_online, 1},
             {draw_rates, 5},    {draw_share, 7},  {draw_failed, 10}};
#define LINES (sizeof lines / sizeof *lines)

/* How many lines are at most of this rank, and have something to say. */
static size_t count_up_to(struct drawing *d, unsigned rank)
{
  size_t count = 0;
  for (size_t l = 0; l < LINES; l++) {
    d->text[0] = '\0';
    lines[l].draw(d);
    count += lines[l].rank <= rank && d->text[0] != '\0';
  }
  return count;
}

static void put_drawn(const struct drawing *d, FILE *out)
{
  screen_put(out, d->text, d->columns);
  fputc('\n', out);
}

static size_t draw_failures(struct drawing *d, size_t rows, FILE *out)
{
  enum device_failure failures[DEVICE_FAIL_COUNT];
  size_t count = rates_failures(d->rates, failures);
  size_t shown = count < rows ? count : rows;
  for (size_t f = 0; f < shown; f++) {
    d->text[0] = '\0';
    draw_failure(d, failures[f]);
    put_drawn(d, out);
  }
  return shown;
}

/* So many rows are theirs, whatever else there is. */
static size_t failures_kept(const struct rates *rates, size_t rows)
{
  enum device_failure failures[DEVICE_FAIL_COUNT];
  size_t count = rates_failures(rates, failures),
         most = rows < FAILURES_ROWS ? 0 : rows / FAILURES_PART;
  return count < most ? count : most;
}

size_t dashboard_draw(const struct onlooker_view *view, const struct rates *rates, size_t columns,
                      size_t rows, FILE *out)
{
  struct drawing d = {.view = view, .rates = rates, .columns = columns};
  if (columns > DASHBOARD_COLUMNS_MAX) d.columns = DASHBOARD_COLUMNS_MAX;
  unsigned rank = (unsigned) LINES;
  size_t kept = failures_kept(rates, rows);
  while (rank > 0 && count_up_to(&d, rank) > rows - kept) rank--;
  size_t count = 0;
  for (size_t l = 0; l < LINES; l++) {
    d.text[0] = '\0';
    if (lines[l].rank <= rank) lines[l].draw(&d); /* one of those above */
    if (d.text[0] == '\0') continue;
    put_drawn(&d, out);
    count++;
  }
  return count + draw_failures(&d, rows - count, out);
}
