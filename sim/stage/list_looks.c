/* Looks with the certificates of devices that the brokers' list names, until they are let in
 * nowhere; what counts is the last one. A look that is let in is no CONNACK of the device's: it
 * changes none of the times that revocation is measured by, only whether everybody is refused. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_looks.h"

#include <stdio.h>
#include <string.h>

#include "stage/chains.h"
#include "stage/device_looks.h"
#include "stage/device_names.h"
#include "stage/nodes.h"
#include "stage/wait.h"

#define LIST_WITHIN_MS 10000u
#define PAUSE_MS       250u

static bool is_looked_at(const struct stage *stage)
{
  return scenario_broker_is(stage->scenario, BROKER_HOOKED) && !stage->rolling_back;
}

/* --- Who is looked at ------------------------------------------------------------------------- */

void stage_list_name_former(struct stage_list *list, const struct pki_former *former)
{
  struct stage_stand_in as = stage_stand_in_with(former->device, former->chain, former->size);
  if (as.mark == 0 || list->former_count == STAGE_LISTED_MAX) return;
  for (size_t i = 0; i < list->former_count; i++)
    if (list->former[i].issuers == as.issuers) return;
  list->former[list->former_count++] = as;
}

/* The oldest one knows of a list that is lost, the latest of one that was not added to. */
static void add_listed(struct stage *stage, const struct stage_listed *one)
{
  struct stage_listed *listed = stage->listed;
  if (stage->listed_count == STAGE_LISTED_MAX) {
    memmove(listed + 1, listed + 2, (STAGE_LISTED_MAX - 2) * sizeof *listed);
    stage->listed_count--;
  }
  listed[stage->listed_count++] = *one;
}

static const struct stage_listed *find_mark(const struct stage_listed *listed, size_t count,
                                            const struct stage_stand_in *as)
{
  for (size_t i = 0; i < count; i++)
    if (listed[i].as.device == as->device && listed[i].as.mark == as->mark) return &listed[i];
  return NULL;
}

static void keep_named(struct stage *stage, const bool *names, bool untold)
{
  size_t kept = 0;
  for (size_t i = 0; i < stage->listed_count; i++) {
    struct stage_listed *listed = &stage->listed[i];
    if (listed->former || !names[listed->as.device]) continue;
    if (!stage_stands_in(stage, &listed->as))
      *listed =
          (struct stage_listed){.as = stage_stand_in(stage, listed->as.device), .untold = untold};
    listed->untold = listed->untold && untold;
    stage->listed[kept++] = *listed;
  }
  stage->listed_count = kept;
}

static bool has_issuer(const struct stage *stage, uint64_t issuers)
{
  for (size_t i = 0; i < stage->listed_count; i++)
    if (stage->listed[i].as.issuers == issuers) return true;
  return false;
}

enum { HAS_BEEN_IN = 1, IS_CURRENT = 2, IS_FIT = HAS_BEEN_IN | IS_CURRENT };

/* Whether what keeps it out may be the list: not its own dates, and it has been let in. */
static unsigned fitness(struct stage *stage, const struct stage_stand_in *as)
{
  unsigned been_in = fleet_facts(stage->fleet, as->device)->ever_online ? HAS_BEEN_IN : 0;
  return been_in | (pki_chain_is_current(as->chain, as->size) ? IS_CURRENT : 0);
}

/* The fittest so far of one issuer. */
struct choice {
  struct stage_stand_in as;
  unsigned fitness;
};

static struct choice *choice_of(struct choice *choices, size_t *count, uint64_t issuers)
{
  size_t k = 0;
  while (k < *count && choices[k].as.issuers != issuers) k++;
  if (k == STAGE_LISTED_MAX) return NULL;
  if (k == *count) choices[(*count)++] = (struct choice){.as.issuers = issuers};
  return &choices[k];
}

static bool has_fit(struct stage *stage, uint64_t issuers)
{
  for (size_t i = 0; i < stage->listed_count; i++) {
    const struct stage_stand_in *as = &stage->listed[i].as;
    if (as->issuers == issuers && fitness(stage, as) == IS_FIT) return true;
  }
  return false;
}

/* Of those that the list names the fittest of each issuer, whose list is a list of its own: of those
   that are new on it, or of those that were on it already, where nobody fit stands in. */
static void add_named(struct stage *stage, const bool *names, bool were, bool untold)
{
  struct choice choices[STAGE_LISTED_MAX];
  size_t count = 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    if (!names[i] || fleet_facts(stage->fleet, i)->revoked != were) continue;
    const struct stage_stand_in as = stage_stand_in(stage, i);
    struct choice *choice = choice_of(choices, &count, as.issuers);
    if (choice == NULL || (choice->as.mark != 0 && choice->fitness == IS_FIT)) continue;
    unsigned fit = fitness(stage, &as);
    if (choice->as.mark == 0 || fit > choice->fitness) *choice = (struct choice){as, fit};
  }
  for (size_t k = 0; k < count; k++) {
    bool better = choices[k].fitness == IS_FIT && !has_fit(stage, choices[k].as.issuers);
    if (were && has_issuer(stage, choices[k].as.issuers) && !better) continue;
    add_listed(stage, &(struct stage_listed){.as = choices[k].as, .untold = untold});
  }
}

/* What was seen with such a certificate before stands. */
static void add_former(struct stage *stage, const struct stage_list *list,
                       const struct stage_listed *before, size_t count, bool untold)
{
  for (size_t i = 0; i < list->former_count; i++) {
    const struct stage_listed *known = find_mark(before, count, &list->former[i]);
    if (has_issuer(stage, list->former[i].issuers)) continue;
    struct stage_listed one = {.as = list->former[i], .untold = untold};
    if (known != NULL) one = *known;
    one.former = true;
    one.untold = one.untold && untold;
    add_listed(stage, &one);
  }
}

/* Where devices of the same issuer that are on the list were refused by it. */
static unsigned refused_at(struct stage *stage, const struct stage_listed *listed)
{
  unsigned at = 0;
  for (size_t d = 0; d < fleet_size(stage->fleet); d++) {
    unsigned here = fleet_refused_at(stage->fleet, d);
    if ((here & ~at) != 0 && stage_stand_in(stage, d).issuers == listed->as.issuers) at |= here;
  }
  return at;
}

/* An address at which nothing has shown that it is in force; -1: there is none. */
static int unproven_at(struct stage *stage, const struct stage_listed *listed)
{
  size_t count = stage->scenario->node_count;
  unsigned all = (1u << count) - 1u, proven = listed->proven;
  if (listed->untold || (proven & all) == all) return -1;
  proven |= refused_at(stage, listed);
  for (size_t n = 0; n < count; n++)
    if ((proven >> n & 1u) == 0) return (int) n;
  return -1;
}

/* Of one that is taken off what was seen last stays. */
static void note_left(struct stage *stage, const struct stage_listed *before, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    const struct stage_listed *left = &before[i];
    if (find_mark(stage->listed, stage->listed_count, &left->as) != NULL) continue;
    int node = unproven_at(stage, left);
    stage->former_left += left->former && left->let_in;
    if (node >= 0 && is_looked_at(stage))
      stage->unproven = (struct stage_unproven){true, left->as.device, (size_t) node};
  }
}

/* Somebody on the list before may be of one that nobody was told to read. */
static bool any_untold(const struct stage_listed *listed, size_t count)
{
  bool any = false;
  for (size_t i = 0; i < count; i++) any = any || listed[i].untold;
  return any;
}

void stage_list_names(struct stage *stage, const struct stage_list *list, bool untold)
{
  struct stage_listed before[STAGE_LISTED_MAX];
  size_t count = stage->listed_count;
  memcpy(before, stage->listed, sizeof before);
  keep_named(stage, list->names, untold);
  add_named(stage, list->names, false, untold);
  add_named(stage, list->names, true, untold && any_untold(before, count));
  add_former(stage, list, before, count, untold);
  note_left(stage, before, count);
}

/* --- The looks -------------------------------------------------------------------------------- */

/* A look that is let in would end its session once more, and the device comes by itself. The last time
   no more than was done is done. */
static bool is_left_alone(const struct stage *stage, size_t node, const struct stage_listed *listed,
                          bool last)
{
  bool ends = stage->nodes[node].look_ids == STAGE_IDS_OF_CERTIFICATES;
  return ends && fleet_facts(stage->fleet, listed->as.device)->online && !(last && listed->ended);
}

/* Whom the broker does not trust by his root it keeps out with or without a list. */
static bool root_is_trusted(const struct stage *stage, const struct stage_listed *listed)
{
  unsigned under = pki_chain_roots(stage->pki, listed->as.chain, listed->as.size);
  return (under & stage_roots_trusted(stage)) != 0;
}

/* What one address has said of somebody on the list. */
struct answer {
  struct stage_entry entry;
  struct stage_control control;
  bool left_alone, proven;
};

/* A device of its issuer is let in by the same CA. */
static bool is_of_its_own(const struct stage_listed *listed, const struct stage_control *control,
                          enum device_failure failure)
{
  bool same = !control->nobodys && control->as.issuers == listed->as.issuers;
  return failure == DEVICE_FAIL_TLS_ALERT_EXPIRED ||
         (failure == DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA && !same);
}

/* By the list, and not as everybody is, nor for a reason of its own, as who was never let in may be. A
   certificate that is said to be revoked is, if there is nobody else to ask with; of nobody's it must
   be said at the first attempt, as a device follows. */
static bool is_proof(const struct stage *stage, const struct stage_listed *listed,
                     const struct answer *answer, unsigned attempt)
{
  const struct stage_entry *entry = &answer->entry;
  const struct stage_control *control = &answer->control;
  bool said = entry->failure == DEVICE_FAIL_TLS_ALERT_REVOKED;
  bool been_in = fleet_facts(stage->fleet, listed->as.device)->ever_online;
  if (!entry->closed || is_of_its_own(listed, control, entry->failure)) return false;
  if (!control->any || !been_in) return said && (!control->any || entry->apart);
  return entry->apart && (said || !control->nobodys || attempt > 0);
}

/* Until it is let in by no machine there, and that is the list's doing. */
static enum step_outcome await_closed(struct stage *stage, size_t node, struct stage_listed *listed,
                                      uint64_t until_ms, bool last, struct answer *answer)
{
  bool trusted = root_is_trusted(stage, listed);
  *answer = (struct answer){.left_alone = false};
  for (unsigned attempt = 0;; attempt++) {
    if (is_left_alone(stage, node, listed, last)) {
      answer->left_alone = true;
      return STEP_DONE;
    }
    answer->control = stage_control_for(stage, node, &listed->as, attempt);
    if (stage_look_as_device(stage, node, &listed->as, &answer->control, &answer->entry) !=
        STEP_DONE)
      return STEP_ABORTED;
    listed->ended = listed->ended || answer->entry.ended;
    answer->proven = is_proof(stage, listed, answer, attempt) || (answer->entry.closed && !trusted);
    bool hopeless = answer->entry.closed && !answer->control.any;
    /* nobody's certificate may not have been enough */
    bool over = stage_elapsed_ms(stage) >= until_ms && (attempt > 0 || !answer->entry.closed);
    if (answer->proven || hopeless || over) return STEP_DONE;
    if (!stage_pause(stage, PAUSE_MS)) return STEP_ABORTED;
  }
}

/* --- What is said ----------------------------------------------------------------------------- */

static const char *by_tls_text(const struct stage_let_in *let_in)
{
  return let_in->by_tls ? " by TLS (CONNACK refused no more than its client id or MQTT version)"
                        : "";
}

static void say_open(struct stage *stage, const struct stage_let_in *let_in, uint64_t after_ms)
{
  char text[512], where[STAGE_ADDRESS_MAX], from[64], after[32] = "", name[NAMES_TEXT];
  if (after_ms >= LIST_WITHIN_MS)
    snprintf(after, sizeof after, " after %.3g s", (double) after_ms / 1000);
  snprintf(text, sizeof text,
           "a look with the certificate of %s, which is on the list, was let in%s at %s%s%s: does "
           "every machine there have the list?",
           stage_device_text(stage, let_in->device, name), by_tls_text(let_in),
           stage_address(stage, let_in->node, where), stage_from(let_in->from, from), after);
  stage_say(stage, text);
}

static const char *why_unseen(const struct answer *answer, char out[128])
{
  const struct stage_entry *entry = &answer->entry;
  if (answer->left_alone) return "a look that is let in ends the device's own session";
  if (!entry->closed)
    return entry->unsaid != DEVICE_FAIL_NONE ? device_failure_name(entry->unsaid) : "no answer";
  if (!answer->control.any) return "nobody who is not on it could be looked at beside";
  if (entry->apart) {
    snprintf(out, 128, "it may be kept out for a reason of its own: %s",
             device_failure_name(entry->failure));
    return out;
  }
  if (entry->alike == DEVICE_FAIL_NONE) return "who is not on it had no answer";
  snprintf(out, 128, "who is not on it is kept out, too: %s", device_failure_name(entry->alike));
  return out;
}

static void say_unseen(struct stage *stage, size_t node, const struct answer *answer)
{
  char text[384], where[STAGE_ADDRESS_MAX], why[128];
  snprintf(text, sizeof text, "whether the list is in force at %s was not seen: %s",
           stage_address(stage, node, where), why_unseen(answer, why));
  stage_say(stage, text);
}

static void note_let_in(struct stage *stage, struct stage_listed *listed, size_t node,
                        const struct stage_entry *entry)
{
  struct stage_let_in *let_in = &stage->let_in;
  listed->let_in = true;
  *let_in = (struct stage_let_in){
      .any = true, .device = listed->as.device, .node = node, .by_tls = !entry->welcome};
  memcpy(let_in->from, entry->open_from, sizeof let_in->from);
}

static void tell_fleet(struct stage *stage, const struct stage_listed *listed)
{
  size_t former = stage->former_left;
  for (size_t i = 0; i < stage->listed_count; i++)
    former += stage->listed[i].former && stage->listed[i].let_in;
  if (listed->former)
    fleet_former_let_in(stage->fleet, former);
  else
    fleet_look_ended(stage->fleet, listed->as.device, listed->let_in);
}

/* The last look at each address, and what they say together: let in at one is let in; where one
   does not answer, what was seen before stands. */
static enum step_outcome look_for(struct stage *stage, struct stage_listed *listed, bool last)
{
  uint64_t began_ms = stage_elapsed_ms(stage);
  uint64_t until_ms = began_ms + (listed->let_in ? 0 : LIST_WITHIN_MS);
  bool open = false, closed = true;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    struct answer answer;
    if (!stage_is_reachable(stage, n)) continue;
    if (await_closed(stage, n, listed, until_ms, last, &answer) != STEP_DONE) return STEP_ABORTED;
    bool in = answer.entry.open;
    if (in && !open) note_let_in(stage, listed, n, &answer.entry);
    if (in && !open && !last) say_open(stage, &stage->let_in, stage_elapsed_ms(stage) - began_ms);
    if (!in && !answer.proven) say_unseen(stage, n, &answer);
    if (answer.proven) listed->proven |= (uint8_t) (1u << n);
    open = open || in;
    closed = closed && answer.proven;
  }
  if (closed && stage->let_in.device == listed->as.device) stage->let_in.any = false;
  if (closed) listed->let_in = false;
  if (open || closed) tell_fleet(stage, listed);
  return STEP_DONE;
}

enum step_outcome stage_look_at_list(struct stage *stage, bool last)
{
  enum step_outcome outcome = STEP_DONE;
  if (!is_looked_at(stage)) return STEP_DONE;
  for (size_t i = 0; i < stage->listed_count && outcome == STEP_DONE; i++)
    if (!stage->listed[i].untold) outcome = look_for(stage, &stage->listed[i], last);
  return outcome;
}

void stage_list_told(struct stage *stage)
{
  for (size_t i = 0; i < stage->listed_count; i++) stage->listed[i].untold = false;
}

void stage_list_say_untried(struct stage *stage)
{
  if (!is_looked_at(stage)) return;
  for (size_t i = 0; i < stage->listed_count; i++)
    if (!stage->listed[i].untold) return;
  stage_say(stage, "nobody on the list could be tried: whether it is in force was not seen");
}

static const char *unproven(const struct stage *stage, size_t device, size_t node, char *out,
                            size_t size)
{
  char where[STAGE_ADDRESS_MAX], name[NAMES_TEXT];
  snprintf(out, size,
           "nothing has shown that who has the certificate of device %s is kept out by the list at "
           "%s",
           stage_device_text(stage, device, name), stage_address(stage, node, where));
  return out;
}

const char *stage_list_unproven(struct stage *stage, char *out, size_t size)
{
  const struct stage_unproven *left = &stage->unproven;
  if (left->any) return unproven(stage, left->device, left->node, out, size);
  for (size_t i = 0; i < stage->listed_count && is_looked_at(stage); i++) {
    int node = unproven_at(stage, &stage->listed[i]);
    if (node >= 0) return unproven(stage, stage->listed[i].as.device, (size_t) node, out, size);
  }
  return NULL;
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
