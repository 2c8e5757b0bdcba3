/* Firmware updates of a run: what was published, who was offered it, what came of it.
 *
 * A run whose scenario has no `ota` has no struct stage_ota: stage->ota is NULL, and all of these
 * do nothing.
 */
#ifndef FLEETSIM_STAGE_FIRMWARE_H
#define FLEETSIM_STAGE_FIRMWARE_H

#include "base/peak.h"
#include "device/manifest.h"
#include "fleet/flash.h"
#include "office/blocks.h"
#include "office/rollout.h"
#include "stage/stage.h"
#include "updates/proxy.h"

#define STAGE_DOWNLOADS_MAX            3000u /* over HTTPS at once; others wait for their turn */
#define STAGE_DESCRIPTORS_PER_DOWNLOAD 3u    /* the device's, and both of the proxy */

struct ota_server;

/* An image as it is published now. */
struct stage_image {
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

struct stage_rollout {
  struct stage *stage;
  struct rollout *rollout;
  size_t image;    /* index of scenario.ota.images, and of stage_ota.images */
  uint32_t serial; /* of the manifest that it sends */
  bool background; /* no step waits for it, so none has judged it */
};

/* What a device reported last. */
struct stage_heard {
  uint8_t status;  /* enum device_ota_status */
  uint8_t offered; /* 1 + index of the rollout that offered it something last, 0: none */
  uint32_t serial, version, running;
};

struct stage_ota {
  struct device_ota_profile profile;
  struct device_profile device; /* the scenario's, with `profile` */
  char rescue_url[DEVICE_OTA_URL_MAX];
  struct flash *flash;
  struct ota_server *server; /* NULL: none */
  struct stage_image images[1 + SCENARIO_IMAGES_MAX];
  uint32_t serial; /* of the newest manifest */
  struct stage_rollout rollouts[RESULTS_ROLLOUTS_MAX];
  size_t rollout_count;
  struct stage_heard *heard; /* by device */
  uint64_t requests_booked;
  struct peak requests, served;
};

/* firmware.c: in this order, at set-up. 0, or -1 with stage->error. */
int stage_ota_begin(struct stage *stage); /* the devices' profile */
/* once the fleet folder is open: key, factory image, flash, files */
int stage_ota_prepare(struct stage *stage);
void stage_ota_lend(struct stage *stage,
                    struct fleet_config *config); /* what the fleet needs of it */
void stage_ota_free(struct stage *stage);

/* Downloads over HTTPS that may be under way at once; 0: there is no server. */
size_t stage_ota_downloads(const struct stage *stage);

/* Bytes of flash that a device comes to write, at most. */
uint64_t stage_ota_flash_bytes(const struct stage *stage);

/* What devices run: the scenario's profile, with updates if it has them. */
const struct device_profile *stage_device_profile(const struct stage *stage);

/* firmware_images.c: reads the images that are files, and whether devices would take them; makes
 * the others; and signs a manifest with a new serial. */
int stage_ota_read_files(struct stage *stage);
int stage_ota_make(struct stage *stage, size_t image);
int stage_ota_publish(struct stage *stage, size_t image);
int stage_ota_renew(struct stage *stage, size_t image); /* a new serial: who failed tries again */
int stage_ota_spoil(struct stage *stage, size_t image, enum pki_image_harm harm);

/* firmware_rollouts.c: the back office's part. */
void stage_ota_tick(struct stage *stage);  /* offers what is due */
void stage_ota_serve(struct stage *stage); /* sends blocks that devices wait for */
void stage_ota_heard(struct stage *stage, const struct office_event *event);
int stage_ota_roll_out(struct stage *stage, const struct scenario_step *step, struct rollout **out);
void stage_ota_gauges(struct stage *stage);
/* devices online whose last report is not what they did */
size_t stage_ota_disagree(const struct stage *stage);
/* they agree, and none restarts into an image or tries one */
bool stage_ota_is_quiet(const struct stage *stage);
/* what a remote broker keeps for the devices */
int stage_ota_withdraw(struct stage *stage, bool everybody);
void stage_ota_results(struct stage *stage);

/* For quantities.c. */
bool stage_ota_is_updated(const struct stage *stage, size_t index, const char *image);
bool stage_ota_is_touched(const struct stage *stage, size_t index, const char *image);
bool stage_ota_is_at(const struct stage *stage, size_t index, const char *status);
bool stage_ota_is_reported(const struct stage *stage, size_t index, const char *status);

/* firmware_server.c: nginx, the proxy before it, and the devices' way to it. */
int stage_ota_start_server(struct stage *stage);
void stage_ota_end_server(struct stage *stage, void (*turn)(struct stage *stage, const bool *flag));
struct fetch *stage_ota_fetch(const struct stage *stage); /* NULL: none */
int stage_ota_url(struct stage *stage, const char *name, char out[DEVICE_OTA_URL_MAX]);
/* serves it from here on */
int stage_ota_put(struct stage *stage, const char *name, const void *data, size_t size);
int stage_ota_disturb(struct stage *stage, const struct proxy_fault *fault);
void stage_ota_look_at_server(struct stage *stage); /* its requests and bytes */

#endif
