/* A device's wish is a first block and a mask of those behind it; the devices that wait stand in
 * one queue and get a block a turn. A request that cannot be joined to the one that waits takes
 * its place, and what was dropped is counted: a device asks again. */
#include "office/blocks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WISH_BITS = 64 };

bool blocks_open(struct blocks_book *book, size_t devices)
{
  *book = (struct blocks_book){.capacity = devices};
  book->wishes = calloc(devices + 1, sizeof *book->wishes);
  book->queue = calloc(devices + 1, sizeof *book->queue);
  if (book->wishes != NULL && book->queue != NULL) return true;
  blocks_close(book);
  return false;
}

void blocks_close(struct blocks_book *book)
{
  free(book->wishes);
  free(book->queue);
  *book = (struct blocks_book){.capacity = 0};
}

static uint32_t big_endian_32(const uint8_t *bytes)
{
  return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 |
         bytes[3];
}

static void put_big_endian(uint8_t *bytes, uint32_t value)
{
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t) (value >> (24 - 8 * i));
}

static void enqueue(struct blocks_book *book, size_t index)
{
  book->queue[(book->first + book->count++) % book->capacity] = (uint32_t) index;
  book->wishes[index].queued = true;
}

/* The lowest block is bit 0, so that nothing is out of reach for a block that was sent already. */
static void settle(struct blocks_wish *wish)
{
  if (wish->bitmap == 0) return;
  unsigned shift = (unsigned) __builtin_ctzll(wish->bitmap);
  wish->first += shift;
  wish->bitmap >>= shift;
}

static bool join(struct blocks_wish *wish, const struct blocks_wish *more)
{
  if (wish->serial != more->serial) return false;
  uint32_t first = wish->first < more->first ? wish->first : more->first;
  uint32_t up = wish->first - first, more_up = more->first - first;
  if (up >= WISH_BITS || more_up >= WISH_BITS) return false;
  uint64_t bitmap = wish->bitmap << up, more_bitmap = more->bitmap << more_up;
  if (bitmap >> up != wish->bitmap || more_bitmap >> more_up != more->bitmap) return false;
  wish->first = first;
  wish->bitmap = bitmap | more_bitmap;
  return true;
}

bool blocks_ask(struct blocks_book *book, size_t index, const uint8_t *payload, size_t size)
{
  assert(index < book->capacity);
  if (size != BLOCKS_GET_SIZE) return false;
  struct blocks_wish *wish = &book->wishes[index];
  struct blocks_wish more = {.serial = big_endian_32(payload),
                             .first = big_endian_32(payload + 4),
                             .bitmap = big_endian_32(payload + 8)};
  if (more.bitmap == 0 || more.first > UINT32_MAX - WISH_BITS) return false;
  settle(&more);
  book->requests++;
  if (wish->bitmap == 0 || !join(wish, &more)) {
    book->dropped += (uint64_t) __builtin_popcountll(wish->bitmap);
    more.queued = wish->queued;
    *wish = more;
  }
  if (!wish->queued) enqueue(book, index);
  return true;
}

bool blocks_next(struct blocks_book *book, struct blocks_want *out)
{
  if (book->count == 0) return false;
  size_t index = book->queue[book->first];
  struct blocks_wish *wish = &book->wishes[index];
  book->first = (book->first + 1) % book->capacity;
  book->count--;
  wish->queued = false;
  *out = (struct blocks_want){.index = index, .serial = wish->serial, .number = wish->first};
  wish->bitmap &= ~UINT64_C(1);
  settle(wish);
  if (wish->bitmap != 0) enqueue(book, index);
  return true;
}

size_t blocks_make(const struct blocks_image *image, uint32_t number, uint8_t out[BLOCKS_SIZE_MAX])
{
  assert(image->block_size >= DEVICE_OTA_BLOCK_MIN && image->block_size <= DEVICE_OTA_BLOCK_MAX);
  uint64_t offset = (uint64_t) number * image->block_size;
  size_t left = offset < image->size ? image->size - (size_t) offset : 0;
  size_t size = left < image->block_size ? left : image->block_size;
  put_big_endian(out, image->serial);
  put_big_endian(out + 4, number);
  if (size > 0) memcpy(out + BLOCKS_HEADER, image->data + offset, size);
  return BLOCKS_HEADER + size;
}

uint32_t blocks_run_on(const struct blocks_image *image, uint32_t number)
{
  uint64_t end = ((uint64_t) number + 1) * image->block_size;
  bool last = end >= image->announced && end - image->block_size < image->announced;
  return last && image->size > image->announced ? BLOCKS_RUN_ON : 0;
}
