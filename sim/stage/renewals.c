/* New certificates of devices, each from where its step has them: from here, from a list, or from a
 * command that signs the requests that were kept, some at a time while the fleet goes on. Who has
 * one is sent it. */
#define _POSIX_C_SOURCE 200809L
#include "stage/renewals.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "pki/renewals.h"
#include "stage/chains.h"
#include "stage/expiries.h"
#include "stage/operation.h"
#include "stage/shortfall.h"

#define BATCH      16u
#define AT_ONCE    4u     /* signing commands */
#define SIGNING_MS 60000u /* each */

/* --- A command that signs --------------------------------------------------------------------- */

struct signing {
  char request[FILES_PATH_MAX], answer[FILES_PATH_MAX];
  struct stage_operation *operation;
};

static int begin_signing(struct stage *stage, uint32_t device, unsigned place, const char *command,
                         struct signing *out)
{
  char name[32];
  snprintf(name, sizeof name, "signing-%u.csr", place);
  if (files_join(out->request, stage->options->out, name, &stage->error) != 0) return -1;
  snprintf(name, sizeof name, "signing-%u.crt", place);
  if (files_join(out->answer, stage->options->out, name, &stage->error) != 0 ||
      pki_write_request(stage->pki, device, out->request, &stage->error) != 0)
    return -1;
  const struct broker_signing signing = {.command = command,
                                         .request = out->request,
                                         .answer = out->answer,
                                         .device = names_of(stage->names, device).name,
                                         .timeout_ms = SIGNING_MS};
  out->operation = stage_operation_new(stage);
  if (out->operation == NULL) return -1;
  broker_sign(stage->broker, &signing, stage_operation_ended, out->operation);
  return 0;
}

/* What it printed is judged, and kept until its batch is pushed. */
static int take_signed(struct stage *stage, uint32_t device, const char *root,
                       const struct signing *signing, uint8_t *chain, size_t *size)
{
  char name[NAMES_TEXT];
  if (pki_renew_from(stage->pki, device, root, signing->answer, chain, DEVICE_NVM_CERTIFICATE_MAX,
                     size, &stage->error) == 0)
    return 0;
  return error_wrap(&stage->error, "what the signing command printed for device %s",
                    names_text(stage->names, stage->ids[device], name));
}

/* --- Each device ------------------------------------------------------------------------------ */

static void compare_ends(struct stage *stage, struct stage_renewals *renewals, uint32_t device,
                         const uint8_t *chain, size_t size)
{
  int64_t end_s = pki_chain_ends(chain, size), before_s = stage_chain_ends(stage, device);
  renewals->given++;
  if (end_s == 0 || before_s == 0 || end_s >= before_s) return;
  if (renewals->shorter++ > 0) return;
  renewals->first_shorter.device = device;
  renewals->first_shorter.end_s = end_s;
  renewals->first_shorter.before_s = before_s;
}

/* What changes nothing is not sent: the word for it would be that of a device that has renewed. */
static int push_chain(struct stage *stage, struct stage_renewals *renewals, uint32_t device,
                      const uint8_t *chain, size_t size)
{
  struct stage_identity *identity = &stage->identity[device];
  identity->held = stage_holds_leaf(stage, device, renewals->step->root, chain, size);
  if (identity->held) {
    identity->pushed = 0;
    identity->acked = false;
    renewals->held++;
    return 0;
  }
  compare_ends(stage, renewals, device, chain, size);
  if (office_push(stage->office, device, "cert", chain, size, &stage->error) != 0) return -1;
  identity->pushed = stage_chain_mark(chain, size);
  identity->acked = false;
  metrics_add(stage->metrics, METRIC_CERT_PUSHED, 1);
  return 0;
}

static int push_signed(struct stage *stage, struct stage_renewals *renewals,
                       const uint32_t *devices, size_t count)
{
  const struct scenario_step *step = renewals->step;
  struct signing signing[AT_ONCE];
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t begun = 0, size;
  int result = 0;
  while (result == 0 && begun < count)
    if ((result = begin_signing(stage, devices[begun], (unsigned) begun, step->renewal.command,
                                &signing[begun])) == 0)
      begun++;
  for (size_t i = 0; i < begun; i++) {
    const struct error first = stage->error;
    int ended = stage_operation_finish(stage, signing[i].operation, "the signing command",
                                       STAGE_SIGNING_MS);
    if (ended != 0 && result != 0 && !stage->aborted) stage->error = first; /* of several */
    if (result == 0) result = ended;
    if (result == 0) result = take_signed(stage, devices[i], step->root, &signing[i], chain, &size);
    if (result == 0) result = push_chain(stage, renewals, devices[i], chain, size);
    unlink(signing[i].request);
    unlink(signing[i].answer);
  }
  return result;
}

static int push_one(struct stage *stage, uint32_t device, struct stage_renewals *renewals)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  const char *root = renewals->step->root;
  size_t size;
  if (renewals->list != NULL && !pki_renewals_has(renewals->list, device)) {
    renewals->unlisted++;
    return 0;
  }
  int result = renewals->list != NULL ? pki_renewals_take(stage->pki, renewals->list, device, root,
                                                          chain, sizeof chain, &size, &stage->error)
                                      : pki_reissue(stage->pki, device, root, chain, sizeof chain,
                                                    &size, &stage->error);
  return result == 0 ? push_chain(stage, renewals, device, chain, size) : -1;
}

size_t stage_renewals_batch(const struct stage_renewals *renewals)
{
  return renewals->step->renewal.command[0] != '\0' ? AT_ONCE : BATCH;
}

static int renew(struct stage *stage, struct stage_renewals *renewals, const uint32_t *devices,
                 size_t count)
{
  if (renewals->step->renewal.command[0] != '\0')
    return push_signed(stage, renewals, devices, count);
  if (pki_begin(stage->pki, &stage->error) != 0) return -1;
  int result = 0;
  for (size_t i = 0; i < count && result == 0; i++) result = push_one(stage, devices[i], renewals);
  /* of those before the one that has failed, too: they are on their way */
  struct error error;
  if (pki_commit(stage->pki, &error) == 0) return result;
  stage->error = error;
  return -1;
}

/* What came is not what it must be: the step is rehearsed, and has failed. */
int stage_renew(struct stage *stage, struct stage_renewals *renewals, const uint32_t *devices,
                size_t count)
{
  assert(count <= stage_renewals_batch(renewals));
  int result = renew(stage, renewals, devices, count);
  if (result != 0 && stage->error.code == EXIT_CODE_USAGE) stage->error.code = EXIT_CODE_FAIL;
  return result;
}

static bool was_new(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return !stage->identity[device].held;
}

int stage_renewals_were_new(struct stage *stage, const struct stage_renewals *renewals,
                            const uint32_t *devices, size_t count)
{
  if (renewals->held == 0) return 0;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%zu of %zu devices were given the certificate that they hold already, which renews "
            "nothing",
            renewals->held, count);
  shortfall_name(stage, devices, count, was_new, NULL);
  return -1;
}

void stage_renewals_tell_shorter(struct stage *stage, const struct stage_renewals *renewals)
{
  char text[NAMES_TEXT + 240], name[NAMES_TEXT], end[STAGE_DATE], before[STAGE_DATE];
  if (renewals->shorter == 0) return;
  snprintf(
      text, sizeof text,
      "%zu of %zu new certificates end earlier than those that they replace: that of device %s on "
      "%s, in place of %s. Is that how long they are to be good for?",
      renewals->shorter, renewals->given,
      names_text(stage->names, stage->ids[renewals->first_shorter.device], name),
      stage_date(renewals->first_shorter.end_s, end),
      stage_date(renewals->first_shorter.before_s, before));
  stage_say(stage, text);
}

int stage_renewals_open(struct stage *stage, const struct scenario_step *step,
                        struct stage_renewals *out)
{
  *out = (struct stage_renewals){.step = step};
  if (step->renewal.csv[0] == '\0') return 0;
  return pki_renewals_open(stage->pki, step->renewal.csv, &out->list, &stage->error);
}

void stage_renewals_close(struct stage_renewals *renewals)
{
  pki_renewals_close(renewals->list);
}

int stage_need_renewals(struct stage *stage, const struct scenario_step *step)
{
  struct pki_renewals *list;
  if (step->renewal.csv[0] == '\0') return 0;
  int result = pki_renewals_open(stage->pki, step->renewal.csv, &list, &stage->error);
  if (result == 0) {
    result = pki_renewals_check(stage->pki, list, step->root, &stage->error);
    pki_renewals_close(list);
  }
  if (result == 0) return 0;
  return error_wrap(&stage->error, "%s:%d:%d", stage->scenario->file, step->line, step->column);
}
