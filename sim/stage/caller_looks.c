/* Looks at a broker as somebody whom it should take, or should not take any more. Who is not taken is
 * told so in TLS; one that is closed on without that word may be so for another reason, as a limit of
 * connections, unless somebody beside him gets in, who has been let in as often. */
#define _POSIX_C_SOURCE 200809L
#include "stage/caller_looks.h"
#include "stage/clones.h"

#include <stdio.h>
#include <string.h>

#include "stage/clones.h"
#include "stage/looks.h"
#include "stage/rounds.h"
#include "stage/wait.h"

#define ANSWER_MS 10000u /* until the answer is right, where the step does not say */

/* What one look says. */
enum said {
  SAID_NOTHING, /* there was no answer, or everybody is closed on */
  SAID_RIGHT,
  SAID_OUT, /* he is closed on without a word, and the one beside him is let in */
  SAID_WRONG
};

struct answers {
  enum said said[STAGE_ROUND_MAX]; /* each look's of the last round, and of glances since */
  unsigned count, right;           /* looks of a round, and how many are right */
  struct stage_seen wrong, unsure; /* the latest that were so */
  uint64_t wrong_ms;               /* since the first one */
  bool wrong_now, silent_now;      /* one of the last looks was wrong; had no answer */
  unsigned came, beside_came;      /* so many looks were let in .. */
  bool beside_comes;               /* .. of the last ones, too */
  bool outdone;                    /* the one beside has come more often */
};

/* --- What is made of an answer ---------------------------------------------------------------- */

/* Without the broker's certificate nobody has refused a client for his. */
static bool is_answer(const struct stage_seen *seen)
{
  return seen->answered && seen->broker.chain.count > 0;
}

static enum said said_by(const struct stage_caller *caller, const struct stage_seen *seen,
                         const struct stage_seen *beside)
{
  if (!is_answer(seen)) return SAID_NOTHING;
  if (seen->broker.takes || caller->welcome)
    return seen->broker.takes == caller->welcome ? SAID_RIGHT : SAID_WRONG;
  if (seen->broker.failure == DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA) return SAID_RIGHT;
  return beside != NULL && is_answer(beside) && beside->broker.takes ? SAID_OUT : SAID_NOTHING;
}

static unsigned count_taken(const struct stage_round *round)
{
  unsigned taken = 0;
  for (unsigned i = 0; i < round->count; i++) taken += round->look[i].broker.takes;
  return taken;
}

static void note_look(const struct stage_seen *seen, enum said said, unsigned number,
                      uint64_t after_ms, struct answers *out)
{
  out->said[number] = said;
  if (said == SAID_NOTHING || said == SAID_OUT) out->unsure = *seen;
  out->silent_now = out->silent_now || !is_answer(seen);
  if (said != SAID_WRONG) return;
  out->wrong = *seen;
  out->wrong_ms = after_ms;
  out->wrong_now = true;
}

static void take_answers(const struct stage_caller *caller, const struct stage_round round[2],
                         uint64_t after_ms, struct answers *out)
{
  unsigned beside_came = count_taken(&round[1]);
  /* a round is judged by itself: which machine a look comes to is not the look's */
  if (round->count == out->count) memset(out->said, 0, sizeof out->said);
  out->wrong_now = out->silent_now = false;
  for (unsigned i = 0; i < round->count; i++) {
    const struct stage_seen *beside = i < round[1].count ? &round[1].look[i] : NULL;
    note_look(&round->look[i], said_by(caller, &round->look[i], beside), i, after_ms, out);
  }
  out->came += count_taken(&round[0]);
  out->beside_came += beside_came;
  out->beside_comes = beside_came > 0;
}

/* Who comes more often than a broker likes is closed on as well: not if the one beside was let in
   more often just now than this one in the whole run, by looks and by what his device came more often
   than the other's. What a device does not know of counts as his own. */
static bool is_outdone(const struct stage *stage, size_t node, const struct stage_caller *caller,
                       const struct answers *answers)
{
  size_t whose = caller->as.whose, other = caller->beside.whose;
  if (whose == PKI_NOBODY || stage->fleet == NULL) return answers->beside_came > answers->came;
  const struct fleet_facts *facts = fleet_facts(stage->fleet, whose);
  uint32_t own = facts->connects + facts->unseen + stage_clones_came(stage, whose), others = 0;
  uint32_t came = stage->identity[whose].looked_in[node];
  if (other != PKI_NOBODY) others = fleet_facts(stage->fleet, other)->connects;
  if (own > others) came += own - others;
  return answers->beside_came > came;
}

static unsigned count_said(const struct answers *answers, enum said said)
{
  unsigned count = 0;
  for (unsigned i = 0; i < answers->count; i++) count += answers->said[i] == said;
  return count;
}

static void weigh(const struct stage *stage, size_t node, const struct stage_caller *caller,
                  struct answers *answers)
{
  answers->outdone = is_outdone(stage, node, caller, answers);
  answers->right = count_said(answers, SAID_RIGHT);
  if (answers->outdone) answers->right += count_said(answers, SAID_OUT);
}

/* --- What is said ----------------------------------------------------------------------------- */

static uint64_t within_ms(const struct stage *stage)
{
  return stage->broker_ms > 0 ? stage->broker_ms : ANSWER_MS;
}

static const char *hint_of(const struct broker *broker, const struct stage_caller *caller,
                           char late[96])
{
  if (caller->unlisted)
    return "the step does not list it. Do the hooks install FLEETSIM_CLIENT_CA and nothing else? "
           "If "
           "it is to be trusted, 'roots' names it";
  snprintf(late, 96, "%s reads its CA file at start only: use apply: restart", broker_name(broker));
  if (caller->when != NULL)
    return "it was otherwise before: does something put an older CA file back?";
  if (broker_trusts_at_start_only(broker) && !caller->restarted) return late;
  return broker_is(broker, BROKER_HOOKED)
             ? "do the hooks install FLEETSIM_CLIENT_CA, all of it and nothing else, and have it "
               "read? If it is slower than that, give the step a longer 'within'"
             : "was it told?";
}

/* One that goes by a registry closes on whom it does not know, whatever his root is. */
static const char *or_unknown(const struct broker *broker, const struct stage_caller *caller,
                              const struct stage_seen *wrong)
{
  bool by_root = wrong->broker.failure == DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA;
  if (!broker_is(broker, BROKER_HOOKED) || !caller->welcome || by_root ||
      caller->as.whose != PKI_NOBODY)
    return "";
  return ". Or does it know no '" PKI_PROBE_NAME
         "' (a registry, an allow-list)? Then 'probe: no' is "
         "for this step";
}

static enum step_outcome fail_answer(struct stage *stage, size_t node,
                                     const struct stage_caller *caller,
                                     const struct answers *answers)
{
  const struct broker *broker = stage->nodes[node].broker;
  const struct stage_seen *wrong = &answers->wrong;
  const char *why = wrong->broker.why;
  char late[96], from[64];
  error_set(
      &stage->error, EXIT_CODE_FAIL,
      "%s%sthe broker at %s port %u %s a client certificate under %s%s after %.3g s%s%s: %s%s",
      caller->when != NULL ? caller->when : "", caller->when != NULL ? " " : "",
      broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
      caller->welcome                            ? "does not take"
      : caller->when != NULL || caller->unlisted ? "takes"
                                                 : "still takes",
      caller->as.root, answers->right > 0 ? stage_from(wrong->from, from) : "",
      (double) within_ms(stage) / 1000, why[0] != '\0' ? ", " : "", why,
      hint_of(broker, caller, late), or_unknown(broker, caller, wrong));
  return STEP_FAILED;
}

/* Why a look said too little. */
static const char *why_unsure(const struct stage_caller *caller, const struct answers *answers,
                              char out[256])
{
  const struct stage_seen *unsure = &answers->unsure;
  const char *why = unsure->broker.why, *beside = caller->beside.root;
  if (!is_answer(unsure))
    snprintf(out, 256, "%.160s", why[0] != '\0' ? why : "no answer");
  else if (beside == NULL)
    snprintf(out, 256, "it is kept out (%.120s), and there was nobody to look at beside it", why);
  else if (count_said(answers, SAID_OUT) > 0)
    snprintf(out, 256,
             "it is kept out (%.120s), and a certificate under %.40s was not let in as often as it",
             why, beside);
  else
    snprintf(out, 256, "it is kept out (%.120s), and so is a certificate under %.40s", why, beside);
  return out;
}

/* It was seen, but not of late. */
static enum step_outcome fail_since(struct stage *stage, size_t node,
                                    const struct stage_caller *caller,
                                    const struct answers *answers)
{
  const struct broker *broker = stage->nodes[node].broker;
  char why[256], from[64];
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%s%sthe broker at %s port %u %s a client certificate under %s%s after %.3g s; whether "
            "it still does was not seen, in %.3g s: %s",
            caller->when != NULL ? caller->when : "", caller->when != NULL ? " " : "",
            broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
            caller->welcome ? "did not take" : "took", caller->as.root,
            answers->right > 0 ? stage_from(answers->wrong.from, from) : "",
            (double) answers->wrong_ms / 1000, (double) within_ms(stage) / 1000,
            why_unsure(caller, answers, why));
  return STEP_FAILED;
}

/* What nobody said is a note where it was seen before, where there is nobody to tell it by, or where no
   step has asked. What
   some looks did not say a machine may not say that stands behind the same address. */
static enum step_outcome end_unsaid(struct stage *stage, size_t node,
                                    const struct stage_caller *caller,
                                    const struct answers *answers)
{
  char text[600], why[256], how[64] = "not seen";
  const struct broker *broker = stage->nodes[node].broker;
  bool alone = !caller->welcome && caller->beside.root == NULL && is_answer(&answers->unsure);
  if (answers->right > 0)
    snprintf(how, sizeof how, "seen by %u of %u looks", answers->right, answers->count);
  snprintf(text, sizeof text, "whether the broker at %.100s port %u trusts %s %s%swas %s: %s",
           broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN), caller->as.root,
           caller->when != NULL ? caller->when : "", caller->when != NULL ? " " : "", how,
           why_unsure(caller, answers, why));
  if (caller->when == NULL && !alone && !caller->unlisted) {
    error_set(&stage->error, EXIT_CODE_FAIL, "%s%s", text,
              answers->right > 0 ? ". Is a machine away, or does a limit of connections close on "
                                   "looks? A longer 'within' has them come more slowly"
              : broker_is(broker, BROKER_HOOKED) && !is_answer(&answers->unsure)
                  ? ". Where it only answers late, a longer 'within' is for this step"
                  : "");
    return STEP_FAILED;
  }
  stage_say(stage, text);
  return STEP_DONE;
}

/* --- The looks -------------------------------------------------------------------------------- */

static void count_device(struct stage *stage, size_t node, const struct stage_guest *guest,
                         const struct stage_round *round)
{
  if (guest->root != NULL && guest->whose != PKI_NOBODY && stage->fleet != NULL)
    stage->identity[guest->whose].looked_in[node] += count_taken(round);
}

/* A glance is one look, and nobody beside it; else it is a round. */
static enum step_outcome look_as(struct stage *stage, size_t node,
                                 const struct stage_caller *caller, uint64_t began_ms, bool glance,
                                 struct answers *answers)
{
  struct stage_round round[2] = {{.count = 0}, {.count = 0}};
  uint64_t timeout_ms = stage_look_until(stage, began_ms + within_ms(stage));
  const struct stage_visitor visitor[2] = {{.node = node,
                                            .files = &caller->as.files,
                                            .by_own_name = true,
                                            .looks = glance || caller->unlisted,
                                            .timeout_ms = timeout_ms},
                                           {.node = node,
                                            .files = &caller->beside.files,
                                            .looks = caller->unlisted,
                                            .timeout_ms = timeout_ms}};
  bool both = caller->beside.root != NULL && !glance;
  if (stage_round(stage, visitor, both ? 2 : 1, round) != STEP_DONE) return STEP_ABORTED;
  count_device(stage, node, &caller->as, &round[0]);
  count_device(stage, node, &caller->beside, &round[1]);
  take_answers(caller, round, stage_elapsed_ms(stage) - began_ms, answers);
  weigh(stage, node, caller, answers);
  return STEP_DONE;
}

/* Every machine must say so once one look is right, or may be; and at the end, whatever that had for
   an answer but a wrong one. */
static bool asks_for_round(const struct answers *answers, bool over)
{
  return !answers->wrong_now && (!answers->silent_now || over);
}

/* Nothing but a want of looks of the one beside keeps it from being right. */
static bool goes_on(const struct answers *answers)
{
  return count_said(answers, SAID_OUT) > 0 && !answers->outdone && answers->beside_comes &&
         !answers->wrong_now && !answers->silent_now;
}

/* There is nobody whom longer waiting would tell it by. */
static bool is_hopeless(const struct stage_caller *caller, const struct answers *answers)
{
  return !caller->welcome && caller->beside.root == NULL && !answers->wrong_now &&
         !answers->silent_now;
}

static enum step_outcome end_looks(struct stage *stage, size_t node,
                                   const struct stage_caller *caller, const struct answers *answers)
{
  if (answers->wrong_now) return fail_answer(stage, node, caller, answers);
  return answers->wrong.answered ? fail_since(stage, node, caller, answers)
                                 : end_unsaid(stage, node, caller, answers);
}

enum step_outcome stage_await_caller(struct stage *stage, size_t node,
                                     const struct stage_caller *caller)
{
  uint64_t began_ms = stage_elapsed_ms(stage), until_ms = began_ms + within_ms(stage);
  uint64_t pause_ms = 0;
  struct answers answers = {.count = caller->unlisted ? 1 : stage_looks_needed(stage)};
  bool several = answers.count > 1, glance = several;
  for (;;) {
    if (look_as(stage, node, caller, began_ms, glance, &answers) != STEP_DONE) return STEP_ABORTED;
    bool over = stage_elapsed_ms(stage) >= until_ms;
    if (!glance && answers.right == answers.count) return STEP_DONE;
    bool at_once = glance ? asks_for_round(&answers, over) : goes_on(&answers);
    if (!at_once && (over || (!glance && is_hopeless(caller, &answers)))) break;
    if (!at_once && !stage_pause_longer(stage, &pause_ms, until_ms)) return STEP_ABORTED;
    glance = several && !at_once;
  }
  return end_looks(stage, node, caller, &answers);
}
