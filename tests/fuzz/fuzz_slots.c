/* Any record of NVM and any two images, booted again and again: what is started is whole, signed by
 * the image key and not older than what was confirmed; a trial that did not confirm itself is given
 * up; marks of blocks are read as written.
 *
 * The input: 1 byte {bits 0-1, 2-3 what slot 0 and 1 hold: nothing, an image with counter 1, 2, one
 * of somebody else's key; bits 4-5 how many boots}, 2 bytes size of the damage to slot 0, the
 * damage (fuzz.h), the same for slot 1, 1 byte {bit 0 the rest is the record's raw bytes, else
 * damage to a good record}, the rest. */
#include "../unit/device/firmware.h"
#include "device/platform.h"
#include "device/slots.h"
#include "fuzz.h"

#define SLOT_SIZE   (3 * DEVICE_FLASH_SECTOR)
#define RECORD_HEAD 30u
#define MARKS       40u

static uint8_t page[DEVICE_NVM_PAGE_SIZE], flash[DEVICE_FLASH_SLOTS][SLOT_SIZE];
static struct firmware images[3];
static struct device_ota_profile updates = {.device_class = 1, .slot_size = SLOT_SIZE};

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "reads inside the page");
  memcpy(out, page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "writes inside the page");
  memcpy(page + offset, data, size);
  return 0;
}

static int read_slot(void *ctx, uint8_t which, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  require(which < DEVICE_FLASH_SLOTS && size <= SLOT_SIZE && offset <= SLOT_SIZE - size,
          "reads inside a slot");
  memcpy(out, flash[which] + offset, size);
  return 0;
}

static int program(void *ctx, uint8_t which, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  require(which < DEVICE_FLASH_SLOTS && size <= SLOT_SIZE && offset <= SLOT_SIZE - size,
          "programs inside a slot");
  require(offset >= SLOT_SIZE - DEVICE_FLASH_SECTOR, "marks are in the last sector");
  for (size_t i = 0; i < size; i++) flash[which][offset + i] &= ((const uint8_t *) data)[i];
  return 0;
}

static const struct device_host host = {.nvm_read = read_page,
                                        .nvm_write = write_page,
                                        .flash_read = read_slot,
                                        .flash_program = program};

static void begin(void)
{
  static bool begun;
  if (begun) return;
  require(keys_begin() == 0, "PSA starts");
  struct key ours = key_make("image"), other = key_make("other");
  memcpy(updates.image_key, ours.point, sizeof updates.image_key);
  struct firmware_recipe recipe = {.version = DEVICE_VERSION(1, 1, 0),
                                   .counter = 1,
                                   .device_class = 1,
                                   .body_size = 300,
                                   .key = &ours};
  images[0] = firmware_make(&recipe);
  recipe.counter = 2;
  images[1] = firmware_make(&recipe);
  recipe.key = &other;
  images[2] = firmware_make(&recipe);
  begun = true;
}

static void fill(uint8_t *slot, uint32_t which, struct fuzz_input *in)
{
  size_t size = fuzz_number(in, 2);
  struct fuzz_input damage = {fuzz_take(in, size, &size), size};
  memset(slot, 0xff, SLOT_SIZE);
  if (which == 0) return;
  memcpy(slot, images[which - 1].data, images[which - 1].size);
  (void) fuzz_damage(&damage, slot, images[which - 1].size, SLOT_SIZE - DEVICE_FLASH_SECTOR);
}

static void write_record(struct fuzz_input *in)
{
  uint8_t data[DEVICE_NVM_IMAGES_MAX] = {1, 0, DEVICE_SLOTS_PENDING};
  size_t size = RECORD_HEAD;
  if ((fuzz_number(in, 1) & 1) != 0) {
    const uint8_t *raw = fuzz_take(in, sizeof data, &size);
    if (size > 0) memcpy(data, raw, size);
  } else {
    size = fuzz_damage(in, data, size, sizeof data);
  }
  if (size > 0)
    require(device_nvm_replace(&host, DEVICE_NVM_IMAGES, data, size) == 0, "NVM takes a record");
}

/* The image that was chosen, asked once more. */
static void check_choice(const struct device_slots_choice *choice,
                         const struct device_slots_record *before)
{
  struct device_image_info info;
  struct device_image_source source;
  const struct device_image_owner owner = {updates.image_key, false};
  const struct device_slots_file file = {&host, choice->slot};
  uint32_t size = choice->image.signature_offset + choice->image.signature_size;
  require(choice->slot < DEVICE_FLASH_SLOTS && size <= device_slots_capacity(&updates),
          "it lies in a slot");
  do device_slots_source(&file, size, &source); /* an entry may follow the signature */
  while (device_image_parse(&source, &info) != DEVICE_OTA_NONE &&
         ++size <= device_slots_capacity(&updates));
  require(device_image_verify(&source, &owner, &info) == DEVICE_OTA_NONE,
          "what is started is whole and signed");
  require(info.counter >= before->counter, "no older image than the one that was confirmed");
}

static void boot(unsigned times)
{
  for (unsigned i = 0; i < times; i++) {
    struct device_slots_record before, record;
    struct device_slots_choice choice;
    require(device_slots_read(&host, &before) == 0, "NVM is read");
    enum device_failure failure = device_slots_boot(&host, &updates, &record, &choice);
    require(failure == DEVICE_FAIL_NONE || failure == DEVICE_FAIL_DEVICE_IMAGE, "one way to fail");
    if (failure != DEVICE_FAIL_NONE) continue;
    check_choice(&choice, &before);
    if (before.stage == DEVICE_SLOTS_PENDING && choice.trial && choice.news)
      require(record.stage == DEVICE_SLOTS_STARTED, "a start is noted before it is made");
    if (before.stage == DEVICE_SLOTS_STARTED && choice.slot == before.active)
      require(record.stage == DEVICE_SLOTS_AT_REST && record.unreported,
              "a trial has one chance, and its end is told");
    struct device_slots_record again;
    require(device_slots_read(&host, &again) == 0 && again.stage == record.stage &&
                again.active == record.active,
            "NVM holds what was decided");
  }
}

static void mark(void)
{
  uint8_t have[DEVICE_SLOTS_BLOCKS / 8];
  for (uint8_t which = 0; which < DEVICE_FLASH_SLOTS; which++) {
    uint32_t block = flash[which][0] % MARKS;
    require(device_slots_mark(&host, &updates, which, block) == 0, "a block is marked");
    require(device_slots_marks(&host, &updates, which, MARKS, have) == 0, "marks are read");
    for (uint32_t i = 0; i < MARKS; i++)
      require((have[i / 8] >> i % 8 & 1) == (i == block), "one block was marked");
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  begin();
  memset(page, 0xff, sizeof page);
  uint32_t head = fuzz_number(&in, 1);
  fill(flash[0], head & 3, &in);
  fill(flash[1], head >> 2 & 3, &in);
  write_record(&in);
  boot(1 + (head >> 4 & 3));
  mark();
  return 0;
}
