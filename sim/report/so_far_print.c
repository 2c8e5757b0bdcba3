/* How far a run came that did not end, for people: on one screen. */
#define _GNU_SOURCE
#include <string.h>

#include "report/results_json.h"
#include "report/screen.h"
#include "report/so_far.h"

#define RED   "\033[1;31m"
#define PLAIN "\033[0m"

/* A run that stood still when it was killed has not hung. */
static void print_pauses(const struct so_far *so_far, FILE *out)
{
  char before[80] = "";
  if (so_far->pauses > 0)
    snprintf(before, sizeof before, "%s, for %.1f s%s",
             so_far->pauses > 1 ? "several times" : "once", so_far->paused_s,
             so_far->pauses > 1 ? " in all" : "");
  if (so_far->paused)
    screen_line(out, "  it was paused by hand then, since %.1f s%s%s", so_far->pause_began_s,
                so_far->pauses > 0 ? "; before that " : "", before);
  else if (so_far->pauses > 0)
    screen_line(out, "  it was paused by hand %s", before);
  if (so_far->pause_asked)
    screen_line(out, "  it was asked by hand to pause when its phase is over");
}

static void print_progress(const struct so_far *so_far, FILE *out)
{
  char cell[SCREEN_CELL];
  size_t count = json_array_size(so_far->phases);
  bool between = so_far_between(so_far);
  if (count > 0) screen_line(out, "  phase                          began  seconds");
  for (size_t p = 0; p < count; p++) {
    const json_t *phase = json_array_get(so_far->phases, p);
    double began_s = results_json_number(phase, "t");
    bool last = p + 1 == count;
    screen_line(out, "  %s %8.1f %8.1f%s%s",
                screen_cell(results_json_text(phase, "phase"), 26, cell), began_s,
                so_far_phase_end_s(so_far, p) - began_s,
                !last     ? ""
                : between ? "  over"
                          : "  under way: ",
                last && !between ? results_json_text(so_far->step, "step") : "");
  }
  if (count == 0) screen_line(out, "  no phase had begun");
}

static void print_reasons(const struct so_far *so_far, FILE *out)
{
  char cell[SCREEN_CELL];
  const char *name;
  json_t *entry;
  if (json_object_size(so_far->failures) > 0)
    screen_line(out, "  failures                       count");
  json_object_foreach(so_far->failures, name, entry)
  {
    char devices[SCREEN_TEXT] = "";
    const json_t *first = json_object_get(entry, "first");
    for (size_t d = 0; d < json_array_size(first); d++) {
      size_t used = strlen(devices);
      snprintf(devices + used, sizeof devices - used, " %s",
               json_string_value(json_array_get(first, d)));
    }
    screen_line(out, "  %s %9.0f %s", screen_cell(name, 26, cell),
                results_json_number(entry, "count"), devices);
  }
}

static void print_all(const struct so_far *so_far, FILE *out, bool colour)
{
  double t_s = results_json_number(so_far->last != NULL ? so_far->last : so_far->run, "t");
  const char *unwritten = results_json_text(so_far->unwritten, "why");
  fprintf(out, "%sNONE%s  ", colour ? RED : "", colour ? PLAIN : "");
  screen_line(out, "%s: no verdict: %s", results_json_text(so_far->run, "scenario"),
              so_far->unwritten != NULL ? "its results could not be written"
              : so_far->under_way       ? "the run is under way"
                                        : "the run did not end");
  if (so_far->unwritten != NULL)
    screen_paragraph(out, 2, unwritten);
  else
    screen_line(out, "  %sits events go to %.1f s",
                so_far->under_way ? "" : "killed, crashed, out of disk or under way: ", t_s);
  print_pauses(so_far, out);
  print_progress(so_far, out);
  screen_line(out, "  devices      %zu online then, %zu ever, of %.0f", so_far->online_count,
              json_object_size(so_far->online), results_json_number(so_far->run, "devices"));
  print_reasons(so_far, out);
}

void so_far_print(const char *folder, FILE *out, bool colour)
{
  struct so_far so_far;
  if (so_far_read(folder, &so_far)) print_all(&so_far, out, colour);
  so_far_release(&so_far);
}
