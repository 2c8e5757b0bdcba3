/* Firmware updates of a run: what was published, who was offered it, what came of it. Internal to
 * sim/run.
 *
 * A run whose scenario has no `ota` has no struct run_ota: run->ota is NULL, and all of these do
 * nothing.
 */
#ifndef FLEETSIM_RUN_OTA_H
#define FLEETSIM_RUN_OTA_H

#include "base/peak.h"
#include "device/manifest.h"
#include "fleet/flash.h"
#include "office/blocks.h"
#include "office/rollout.h"
#include "run/state.h"
#include "updates/proxy.h"

#define RUN_DOWNLOADS_MAX            3000u /* over HTTPS at once; others wait for their turn */
#define RUN_DESCRIPTORS_PER_DOWNLOAD 3u    /* the device's, and both of the proxy */

struct ota_server;

/* An image as it is published now. */
struct run_image {
  uint8_t *bytes; /* of the whole file; NULL: not made so far */
  size_t size;
  uint32_t version, counter, device_class;
  uint32_t bundle_version; /* of the trust bundle that it carries; 0: none */
  bool published;
  struct device_manifest manifest;
  uint8_t wire[DEVICE_MANIFEST_MAX]; /* the manifest, signed */
  size_t wire_size;
  char harm[24]; /* how it was damaged on purpose; "": it is good */
};

struct run_rollout {
  struct run *run;
  struct rollout *rollout;
  size_t image;    /* index of scenario.ota.images, and of run_ota.images */
  uint32_t serial; /* of the manifest that it sends */
};

/* What a device reported last. */
struct run_heard {
  uint8_t status;  /* enum device_ota_status */
  uint8_t offered; /* 1 + index of the rollout that offered it something last, 0: none */
  uint32_t serial, version, running;
};

struct run_ota {
  struct device_ota_profile profile;
  struct device_profile device; /* the scenario's, with `profile` */
  char rescue_url[DEVICE_OTA_URL_MAX];
  struct flash *flash;
  struct ota_server *server; /* NULL: none */
  struct run_image images[1 + SCENARIO_IMAGES_MAX];
  uint32_t serial; /* of the newest manifest */
  struct run_rollout rollouts[RESULTS_ROLLOUTS_MAX];
  size_t rollout_count;
  struct run_heard *heard; /* by device */
  uint64_t requests_booked;
  struct peak requests, served;
};

/* ota.c: in this order, run by run_setup. 0, or -1 with run->error. */
int run_ota_begin(struct run *run); /* the devices' profile */
/* once the fleet folder is open: key, factory image, flash, files */
int run_ota_prepare(struct run *run);
void run_ota_lend(struct run *run, struct fleet_config *config); /* what the fleet needs of it */
void run_ota_free(struct run *run);

/* Downloads over HTTPS that may be under way at once; 0: there is no server. */
size_t run_ota_downloads(const struct run *run);

/* Bytes of flash that a device comes to write, at most. */
uint64_t run_ota_flash_bytes(const struct run *run);

/* What devices run: the scenario's profile, with updates if it has them. */
const struct device_profile *run_device_profile(const struct run *run);

/* ota_images.c: makes the image (unless it was read from a file) and signs a manifest with a new
   serial. */
int run_ota_read_files(struct run *run);
int run_ota_make(struct run *run, size_t image);
int run_ota_publish(struct run *run, size_t image);
int run_ota_renew(struct run *run, size_t image); /* a new serial: who failed tries again */
int run_ota_spoil(struct run *run, size_t image, enum pki_image_harm harm);

/* ota_office.c: the back office's part. */
void run_ota_tick(struct run *run);  /* offers what is due */
void run_ota_serve(struct run *run); /* sends blocks that devices wait for */
void run_ota_heard(struct run *run, const struct office_event *event);
int run_ota_roll_out(struct run *run, const struct scenario_step *step, struct rollout **out);
void run_ota_gauges(struct run *run);
/* devices online whose last report is not what they did */
size_t run_ota_disagree(const struct run *run);
/* they agree, and none restarts into an image or tries one */
bool run_ota_is_quiet(const struct run *run);
/* what a remote broker keeps for the devices */
int run_ota_withdraw(struct run *run, bool everybody);
void run_ota_results(struct run *run);

/* For quantities.c. */
bool run_ota_is_updated(const struct run *run, size_t index, const char *image);
bool run_ota_is_touched(const struct run *run, size_t index, const char *image);
bool run_ota_is_at(const struct run *run, size_t index, const char *status);
bool run_ota_is_reported(const struct run *run, size_t index, const char *status);

/* ota_server.c: nginx, the proxy before it, and the devices' way to it. */
int run_ota_start_server(struct run *run);
void run_ota_end_server(struct run *run, void (*turn)(struct run *run, const bool *flag));
struct fetch *run_ota_fetch(const struct run *run); /* NULL: none */
int run_ota_url(struct run *run, const char *name, char out[DEVICE_OTA_URL_MAX]);
/* serves it from here on */
int run_ota_put(struct run *run, const char *name, const void *data, size_t size);
int run_ota_disturb(struct run *run, const struct proxy_fault *fault);
void run_ota_look_at_server(struct run *run); /* its requests and bytes */

#endif
