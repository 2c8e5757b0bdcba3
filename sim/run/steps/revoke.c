/* revoke, unrevoke, publish-crl, kick: from the registry to the broker's list, and to the sessions
 * that it leaves open.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run/operation.h"

#define PUBLISH_WITHIN_MS 70000u /* a hook has 60 s */
#define LIST_WITHIN_MS    60000u
#define FIRST_CRL_S       (7 * 86400)
#define KICKS_AT_ONCE     16u

/* --- CRLs ------------------------------------------------------------------------------------- */

struct pki_roots run_crl_roots(const struct run *run, const struct pki_roots *trusted)
{
  struct pki_roots roots = {0};
  const struct pki_roots *all = &run->scenario->roots;
  for (size_t i = 0; i < all->count; i++)
    if (pki_can_issue(run->pki, all->name[i]) || pki_roots_include(trusted, all->name[i]))
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

static int write_list(const struct run *run, const struct scenario_crl *crl, const char *path,
                      struct error *error)
{
  int64_t now = (int64_t) time(NULL);
  struct pki_roots roots = run_crl_roots(run, &run->client_roots);
  struct pki_crl_times times = {now + crl->this_update_s, now + crl->next_update_s};
  if (crl->file[0] != '\0') return pki_complete_crls(run->pki, crl->file, &times, path, error);
  return pki_write_crls(run->pki, &roots, &times, crl->entries, path, error);
}

/* The same list for all brokers: made once, and copied. */
static int write_crls(const struct run *run, const struct scenario_crl *crl, struct error *error)
{
  char first[FILES_PATH_MAX], path[FILES_PATH_MAX];
  size_t count = run->scenario->remote ? 1 : run->scenario->node_count;
  for (size_t n = 0; n < count; n++) {
    if (broker_path(run->nodes[n].broker, "crl.pem", n == 0 ? first : path) != 0)
      return error_set(error, EXIT_CODE_SETUP,
                       "the broker's folder has too long a path; use a shorter --out");
    if ((n == 0 ? write_list(run, crl, first, error) : copy_crls(first, path, error)) != 0)
      return -1;
  }
  return 0;
}

int run_write_crls(struct run *run, const struct scenario_crl *crl)
{
  return write_crls(run, crl, &run->error);
}

/* A list that is being made, on a thread of its own: one of 100,000 entries takes a second, and the
   fleet goes on. */
struct making {
  uv_work_t work;
  struct run *run; /* of which it changes the history only */
  const struct scenario_crl *crl;
  bool *names; /* per device: the list has it */
  bool ended;
  int result;
  struct error error;
};

/* The file may be another than at the start. What a rollback puts back is older, and is meant to
   be. */
static int check_again(const struct making *making, struct error *error)
{
  struct run *run = making->run;
  struct error ignored = {0};
  struct pki_crl_history *history = run->rolling_back ? NULL : &run->crl_history;
  if (making->crl->file[0] == '\0') {
    pki_crl_history_ours(&run->crl_history);
    return 0;
  }
  int result = pki_check_crls(run->pki, making->crl->file, history, NULL, NULL,
                              making->crl->unchecked ? &ignored : error);
  return making->crl->unchecked ? 0 : result;
}

static void make_list(uv_work_t *work)
{
  struct making *making = work->data;
  const struct run *run = making->run;
  const struct scenario_crl *crl = making->crl;
  size_t n = fleet_size(run->fleet);
  char path[FILES_PATH_MAX];
  making->result = check_again(making, &making->error);
  if (making->result == 0) making->result = write_crls(run, crl, &making->error);
  /* whom it names is read from what was written: a certificate that was reissued since is not on
     it */
  if (making->result == 0 && broker_path(run->nodes[0].broker, "crl.pem", path) == 0 &&
      pki_crls_name(run->pki, path, making->names, n, &making->error) != 0 && !crl->unchecked)
    making->result = -1; /* unchecked, what is no CRL names nobody */
}

static void on_made(uv_work_t *work, int status)
{
  (void) status;
  ((struct making *) work->data)->ended = true;
}

static bool is_made(struct run *run, void *ctx)
{
  (void) run;
  return ((const struct making *) ctx)->ended;
}

/* From here on the fleet is measured by the new list, although the broker has yet to read it: how
 * long that takes is the question. */
static int make_and_tell(struct run *run, const struct scenario_crl *crl)
{
  struct making making = {
      .run = run, .crl = crl, .names = calloc(fleet_size(run->fleet), sizeof(bool))};
  if (making.names == NULL) return error_set(&run->error, EXIT_CODE_INTERNAL, "out of memory");
  making.work.data = &making;
  if (uv_queue_work(&run->loop, &making.work, make_list, on_made) != 0) {
    free(making.names);
    return error_set(&run->error, EXIT_CODE_INTERNAL, "no thread to make a CRL on");
  }
  enum run_waited waited = run_wait(run, is_made, &making, LIST_WITHIN_MS);
  while (!making.ended) uv_run(&run->loop, UV_RUN_ONCE);
  if (making.result != 0) run->error = making.error;
  bool told = making.result == 0 && waited != RUN_ABORTED;
  if (told) told = fleet_publish_crl(run->fleet, making.names, &run->error) == 0;
  free(making.names);
  return told ? 0 : -1;
}

static enum step_outcome publish(struct run *run, const struct scenario_crl *crl,
                                 enum scenario_apply apply)
{
  if (make_and_tell(run, crl) != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  if (run_wait_broker(run, broker_crl_published, PUBLISH_WITHIN_MS) != 0) return STEP_ABORTED;
  return run_broker_apply(run, apply, -1);
}

/* Of an imported fleet only a file that was published before can come back; the broker's very first
 * one is not known.
 */
enum step_outcome step_publish_crl(struct run *run, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.crl = (struct scenario_crl){.next_update_s = FIRST_CRL_S};
  inverse.apply = scenario_default_apply(run->scenario, SCENARIO_APPLY_RELOAD);
  if (run_lacks_crl_key(run, &run->client_roots) == NULL)
    run_undo_with(run, &inverse);
  else if (run->crl_published.crl.file[0] != '\0')
    run_undo_with(run, &run->crl_published);
  if (step->crl.file[0] != '\0') run->crl_published = *step;
  return publish(run, &step->crl, step->apply);
}

/* --- Certificates ----------------------------------------------------------------------------- */

static int change_one(struct run *run, uint32_t device, const struct scenario_step *step)
{
  if (step->kind == STEP_UNREVOKE) return pki_unrevoke_device(run->pki, device, NULL, &run->error);
  return pki_revoke_device(run->pki, device, true, step->reason, NULL, &run->error);
}

static int change_all(struct run *run, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(run, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return -1;
  int result = pki_begin(run->pki, &run->error);
  for (size_t i = 0; i < count && result == 0; i++) result = change_one(run, devices[i], step);
  if (result == 0) result = pki_commit(run->pki, &run->error);
  free(devices);
  return result;
}

static enum step_outcome change(struct run *run, const struct scenario_step *step,
                                enum scenario_step_kind inverse_kind)
{
  struct scenario_step inverse = *step;
  inverse.kind = inverse_kind;
  run_undo_with(run, &inverse);
  if (change_all(run, step) != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  return step->publish ? publish(run, &step->crl, step->apply) : STEP_DONE;
}

enum step_outcome step_revoke(struct run *run, const struct scenario_step *step)
{
  return change(run, step, STEP_UNREVOKE);
}

enum step_outcome step_unrevoke(struct run *run, const struct scenario_step *step)
{
  return change(run, step, STEP_REVOKE);
}

/* --- Sessions --------------------------------------------------------------------------------- */

struct kicks {
  struct run *run;
  const uint32_t *devices;
  uint32_t *before; /* CONNACKs of each when the kicks began */
  size_t count, begun, ended;
  bool failed;
  struct error error; /* of the first that failed */
};

static void begin_next(struct kicks *kicks);

static void on_kicked(void *ctx, const struct error *error)
{
  struct kicks *kicks = ctx;
  kicks->ended++;
  if (error != NULL && !kicks->failed) {
    kicks->failed = true;
    kicks->error = *error;
  }
  begin_next(kicks);
}

static void begin_next(struct kicks *kicks)
{
  struct run *run = kicks->run;
  if (kicks->begun == kicks->count || kicks->failed || run->aborted) return;
  char id[DEVICE_ID_TEXT];
  const struct fleet_facts *facts = fleet_facts(run->fleet, kicks->devices[kicks->begun++]);
  device_id_text(facts->id, id);
  struct broker_kick kick = {.client_id = id,
                             .keep_session = !run->scenario->device.clean_start,
                             .certificate_path = run->operator_certificate,
                             .key_path = run->operator_key};
  size_t node = run->scenario->remote || facts->node < 0 ? 0 : (size_t) facts->node;
  broker_kick(run->nodes[node].broker, &kick, on_kicked, kicks);
}

static size_t still_open(const struct kicks *kicks)
{
  size_t n = 0;
  for (size_t i = 0; i < kicks->count; i++) {
    const struct fleet_facts *facts = fleet_facts(kicks->run->fleet, kicks->devices[i]);
    n += facts->online && facts->connects == kicks->before[i];
  }
  return n;
}

static bool all_kicked(struct run *run, void *ctx)
{
  (void) run;
  const struct kicks *kicks = ctx;
  return kicks->ended == kicks->begun && (kicks->failed || still_open(kicks) == 0);
}

static enum step_outcome run_kicks(struct run *run, struct kicks *kicks, uint64_t within_ms)
{
  for (size_t i = 0; i < KICKS_AT_ONCE; i++) begin_next(kicks);
  enum run_waited waited = run_wait(run, all_kicked, kicks, within_ms);
  size_t open = still_open(kicks), silent = kicks->begun - kicks->ended;
  kicks->count = kicks->begun; /* none begins from here on */
  if (waited == RUN_ABORTED) return STEP_ABORTED;
  if (waited == RUN_REACHED && !kicks->failed) return STEP_DONE;
  if (kicks->failed && run->scenario->remote) { /* as every hook that fails */
    run_abort(run, &kicks->error);
    return STEP_ABORTED;
  }
  if (kicks->failed)
    run->error = kicks->error;
  else
    error_set(&run->error, EXIT_CODE_FAIL,
              "within %.3g s %zu kicks were not answered, and %zu sessions are open still",
              (double) within_ms / 1000.0, silent, open);
  return STEP_FAILED;
}

/* Kicks that are still under way call back until the brokers are closed. */
static void release(struct run *run, struct kicks *kicks)
{
  void *blocks[] = {kicks->before, (void *) (uintptr_t) kicks->devices, kicks};
  bool ended = kicks->ended == kicks->begun;
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    if (ended)
      free(blocks[i]);
    else
      run_keep(run, blocks[i]);
  }
}

enum step_outcome step_kick(struct run *run, const struct scenario_step *step)
{
  size_t count, online = 0;
  uint32_t *devices = targets_of(run, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  uint32_t *before = calloc(count + 1, sizeof *before);
  struct kicks *kicks = calloc(1, sizeof *kicks);
  if (before == NULL || kicks == NULL) {
    free(devices);
    free(before);
    free(kicks);
    error_set(&run->error, EXIT_CODE_INTERNAL, "out of memory");
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  for (size_t i = 0; i < count; i++) {
    const struct fleet_facts *facts = fleet_facts(run->fleet, devices[i]);
    /* a clone may have the session that the device has lost */
    if (!facts->online && run->clones == NULL) continue;
    before[online] = facts->connects;
    devices[online++] = devices[i];
  }
  *kicks = (struct kicks){.run = run, .devices = devices, .before = before, .count = online};
  enum step_outcome outcome = run_kicks(run, kicks, step->within_ms);
  release(run, kicks);
  return outcome;
}
