/* Asks brokers whom they let in: somebody under each root that they should trust, and under each
 * that they trusted before and should not any more. */
#define _POSIX_C_SOURCE 200809L
#include "stage/callers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage/caller_looks.h"
#include "stage/list_names.h"
#include "stage/nodes.h"

/* Who is asked about, and how it came to that. */
struct inquiry {
  bool restarted;     /* the broker was */
  bool unlisted;      /* no step has spoken of the roots */
  bool only_shut_out; /* nobody else is asked about: a list keeps everybody out */
  const char *when;   /* he was asked about before; NULL: the first time */
  int node;           /* one broker, -1: all that are reachable */
};

/* Somebody on a list is refused for that, whatever root he is under. */
static bool may_ask(void *ctx, size_t device)
{
  const struct stage *stage = ctx;
  if (stage->fleet == NULL || device >= fleet_size(stage->fleet)) return true;
  return !stage->identity[device].revoked && !fleet_facts(stage->fleet, (uint32_t) device)->revoked;
}

/* 1: there is nobody, 0, or -1. */
static int invite_guest(struct stage *stage, const char *root, struct stage_guest *guest)
{
  int written = pki_write_probe(stage->pki, root, may_ask, stage, guest->files.certificate,
                                guest->files.key, &guest->whose, &stage->error);
  if (written == 0) guest->root = root;
  return written;
}

/* Somebody whom the broker is to take, beside one whom it is not to. */
static int invite_beside(struct stage *stage, struct stage_caller *caller)
{
  const struct pki_roots *now = &stage->client_roots;
  int written = 1;
  caller->beside.files = broker_device_place(stage->broker, 0);
  for (size_t r = 0; r < now->count && !caller->welcome && written > 0; r++)
    written = invite_guest(stage, now->name[r], &caller->beside);
  return written < 0 ? -1 : 0;
}

static void send_off(const struct stage_guest *guest)
{
  (void) unlink(guest->files.key);
  (void) unlink(guest->files.certificate);
}

static enum step_outcome try_root(struct stage *stage, const struct inquiry *inquiry,
                                  const char *root, bool welcome)
{
  enum step_outcome outcome = STEP_DONE;
  char note[128];
  struct stage_caller caller = {.as.files = broker_probe_place(stage->broker),
                                .welcome = welcome,
                                .unlisted = inquiry->unlisted,
                                .restarted = inquiry->restarted,
                                .when = inquiry->when};
  int written = invite_guest(stage, root, &caller.as);
  if (written < 0) return stage_give_up(stage);
  if (written > 0 && inquiry->unlisted) return STEP_DONE;
  if (written > 0) {
    snprintf(note, sizeof note,
             "whether the broker trusts %s was not tried: the fleet folder has no key under it",
             root);
    stage_say(stage, note);
    return STEP_DONE;
  }
  if (invite_beside(stage, &caller) != 0) return stage_give_up(stage);
  for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++)
    if (stage_is_reachable(stage, n) && (inquiry->node < 0 || n == (size_t) inquiry->node))
      outcome = stage_await_caller(stage, n, &caller);
  send_off(&caller.as);
  send_off(&caller.beside);
  return outcome;
}

static enum step_outcome try_roots(struct stage *stage, const struct inquiry *inquiry,
                                   const struct pki_roots *before)
{
  const struct pki_roots *now = &stage->client_roots;
  enum step_outcome outcome = STEP_DONE;
  for (size_t r = 0; r < now->count && !inquiry->only_shut_out && outcome == STEP_DONE; r++)
    outcome = try_root(stage, inquiry, now->name[r], true);
  for (size_t r = 0; r < before->count && outcome == STEP_DONE; r++)
    if (!pki_roots_include(now, before->name[r]))
      outcome = try_root(stage, inquiry, before->name[r], false);
  return outcome;
}

/* A hook that gathers the CAs of a folder has the broker trust more than the step says: whom the
   scenario has roots for, beside those that were trusted, are not to get in. */
static enum step_outcome try_unlisted(struct stage *stage, bool restarted,
                                      const struct pki_roots *before)
{
  const struct pki_roots *all = &stage->scenario->roots;
  const struct inquiry inquiry = {.unlisted = true, .restarted = restarted, .node = -1};
  enum step_outcome outcome = STEP_DONE;
  if (!scenario_broker_is(stage->scenario, BROKER_HOOKED)) return STEP_DONE;
  for (size_t r = 0; r < all->count && outcome == STEP_DONE; r++)
    if (!pki_roots_include(&stage->client_roots, all->name[r]) &&
        !pki_roots_include(before, all->name[r]))
      outcome = try_root(stage, &inquiry, all->name[r], false);
  return outcome;
}

/* Several steps may be missed: what any of them dropped is asked about, unless the last has it
   again. */
static void add_roots(struct pki_roots *to, const struct pki_roots *from)
{
  for (size_t r = 0; r < from->count; r++) {
    if (pki_roots_include(to, from->name[r]) || to->count == PKI_ROOTS_MAX) continue;
    memcpy(to->name[to->count++], from->name[r], sizeof to->name[0]);
  }
}

/* What several steps have dropped stays dropped, unless the last has it again. */
static void note_tried(struct stage *stage, const struct pki_roots *before)
{
  struct pki_roots dropped = {.count = 0};
  const struct pki_roots *now = &stage->client_roots;
  add_roots(&stage->dropped_roots, before);
  for (size_t r = 0; r < stage->dropped_roots.count; r++)
    if (!pki_roots_include(now, stage->dropped_roots.name[r]))
      memcpy(dropped.name[dropped.count++], stage->dropped_roots.name[r], sizeof dropped.name[0]);
  stage->dropped_roots = dropped;
  stage->tried_roots = *now;
}

enum step_outcome stage_callers_try(struct stage *stage, const struct pki_roots *before,
                                    bool restarted)
{
  const struct inquiry inquiry = {.restarted = restarted, .node = -1};
  enum step_outcome outcome = try_roots(stage, &inquiry, before);
  if (outcome == STEP_DONE) outcome = try_unlisted(stage, restarted, before);
  if (outcome == STEP_DONE) note_tried(stage, before);
  return outcome;
}

void stage_callers_untold(struct stage *stage, const struct pki_roots *before)
{
  if (!stage->clients_untold) stage->untold_roots = (struct pki_roots){.count = 0};
  stage->clients_untold = true;
  add_roots(&stage->untold_roots, before);
}

void stage_callers_owed(struct stage *stage, struct pki_roots *before)
{
  if (stage->clients_untold) add_roots(before, &stage->untold_roots);
  stage->clients_untold = false;
}

enum step_outcome stage_callers_told(struct stage *stage, bool restarted)
{
  bool reads = restarted || !broker_trusts_at_start_only(stage->broker);
  if (!stage->clients_untold || stage->rolling_back || !reads) return STEP_DONE;
  stage->clients_untold = false;
  stage_callers_missed(stage, &stage->untold_roots);
  return stage_callers_try(stage, &stage->untold_roots, restarted);
}

static bool are_same(const struct pki_roots *a, const struct pki_roots *b)
{
  bool same = a->count == b->count;
  for (size_t r = 0; r < a->count; r++) same = same && pki_roots_include(b, a->name[r]);
  return same;
}

enum step_outcome stage_callers_try_again(struct stage *stage, const char *when)
{
  struct pki_roots dropped = stage->dropped_roots;
  bool tried = stage->tried_roots.count > 0 && are_same(&stage->tried_roots, &stage->client_roots);
  if (!tried || stage->rolling_back || !scenario_broker_is(stage->scenario, BROKER_HOOKED))
    return STEP_DONE;
  const struct inquiry inquiry = {.restarted = true,
                                  .only_shut_out = stage_list_will_shut_out(stage),
                                  .when = when,
                                  .node = -1};
  return try_roots(stage, &inquiry, &dropped);
}

void stage_callers_missed(struct stage *stage, const struct pki_roots *before)
{
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    if (stage_is_reachable(stage, n)) continue;
    stage->nodes[n].untried = true;
    add_roots(&stage->nodes[n].trusted, before);
  }
}

enum step_outcome stage_callers_make_up(struct stage *stage, size_t node, bool restarted)
{
  struct stage_node *n = &stage->nodes[node];
  struct pki_roots before = n->trusted;
  if (!n->untried) return STEP_DONE;
  n->untried = false;
  n->trusted.count = 0;
  return try_roots(stage, &(struct inquiry){.restarted = restarted, .node = (int) node}, &before);
}
