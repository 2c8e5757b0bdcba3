/* The brokers' revocation lists: made on a thread, written for each broker, told to the fleet that
 * is measured by them, and taken by the brokers. */
#define _POSIX_C_SOURCE 200809L
#include "stage/crls.h"

#include <stdlib.h>
#include <string.h>

#include "stage/apply.h"
#include "stage/expiries.h"
#include "stage/list_looks.h"
#include "stage/list_names.h"
#include "stage/list_samples.h"
#include "stage/newcomers.h"
#include "stage/wait.h"

#define PUBLISH_WITHIN_MS 70000u /* a hook has 60 s */
#define LIST_WITHIN_MS    60000u

struct pki_roots stage_crl_roots(const struct stage *stage, const struct pki_roots *trusted)
{
  struct pki_roots roots = {0};
  const struct pki_roots *all = &stage->scenario->roots;
  for (size_t i = 0; i < all->count; i++)
    if (pki_can_issue(stage->pki, all->name[i]) || pki_roots_include(trusted, all->name[i]))
      memcpy(roots.name[roots.count++], all->name[i], PKI_NAME_MAX);
  return roots;
}

static int copy_crls(const char *from, const char *to, struct error *error)
{
  uint8_t *data = NULL;
  size_t size = 0;
  if (files_read(from, PKI_CRL_FILE_MAX, &data, &size, error) != 0) return -1;
  int result = files_write(to, data, size, 0644, error);
  free(data);
  return result;
}

static int write_list(const struct stage *stage, const struct scenario_crl *crl, const char *path,
                      struct error *error)
{
  int64_t now = world_unix_s(stage->world);
  struct pki_roots roots = stage_crl_roots(stage, &stage->client_roots);
  struct pki_crl_times times = {now + crl->this_update_s, now + crl->next_update_s};
  if (crl->file[0] != '\0') return pki_complete_crls(stage->pki, crl->file, &times, path, error);
  return pki_write_crls(stage->pki, &roots, &times, crl->entries, path, error);
}

/* The same list for all brokers: made once, and copied. */
static int write_crls(const struct stage *stage, const struct scenario_crl *crl,
                      struct error *error)
{
  char first[FILES_PATH_MAX], path[FILES_PATH_MAX];
  size_t count = stage_told_count(stage);
  for (size_t n = 0; n < count; n++) {
    broker_place(stage->nodes[n].broker, BROKER_CRLS, n == 0 ? first : path);
    if ((n == 0 ? write_list(stage, crl, first, error) : copy_crls(first, path, error)) != 0)
      return -1;
  }
  return 0;
}

static void note_list(struct stage *stage)
{
  char path[FILES_PATH_MAX];
  broker_place(stage->nodes[0].broker, BROKER_CRLS, path);
  stage_note_expiries(stage, path);
}

int stage_write_crls(struct stage *stage, const struct scenario_crl *crl)
{
  if (write_crls(stage, crl, &stage->error) != 0) return -1;
  note_list(stage);
  return 0;
}

const char *stage_lacks_crl_key(const struct stage *stage, const struct pki_roots *trusted)
{
  struct pki_roots roots = stage_crl_roots(stage, trusted);
  const struct pki_roots *all = &stage->scenario->roots;
  for (size_t i = 0; i < all->count; i++)
    if (pki_roots_include(&roots, all->name[i]) && !pki_can_issue(stage->pki, all->name[i]))
      return all->name[i];
  return NULL;
}

/* A list that is being made, on a thread of its own: one of 100,000 entries takes a second, and the
   fleet goes on. */
struct making {
  struct stage *stage; /* of which it changes the history only */
  const struct scenario_crl *crl;
  struct stage_list list; /* whom it names */
  int64_t first_ends_s;
  bool ended;
  int result;
  struct error error;
};

/* The file may be another than at the start. What a rollback puts back is older, and is meant to
   be. */
static int check_again(const struct making *making, struct error *error)
{
  struct stage *stage = making->stage;
  struct error ignored = {0};
  struct pki_crl_history *history = stage->rolling_back ? NULL : &stage->crl_history;
  if (making->crl->file[0] == '\0') {
    pki_crl_history_ours(&stage->crl_history);
    return 0;
  }
  int result = pki_check_crls(stage->pki, making->crl->file, history, NULL, NULL,
                              making->crl->unchecked ? &ignored : error);
  return making->crl->unchecked ? 0 : result;
}

static void note_former(void *ctx, const struct pki_former *former)
{
  stage_list_name_former(&((struct making *) ctx)->list, former);
}

static void make_list(void *ctx)
{
  struct making *making = ctx;
  const struct stage *stage = making->stage;
  const struct scenario_crl *crl = making->crl;
  size_t n = fleet_size(stage->fleet);
  char path[FILES_PATH_MAX];
  making->result = check_again(making, &making->error);
  if (making->result == 0) making->result = write_crls(stage, crl, &making->error);
  /* whom it names is read from what was written: a certificate that was reissued since is not on
     it */
  broker_place(stage->nodes[0].broker, BROKER_CRLS, path);
  making->first_ends_s = world_unix_s(stage->world) + crl->next_update_s;
  if (making->result == 0 && crl->file[0] != '\0' && !crl->unchecked)
    making->result = pki_crls_end(path, &making->first_ends_s, &making->error);
  if (making->result == 0 &&
      (pki_crls_name(stage->pki, path, making->list.names, n, &making->error) != 0 ||
       pki_crls_name_former(stage->pki, path, note_former, making, &making->error) != 0) &&
      !crl->unchecked)
    making->result = -1; /* unchecked, what is no CRL names nobody */
}

static void on_made(void *ctx)
{
  ((struct making *) ctx)->ended = true;
}

static bool is_made(struct stage *stage, void *ctx)
{
  (void) stage;
  return ((const struct making *) ctx)->ended;
}

/* From here on the fleet is measured by the new list, although the broker has yet to read it: how
 * long that takes is the question. Who is let in meanwhile is no fault of the broker's. */
static int make_and_tell(struct stage *stage, const struct scenario_crl *crl, bool untold)
{
  struct making making = {
      .stage = stage, .crl = crl, .list.names = calloc(fleet_size(stage->fleet), sizeof(bool))};
  if (making.list.names == NULL)
    return error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
  if (world_work(stage->world, make_list, on_made, &making) != 0) {
    free(making.list.names);
    return error_set(&stage->error, EXIT_CODE_INTERNAL, "no thread to make a CRL on");
  }
  enum stage_waited waited = stage_wait(stage, is_made, &making, LIST_WITHIN_MS);
  while (!making.ended) world_turn(stage->world, true);
  if (making.result != 0) stage->error = making.error;
  if (making.result == 0) note_list(stage);
  bool told = making.result == 0 && waited != STAGE_ABORTED;
  if (told) stage_list_names(stage, &making.list, untold);
  if (told) told = fleet_publish_crl(stage->fleet, making.list.names, &stage->error) == 0;
  stage->list_unchecked = crl->unchecked;
  stage->list_ends_s =
      crl->file[0] != '\0' ? INT64_MAX : world_unix_s(stage->world) + crl->next_update_s;
  stage->list_first_ends_s = making.first_ends_s;
  free(making.list.names);
  return told ? 0 : -1;
}

enum step_outcome stage_publish_crl(struct stage *stage, const struct scenario_crl *crl,
                                    enum scenario_apply apply)
{
  if (stage_newcomers_note(stage) != STEP_DONE) return STEP_ABORTED;
  /* whoever is taken off it now has been on it until now */
  if (stage_look_at_list(stage, STAGE_LIST_BEFORE_NEXT) != STEP_DONE) return STEP_ABORTED;
  if (make_and_tell(stage, crl, apply == SCENARIO_APPLY_NONE) != 0) return stage_give_up(stage);
  if (stage_look_before_list(stage) != STEP_DONE) return STEP_ABORTED;
  if (stage_wait_broker(stage, broker_crl_published, PUBLISH_WITHIN_MS) != 0) return STEP_ABORTED;
  enum step_outcome outcome = stage_broker_apply(stage, apply, -1);
  if (outcome == STEP_DONE && apply != SCENARIO_APPLY_NONE) {
    stage_list_say_untried(stage);
    stage_list_say_unsampled(stage);
    outcome = stage_look_at_list(stage, STAGE_LIST_TAKEN);
    if (outcome == STEP_DONE) outcome = stage_newcomers_try(stage, STAGE_CHANGED_LISTS);
  }
  /* as far as it was told to */
  if (outcome != STEP_ABORTED) fleet_crl_taken(stage->fleet);
  return outcome;
}
