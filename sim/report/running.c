/* The tree of the results without the series, dumped, and the series' text put in its place: steps that
 * are over are written once. When two steps become one (series.h) all of them are written anew. */
#define _POSIX_C_SOURCE 200809L
#include "report/running.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/results_json.h"

/* --- Steps that are over, as text ------------------------------------------------------------- */

/* The columns of a series and behind them the failures, each "1,2,null,". */
#define LINES_MAX (SERIES_COLUMNS_MAX + DEVICE_FAIL_COUNT)

struct steps {
  char *text;
  size_t size, room, points;
  bool any; /* a value above 0 */
};

struct running {
  struct steps lines[LINES_MAX];
  double step_s;
  bool lacks_memory; /* a line is cut: until it is written anew, no document is whole */
};

struct running *running_create(void)
{
  return calloc(1, sizeof(struct running));
}

void running_destroy(struct running *running)
{
  if (running == NULL) return;
  for (size_t l = 0; l < LINES_MAX; l++) free(running->lines[l].text);
  free(running);
}

static int grow_line(struct steps *line, size_t more)
{
  if (line->size + more <= line->room) return 0;
  size_t room = 2 * line->room + more + 256;
  char *text = realloc(line->text, room);
  if (text == NULL) return -1;
  line->text = text;
  line->room = room;
  return 0;
}

static int add_value(struct steps *line, double value)
{
  char text[40];
  int n = isfinite(value) ? snprintf(text, sizeof text, "%.12g,", round(value * 1000) / 1000)
                          : snprintf(text, sizeof text, "null,");
  if (grow_line(line, (size_t) n) != 0) return -1;
  memcpy(line->text + line->size, text, (size_t) n);
  line->size += (size_t) n;
  line->any = line->any || value > 0;
  line->points++;
  return 0;
}

static double value_at(const struct series *series, size_t line, size_t point)
{
  if (line < SERIES_COLUMNS_MAX) return series_value(series, line, point);
  return series_failures(series, (enum device_failure)(line - SERIES_COLUMNS_MAX), point);
}

static bool is_used(const struct series *series, size_t line)
{
  return line < SERIES_COLUMNS_MAX ? line < series_columns(series)
                                   : line - SERIES_COLUMNS_MAX > DEVICE_FAIL_NONE;
}

static void forget(struct running *running)
{
  for (size_t l = 0; l < LINES_MAX; l++) {
    running->lines[l].size = running->lines[l].points = 0;
    running->lines[l].any = false;
  }
  running->lacks_memory = false;
}

static void write_steps(struct running *running, const struct series *series)
{
  double step_s = series_step_s(series);
  if (running->step_s < step_s || running->step_s > step_s || running->lacks_memory)
    forget(running);
  running->step_s = step_s;
  for (size_t l = 0; l < LINES_MAX && !running->lacks_memory; l++)
    while (is_used(series, l) && running->lines[l].points < series_points(series))
      if (add_value(&running->lines[l], value_at(series, l, running->lines[l].points)) != 0) {
        running->lacks_memory = true;
        break;
      }
}

/* --- A document ------------------------------------------------------------------------------- */

/* A name of ours: it needs no escape. */
static void put_line(FILE *out, const char *name, const struct steps *line, bool first)
{
  fprintf(out, "%s\"%s\":[%.*s]", first ? "" : ",", name,
          (int) (line->size > 0 ? line->size - 1 : 0), line->size > 0 ? line->text : "");
}

static void put_series(FILE *out, const struct running *running, const struct series *series)
{
  bool first = true;
  fprintf(out, "{\"step_s\":%g,\"end_s\":%g,\"columns\":{", series_step_s(series),
          series_end_s(series));
  for (size_t c = 0; c < series_columns(series); c++)
    put_line(out, series_name(series, c), &running->lines[c], c == 0);
  fputs("},\"failures\":{", out);
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    const struct steps *line = &running->lines[SERIES_COLUMNS_MAX + f];
    if (!line->any) continue;
    put_line(out, device_failure_name(f), line, first);
    first = false;
  }
  fputs("}}", out);
}

static json_t *gate_of(const struct onlooker_view *view)
{
  if (view->gate == NULL) return json_null();
  return json_pack("{s:o, s:o, s:f, s:f}", "expr", results_json_string(view->gate), "observed",
                   results_json_string(view->observed), "s", view->gate_s, "within_s",
                   view->gate_within_s);
}

static json_t *live_of(const struct onlooker_view *view)
{
  return json_pack(
      "{s:b, s:b, s:f, s:f, s:I, s:I, s:o, s:o, s:o, s:I, s:I}", "pausing", view->pausing, "paused",
      view->paused, "now_s", view->now_s, "limit_s", view->limit_s, "phase",
      (json_int_t) view->phase, "phase_count", (json_int_t) view->phase_count, "phase_name",
      results_json_string(view->phase_name), "step", results_json_string(view->step), "gate",
      gate_of(view), "online", (json_int_t) view->online, "wanted", (json_int_t) view->wanted);
}

static bool forget_unknown(json_t *tree, const struct metrics *metrics)
{
  json_t *all = json_object_get(tree, "metrics");
  bool whole = true;
  for (enum metric m = 0; metrics != NULL && m < METRIC_COUNT; m++)
    if (!metrics_has_value(metrics, m))
      whole =
          json_object_set_new(json_object_get(all, metric_name(m)), "value", json_null()) == 0 &&
          whole;
  return whole;
}

/* The results of a run that goes on: no verdict, no exit code, and the series apart. */
static json_t *so_far(const struct onlooker_view *view)
{
  struct results *results = malloc(sizeof *results);
  if (results == NULL) return NULL;
  *results = *view->results;
  results->verdict = "running";
  results->duration_s = view->now_s;
  results->series = NULL;
  json_t *tree = results_json(results);
  free(results);
  if (tree == NULL || !forget_unknown(tree, view->results->metrics)) {
    json_decref(tree);
    return NULL;
  }
  (void) json_object_del(tree, "exit_code");
  (void) json_object_del(tree, "series");
  return tree;
}

static char *dumped(json_t *tree)
{
  char *text = json_dumps(tree, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
  json_decref(tree);
  return text;
}

static void put_document(FILE *out, const struct running *running, const struct onlooker_view *view,
                         const char *results, const char *live)
{
  const struct series *series = view->ended ? NULL : view->results->series;
  fprintf(out, "{\"live\":%s,\"results\":%.*s", live, (int) (strlen(results) - 1), results);
  if (series != NULL) {
    fputs(",\"series\":", out);
    put_series(out, running, series);
  }
  fputs("}}", out);
}

char *running_document(struct running *running, const struct onlooker_view *view, size_t *size)
{
  char *text = NULL;
  if (!view->ended && view->results->series != NULL) write_steps(running, view->results->series);
  char *results = dumped(view->ended ? results_json(view->results) : so_far(view));
  char *live = dumped(view->ended ? json_null() : live_of(view));
  bool whole = results != NULL && (live != NULL || view->ended) && !running->lacks_memory;
  FILE *out = whole ? open_memstream(&text, size) : NULL;
  if (out != NULL) {
    put_document(out, running, view, results, view->ended ? "null" : live);
    whole = !ferror(out);
    if (fclose(out) != 0 || !whole) free(text), text = NULL;
  }
  free(results);
  free(live);
  return text;
}

/* --- The page --------------------------------------------------------------------------------- */

/* The page's policy; it may connect to where it comes from. Of one length. */
static const char nowhere[] = "connect-src 'none'", here[] = "connect-src 'self'";
_Static_assert(sizeof nowhere == sizeof here, "one takes the place of the other");

char *running_page(size_t *size)
{
  char *page = html_empty(size);
  char *policy = page != NULL ? strstr(page, nowhere) : NULL;
  if (policy != NULL) memcpy(policy, here, sizeof here - 1);
  return page;
}
