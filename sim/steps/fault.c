/* fault, mend: what the network between some devices and their brokers is like. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

#define LATENCY_MAX_MS (60u * 1000u)
#define SLOW_MAX_MS    (10u * 60000u)
#define SLICE_MAX      (64u * 1024u)
#define BYTES_MAX      (1024u * 1024u * 1024u)

static enum step_outcome mend(struct stage *stage, const struct scenario_who *who)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_mend(stage->fleet, devices, count);
  free(devices);
  return STEP_DONE;
}

static enum step_outcome run_fault(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  int set = fleet_set_fault(stage->fleet, devices, count, &step->fault, &stage->error);
  free(devices);
  if (set != 0) return stage_give_up(stage);
  if (step->within_ms == 0) return STEP_DONE;
  return stage_pause(stage, step->within_ms) ? mend(stage, &step->who) : STEP_ABORTED;
}

static enum step_outcome run_mend(struct stage *stage, const struct scenario_step *step)
{
  return mend(stage, &step->who);
}

static bool undo_fault(const struct stage *stage, const struct scenario_step *step,
                       struct scenario_step *inverse)
{
  (void) stage;
  *inverse = (struct scenario_step){.kind = &step_mend, .who = step->who};
  return true;
}

static int take_lines_ms(const struct step_take *w, const char *key, uint64_t most, uint32_t *out)
{
  uint64_t ms = 0;
  if (step_take_duration(w, key, 1, most, &ms) != 0) return -1;
  *out = (uint32_t) ms;
  return 0;
}

static int take_lines(const struct step_take *w, struct fault *out)
{
  uint64_t slice = 0;
  if (take_lines_ms(w, "latency", LATENCY_MAX_MS, &out->latency_ms) != 0 ||
      take_lines_ms(w, "jitter", LATENCY_MAX_MS, &out->jitter_ms) != 0 ||
      take_lines_ms(w, "slow-close", SLOW_MAX_MS, &out->slow_close_ms) != 0 ||
      step_take_bytes(w, "bandwidth", BYTES_MAX, &out->bandwidth_per_s) != 0 ||
      step_take_bytes(w, "cut-after", BYTES_MAX, &out->cut_after) != 0 ||
      step_take_share(w, "cut", &out->cut_share) != 0 ||
      step_take_bytes(w, "slice", SLICE_MAX, &slice) != 0 ||
      step_take_flag(w, "black-hole", &out->black_hole) != 0 ||
      step_take_flag(w, "refuse", &out->refuse) != 0 ||
      step_take_flag(w, "reset", &out->reset) != 0)
    return -1;
  out->slice = (uint32_t) slice;
  return 0;
}

/* The key of something that a black hole would hide. */
static const char *hidden(const struct fault *f)
{
  if (f->latency_ms > 0) return "latency";
  if (f->bandwidth_per_s > 0) return "bandwidth";
  if (f->cut_after > 0) return "cut-after";
  if (f->slice > 0) return "slice";
  if (f->slow_close_ms > 0) return "slow-close";
  if (f->refuse) return "refuse";
  return f->reset ? "reset" : NULL;
}

static int check_lines(const struct step_take *w, const struct fault *out)
{
  if (out->jitter_ms > out->latency_ms)
    return step_take_fail(
        w, "jitter",
        "'jitter' is above 'latency': delays vary by it in both directions, and none is below 0");
  if (out->cut_share > 0 && out->cut_after == 0)
    return step_take_fail(
        w, "cut",
        "'cut' is the share of connections that 'cut-after' is for: say after how many bytes");
  if (fault_is_none(out))
    return step_take_fail(
        w, "",
        "this fault does nothing: give it latency, bandwidth, cut-after, reset, "
        "slice, black-hole, slow-close or refuse, or write 'mend: {}' to end one");
  if (out->black_hole && hidden(out) != NULL)
    return step_take_fail(
        w, hidden(out),
        "nothing passes a black hole, so '%s' cannot show: leave one of the two out", hidden(out));
  return 0;
}

static int take_fault(const struct step_take *w)
{
  w->out->within_ms = 0;
  if (take_lines(w, &w->out->fault) != 0 || check_lines(w, &w->out->fault) != 0 ||
      step_take_who(w, false) != 0)
    return -1;
  return step_take_duration(w, "for", 1, STEP_WITHIN_MAX_MS, &w->out->within_ms);
}

static int take_mend(const struct step_take *w)
{
  return step_take_who(w, false);
}

static int follow_fault(const struct step_follow *f)
{
  f->story->faulted = true;
  if (f->story->connected || !f->step->fault.reset) return 0;
  return step_story_fail(f, "",
                         "there is no connection to reset yet: put a 'connect' step above it");
}

static int follow_mend(const struct step_follow *f)
{
  if (f->story->faulted) return 0;
  return step_story_fail(f, "", "'mend' has nothing to mend: put a 'fault' step above it");
}

static void print_lines(const struct fault *f, FILE *out)
{
  char text[32];
  if (f->reset) fprintf(out, "; reset open connections");
  if (f->refuse) fprintf(out, "; refuse new connections");
  if (f->black_hole) fprintf(out, "; let nothing arrive or leave");
  if (f->latency_ms > 0) fprintf(out, "; %s each way", print_duration(f->latency_ms, text));
  if (f->jitter_ms > 0) fprintf(out, " +-%s", print_duration(f->jitter_ms, text));
  if (f->bandwidth_per_s > 0)
    fprintf(out, "; %llu bytes a second", (unsigned long long) f->bandwidth_per_s);
  if (f->cut_after > 0 && f->cut_share > 0)
    fprintf(out, "; cut %.6g%% of connections, each within %llu bytes", f->cut_share * 100,
            (unsigned long long) f->cut_after);
  else if (f->cut_after > 0)
    fprintf(out, "; cut after %llu bytes", (unsigned long long) f->cut_after);
  if (f->slice > 0)
    fprintf(out, "; %u byte%s at a time", (unsigned) f->slice, f->slice == 1 ? "" : "s");
  if (f->slow_close_ms > 0)
    fprintf(out, "; ends are learnt %s late", print_duration(f->slow_close_ms, text));
}

static void print_fault(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "disturb the lines of %s", who);
  print_lines(&step->fault, out);
}

static void print_mend(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "mend the lines of %s", who);
}

/* fault: {latency: 200ms, jitter: 50ms, bandwidth: 2KiB, cut-after: 4KiB, reset: yes, slice: 1,
 * black-hole: yes, slow-close: 5s, refuse: yes, for: 10s, WHO} */
const struct step_kind step_fault = {
    .name = "fault",
    .arguments = {STEP_ARG("latency"), STEP_ARG("jitter"), STEP_ARG("bandwidth"), STEP_ARG("cut"),
                  STEP_ARG("cut-after"), STEP_ARG("reset"), STEP_ARG("slice"),
                  STEP_ARG("black-hole"), STEP_ARG("slow-close"), STEP_ARG("refuse"),
                  STEP_ARG("for"), STEP_WHO},
    .take = take_fault,
    .follow = follow_fault,
    .print = print_fault,
    .longest_ms = print_within_ms,
    .foretells = STEP_CHANGES_LINES,
    .undo = undo_fault,
    .run = run_fault,
};

/* mend: {WHO} */
const struct step_kind step_mend = {
    .name = "mend",
    .arguments = {STEP_WHO},
    .take = take_mend,
    .follow = follow_mend,
    .print = print_mend,
    .foretells = STEP_CHANGES_LINES,
    .run = run_mend,
};
