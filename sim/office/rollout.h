/* A staged rollout: who is offered an update when, and when that has to stop. Pure: no clock, no
 * network; whoever owns it says what time it is, sends what offer() and cancel() ask for, and hands
 * in the devices' reports.
 *
 * In waves: a wave begins when every device of the one before has ended (confirmed, refused,
 * failed, rolled back), or when that wave's time is over; who is still open then stays open and is
 * not waited for. Within a wave each device is due at a random moment of the jitter window, so that
 * a wave is no herd. By rate: devices are due one after the other, and the rate is multiplied by
 * `growth` whenever `successes` more have been updated (as AWS IoT Jobs do with exponentialRate);
 * what was offered at one rate is told as one wave.
 *
 * The criteria are judged at every report. As soon as one is met nobody else is offered the update,
 * and who has not restarted into it yet is sent a cancel.
 */
#ifndef FLEETSIM_ROLLOUT_H
#define FLEETSIM_ROLLOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleetsim/ota.h"

#define ROLLOUT_WAVES_MAX    16
#define ROLLOUT_CRITERIA_MAX 8
#define ROLLOUT_ANY_FAILURE  (-1) /* every refusal, failed download and roll-back */

/* Met when at least `minimum` devices have ended like that, and they are at least this share of the
 * devices that were offered it in the wave under way (by rate: so far), or of all that the rollout
 * is for. */
struct rollout_criterion {
  int status; /* enum device_ota_status, or ROLLOUT_ANY_FAILURE */
  double share;
  bool of_all;
  uint32_t minimum; /* 0 reads as 1 */
};

/* Copied by rollout_create, with what `devices` points to. */
struct rollout_config {
  /* indices into the fleet, in the order in which they are offered it; each once */
  const uint32_t *devices;
  size_t count, fleet_size;
  /* wave w ends before devices[until[w]]; ascending, the last one is `count` */
  size_t until[ROLLOUT_WAVES_MAX];
  size_t wave_count;   /* 0: by rate */
  double rate, growth; /* devices per second, at first; growth is 1 or more */
  uint32_t successes;  /* updated devices until the rate grows; 0: it does not */
  uint64_t jitter_ms;  /* a wave's devices are due within it; 0: at once */
  uint64_t within_ms;  /* longest time of a wave; by rate: from the last offer on */
  struct rollout_criterion abort[ROLLOUT_CRITERIA_MAX];
  size_t abort_count;
  uint64_t seed;
  void (*offer)(void *ctx, uint32_t device);
  void (*cancel)(void *ctx, uint32_t device);
  void *ctx;
};

enum rollout_state {
  ROLLOUT_RUNNING,
  ROLLOUT_PAUSED,
  ROLLOUT_DONE,      /* all have ended, or the last wave's time is over */
  ROLLOUT_ABORTED,   /* a criterion was met */
  ROLLOUT_CANCELLED, /* somebody called it off */
};

/* The word in results.json. */
const char *rollout_state_name(enum rollout_state state);

struct rollout_wave {
  size_t devices; /* planned; by rate: as `offered` */
  size_t offered;
  size_t updated;     /* confirmed, or run that image already */
  size_t refused;     /* the manifest, the image, or the download failed */
  size_t rolled_back; /* tried the image and went back */
  size_t cancelled;
  size_t open;                 /* offered, and nothing final was heard */
  uint64_t began_ms, ended_ms; /* rollout_tick's clock; ended_ms 0: under way or not begun */
  bool timed_out;              /* its time was over before all had ended */
};

struct rollout_summary {
  enum rollout_state state;
  struct rollout_wave wave[ROLLOUT_WAVES_MAX];
  size_t wave_count;
  size_t offered, untouched; /* of all the devices */
  int met;                   /* criterion that stopped it, -1: none */
  size_t met_count, met_of;  /* devices that ended like that, of how many */
  /* devices of the wave under way that had been offered it and had not ended */
  size_t open_when_stopped;
  /* of these, those that did not end as cancelled, and whoever was offered it later */
  size_t touched_after;
};

struct rollout;

/* NULL: out of memory. */
struct rollout *rollout_create(const struct rollout_config *config);
void rollout_destroy(struct rollout *rollout);

/* Offers it to whoever is due. The first tick begins the first wave. `now_ms`: any origin, never
   goes back. */
void rollout_tick(struct rollout *rollout, uint64_t now_ms);

/* What a device said of this update. Reports of devices that were not offered it are ignored. */
void rollout_report(struct rollout *rollout, uint32_t device, enum device_ota_status status,
                    uint64_t now_ms);

/* While it is paused nobody is offered anything and no wave's time passes; reports are judged all
   the same. */
void rollout_pause(struct rollout *rollout, uint64_t now_ms);
void rollout_resume(struct rollout *rollout, uint64_t now_ms);

/* Calls it off. */
void rollout_cancel(struct rollout *rollout, uint64_t now_ms);

enum rollout_state rollout_state(const struct rollout *rollout);
bool rollout_is_over(const struct rollout *rollout);

/* True if this device is one of those that it is for. */
bool rollout_is_for(const struct rollout *rollout, uint32_t device);

/* True if this device was offered it. */
bool rollout_touched(const struct rollout *rollout, uint32_t device);

/* True if it was offered it, and nothing final was heard of it. */
bool rollout_is_open(const struct rollout *rollout, uint32_t device);

/* The last final status of a device, else its last one; NONE: nothing was heard. */
enum device_ota_status rollout_heard(const struct rollout *rollout, uint32_t device);

/* The criterion of that index: what rollout_summary.met says. */
const struct rollout_criterion *rollout_criterion(const struct rollout *rollout, int index);

void rollout_summary(const struct rollout *rollout, struct rollout_summary *out);

#endif
