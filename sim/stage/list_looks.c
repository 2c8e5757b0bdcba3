/* Looks with the certificates of devices that the brokers' list names, until they are let in
 * nowhere, and of those who were taken off it, until they are let in everywhere; what counts is the last
 * one. A look that is let in is no CONNACK of the device's: it changes none of the times that
 * revocation is measured by, only whether everybody is refused. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_looks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/chains.h"
#include "stage/device_looks.h"
#include "stage/device_names.h"
#include "stage/list_answers.h"
#include "stage/list_names.h"
#include "stage/list_strangers.h"
#include "stage/looks.h"
#include "stage/nodes.h"
#include "stage/quantities.h"
#include "stage/wait.h"

#define LIST_WITHIN_MS 10000u
#define PAUSE_MIN_MS   250u
#define BACK_WITHIN_MS 10000u
#define ASKED_MAX      ((2u * STAGE_LISTED_MAX + STAGE_SAMPLED_MAX) * SCENARIO_NODES_MAX)

struct asking {
  struct stage *stage;
  enum stage_list_when when;
  uint64_t began_ms;
  size_t count;
  struct stage_asked asked[ASKED_MAX];
};

/* --- The looks -------------------------------------------------------------------------------- */

/* A look that is let in would end its session once more, and the device comes by itself. The last time
   before another list, and at the end, it is looked at nevertheless: who is on the list is not let in, or
   it is not in force; and who was taken off it has time to come back at the end. */
static bool is_left_alone(const struct asking *asking, const struct stage_asked *asked)
{
  const struct stage *stage = asking->stage;
  bool ends = stage->nodes[asked->look.node].look_ids == STAGE_IDS_OF_CERTIFICATES;
  bool last = asking->when == STAGE_LIST_AT_END ||
              (asking->when == STAGE_LIST_BEFORE_NEXT && !asked->one->pardoned);
  return ends && !last && fleet_facts(stage->fleet, asked->look.as.device)->online;
}

/* Looks wear out what a broker allows a client, and those as a control what it allows a device that has
   nothing to do with it. So whoever is not as he should be is looked at once, and alone, and then less
   and less often, but for the last time. */
static void plan_next(const struct asking *asking, struct stage_asked *asked, bool soon)
{
  uint64_t now_ms = stage_elapsed_ms(asking->stage);
  bool glances = !soon && stage_asked_is_contrary(asked);
  bool same = asked->pause_ms > 0 && glances == asked->glances && !soon;
  asked->pause_ms = stage_longer_pause(same ? asked->pause_ms : 0, PAUSE_MIN_MS);
  asked->due_ms = now_ms + asked->pause_ms;
  if (asked->until_ms > now_ms + PAUSE_MIN_MS && asked->due_ms > asked->until_ms)
    asked->due_ms = asked->until_ms;
  asked->glances = glances;
}

/* It is, or may be, as it should: then every machine has to say so. Of who was taken off the list that is
   asked for the last time, too: whether everybody is kept out. */
static void end_glance(const struct asking *asking, struct stage_asked *asked, uint64_t looked_ms)
{
  bool late = looked_ms >= asked->until_ms;
  bool unclear = asked->one->pardoned && (late || stage_asked_is_later(asking->stage, asked));
  if (stage_asked_is_contrary(asked)) asked->whole = false;
  if (stage_asked_is_contrary(asked) && !unclear) {
    asked->over = late;
    plan_next(asking, asked, false);
    return;
  }
  /* whether it is by the list, whoever stands in for it has shown */
  asked->over = asked->one->sampled;
  asked->proven = asked->one->sampled && asked->look.entry.closed;
  asked->glances = false;
  asked->due_ms = stage_elapsed_ms(asking->stage);
}

/* That it is not so is seen once the time is over, not before: others may have held the looks up. Of
   nobody's certificate beside it one look may not have been enough, and a control may have to come as
   often as the other did. */
static void conclude(const struct asking *asking, struct stage_asked *asked, uint64_t looked_ms)
{
  struct stage *stage = asking->stage;
  uint64_t now_ms = stage_elapsed_ms(stage);
  bool closed = asked->look.entry.closed && !asked->one->pardoned;
  bool goes_on = stage_asked_conclude(stage, asked);
  bool hopeless = closed && !asked->look.control.any;
  bool late = (stage_asked_is_contrary(asked) ? looked_ms : now_ms) >= asked->until_ms &&
              (asked->rounds > 1 || !closed);
  asked->over = asked->proven || hopeless || (late && !goes_on);
  plan_next(asking, asked, goes_on);
}

/* As whom, and how often. Who is let in again needs nobody beside it, as long as it is; and who lacks but
   some looks more than the other had is not worn out with a whole round of them. */
static void prepare(struct stage *stage, struct stage_asked *asked)
{
  struct stage_device_look *look = &asked->look;
  bool alone = asked->one->pardoned && look->entry.open && !look->entry.shut;
  look->looks = asked->glances;
  look->beside = 0;
  /* a whole round follows a glance that had no answer */
  look->timeout_ms = asked->glances ? stage_look_until(stage, 0) : stage_look_ms(stage);
  if (asked->glances || alone) {
    look->control.any = false;
    return;
  }
  look->control = stage_control_for(stage, look, asked->rounds, asked->turn);
  if (!stage_control_is(&look->control, &asked->control)) asked->further = 0;
  asked->control = look->control;
  asked->like = stage_control_is_like(stage, look);
  asked->by_device = asked->by_device || (look->control.any && !look->control.nobodys);
  unsigned lacks = stage_asked_lacks(stage, asked);
  if (!asked->whole || asked->further == 0 || lacks == 0 || lacks > stage_looks_needed(stage))
    return;
  look->looks = 1;
  look->beside = lacks;
}

static void take_answer(struct asking *asking, struct stage_asked *asked, uint64_t looked_ms)
{
  uint64_t now_ms = stage_elapsed_ms(asking->stage);
  if (asked->look.entry.ended) asked->one->again_ms = now_ms + LIST_WITHIN_MS;
  if (asked->glances)
    end_glance(asking, asked, looked_ms);
  else
    conclude(asking, asked, looked_ms);
  asked->after_ms = now_ms - asking->began_ms;
}

/* A sample is looked at when the list was seen to be in force there: until then; and not at all
   where it was not. */
static bool waits(const struct asking *asking, struct stage_asked *asked)
{
  bool under_way = false, open = false;
  for (size_t i = 0; i < asking->count && asked->one->sampled; i++) {
    const struct stage_asked *other = &asking->asked[i];
    if (other->one->sampled || other->one->pardoned || other->look.node != asked->look.node)
      continue;
    under_way = under_way || !other->over;
    open = open || (other->over && other->look.entry.open);
  }
  asked->over = asked->over || open;
  return under_way || asked->over;
}

static enum step_outcome look_once(struct asking *asking, bool *over)
{
  struct stage *stage = asking->stage;
  struct stage_asked *open[ASKED_MAX];
  struct stage_device_look *looks[ASKED_MAX];
  uint64_t now_ms = stage_elapsed_ms(stage);
  size_t count = 0;
  for (size_t i = 0; i < asking->count; i++) {
    struct stage_asked *asked = &asking->asked[i];
    if (!asked->over && is_left_alone(asking, asked)) asked->over = asked->left_alone = true;
    if (asked->over || asked->due_ms > now_ms || waits(asking, asked)) continue;
    prepare(stage, asked);
    open[count] = asked;
    looks[count++] = &asked->look;
  }
  if (count > 0 && stage_look_as_devices(stage, looks, count) != STEP_DONE) return STEP_ABORTED;
  for (size_t i = 0; i < count; i++) take_answer(asking, open[i], now_ms);
  *over = true;
  for (size_t i = 0; i < asking->count; i++) *over = *over && asking->asked[i].over;
  return STEP_DONE;
}

/* Until the first of them is due. */
static bool pause_looks(struct asking *asking)
{
  uint64_t now_ms = stage_elapsed_ms(asking->stage), due_ms = UINT64_MAX;
  for (size_t i = 0; i < asking->count; i++) {
    struct stage_asked *asked = &asking->asked[i];
    if (!asked->over && asked->due_ms < due_ms && !waits(asking, asked)) due_ms = asked->due_ms;
  }
  return due_ms <= now_ms || due_ms == UINT64_MAX || stage_pause(asking->stage, due_ms - now_ms);
}

static void ask_for(struct asking *asking, struct stage_listed *one)
{
  struct stage *stage = asking->stage;
  uint64_t within_ms = one->let_in ? 0 : LIST_WITHIN_MS;
  bool fit = !one->pardoned || (stage_is_trusted(stage, &one->as) &&
                                stage_stands_in(stage, &one->as) && !stage_list_shuts_out(stage));
  for (size_t n = 0; n < stage->scenario->node_count && fit && !one->untold; n++)
    if (stage_is_reachable(stage, n) &&
        !(asking->when == STAGE_LIST_BEFORE_NEXT && stage->nodes[n].silent))
      asking->asked[asking->count++] =
          (struct stage_asked){.one = one,
                               .look = {.node = n, .as = one->as},
                               .until_ms = asking->began_ms + within_ms,
                               .glances = true};
}

/* --- Before it --------------------------------------------------------------------------------- */

/* Whether a broker keeps somebody out whose session is open shows before the list only, where nobody else
   has one to compare with; and so does whether it lets in who has not come so far, or was kicked. */
static bool shows_before(struct stage *stage, const struct stage_listed *listed,
                         const struct stage_device_look *look)
{
  size_t device = listed->as.device;
  bool shielded = fleet_would_tell(stage->fleet, device) && !stage_control_has_like(stage, look);
  return shielded || !stage_asked_has_been_in(stage, listed) || stage_may_be_banned(stage, device);
}

enum step_outcome stage_look_before_list(struct stage *stage)
{
  struct stage_device_look look[STAGE_LISTED_MAX * SCENARIO_NODES_MAX],
      *looks[STAGE_LISTED_MAX * SCENARIO_NODES_MAX];
  struct stage_listed *listed[STAGE_LISTED_MAX * SCENARIO_NODES_MAX];
  size_t count = 0;
  if (!stage_list_is_looked_at(stage)) return STEP_DONE;
  for (size_t i = 0; i < stage->listed_count; i++)
    for (size_t n = 0; n < stage->scenario->node_count; n++) {
      look[count] = (struct stage_device_look){.node = n,
                                               .as = stage->listed[i].as,
                                               .looks = 1,
                                               .timeout_ms = stage_look_until(stage, 0)};
      if (!stage_is_reachable(stage, n) || stage->nodes[n].silent ||
          !shows_before(stage, &stage->listed[i], &look[count]))
        continue;
      listed[count] = &stage->listed[i];
      looks[count] = &look[count];
      count++;
    }
  if (count > 0 && stage_look_as_devices(stage, looks, count) != STEP_DONE) return STEP_ABORTED;
  for (size_t i = 0; i < count; i++) listed[i]->been_in = listed[i]->been_in || look[i].entry.open;
  return STEP_DONE;
}

/* --- What is said ----------------------------------------------------------------------------- */

static const char *by_tls_text(const struct stage_let_in *let_in)
{
  return let_in->by_tls ? " by TLS (CONNACK refused no more than its client id or MQTT version)"
                        : "";
}

static void say_open(struct stage *stage, const struct stage_listed *listed, uint64_t after_ms)
{
  const struct stage_let_in *let_in = &stage->let_in;
  char text[512], where[STAGE_ADDRESS_MAX], from[64], after[32] = "", name[NAMES_TEXT];
  if (after_ms >= LIST_WITHIN_MS)
    snprintf(after, sizeof after, " after %.3g s", (double) after_ms / 1000);
  snprintf(text, sizeof text,
           "a look with the certificate of %s, which is on the list, was let in%s at %s%s%s: does "
           "%s?",
           stage_device_text(stage, let_in->device, name), by_tls_text(let_in),
           stage_address(stage, let_in->node, where), stage_from(let_in->from, from), after,
           listed->sampled ? "the list there name everybody" : "every machine there have the list");
  stage_say(stage, text);
}

static const char *why_unseen(const struct stage *stage, const struct stage_asked *asked,
                              char out[128])
{
  const struct stage_entry *entry = &asked->look.entry;
  if (asked->left_alone) return "a look that is let in ends the device's own session";
  if (entry->no_word || !(entry->closed || asked->one->pardoned))
    return entry->unsaid != DEVICE_FAIL_NONE ? device_failure_name(entry->unsaid) : "no answer";
  if (!asked->look.control.any) return "nobody who is not on it could be looked at beside";
  if (entry->apart && stage_may_be_banned(stage, asked->look.as.device)) {
    snprintf(out, 128, "it was kicked, and may have been banned then: %s",
             device_failure_name(entry->failure));
    return out;
  }
  if (entry->apart && !asked->like) {
    bool online = fleet_facts(stage->fleet, asked->look.as.device)->online;
    snprintf(out, 128, "its session %s open%s, nobody else's is, and that may be why: %s",
             online ? "is" : "may be", online ? "" : " there still",
             device_failure_name(entry->failure));
    return out;
  }
  if (entry->apart) {
    snprintf(out, 128, "it may be kept out for a reason of its own: %s",
             device_failure_name(entry->failure));
    return out;
  }
  if (entry->alike == DEVICE_FAIL_NONE) return "who is not on it had no answer";
  bool over = stage->list_ends_s != 0 && stage->list_ends_s <= world_unix_s(stage->world);
  if (stage_list_older_at(stage) == (int) asked->look.node &&
      !stage->nodes[asked->look.node].shuts_mutely) {
    snprintf(out, 128, "who is not on it is told %s: the broker has an older list, which is over",
             device_failure_name(entry->alike));
    return out;
  }
  snprintf(out, 128, "%s: %s",
           over ? "the list is over, and everybody is kept out for no reason that is told"
                : "who is not on it is kept out, too",
           device_failure_name(entry->alike));
  return out;
}

static void say_unseen(struct stage *stage, const struct stage_asked *asked)
{
  char text[512], where[STAGE_ADDRESS_MAX], name[NAMES_TEXT], why[128];
  stage_address(stage, asked->look.node, where);
  stage_device_text(stage, asked->look.as.device, name);
  if (asked->one->pardoned)
    snprintf(text, sizeof text,
             "whether %s, which was taken off the list, is let in again at %s was not seen: %s",
             name, where, why_unseen(stage, asked, why));
  else
    snprintf(text, sizeof text,
             "whether the list is in force at %s was not seen by a look as %s: %s", where, name,
             why_unseen(stage, asked, why));
  stage_say(stage, text);
}

static bool is_silent(const struct stage_asked *asked)
{
  const struct stage_entry *entry = &asked->look.entry;
  return entry->no_word && !entry->open && !entry->out && entry->unsaid == DEVICE_FAIL_NONE;
}

/* An address that is silent says it of everybody. */
static bool is_said(const struct asking *asking, const struct stage_asked *asked)
{
  for (const struct stage_asked *other = asking->asked; other < asked && is_silent(asked); other++)
    if (other->look.node == asked->look.node && is_silent(other)) return true;
  return false;
}

static void say_kept_out(struct stage *stage, const struct stage_asked *asked)
{
  char text[512], where[STAGE_ADDRESS_MAX], from[64], name[NAMES_TEXT];
  const struct stage_entry *entry = &asked->look.entry;
  snprintf(text, sizeof text,
           "a look with the certificate of %s, which was taken off the list, is kept out at %s%s: "
           "%s: does every machine there have the new list?",
           stage_device_text(stage, asked->look.as.device, name),
           stage_address(stage, asked->look.node, where), stage_from(entry->shut_from, from),
           device_failure_name(entry->failure));
  stage_say(stage, text);
}

/* --- What is made of it ----------------------------------------------------------------------- */

static void note_let_in(struct stage *stage, struct stage_listed *listed, size_t node,
                        const struct stage_entry *entry)
{
  struct stage_let_in *let_in = &stage->let_in;
  listed->let_in = true;
  *let_in = (struct stage_let_in){
      .any = true, .device = listed->as.device, .node = node, .by_tls = !entry->welcome};
  memcpy(let_in->from, entry->open_from, sizeof let_in->from);
}

/* A device that has come with another certificate since is on the list no more; this one is. */
static void tell_fleet(struct stage *stage, struct stage_listed *listed)
{
  size_t former = stage->former_left;
  for (size_t i = 0; i < stage->listed_count; i++) {
    struct stage_listed *one = &stage->listed[i];
    one->former = one->former || !fleet_facts(stage->fleet, one->as.device)->revoked;
    former += one->former && one->let_in;
  }
  fleet_former_let_in(stage->fleet, former);
  if (!listed->former) fleet_look_ended(stage->fleet, listed->as.device, listed->let_in);
}

/* Let in at one is let in; where one does not answer, what was seen before stands. */
static void sum_up_listed(struct asking *asking, struct stage_listed *listed)
{
  struct stage *stage = asking->stage;
  bool open = false, closed = true, any = false;
  for (size_t i = 0; i < asking->count; i++) {
    const struct stage_asked *asked = &asking->asked[i];
    const struct stage_entry *entry = &asked->look.entry;
    if (asked->one != listed) continue;
    any = true;
    if (entry->open && !open) note_let_in(stage, listed, asked->look.node, entry);
    if (entry->open && !open && asking->when != STAGE_LIST_AT_END)
      say_open(stage, listed, asked->after_ms);
    /* of a sample that was not looked at others have said why */
    bool unseen = !entry->open && !asked->proven && (!listed->sampled || entry->no_word);
    if (unseen && !is_said(asking, asked)) say_unseen(stage, asked);
    if (asked->proven) listed->proven |= (uint8_t) (1u << asked->look.node);
    open = open || entry->open;
    closed = closed && asked->proven;
  }
  closed = closed && any;
  if (closed && stage->let_in.device == listed->as.device) stage->let_in.any = false;
  if (closed) listed->let_in = false;
  if (open || closed) tell_fleet(stage, listed);
}

/* Who is not on it gets further; without anybody to compare with the broker has to say so. */
static bool is_by_list(const struct stage_entry *entry, bool beside)
{
  return beside ? entry->apart : entry->failure == DEVICE_FAIL_TLS_ALERT_REVOKED;
}

/* What keeps out who was not let in before, or has expired since, need not be the list: unless it is
   what others on it were told. */
static bool is_excused(const struct stage *stage, const struct stage_asked *asked)
{
  enum device_failure failure = asked->look.entry.failure;
  bool of_list = failure == DEVICE_FAIL_TLS_ALERT_REVOKED ||
                 failure == stage->nodes[asked->look.node].list_words;
  return asked->left_alone || failure == DEVICE_FAIL_TLS_ALERT_EXPIRED ||
         (!stage_asked_has_been_in(stage, asked->one) && !of_list);
}

static void sum_up_pardoned(struct asking *asking, struct stage_listed *pardoned)
{
  for (size_t i = 0; i < asking->count; i++) {
    const struct stage_asked *asked = &asking->asked[i];
    const struct stage_entry *entry = &asked->look.entry;
    uint8_t here = (uint8_t) (1u << asked->look.node);
    if (asked->one != pardoned) continue;
    bool shut = entry->out && !asked->left_alone && !asked->proven;
    bool excused = is_excused(asking->stage, asked) || stage_list_shuts_out(asking->stage);
    if (asked->proven) pardoned->proven |= here;
    if (shut) pardoned->proven &= (uint8_t) ~here;
    bool by_list = shut && !excused && is_by_list(entry, asked->look.control.any);
    pardoned->shut = (uint8_t) (by_list ? pardoned->shut | here : pardoned->shut & ~here);
    pardoned->spared = (uint8_t) (excused ? pardoned->spared | here : pardoned->spared & ~here);
    if (asked->proven) continue;
    if (shut && !excused && (entry->apart || !asked->look.control.any))
      say_kept_out(asking->stage, asked);
    else if (!is_said(asking, asked))
      say_unseen(asking->stage, asked);
  }
}

/* Who is on no list is closed on, and was not before: it may be too many looks that are, so it counts
   once it was made sure of. */
static bool may_shut_mutely(const struct stage *stage, const struct stage_asked *asked)
{
  const struct stage_entry *entry = &asked->look.entry;
  bool mute = entry->alike == DEVICE_FAIL_TLS_CLOSED || entry->alike == DEVICE_FAIL_TLS_RESET;
  return asked->look.control.any && entry->none_further && mute &&
         stage->nodes[asked->look.node].takes_others;
}

static enum step_outcome make_sure_of(struct asking *asking)
{
  struct stage *stage = asking->stage;
  bool any = false;
  for (size_t i = 0; i < asking->count; i++) {
    if (!may_shut_mutely(stage, &asking->asked[i])) continue;
    any = stage->nodes[asking->asked[i].look.node].shuts_mutely = true;
  }
  return any ? stage_list_make_sure(stage) : STEP_DONE;
}

/* Of an address where nobody was looked at beside another it is as it was. */
static void note_shut_out(const struct asking *asking)
{
  struct stage *stage = asking->stage;
  for (size_t i = 0; i < asking->count; i++)
    if (asking->asked[i].look.control.any)
      stage->nodes[asking->asked[i].look.node].shuts_out = false;
  for (size_t i = 0; i < asking->count; i++)
    if (stage_asked_is_shut_out(&asking->asked[i]))
      stage->nodes[asking->asked[i].look.node].shuts_out = true;
}

/* The next list may well come. */
static void note_older(struct stage *stage, enum stage_list_when when)
{
  int node = stage_list_older_at(stage);
  if (node >= 0 && when == STAGE_LIST_BEFORE_NEXT)
    stage->older = (struct stage_unproven){
        .any = true, .mute = stage->nodes[node].shuts_mutely, .node = (size_t) node};
}

/* The next time it is asked once: by the list that is new then. */
static void note_silent(const struct asking *asking)
{
  for (size_t i = 0; i < asking->count; i++)
    asking->stage->nodes[asking->asked[i].look.node].silent = true;
  for (size_t i = 0; i < asking->count; i++)
    if (!is_silent(&asking->asked[i]))
      asking->stage->nodes[asking->asked[i].look.node].silent = false;
}

static size_t count_lost(const struct stage *stage)
{
  size_t lost = 0;
  for (size_t d = 0; d < fleet_size(stage->fleet); d++)
    lost += stage_is_lost(fleet_facts(stage->fleet, d));
  return lost;
}

/* stage_wait calls it: whose session a look has ended is back. */
static bool are_back(struct stage *stage, void *ctx)
{
  return count_lost(stage) <= *(const size_t *) ctx;
}

static enum step_outcome ask(struct asking *asking)
{
  struct stage *stage = asking->stage;
  bool over = asking->count == 0;
  pki_forget_strangers(stage->pki);
  if (over && stage_list_look_as_nobody(stage) != STEP_DONE) return STEP_ABORTED;
  while (!over)
    if (!pause_looks(asking) || look_once(asking, &over) != STEP_DONE) return STEP_ABORTED;
  note_silent(asking);
  note_shut_out(asking);
  if (asking->when != STAGE_LIST_TAKEN && make_sure_of(asking) != STEP_DONE) return STEP_ABORTED;
  note_older(stage, asking->when);
  for (size_t i = 0; i < stage->listed_count; i++)
    if (!stage->listed[i].untold) sum_up_listed(asking, &stage->listed[i]);
  for (size_t i = 0; i < stage->sampled_count; i++)
    if (!stage->sampled[i].untold) sum_up_listed(asking, &stage->sampled[i]);
  for (size_t i = 0; i < stage->pardoned_count; i++) sum_up_pardoned(asking, &stage->pardoned[i]);
  return STEP_DONE;
}

/* A list that comes late is waited for where looks would end sessions while it does. */
static uint64_t again_ms(const struct stage_listed *listed, size_t count, uint64_t until_ms)
{
  for (size_t i = 0; i < count; i++)
    if (listed[i].let_in && listed[i].again_ms > until_ms) until_ms = listed[i].again_ms;
  return until_ms;
}

static bool rest(struct stage *stage)
{
  uint64_t now_ms = stage_elapsed_ms(stage);
  uint64_t until_ms = again_ms(stage->listed, stage->listed_count, now_ms);
  until_ms = again_ms(stage->sampled, stage->sampled_count, until_ms);
  return stage_pause(stage, until_ms - now_ms);
}

enum step_outcome stage_look_at_list(struct stage *stage, enum stage_list_when when)
{
  if (!stage_list_is_looked_at(stage)) return STEP_DONE;
  if (when == STAGE_LIST_AT_END && !rest(stage)) return STEP_ABORTED;
  struct asking *asking = calloc(1, sizeof *asking);
  if (asking == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory to look at brokers");
    return stage_give_up(stage);
  }
  asking->stage = stage;
  asking->when = when;
  asking->began_ms = stage_elapsed_ms(stage);
  size_t lost = count_lost(stage);
  for (size_t i = 0; i < stage->listed_count; i++) ask_for(asking, &stage->listed[i]);
  for (size_t i = 0; i < stage->sampled_count; i++) ask_for(asking, &stage->sampled[i]);
  for (size_t i = 0; i < stage->pardoned_count; i++) ask_for(asking, &stage->pardoned[i]);
  enum step_outcome outcome = ask(asking);
  free(asking);
  if (outcome == STEP_DONE && when == STAGE_LIST_AT_END &&
      stage_wait(stage, are_back, &lost, BACK_WITHIN_MS) == STAGE_ABORTED)
    outcome = STEP_ABORTED;
  return outcome;
}

void stage_list_say_untried(struct stage *stage)
{
  bool any = false;
  if (!stage_list_is_looked_at(stage)) return;
  for (size_t i = 0; i < stage->listed_count; i++) any = any || !stage->listed[i].untold;
  for (size_t i = 0; i < stage->pardoned_count; i++) any = any || !stage->pardoned[i].untold;
  if (!any)
    stage_say(stage, "nobody on the list could be tried: whether it is in force was not seen");
  else if (stage->list_alike)
    stage_say(stage,
              "the list adds nobody to the one before and takes nobody off: whether it is in "
              "force, or that one still, cannot be seen before that one is over");
}

const char *stage_list_let_in(const struct stage *stage, char *out, size_t size)
{
  char where[STAGE_ADDRESS_MAX], from[64], name[NAMES_TEXT];
  const struct stage_let_in *let_in = &stage->let_in;
  out[0] = '\0';
  if (let_in->any)
    snprintf(out, size, " A look with the certificate of device %s was let in%s at %s%s.",
             stage_device_text(stage, let_in->device, name), by_tls_text(let_in),
             stage_address(stage, let_in->node, where), stage_from(let_in->from, from));
  return out;
}
