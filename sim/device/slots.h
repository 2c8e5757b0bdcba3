/* The two image slots, what NVM remembers of them, and the boot loader's decision which image to
 * start.
 *
 * A slot is profile->ota->slot_size bytes of NOR flash:
 *     0                        the image file (image.h), as it was downloaded
 *     slot_size - one sector   a word per block of a download: 0 when that block's bytes lie in
 *                              flash for good, so that a download goes on after a power cut without
 *                              a write to NVM per block
 *
 * NVM keeps one record (area DEVICE_NVM_IMAGES; format in slots.c): which slot is confirmed, how
 * far an update came, the last manifest that was accepted, and the outcome that the back office has
 * to be told. A blank record is a device from the factory: its image lies in slot 0.
 *
 * The decision: a new image that was never started is started for its trial; one that was started
 * and did not confirm itself is given up for the old one. Whichever is chosen must be whole and
 * signed by the image key at every boot, and its security counter not below that of the last
 * confirmed image; where it is not, the other one is tried.
 *
 * Sans-IO, over the flash and NVM hooks of struct device_host. Functions that start with
 * device_slots_boot: inside device_platform_enter, after psa_crypto_init.
 */
#ifndef FLEETSIM_DEVICE_SLOTS_H
#define FLEETSIM_DEVICE_SLOTS_H

#include "fleetsim/nvm.h"
#include "image.h"
#include "manifest.h"

/* most blocks of one download */
#define DEVICE_SLOTS_BLOCKS (DEVICE_FLASH_SECTOR / DEVICE_FLASH_WORD)

/* How far the update of record.manifest came. */
enum device_slots_stage {
  DEVICE_SLOTS_AT_REST, /* there is none, or it is over */
  DEVICE_SLOTS_ERASING, /* accepted; the slot is being erased, what it holds means nothing */
  DEVICE_SLOTS_LOADING, /* the slot was erased; its words say which blocks it has */
  DEVICE_SLOTS_PENDING, /* whole and verified; to be started */
  DEVICE_SLOTS_STARTED, /* started once, not confirmed */
  DEVICE_SLOTS_FAILED,  /* it failed its self-test; to be given up at the next start */
  DEVICE_SLOTS_STAGE_COUNT
};

struct device_slots_record {
  uint8_t active;         /* the slot of the confirmed image */
  uint8_t stage;          /* enum device_slots_stage, of the other slot */
  uint8_t status;         /* enum device_ota_status: where the last update stands */
  bool unreported;        /* the back office does not know of `status` */
  uint32_t counter;       /* security counter of the confirmed image; 0: blank record */
  uint32_t active_serial; /* of the manifest that brought the confirmed image; 0: the factory */
  uint32_t serial;        /* of the last manifest that was accepted; 0: none */
  uint32_t status_serial; /* which update `status` is of; a cancellation has a serial of its own */
  uint32_t status_version;
  uint16_t manifest_size; /* the last manifest that was accepted, as it came */
  uint8_t manifest[DEVICE_MANIFEST_MAX];
};

/* What a boot chose. */
struct device_slots_choice {
  uint8_t slot;
  bool trial;                     /* the image has to confirm itself */
  bool news;                      /* record.status was changed by this boot */
  enum device_ota_status code;    /* as DEVICE_NOTE_BOOTED tells it */
  struct device_image_info image; /* the one that is started */
};

/* 0, or -1: NVM cannot be read. A record of another layout counts as blank. */
int device_slots_read(const struct device_host *host, struct device_slots_record *out);

/* Power-safe: after a cut the old record or the new one. 0, or -1: the old one is in force. */
int device_slots_write(const struct device_host *host, const struct device_slots_record *record);

/* The end of an update: at rest, with this outcome still to be reported. Not written. */
void device_slots_settle(struct device_slots_record *record, enum device_ota_status status);

/* Reads the record, decides, verifies, and writes what has changed. NONE, DEVICE_NVM, or
 * DEVICE_IMAGE: neither slot holds an image that may be started. */
enum device_failure device_slots_boot(const struct device_host *host,
                                      const struct device_ota_profile *profile,
                                      struct device_slots_record *record,
                                      struct device_slots_choice *choice);

/* A file of `size` bytes in a slot, to be read as an image; `file` outlives `out`. */
struct device_slots_file {
  const struct device_host *host;
  uint8_t slot;
};
void device_slots_source(const struct device_slots_file *file, uint32_t size,
                         struct device_image_source *out);

/* Bytes that an image may have. */
uint32_t device_slots_capacity(const struct device_ota_profile *profile);

/* Marks a block as stored for good; and reads which of the first `count` are: bit n of `have`. 0,
   or -1. */
int device_slots_mark(const struct device_host *host, const struct device_ota_profile *profile,
                      uint8_t slot, uint32_t block);
int device_slots_marks(const struct device_host *host, const struct device_ota_profile *profile,
                       uint8_t slot, uint32_t count, uint8_t have[DEVICE_SLOTS_BLOCKS / 8]);

#endif
