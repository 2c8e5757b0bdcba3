/* A look as nobody in particular under each CA. That TLS takes its certificate is all that is asked:
 * CONNACK, whatever its code, may be about an id that the broker does not know; and where it closes on
 * such ids before CONNACK none was ever taken, so that none is missed. */
#define _POSIX_C_SOURCE 200809L
#include "stage/newcomers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage/device_looks.h"
#include "stage/list_names.h"
#include "stage/nodes.h"
#include "stage/rounds.h"
#include "stage/wait.h"

#define WITHIN_MS 10000u
#define AGAIN     2u /* looks one by one, where a broker closes */
#define OFFICE    31u

/* Under one CA, and at which brokers it is looked at. */
struct newcomer {
  const char *root; /* NULL: the back office's */
  unsigned bit;     /* of stage_node.newcomers */
  struct broker_pair files;
  bool at[SCENARIO_NODES_MAX];
};

enum welcome { WELCOME, REFUSED, CLOSED_ON, UNSEEN };

struct answer {
  enum welcome welcome;
  struct stage_seen look; /* the first that was not taken */
};

/* --- The looks -------------------------------------------------------------------------------- */

static unsigned bit_of(const struct stage *stage, const char *root)
{
  const struct pki_roots *all = &stage->scenario->roots;
  unsigned r = 0;
  while (r < all->count && strcmp(all->name[r], root) != 0) r++;
  return r;
}

/* 0, 1: there is none, or -1. */
static int write_newcomer(struct stage *stage, struct newcomer *newcomer)
{
  newcomer->files = broker_device_place(stage->broker, 0);
  if (newcomer->root == NULL)
    return pki_write_office_probe(stage->pki, newcomer->files.certificate, newcomer->files.key,
                                  &stage->error);
  if (!pki_can_issue(stage->pki, newcomer->root)) return 1;
  return pki_write_stranger(stage->pki, newcomer->root, newcomer->files.certificate,
                            newcomer->files.key, &stage->error);
}

static bool was_welcome(const struct stage_seen *look, const void *ctx)
{
  (void) ctx;
  return look->answered && look->broker.takes;
}

static bool is_without_word(enum device_failure failure)
{
  return failure == DEVICE_FAIL_TLS_CLOSED || failure == DEVICE_FAIL_TLS_RESET;
}

/* Without the broker's certificate it was a proxy, or nobody, who ended it. */
static enum welcome welcome_of(const struct stage_seen *look)
{
  enum device_failure failure = look->broker.failure;
  bool told = failure >= DEVICE_FAIL_ALERT_FIRST && failure <= DEVICE_FAIL_REFUSED_TLS_LAST;
  if (was_welcome(look, NULL)) return WELCOME;
  if (!look->answered || look->broker.chain.count == 0) return UNSEEN;
  return is_without_word(failure) ? CLOSED_ON : told ? REFUSED : UNSEEN;
}

/* The worst of a round: one machine of several is enough. */
static struct answer answer_of(const struct stage_round *round)
{
  struct answer out = {.welcome = WELCOME};
  for (unsigned i = 0; i < round->count; i++) {
    enum welcome here = welcome_of(&round->look[i]);
    if (here == WELCOME || (out.welcome != WELCOME && out.welcome <= here)) continue;
    out = (struct answer){here, round->look[i]};
  }
  return out;
}

/* `looks`: so many, 0: as many as prove something. */
static enum step_outcome look_as_newcomer(struct stage *stage, const struct newcomer *newcomer,
                                          unsigned looks, struct answer out[SCENARIO_NODES_MAX])
{
  struct stage_visitor visitor[SCENARIO_NODES_MAX];
  struct stage_round round[SCENARIO_NODES_MAX];
  const struct stage_seen *but;
  size_t count = 0;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (newcomer->at[n])
      visitor[count++] = (struct stage_visitor){.node = n,
                                                .files = &newcomer->files,
                                                .looks = looks,
                                                .timeout_ms = stage_look_until(stage, 0)};
  if (count == 0) return STEP_DONE;
  if (stage_round(stage, visitor, count, round) != STEP_DONE) return STEP_ABORTED;
  for (size_t v = 0; v < count; v++) {
    struct stage_node *node = &stage->nodes[visitor[v].node];
    if (stage_round_right(&round[v], was_welcome, NULL, &but) > 0)
      node->newcomers |= 1u << newcomer->bit;
    out[visitor[v].node] = answer_of(&round[v]);
    node->newcomers_unseen = node->newcomers == 0 && answer_of(&round[v]).welcome == UNSEEN;
  }
  return STEP_DONE;
}

/* --- Each CA ---------------------------------------------------------------------------------- */

static bool has_office(const struct stage *stage)
{
  const struct scenario_operator *operator= & stage->scenario->operator;
  return !operator->none && !operator->bare && operator->certificate[0] == '\0';
}

static bool are_looked_at(const struct stage *stage)
{
  return scenario_broker_is(stage->scenario, BROKER_HOOKED) && !stage->rolling_back &&
         !stage->scenario->device.no_certificate &&
         !(stage->lists > 0 && stage_list_shuts_out(stage));
}

typedef enum step_outcome with_newcomer(struct stage *stage, struct newcomer *newcomer,
                                        enum stage_change change);

static enum step_outcome with_one(struct stage *stage, const char *root, bool known,
                                  with_newcomer *act, enum stage_change change)
{
  struct newcomer newcomer = {.root = root, .bit = root != NULL ? bit_of(stage, root) : OFFICE};
  bool any = false;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    bool taken = (stage->nodes[n].newcomers >> newcomer.bit & 1u) != 0;
    newcomer.at[n] = taken == known && stage_is_reachable(stage, n) && !stage->nodes[n].silent &&
                     !stage->nodes[n].newcomers_unseen;
    any = any || newcomer.at[n];
  }
  int written = any ? write_newcomer(stage, &newcomer) : 1;
  enum step_outcome outcome = written < 0 ? stage_give_up(stage) : STEP_DONE;
  if (written == 0) outcome = act(stage, &newcomer, change);
  (void) unlink(newcomer.files.key);
  (void) unlink(newcomer.files.certificate);
  return outcome;
}

static enum step_outcome look_before(struct stage *stage, struct newcomer *newcomer,
                                     enum stage_change change)
{
  struct answer answer[SCENARIO_NODES_MAX];
  (void) change;
  return look_as_newcomer(stage, newcomer, 1, answer);
}

enum step_outcome stage_newcomers_note(struct stage *stage)
{
  const struct pki_roots *roots = &stage->client_roots;
  enum step_outcome outcome = STEP_DONE;
  if (!are_looked_at(stage)) return STEP_DONE;
  for (size_t r = 0; r < roots->count && outcome == STEP_DONE; r++)
    outcome = with_one(stage, roots->name[r], false, look_before, STAGE_CHANGED_NOTHING);
  if (outcome == STEP_DONE && has_office(stage))
    outcome = with_one(stage, NULL, false, look_before, STAGE_CHANGED_NOTHING);
  return outcome;
}

/* --- Who was taken before --------------------------------------------------------------------- */

static const char *hint_for(const struct newcomer *newcomer, enum stage_change change)
{
  switch (change) {
  case STAGE_CHANGED_LISTS:
    return "does the list that it reads have a part for each CA, the back office's among them, and "
           "is its beginning not in the future of the broker's clock?";
  case STAGE_CHANGED_CLIENTS:
    return "does the CA file that it reads hold the back office's CA, too?";
  case STAGE_CHANGED_NOTHING: break;
  }
  return newcomer->root == NULL
             ? "the operator's session goes on, and he could not come anew. Is the back office's "
               "CA "
               "in its CA file, with a list of its own where lists are checked?"
             : "sessions go on, and who comes anew is kept out. What has changed there?";
}

static enum step_outcome fail_at(struct stage *stage, const struct newcomer *newcomer, size_t node,
                                 const struct answer *answer, enum stage_change change)
{
  static const char *const when[] = {[STAGE_CHANGED_LISTS] = "after the list",
                                     [STAGE_CHANGED_CLIENTS] = "after the CA file",
                                     [STAGE_CHANGED_NOTHING] = "at the end of the run"};
  char where[STAGE_ADDRESS_MAX], from[64];
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%s the broker at %s%s keeps out who is under %s%s and on no list: %s. It took such a "
            "one before: %s",
            when[change], stage_address(stage, node, where), stage_from(answer->look.from, from),
            newcomer->root != NULL ? "root " : "the back office's CA",
            newcomer->root != NULL ? newcomer->root : "",
            device_failure_name(answer->look.broker.failure), hint_for(newcomer, change));
  return STEP_FAILED;
}

/* Takes out who is welcome, and who gave no answer: others see that. True: nobody is left. */
static bool keep_unwelcome(const struct stage *stage, struct newcomer *newcomer,
                           const struct answer answer[SCENARIO_NODES_MAX])
{
  bool none = true;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    if (!newcomer->at[n]) continue;
    newcomer->at[n] = answer[n].welcome == REFUSED || answer[n].welcome == CLOSED_ON;
    none = none && !newcomer->at[n];
  }
  return none;
}

/* One after the other at who closes: a limit of connections does not mind, and each machine is met. */
static enum step_outcome look_one_by_one(struct stage *stage, struct newcomer *newcomer,
                                         struct answer answer[SCENARIO_NODES_MAX])
{
  struct answer worst[SCENARIO_NODES_MAX] = {{.welcome = WELCOME}};
  for (unsigned i = 0; i < stage_looks_needed(stage); i++) {
    if (look_as_newcomer(stage, newcomer, 1, answer) != STEP_DONE) return STEP_ABORTED;
    for (size_t n = 0; n < stage->scenario->node_count; n++)
      if (newcomer->at[n] && answer[n].welcome != WELCOME && answer[n].welcome != UNSEEN)
        worst[n] = answer[n];
  }
  memcpy(answer, worst, sizeof worst);
  return STEP_DONE;
}

/* An address at which one was kept out in so many words; -1: there is none. */
static int kept_out_at(const struct stage *stage, const struct newcomer *newcomer,
                       const struct answer answer[SCENARIO_NODES_MAX])
{
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (newcomer->at[n] && answer[n].welcome == REFUSED) return (int) n;
  return -1;
}

static enum step_outcome look_after(struct stage *stage, struct newcomer *newcomer,
                                    enum stage_change change)
{
  struct answer answer[SCENARIO_NODES_MAX] = {{.welcome = WELCOME}};
  uint64_t until_ms = stage_elapsed_ms(stage) + WITHIN_MS, pause_ms = 0;
  for (;;) {
    if (look_as_newcomer(stage, newcomer, 0, answer) != STEP_DONE) return STEP_ABORTED;
    if (keep_unwelcome(stage, newcomer, answer)) return STEP_DONE;
    /* looks with one certificate may throw each other out */
    if (pause_ms == 0 && kept_out_at(stage, newcomer, answer) < 0) {
      if (look_one_by_one(stage, newcomer, answer) != STEP_DONE) return STEP_ABORTED;
      if (keep_unwelcome(stage, newcomer, answer)) return STEP_DONE;
    }
    if (stage_elapsed_ms(stage) >= until_ms) break;
    if (!stage_pause_longer(stage, &pause_ms, until_ms)) return STEP_ABORTED;
  }
  int node = kept_out_at(stage, newcomer, answer);
  for (unsigned again = 0; again < AGAIN && node < 0; again++) {
    if (!stage_pause(stage, WITHIN_MS) || look_one_by_one(stage, newcomer, answer) != STEP_DONE)
      return STEP_ABORTED;
    if (keep_unwelcome(stage, newcomer, answer)) return STEP_DONE;
  }
  for (size_t n = 0; n < stage->scenario->node_count && node < 0; n++)
    if (newcomer->at[n]) node = (int) n;
  return fail_at(stage, newcomer, (size_t) node, &answer[node], change);
}

enum step_outcome stage_newcomers_try(struct stage *stage, enum stage_change change)
{
  const struct pki_roots *roots = &stage->client_roots;
  enum step_outcome outcome = STEP_DONE;
  if (!are_looked_at(stage)) return STEP_DONE;
  for (size_t r = 0; r < roots->count && change != STAGE_CHANGED_CLIENTS && outcome == STEP_DONE;
       r++)
    outcome = with_one(stage, roots->name[r], true, look_after, change);
  if (outcome == STEP_DONE && has_office(stage))
    outcome = with_one(stage, NULL, true, look_after, change);
  return outcome;
}
