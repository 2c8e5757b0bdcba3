/* A device's update client on a bench: NVM and both image slots in memory, whose power can be cut
 * in any operation, and the world around it, a back office that answers ota/get and a file server,
 * in virtual time.
 *
 * The MQTT session is real and its packets are read off the wire; there is no TLS under it: each
 * test program that uses this bench defines device_tls_write as board_write (tests/interop has the
 * same over TLS). */
#ifndef BOARD_H
#define BOARD_H

#include "device/ota.h"
#include "firmware.h"

#define BOARD_SLOT_SIZE 16384u
#define BOARD_NOTES     64u
#define BOARD_QUEUE     64u

enum board_tear { BOARD_TEAR_NOTHING, BOARD_TEAR_HALF, BOARD_TEAR_ALL, BOARD_TEAR_GARBAGE };

struct board_note {
  enum device_ota_status code;
  uint32_t serial, version;
};

struct board {
  /* what outlives the power */
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  uint8_t slot[DEVICE_FLASH_SLOTS][BOARD_SLOT_SIZE];
  size_t operations; /* on NVM and flash, that change something */
  size_t cut_at;     /* the operation that the power fails in; SIZE_MAX: never */
  size_t cut_again;  /* and every so many operations after; 0: no more */
  /* how much of it is done; GARBAGE: half, and the next byte is neither old nor new */
  enum board_tear tear;
  size_t cuts;
  bool off, worn; /* worn: nothing can be written any more */

  /* the device */
  struct device_ota_profile updates;
  struct device_profile profile;
  struct device_host host;
  struct device_tls tls;
  struct device_session session;
  struct device_outbox_room outbox;
  struct device_ota ota;
  bool on;

  /* what it said */
  struct board_note notes[BOARD_NOTES], booted; /* NOTE_OTA, oldest first; the last BOOTED */
  size_t note_count, boots, bytes, duplicate_bytes, asked, fetches, reboots;
  char report[256]; /* the last ota/status */

  /* the world */
  uint64_t now_ms;
  bool broker, office, server; /* whether there is one that answers */
  int self_test;               /* its result */
  bool crashes;                /* restarts in its self-test */
  struct bytes manifest;       /* offered until it is confirmed; size 0: none */
  const struct firmware *image;
  uint32_t image_serial;
  uint32_t queue[BOARD_QUEUE]; /* blocks on their way, in order */
  size_t queued;
  uint32_t lose_every; /* of the blocks that the office sends, every n-th is lost; 0: none */
  bool backwards, twice;
  size_t office_sent;
  uint16_t puback[BOARD_QUEUE]; /* to be sent to the device, in order */
  size_t pubacks;
  bool transfer;           /* a fetch is under way */
  const char *url;         /* its */
  uint32_t at, end;        /* of it: next byte; and where the server cuts it */
  size_t chunk, cut_after; /* bytes per event; per fetch until it is cut, 0: never */
  struct bytes rescue;     /* what is at the rescue URL */
  enum device_ota_status refusal;
};

extern struct key board_update_key, board_image_key;

/* For the group setup: keys. */
int board_begin(void **state);

/* A device from the factory with `factory` in slot 0, switched off; and one that is switched on and
   online. */
void board_flash(struct board *board, const struct firmware *factory);
void board_make(struct board *board, const struct firmware *factory);

/* Version 1.N.0 with counter N, of the board's class, `size` bytes of body. */
struct firmware board_firmware(uint32_t number, uint32_t size);

/* What announces `image`: everything right, blocks of 256 bytes. */
struct device_manifest board_announcement(const struct firmware *image, uint32_t serial,
                                          bool https);

/* The back office offers it and has its image. */
void board_offer(struct board *board, const struct device_manifest *manifest,
                 const struct firmware *image);

/* A message behind ROOT, as the broker would deliver it. */
int board_say(struct board *board, const char *below, const uint8_t *data, size_t size);
void board_send_block(struct board *board, uint32_t serial, uint32_t number, const uint8_t *data,
                      size_t size);

/* One event for the device, or time passes; false: nothing is left to happen. */
bool board_step(struct board *board);

/* Until nothing happens any more, or `ms` have passed. */
void board_run(struct board *board, uint32_t ms);

void board_offline(struct board *board, bool failed);
void board_online(struct board *board);

/* Off and on again; whatever is armed stays. Until it boots, which it must with the old image or
   the new. */
void board_power_cycle(struct board *board);

/* The device runs this version, confirmed, and the last report says `word`. */
void board_expect(const struct board *board, uint32_t version, const char *word);

/* The last note of an update. */
enum device_ota_status board_status(const struct board *board);

int board_write(const uint8_t *data, size_t size);

#endif
