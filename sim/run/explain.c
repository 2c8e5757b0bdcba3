/* What is added to an expectation that does not hold, whoever wrote it, where the run knows more of
 * it than a number: why the back office did not hear it, or where to look. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "run/parts.h"
#include "stage/books.h"
#include "stage/device_names.h"
#include "stage/list_looks.h"
#include "stage/list_names.h"
#include "stage/nodes.h"

struct remark {
  struct stage *stage;
  const struct expr *expr;
  bool implied; /* the scenario does not name it */
  struct results_check *check;
};

static bool is_of(const struct remark *remark, const char *name)
{
  return strcmp(remark->expr->name, name) == 0;
}

static void say_also(const struct remark *remark, const char *sentence)
{
  struct results_check *check = remark->check;
  size_t used = strlen(check->observed);
  snprintf(check->observed + used, sizeof check->observed - used, "; %s", sentence);
}

/* Behind what is wrong: who writes of it himself needs no telling how. */
static void say_way_out(const struct remark *remark)
{
  struct results_check *check = remark->check;
  size_t used = strlen(check->observed);
  if (!remark->implied) return;
  snprintf(check->observed + used, sizeof check->observed - used,
           " A scenario that wants to see this names '%s' in its last 'expect'",
           remark->expr->name);
}

/* Not where too few were seen: 'revoke.unrefused == 1' of a scenario that wants to see it. */
static bool is_too_much(const struct remark *remark, enum metric metric)
{
  enum expr_op op = remark->expr->op;
  return (op == EXPR_EQ || op == EXPR_LT || op == EXPR_LE) &&
         metrics_value(remark->stage->metrics, metric) > remark->expr->value;
}

static void explain_stale_leaf(const struct remark *remark)
{
  char sentence[400], name[NAMES_TEXT];
  struct fleet_stale first = fleet_first_stale(remark->stage->fleet);
  const struct broker *broker = remark->stage->nodes[first.node].broker;
  snprintf(sentence, sizeof sentence,
           "the first was of device %s at %.80s port %u: not every machine there has the "
           "certificate that was presented. Do the hooks reach all of them?",
           names_text(remark->stage->names, first.device, name),
           broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN));
  say_also(remark, sentence);
  say_way_out(remark);
}

/* A ticket of before the list asks for no certificate again. */
static const char *why_unrefused(const struct stage *stage, char out[320])
{
  double accepts = metrics_value(stage->metrics, METRIC_REVOKE_ACCEPTS),
         resumed = metrics_value(stage->metrics, METRIC_REVOKE_RESUMED_ACCEPTS);
  if (resumed <= 0) return "is it in force at every address?";
  snprintf(
      out, 320,
      "%.0f of %.0f times with a session ticket (revoke.resumed_accepts), which may be older than "
      "the list: does the broker keep its ticket key over a reload, or share one with another? "
      "A new key, or a restart, ends the old tickets%s",
      resumed, accepts, resumed < accepts ? ". And is the list in force at every address?" : ".");
  return out;
}

static void explain_unrefused(const struct remark *remark)
{
  char sentence[900], where[400], why[320];
  snprintf(sentence, sizeof sentence,
           "so many that are on the list were let in after it, and have not been refused since: "
           "%s%s",
           why_unrefused(remark->stage, why),
           stage_list_let_in(remark->stage, where, sizeof where));
  say_also(remark, sentence);
  say_way_out(remark);
}

/* Nobody is known to be let in, and that is all. */
static void explain_unproven(const struct remark *remark)
{
  char text[480];
  if (isnan(metrics_value(remark->stage->metrics, METRIC_REVOKE_UNREFUSED)) &&
      stage_list_unproven(remark->stage, text, sizeof text) != NULL)
    say_also(remark, text);
}

static void explain_uncut(const struct remark *remark)
{
  if (isnan(metrics_value(remark->stage->metrics, METRIC_REVOKE_UNCUT)))
    say_also(remark, "a look has ended the session of a device on the list: whether the broker "
                     "would have is not known");
}

static void explain_unrenewed(const struct remark *remark)
{
  say_also(remark,
           "so many calls of the hook 'renew-token' left a device without a new token of its "
           "own, and a note names the first: what does the hook write to FLEETSIM_TOKEN? An "
           "issuer that hands out the same one until shortly before its end wants a shorter "
           "'renew-before'.");
  say_way_out(remark);
}

static void explain_believed(const struct remark *remark)
{
  const struct stage_believer *first = &remark->stage->believer;
  char sentence[400], name[NAMES_TEXT];
  if (!first->any) return;
  snprintf(
      sentence, sizeof sentence,
      "so many devices took a hostile server for their broker: the first was %s, which was shown "
      "'%s': %s.",
      stage_device_text(remark->stage, first->device, name), first->of, first->why);
  say_also(remark, sentence);
  say_way_out(remark);
}

static bool nothing_came(const struct remark *remark)
{
  const struct metrics *metrics = remark->stage->metrics;
  if (is_of(remark, "telemetry.unnumbered"))
    return metrics_value(metrics, METRIC_TELEMETRY_UNNUMBERED) <= 0;
  return is_of(remark, "telemetry.delivered") &&
         metrics_value(metrics, METRIC_TELEMETRY_DELIVERED) <= 0;
}

static void say_silence(const struct remark *remark)
{
  const struct scenario_naming *naming = &remark->stage->scenario->naming;
  char sentence[sizeof remark->check->observed], all[NAMES_COVER_TEXT];
  snprintf(sentence, sizeof sentence,
           "a broker may drop messages without a word: see that its ACL lets each device write "
           "%s and %s# and the operator read %s, and that its limit of size is not below that of a "
           "message",
           naming->telemetry, naming->control, names_cover_text(remark->stage->names, all));
  say_also(remark, sentence);
}

static void explain_silence(const struct remark *remark)
{
  const struct stage *stage = remark->stage;
  double away_s = metrics_value(stage->metrics, METRIC_OPERATOR_AWAY);
  char sentence[sizeof remark->check->observed];
  if (away_s > 0) {
    snprintf(sentence, sizeof sentence, "the back office was away for %.1f s%s: %s", away_s,
             stage->office_online ? "" : ", and is", stage->office_said);
    say_also(remark, sentence);
  } else if (nothing_came(remark))
    say_silence(remark);
}

static void explain_lost(const struct remark *remark)
{
  bool acknowledged = metrics_value(remark->stage->metrics, METRIC_TELEMETRY_LOST_ACKED) > 0;
  if (acknowledged && remark->stage->restarted_elsewhere) say_also(remark, STAGE_KEEPS_NOTHING);
}

void run_explain(struct stage *stage, const struct expr *expr, bool implied,
                 struct results_check *check)
{
  const struct remark remark = {stage, expr, implied, check};
  if (check->pass) return;
  if (is_of(&remark, "broker.stale_leaf") && is_too_much(&remark, METRIC_BROKER_STALE))
    explain_stale_leaf(&remark);
  if (is_of(&remark, "revoke.unrefused") && is_too_much(&remark, METRIC_REVOKE_UNREFUSED))
    explain_unrefused(&remark);
  if (is_of(&remark, "revoke.unrefused")) explain_unproven(&remark);
  if (is_of(&remark, "token.unrenewed") && is_too_much(&remark, METRIC_TOKEN_UNRENEWED))
    explain_unrenewed(&remark);
  if (is_of(&remark, "mitm.believed") && is_too_much(&remark, METRIC_MITM_BELIEVED))
    explain_believed(&remark);
  if (is_of(&remark, "revoke.uncut")) explain_uncut(&remark);
  if (is_of(&remark, "telemetry.delivered") || is_of(&remark, "operator.online") ||
      is_of(&remark, "telemetry.unheard") || is_of(&remark, "telemetry.unnumbered"))
    explain_silence(&remark);
  if (is_of(&remark, "telemetry.unheard") || is_of(&remark, "telemetry.lost") ||
      is_of(&remark, "telemetry.lost_acked"))
    explain_lost(&remark);
}
