/* Blocks of firmware images that devices ask for over MQTT: who waits for which, and what a block
 * looks like on the wire (fleetsim/ota.h). Pure; memory is fixed per device, however much is asked
 * for.
 */
#ifndef FLEETSIM_BLOCKS_H
#define FLEETSIM_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleetsim/ota.h"

#define BLOCKS_GET_SIZE 12u /* of a request */
#define BLOCKS_HEADER   8u  /* of a block: serial, number */
#define BLOCKS_SIZE_MAX (BLOCKS_HEADER + DEVICE_OTA_BLOCK_MAX)
/* blocks beyond the end that go out unasked, where an image is longer than announced */
#define BLOCKS_RUN_ON 8u

/* One block that a device wants. */
struct blocks_want {
  size_t index; /* of the device */
  uint32_t serial, number;
};

/* What one device waits for: blocks first + i of `serial` for each bit i. */
struct blocks_wish {
  uint32_t serial, first;
  uint64_t bitmap;
  bool queued;
};

/* Devices wait in the order in which they asked, each once; all of their wishes stand in their
   entry. */
struct blocks_book {
  struct blocks_wish *wishes; /* by device */
  uint32_t *queue;            /* ring of devices */
  size_t capacity, first, count;
  uint64_t requests; /* that were understood */
  uint64_t dropped;  /* blocks that gave way to a later request of their device */
};

/* False: out of memory. */
bool blocks_open(struct blocks_book *book, size_t devices);
void blocks_close(struct blocks_book *book);

/* Takes the payload of an ota/get. False: it is none. What is asked for joins what the device waits
 * for already, as far as both are of one update and 64 blocks apart at most; else it takes its
 * place. */
bool blocks_ask(struct blocks_book *book, size_t index, const uint8_t *payload, size_t size);

/* Takes the lowest block of the device that waits longest, and sends that device to the end of the
 * queue. False: nobody waits. */
bool blocks_next(struct blocks_book *book, struct blocks_want *out);

/* A published image. Its bytes may be fewer or more than the manifest announced: that is how bad
   ones are made. */
struct blocks_image {
  uint32_t serial;
  const uint8_t *data;
  size_t size;
  size_t announced;    /* size in the manifest */
  uint32_t block_size; /* DEVICE_OTA_BLOCK_MIN..MAX */
};

/* Writes block `number`, with as many bytes as there are: none beyond the end. Returns the size. */
size_t blocks_make(const struct blocks_image *image, uint32_t number, uint8_t out[BLOCKS_SIZE_MAX]);

/* How many blocks beyond the end go out unasked with block `number`, and before it: a device that
 * has all of a good image may have verified and left before more of it comes. BLOCKS_RUN_ON with
 * the last announced block of an image that is longer than announced, else 0. */
uint32_t blocks_run_on(const struct blocks_image *image, uint32_t number);

#endif
