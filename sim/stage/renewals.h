/* New certificates of devices, for the keys that they have. */
#ifndef FLEETSIM_STAGE_RENEWALS_H
#define FLEETSIM_STAGE_RENEWALS_H

#include "stage/stage.h"

/* The longest that some signing commands take, which are run at once. */
#define STAGE_SIGNING_MS 65000u

struct pki_renewals;

struct stage_renewals {
  const struct scenario_step *step;
  struct pki_renewals *list; /* NULL: there is none */
  size_t unlisted;           /* devices that have no line in it */
  size_t held;               /* devices for which that came which they hold */
  size_t given, shorter;     /* .. a new one; of these, one that ends earlier than theirs */
  struct {
    uint32_t device;
    int64_t end_s, before_s;
  } first_shorter;
};

/* Reads the step's list, if it has one: 0, or -1 with stage->error. To be closed after a success. */
int stage_renewals_open(struct stage *stage, const struct scenario_step *step,
                        struct stage_renewals *out);
void stage_renewals_close(struct stage_renewals *renewals);

/* Gives each of at most so many devices its new certificate: in the registry, and on its way to the
 * device. 0, or -1 with stage->error, which names the device; FAIL: its certificate is not what it
 * must be, or the command that signs has failed. */
size_t stage_renewals_batch(const struct stage_renewals *renewals);
int stage_renew(struct stage *stage, struct stage_renewals *renewals, const uint32_t *devices,
                size_t count);

/* Of those who were given one: 0, or -1 with stage->error (FAIL), which names those whose certificate
 * is the one that they hold already. */
int stage_renewals_were_new(struct stage *stage, const struct stage_renewals *renewals,
                            const uint32_t *devices, size_t count);

/* A command that signs may have forgotten for how long. Says of certificates that end earlier than those
 * that they replace how many they are. */
void stage_renewals_tell_shorter(struct stage *stage, const struct stage_renewals *renewals);

/* Whether every certificate of the step's list is what it must be, before anything is sent: 0, or -1
 * with stage->error, a sentence at the step's place. */
int stage_need_renewals(struct stage *stage, const struct scenario_step *step);

#endif
