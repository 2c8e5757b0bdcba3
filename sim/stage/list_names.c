/* Who stands in at the looks for those on the brokers' list, and for those who were taken off it; and
 * what has shown so far that the list is in force. One of each issuer is enough, whose list is a list of
 * its own; that a machine has another list than the others shows with who was added, or taken off. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_names.h"

#include <stdio.h>
#include <string.h>

#include "stage/chains.h"
#include "stage/device_looks.h"
#include "stage/device_names.h"
#include "stage/list_samples.h"

#define LIST_LASTS_S 5  /* as far as clocks may differ */
#define LOOKS_LAST_S 30 /* as long as a service is waited for, and more */
#define OFTEN        3u /* connections that no broker's limit per client is about */

bool stage_list_is_looked_at(const struct stage *stage)
{
  return scenario_broker_is(stage->scenario, BROKER_HOOKED) && !stage->rolling_back;
}

static bool ends_within(const struct stage *stage, int64_t s)
{
  int64_t ends_s = stage->list_ends_s;
  return stage->list_unchecked || (ends_s != 0 && ends_s <= world_unix_s(stage->world) + s);
}

bool stage_list_shuts_out(const struct stage *stage)
{
  return ends_within(stage, LIST_LASTS_S);
}

bool stage_list_will_shut_out(const struct stage *stage)
{
  return ends_within(stage, LOOKS_LAST_S);
}

/* --- Who is on it ----------------------------------------------------------------------------- */

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

enum { HAS_BEEN_IN = 1, IS_CURRENT = 2, IS_FIT = HAS_BEEN_IN | IS_CURRENT };

/* Whether what keeps it out may be the list: not its own dates, and it was let in last. */
static unsigned fitness(struct stage *stage, const struct stage_stand_in *as)
{
  unsigned been_in = fleet_facts(stage->fleet, as->device)->was_in ? HAS_BEEN_IN : 0;
  return been_in | (pki_chain_is_current(as->chain, as->size) ? IS_CURRENT : 0);
}

/* `list`: the number of the one that added it. */
static struct stage_listed listed_as(struct stage *stage, const struct stage_stand_in *as,
                                     uint32_t list, bool untold)
{
  bool been_in = (fitness(stage, as) & HAS_BEEN_IN) != 0;
  return (struct stage_listed){.as = *as, .list = list, .been_in = been_in, .untold = untold};
}

static void keep_named(struct stage *stage, const bool *names, bool untold)
{
  size_t kept = 0;
  for (size_t i = 0; i < stage->listed_count; i++) {
    struct stage_listed *listed = &stage->listed[i];
    if (listed->former || !names[listed->as.device]) continue;
    if (!stage_stands_in(stage, &listed->as)) {
      const struct stage_stand_in as = stage_stand_in(stage, listed->as.device);
      *listed = listed_as(stage, &as, stage->lists, untold);
    }
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

typedef bool candidate(struct stage *stage, const bool *names, size_t device);

static bool is_new(struct stage *stage, const bool *names, size_t device)
{
  return names[device] && !fleet_facts(stage->fleet, device)->revoked;
}

static bool is_still_named(struct stage *stage, const bool *names, size_t device)
{
  return names[device] && fleet_facts(stage->fleet, device)->revoked;
}

static bool is_taken_off(struct stage *stage, const bool *names, size_t device)
{
  return !names[device] && fleet_facts(stage->fleet, device)->revoked;
}

/* The fittest of each issuer; how many there are. */
static size_t choose_fittest(struct stage *stage, candidate *is, const bool *names,
                             struct choice choices[STAGE_LISTED_MAX])
{
  size_t count = 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    if (!is(stage, names, i)) continue;
    const struct stage_stand_in as = stage_stand_in(stage, i);
    struct choice *choice = choice_of(choices, &count, as.issuers);
    if (choice == NULL || (choice->as.mark != 0 && choice->fitness == IS_FIT)) continue;
    unsigned fit = fitness(stage, &as);
    if (choice->as.mark == 0 || fit > choice->fitness) *choice = (struct choice){as, fit};
  }
  return count;
}

/* Who was on the list already stands in where nobody fit does. */
static void add_named(struct stage *stage, const bool *names, candidate *is, bool untold)
{
  struct choice choices[STAGE_LISTED_MAX];
  size_t count = choose_fittest(stage, is, names, choices);
  for (size_t k = 0; k < count; k++) {
    uint64_t issuers = choices[k].as.issuers;
    bool better = choices[k].fitness == IS_FIT && !has_fit(stage, issuers);
    if (is == is_still_named && has_issuer(stage, issuers) && !better) continue;
    uint32_t added = is == is_new ? stage->lists : stage->identity[choices[k].as.device].list;
    const struct stage_listed one = listed_as(stage, &choices[k].as, added, untold);
    add_listed(stage, &one);
  }
}

/* What was seen with such a certificate before stands. */
static void add_former(struct stage *stage, const struct stage_list *list,
                       const struct stage_listed *before, size_t count, bool untold)
{
  for (size_t i = 0; i < list->former_count; i++) {
    const struct stage_listed *known = find_mark(before, count, &list->former[i]);
    if (has_issuer(stage, list->former[i].issuers)) continue;
    struct stage_listed one = listed_as(stage, &list->former[i], stage->lists, untold);
    if (known != NULL) one = *known;
    one.former = true;
    one.untold = one.untold && untold;
    add_listed(stage, &one);
  }
}

/* The most that anybody came who is not on it. */
static uint32_t most_connects(const struct stage *stage)
{
  uint32_t most = 0;
  for (size_t d = 0; d < fleet_size(stage->fleet); d++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, d);
    if (!facts->revoked && facts->connects > most) most = facts->connects;
  }
  return most;
}

/* Where the device was refused, unless looks were let in as it there, or it came more often than anybody,
   or was kicked: that may be why, and only 'revoked' is said of the list. */
static unsigned device_refused_at(const struct stage *stage, size_t device, uint32_t most)
{
  unsigned at = fleet_refused_at(stage->fleet, device, false);
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  if (facts->connects + facts->unseen > most + OFTEN || stage_may_be_banned(stage, device)) at = 0;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (stage->identity[device].looked_in[n] > 0) at &= ~(1u << n);
  return at | fleet_refused_at(stage->fleet, device, true);
}

/* Where devices of the same issuer that its list added, or a later one, were refused. Those of the list
   before are refused by that one, too. */
static unsigned refused_at(struct stage *stage, const struct stage_listed *listed)
{
  unsigned at = 0;
  uint32_t most = most_connects(stage);
  for (size_t d = 0; d < fleet_size(stage->fleet); d++) {
    unsigned here = device_refused_at(stage, d, most);
    if ((here & ~at) != 0 && stage->identity[d].list >= listed->list &&
        stage_stand_in(stage, d).issuers == listed->as.issuers)
      at |= here;
  }
  return at;
}

/* Where looks as those were kept out. */
static unsigned proven_at(const struct stage *stage, const struct stage_listed *listed)
{
  unsigned at = listed->proven;
  for (size_t i = 0; i < stage->listed_count; i++) {
    const struct stage_listed *other = &stage->listed[i];
    if (other->list >= listed->list && other->as.issuers == listed->as.issuers) at |= other->proven;
  }
  return at;
}

/* An address at which nothing has shown that it is in force; -1: there is none. */
static int unproven_at(struct stage *stage, const struct stage_listed *listed)
{
  size_t count = stage->scenario->node_count;
  unsigned all = (1u << count) - 1u, proven = proven_at(stage, listed);
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
    if (node >= 0 && stage_list_is_looked_at(stage))
      stage->unproven =
          (struct stage_unproven){.any = true, .device = left->as.device, .node = (size_t) node};
  }
}

/* --- Who was taken off it --------------------------------------------------------------------- */

static bool is_seen(const struct stage *stage, const struct stage_listed *one)
{
  unsigned all = (1u << stage->scenario->node_count) - 1u;
  return ((one->proven | one->spared) & all) == all;
}

/* Until they have been seen let in, and somebody else of that issuer is taken off. */
static void keep_pardoned(struct stage *stage, const bool *names, bool untold)
{
  size_t kept = 0;
  for (size_t i = 0; i < stage->pardoned_count; i++) {
    struct stage_listed *one = &stage->pardoned[i];
    if (names[one->as.device] || !stage_stands_in(stage, &one->as)) continue;
    one->untold = one->untold && untold;
    stage->pardoned[kept++] = *one;
  }
  stage->pardoned_count = kept;
}

static void take_place(struct stage *stage, const struct stage_listed *one)
{
  struct stage_listed *pardoned = stage->pardoned;
  size_t i = 0;
  while (i < stage->pardoned_count &&
         !(pardoned[i].as.issuers == one->as.issuers && is_seen(stage, &pardoned[i])))
    i++;
  if (i == STAGE_LISTED_MAX) i--;
  if (i == stage->pardoned_count) stage->pardoned_count++;
  pardoned[i] = *one;
}

/* Whose certificate has expired is kept out by every list. */
static void pardon(struct stage *stage, const bool *names, bool untold)
{
  struct choice choices[STAGE_LISTED_MAX];
  size_t count = choose_fittest(stage, is_taken_off, names, choices);
  for (size_t k = 0; k < count; k++) {
    const struct stage_stand_in *as = &choices[k].as;
    if ((choices[k].fitness & IS_CURRENT) == 0) continue;
    struct stage_listed one = listed_as(stage, as, stage->lists, untold);
    one.pardoned = true;
    one.connects = fleet_facts(stage->fleet, as->device)->connects;
    take_place(stage, &one);
  }
}

/* Where the device itself was let in since, in a full handshake. */
static unsigned was_let_in_at(struct stage *stage, const struct stage_listed *one)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, one->as.device);
  bool since = facts->online && facts->connects != one->connects && !facts->resumed;
  return since && facts->node >= 0 ? 1u << facts->node : 0;
}

/* An address at which nothing has shown that it is let in again; -1: there is none. Of several machines
   behind an address the device meets one: what looks were told there counts more. A list that is over
   keeps everybody out: then it counts that one was kept out before. */
static int unpardoned_at(struct stage *stage, const struct stage_listed *one)
{
  unsigned itself = was_let_in_at(stage, one) & ~(unsigned) one->shut;
  unsigned seen = one->proven | one->spared | itself;
  bool over = stage_list_shuts_out(stage);
  if (one->untold || !stage_stands_in(stage, &one->as) || !stage_is_trusted(stage, &one->as))
    return -1;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (over ? (one->shut >> n & 1u) != 0 : (seen >> n & 1u) == 0) return (int) n;
  return -1;
}

/* Somebody on the list before may be of one that nobody was told to read. */
static bool any_untold(const struct stage_listed *listed, size_t count)
{
  bool any = false;
  for (size_t i = 0; i < count; i++) any = any || listed[i].untold;
  return any;
}

static void number_named(struct stage *stage, const bool *names)
{
  for (size_t d = 0; d < fleet_size(stage->fleet); d++)
    if (!names[d])
      stage->identity[d].list = 0;
    else if (is_new(stage, names, d))
      stage->identity[d].list = stage->lists;
}

/* With whom it names, the list before could be in force as well; unless that was seen to keep
   everybody out, as it is over. */
static bool is_alike(struct stage *stage, const bool *names)
{
  bool alike = stage->lists > 0, over = true;
  for (size_t d = 0; d < fleet_size(stage->fleet); d++)
    alike = alike && !is_new(stage, names, d) && !is_taken_off(stage, names, d);
  for (size_t n = 0; n < stage->scenario->node_count; n++) over = over && stage->nodes[n].shuts_out;
  return alike && !over;
}

void stage_list_names(struct stage *stage, const struct stage_list *list, bool untold)
{
  struct stage_listed before[STAGE_LISTED_MAX];
  size_t count = stage->listed_count;
  memcpy(before, stage->listed, sizeof before);
  stage->list_alike = is_alike(stage, list->names);
  stage->list_untold = untold;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    stage->nodes[n].shuts_out = stage->nodes[n].shuts_mutely = false;
  stage->lists++;
  keep_named(stage, list->names, untold);
  add_named(stage, list->names, is_new, untold);
  add_named(stage, list->names, is_still_named, untold && any_untold(before, count));
  add_former(stage, list, before, count, untold);
  stage_list_sample(stage, list->names, untold);
  note_left(stage, before, count);
  keep_pardoned(stage, list->names, untold);
  pardon(stage, list->names, untold);
  number_named(stage, list->names);
}

void stage_list_told(struct stage *stage)
{
  stage->list_untold = false;
  for (size_t i = 0; i < stage->listed_count; i++) stage->listed[i].untold = false;
  for (size_t i = 0; i < stage->sampled_count; i++) stage->sampled[i].untold = false;
  for (size_t i = 0; i < stage->pardoned_count; i++) stage->pardoned[i].untold = false;
}

/* --- What has shown it ------------------------------------------------------------------------ */

int stage_list_older_at(const struct stage *stage)
{
  bool good = stage->list_first_ends_s > world_unix_s(stage->world) + LIST_LASTS_S;
  if (stage->older.any) return (int) stage->older.node;
  if (!good || stage_list_shuts_out(stage) || stage->list_untold) return -1;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (stage->nodes[n].shuts_out) return (int) n;
  return -1;
}

static const char *older(const struct stage *stage, size_t node, char *out, size_t size)
{
  char where[STAGE_ADDRESS_MAX];
  bool until_next = stage->older.any;
  bool mute = until_next ? stage->older.mute : stage->nodes[node].shuts_mutely;
  stage_address(stage, node, where);
  if (mute)
    snprintf(
        out, size,
        "the broker at %s %s on who is on no list, without a word, and took him before%s: does "
        "it go by an older list, which is over? See that the hook brings it each list, and "
        "that it reads it",
        where, until_next ? "closed" : "closes",
        until_next ? ", until the next list was published" : "");
  else
    snprintf(out, size,
             "the broker at %s %s: who is on no list %s told there that his certificate has "
             "expired. See that the hook brings it each list, and that it reads it",
             where,
             until_next ? "had an older list, which was over, until the next one was published"
                        : "has an older list, which is over",
             until_next ? "was" : "is");
  return out;
}

static const char *unproven(const struct stage *stage, size_t device, size_t node, bool pardoned,
                            char *out, size_t size)
{
  char where[STAGE_ADDRESS_MAX], name[NAMES_TEXT];
  snprintf(out, size,
           "nothing has shown that who has the certificate of device %s%s at %s: the notes of the "
           "phases say why it was not seen",
           stage_device_text(stage, device, name),
           pardoned ? ", which was taken off the list, is let in again"
                    : " is kept out by the list",
           stage_address(stage, node, where));
  return out;
}

const char *stage_list_unproven(struct stage *stage, char *out, size_t size)
{
  const struct stage_unproven *left = &stage->unproven;
  int of_before = stage_list_older_at(stage);
  if (of_before >= 0) return older(stage, (size_t) of_before, out, size);
  if (left->any) return unproven(stage, left->device, left->node, false, out, size);
  for (size_t i = 0; i < stage->listed_count && stage_list_is_looked_at(stage); i++) {
    int node = unproven_at(stage, &stage->listed[i]);
    if (node >= 0)
      return unproven(stage, stage->listed[i].as.device, (size_t) node, false, out, size);
  }
  for (size_t i = 0; i < stage->pardoned_count && stage_list_is_looked_at(stage); i++) {
    int node = unpardoned_at(stage, &stage->pardoned[i]);
    if (node >= 0)
      return unproven(stage, stage->pardoned[i].as.device, (size_t) node, true, out, size);
  }
  return NULL;
}
