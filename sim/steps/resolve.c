/* resolve: where a name leads, from here on. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>

#include "stage/places.h"
#include "steps/internal.h"

static enum step_outcome run_resolve(struct stage *stage, const struct scenario_step *step)
{
  struct fleet_place place = {.host = NULL};
  if (stage_lead(stage, &step->lead, &place) != 0) return stage_give_up(stage);
  stage->lead[step->name] = step->lead;
  fleet_lead(stage->fleet, step->name, &place);
  return STEP_DONE;
}

static bool undo_resolve(const struct stage *stage, const struct scenario_step *step,
                         struct scenario_step *inverse)
{
  *inverse = *step;
  inverse->lead = stage->lead[step->name];
  return true;
}

static int take_resolve(const struct step_take *w)
{
  const struct scenario *s = w->scenario;
  const char *name = step_take_text(w, "name");
  if (s->name_count == 0)
    return step_take_fail(
        w, "", "there is no name to resolve: add 'names: [{name: mqtt.example}]' to the file");
  if (name == NULL && s->name_count > 1)
    return step_take_fail(w, "", "this step needs one of the names: write 'name: %s'",
                          s->names[0].name);
  size_t found = 0;
  while (name != NULL && found < s->name_count && strcmp(s->names[found].name, name) != 0) found++;
  if (found == s->name_count)
    return step_take_fail(w, "name", "'%.80s' is not among the names: write 'name: %s'", name,
                          s->names[0].name);
  w->out->name = found;
  if (step_take_duration(w, "delay", 0, 3600000, &w->out->lead.delay_ms) != 0) return -1;
  struct step_list nodes = step_take_list(w, "nodes");
  return check_lead(w->t, w->at, nodes.text, nodes.count, s, &w->out->lead);
}

static void print_resolve(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_lead(s, &s->names[step->name], &step->lead, out);
}

/* resolve: {name: mqtt.example, nodes: [false-broker], delay: 5s} */
const struct step_kind step_resolve = {
    .name = "resolve",
    .arguments = {STEP_ARG("name"), STEP_ARG("delay"),
                  STEP_LIST_OF("nodes", 0, SCENARIO_NODES_MAX)},
    .take = take_resolve,
    .print = print_resolve,
    .foretells = STEP_MOVES_NAME,
    .undo = undo_resolve,
    .run = run_resolve,
};
