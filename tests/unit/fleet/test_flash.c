/* NOR flash of a fleet in a real file. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "fleet/flash.h"
#include "fleetsim/ota.h"

#define SLOT   (8u * DEVICE_FLASH_SECTOR)
#define WHOLE  SIZE_MAX
#define SECTOR DEVICE_FLASH_SECTOR

static char folder[32];

static struct flash *new_flash(size_t devices)
{
  struct flash *flash = NULL;
  struct flash_config config = {
      .devices = devices, .slot_size = SLOT, .erase_us = 85000, .program_us = 41};
  assert_int_equal(flash_create(folder, &config, &flash, NULL), 0);
  return flash;
}

static void assert_filled(struct flash *flash, size_t device, uint8_t slot, uint32_t offset,
                          uint8_t byte, size_t size)
{
  uint8_t bytes[SLOT];
  assert_int_equal(flash_read(flash, device, slot, offset, bytes, size), 0);
  for (size_t i = 0; i < size; i++)
    if (bytes[i] != byte) fail_msg("byte %zu is 0x%02x, not 0x%02x", offset + i, bytes[i], byte);
}

static void program(struct flash *flash, size_t device, uint8_t slot, uint32_t offset, uint8_t byte,
                    size_t size)
{
  uint8_t bytes[SLOT];
  memset(bytes, byte, size);
  assert_int_equal(flash_program(flash, device, slot, offset, bytes, size, WHOLE), 0);
}

static void blank_flash_reads_as_ones_and_takes_no_disk(void **state)
{
  (void) state;
  struct flash *flash = new_flash(1000);
  assert_filled(flash, 0, 0, 0, 0xff, SLOT);
  assert_filled(flash, 999, 1, 0, 0xff, SLOT);
  assert_int_equal(flash_disk_bytes(flash), 0);
  flash_destroy(flash);
}

static void the_file_has_no_name(void **state)
{
  (void) state;
  struct flash *flash = new_flash(2);
  program(flash, 0, 0, 0, 0x12, SECTOR);
  assert_int_equal(rmdir(folder), 0); /* an empty folder only can be removed */
  assert_filled(flash, 0, 0, 0, 0x12, SECTOR);
  flash_destroy(flash);
  strcpy(folder, "/tmp/flash-test-XXXXXX");
  assert_non_null(mkdtemp(folder));
}

static void programming_only_clears_bits(void **state)
{
  (void) state;
  struct flash *flash = new_flash(2);
  program(flash, 1, 1, 8, 0xf0, 16);
  program(flash, 1, 1, 8, 0x3c, 16);
  assert_filled(flash, 1, 1, 8, 0x30, 16);
  program(flash, 1, 1, 8, 0xff, 16);
  assert_filled(flash, 1, 1, 8, 0x30, 16);
  assert_filled(flash, 1, 1, 0, 0xff, 8);
  assert_filled(flash, 1, 1, 24, 0xff, 8);
  flash_destroy(flash);
}

static void a_long_stretch_is_programmed_whole(void **state)
{
  (void) state;
  struct flash *flash = new_flash(2);
  program(flash, 0, 1, 4, 0x5a, SLOT - 8);
  assert_filled(flash, 0, 1, 4, 0x5a, SLOT - 8);
  assert_filled(flash, 0, 1, SLOT - 4, 0xff, 4);
  flash_destroy(flash);
}

static void an_erase_sets_one_sector_and_nothing_else(void **state)
{
  (void) state;
  struct flash *flash = new_flash(3);
  for (size_t device = 0; device < 3; device++)
    for (uint8_t slot = 0; slot < 2; slot++)
      program(flash, device, slot, 0, (uint8_t) (device * 2 + slot), SLOT);
  assert_int_equal(flash_erase(flash, 1, 1, 3 * SECTOR, WHOLE), 0);
  assert_filled(flash, 1, 1, 3 * SECTOR, 0xff, SECTOR);
  assert_filled(flash, 1, 1, 0, 3, 3 * SECTOR);
  assert_filled(flash, 1, 1, 4 * SECTOR, 3, 4 * SECTOR);
  assert_filled(flash, 1, 0, 0, 2, SLOT);
  assert_filled(flash, 0, 1, 0, 1, SLOT);
  assert_filled(flash, 2, 0, 0, 4, SLOT);
  flash_destroy(flash);
}

static void a_sector_that_is_erased_gives_its_disk_back(void **state)
{
  (void) state;
  struct flash *flash = new_flash(1);
  program(flash, 0, 0, 0, 0x00, SLOT);
  uint64_t full = flash_disk_bytes(flash);
  for (uint32_t at = 0; at < SLOT; at += SECTOR)
    assert_int_equal(flash_erase(flash, 0, 0, at, WHOLE), 0);
  if (full < SLOT || flash_disk_bytes(flash) != 0)
    fail_msg("%zu bytes of disk before, %zu after", (size_t) full,
             (size_t) flash_disk_bytes(flash));
  flash_destroy(flash);
}

static void a_torn_operation_stops_at_its_byte(void **state)
{
  (void) state;
  struct flash *flash = new_flash(1);
  uint8_t zeros[64] = {0};
  assert_int_equal(flash_program(flash, 0, 0, 0, zeros, sizeof zeros, 13), 0);
  assert_filled(flash, 0, 0, 0, 0, 13);
  assert_filled(flash, 0, 0, 13, 0xff, 51);
  program(flash, 0, 0, 0, 0, SECTOR);
  assert_int_equal(flash_erase(flash, 0, 0, 0, 1000), 0);
  assert_filled(flash, 0, 0, 0, 0xff, 1000);
  assert_filled(flash, 0, 0, 1000, 0, SECTOR - 1000);
  assert_int_equal(flash_erase(flash, 0, 0, 0, 0), 0);
  assert_filled(flash, 0, 0, 1000, 0, SECTOR - 1000);
  flash_destroy(flash);
}

/* The sector that was used last is kept in memory: what it holds must be what the file holds. */
static void what_was_read_before_is_read_anew(void **state)
{
  (void) state;
  struct flash *flash = new_flash(2);
  assert_filled(flash, 0, 0, 0, 0xff, 16);
  program(flash, 0, 0, 4, 0x55, 4);
  assert_filled(flash, 0, 0, 4, 0x55, 4);
  assert_filled(flash, 1, 0, 0, 0xff, 16);
  assert_filled(flash, 0, 0, 4, 0x55, 4);
  assert_int_equal(flash_erase(flash, 0, 0, 0, WHOLE), 0);
  assert_filled(flash, 0, 0, 0, 0xff, 16);
  program(flash, 0, 0, 0, 0x00, SECTOR);
  assert_filled(flash, 0, 0, 0, 0x00, 16);
  assert_int_equal(flash_erase(flash, 0, 0, 0, 8), 0);
  assert_filled(flash, 0, 0, 0, 0xff, 8);
  assert_filled(flash, 0, 0, 8, 0x00, 8);
  uint8_t image[16] = {0};
  assert_int_equal(flash_factory(flash, image, sizeof image, NULL), 0);
  assert_filled(flash, 1, 0, 0, 0x00, 16);
  assert_filled(flash, 0, 0, 0, 0x00, 16);
  program(flash, 0, 1, SECTOR - 8, 0x0f, 16); /* over the edge of a sector */
  assert_filled(flash, 0, 1, SECTOR - 8, 0x0f, 16);
  assert_filled(flash, 0, 1, SECTOR + 8, 0xff, 16);
  flash_destroy(flash);
}

static void what_lies_outside_or_off_the_grid_is_refused(void **state)
{
  (void) state;
  struct flash *flash = new_flash(2);
  uint8_t bytes[8] = {0};
  assert_int_equal(flash_read(flash, 2, 0, 0, bytes, 4), -1);
  assert_int_equal(flash_read(flash, 0, 2, 0, bytes, 4), -1);
  assert_int_equal(flash_read(flash, 0, 0, SLOT - 4, bytes, 8), -1);
  assert_int_equal(flash_read(flash, 0, 0, UINT32_MAX, bytes, 8), -1);
  assert_int_equal(flash_read(flash, 0, 0, 4, bytes, SIZE_MAX), -1);
  assert_int_equal(flash_program(flash, 0, 0, 2, bytes, 4, WHOLE), -1);
  assert_int_equal(flash_program(flash, 0, 0, 4, bytes, 6, WHOLE), -1);
  assert_int_equal(flash_program(flash, 0, 0, SLOT - 4, bytes, 8, WHOLE), -1);
  assert_int_equal(flash_erase(flash, 0, 0, 4, WHOLE), -1);
  assert_int_equal(flash_erase(flash, 0, 0, SLOT, WHOLE), -1);
  assert_int_equal(flash_check(flash, NULL), 0); /* a device's mistake is not the disk's */
  assert_filled(flash, 0, 0, 0, 0xff, SLOT);
  flash_destroy(flash);
}

static void every_device_leaves_the_factory_with_the_image(void **state)
{
  (void) state;
  struct flash *flash = new_flash(50);
  struct error error;
  uint8_t image[SLOT] = {0x3d, 0xb8, 0xf3, 0x96}, back[300];
  assert_int_equal(flash_factory(flash, image, 300, NULL), 0);
  for (size_t i = 0; i < 50; i++) {
    assert_int_equal(flash_read(flash, i, 0, 0, back, 300), 0);
    assert_memory_equal(image, back, 300);
    assert_filled(flash, i, 0, 300, 0xff, SLOT - 300);
    assert_filled(flash, i, 1, 0, 0xff, SLOT);
  }
  assert_int_equal(flash_factory(flash, image, SLOT - SECTOR + 4, &error), -1);
  assert_non_null(strstr(error.text, "a slot holds 28672 at most"));
  flash_destroy(flash);
}

static void modelled_times_are_of_sectors_and_words(void **state)
{
  (void) state;
  struct flash *flash = new_flash(1);
  assert_int_equal(flash_erase_us(flash), 85000);
  assert_int_equal(flash_program_us(flash, 1024), 256 * 41);
  assert_int_equal(flash_program_us(flash, 5), 2 * 41);
  flash_destroy(flash);
}

/* A limit on the size of files stands for a full disk: both refuse the write. */
static void what_the_disk_refuses_is_told(void **state)
{
  (void) state;
  struct flash *flash = new_flash(4);
  struct rlimit before, small;
  struct error error = {.text = ""};
  uint8_t bytes[16] = {0};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = SLOT;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  int first = flash_program(flash, 0, 0, 0, bytes, sizeof bytes, WHOLE);
  int second = flash_program(flash, 3, 0, 0, bytes, sizeof bytes, WHOLE);
  struct flash *other = NULL;
  struct flash_config config = {.devices = 4, .slot_size = SLOT};
  int third = flash_create(folder, &config, &other, &error);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(first, 0);
  assert_int_equal(second, -1);
  assert_int_equal(third, -1);
  assert_non_null(strstr(error.text, "cannot hold a sparse file of"));
  assert_int_equal(flash_check(flash, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  if (strstr(error.text, "File too large") == NULL ||
      strstr(error.text, "use fewer --devices") == NULL)
    fail_msg("'%s' does not say what to do", error.text);
  flash_destroy(flash);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
  (void) state;
  struct flash *flash = NULL;
  struct error error = {.text = ""};
  struct flash_config config = {.devices = 1, .slot_size = SLOT};
  assert_int_equal(flash_create("/nonexistent/run", &config, &flash, &error), -1);
  if (strstr(error.text, "/nonexistent/run: No such file") == NULL)
    fail_msg("'%s' does not say why", error.text);
}

static int make_folder(void **state)
{
  (void) state;
  strcpy(folder, "/tmp/flash-test-XXXXXX");
  return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
  (void) state;
  return rmdir(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blank_flash_reads_as_ones_and_takes_no_disk),
      cmocka_unit_test(the_file_has_no_name),
      cmocka_unit_test(programming_only_clears_bits),
      cmocka_unit_test(a_long_stretch_is_programmed_whole),
      cmocka_unit_test(an_erase_sets_one_sector_and_nothing_else),
      cmocka_unit_test(a_sector_that_is_erased_gives_its_disk_back),
      cmocka_unit_test(a_torn_operation_stops_at_its_byte),
      cmocka_unit_test(what_was_read_before_is_read_anew),
      cmocka_unit_test(what_lies_outside_or_off_the_grid_is_refused),
      cmocka_unit_test(every_device_leaves_the_factory_with_the_image),
      cmocka_unit_test(modelled_times_are_of_sectors_and_words),
      cmocka_unit_test(what_the_disk_refuses_is_told),
      cmocka_unit_test(a_folder_that_is_not_there_is_named),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
