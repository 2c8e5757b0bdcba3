/* The boot loader's decision: which of two slots is started, for every state that NVM can be in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"

#define V1 DEVICE_VERSION(1, 1, 0)
#define V2 DEVICE_VERSION(1, 2, 0)

static struct board board;
static struct firmware old_image, new_image;

int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size)
{
  (void) tls;
  return board_write(data, size);
}

static int setup(void **state)
{
  if (board_begin(state) != 0) return -1;
  old_image = board_firmware(1, 300);
  new_image = board_firmware(2, 700);
  return 0;
}

static void put(uint8_t slot, const struct firmware *image)
{
  memset(board.slot[slot], 0xff, sizeof board.slot[slot]);
  if (image != NULL) memcpy(board.slot[slot], image->data, image->size);
}

/* The old image is confirmed and in slot 1; the new one is in slot 0. */
static struct device_slots_record prepare(enum device_slots_stage stage)
{
  struct device_slots_record record = {.active = 1,
                                       .stage = (uint8_t) stage,
                                       .status = DEVICE_OTA_STAGED,
                                       .counter = 1,
                                       .active_serial = 4,
                                       .serial = 5,
                                       .status_serial = 5,
                                       .status_version = V2};
  board_make(&board, &old_image);
  put(0, &new_image);
  put(1, &old_image);
  assert_int_equal(device_slots_write(&board.host, &record), 0);
  return record;
}

static void expect_choice(uint8_t slot, enum device_ota_status code, bool trial,
                          struct device_slots_record *record)
{
  struct device_slots_record kept;
  struct device_slots_choice choice;
  assert_int_equal(device_slots_boot(&board.host, &board.updates, record, &choice),
                   DEVICE_FAIL_NONE);
  assert_int_equal(choice.slot, slot);
  assert_string_equal(device_ota_status_name(choice.code), device_ota_status_name(code));
  assert_int_equal(choice.trial, trial);
  assert_int_equal(choice.image.version, slot == 0 ? V2 : V1);
  assert_int_equal(device_slots_read(&board.host, &kept), 0);
  assert_memory_equal(&kept, record, sizeof kept);
}

static void expect_none(void)
{
  struct device_slots_record record;
  struct device_slots_choice choice;
  assert_int_equal(device_slots_boot(&board.host, &board.updates, &record, &choice),
                   DEVICE_FAIL_DEVICE_IMAGE);
}

static void a_record_is_read_as_it_was_written(void **state)
{
  (void) state;
  struct device_slots_record record = prepare(DEVICE_SLOTS_LOADING), out;
  record.manifest_size = DEVICE_MANIFEST_MAX;
  memset(record.manifest, 0xab, sizeof record.manifest);
  record.unreported = true;
  assert_int_equal(device_slots_write(&board.host, &record), 0);
  assert_int_equal(device_slots_read(&board.host, &out), 0);
  assert_memory_equal(&out, &record, sizeof out);
}

static void a_blank_record_or_one_of_another_layout_is_the_factory(void **state)
{
  (void) state;
  static const uint8_t foreign[2][30] = {{9},
                                         {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                          /* with a manifest of 256 bytes that is not there */
                                          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}};
  struct device_slots_record record, blank = {0};
  board_make(&board, &old_image);
  assert_int_equal(device_slots_read(&board.host, &record), 0);
  assert_memory_equal(&record, &blank, sizeof blank);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(
        device_nvm_replace(&board.host, DEVICE_NVM_IMAGES, foreign[i], sizeof foreign[i]), 0);
    assert_int_equal(device_slots_read(&board.host, &record), 0);
    assert_memory_equal(&record, &blank, sizeof blank);
  }
}

static void the_confirmed_image_is_started(void **state)
{
  (void) state;
  for (int stage = DEVICE_SLOTS_AT_REST; stage <= DEVICE_SLOTS_LOADING; stage++) {
    struct device_slots_record record = prepare((enum device_slots_stage) stage);
    expect_choice(1, DEVICE_OTA_CONFIRMED, false, &record);
    assert_int_equal(record.stage, stage);
  }
}

static void a_pending_image_is_tried_once(void **state)
{
  (void) state;
  struct device_slots_record record = prepare(DEVICE_SLOTS_PENDING);
  expect_choice(0, DEVICE_OTA_TRIAL, true, &record);
  assert_int_equal(record.stage, DEVICE_SLOTS_STARTED);
  expect_choice(1, DEVICE_OTA_UNCONFIRMED, false, &record);
  assert_int_equal(record.stage, DEVICE_SLOTS_AT_REST);
  assert_true(record.unreported && record.status == DEVICE_OTA_UNCONFIRMED);
  expect_choice(1, DEVICE_OTA_CONFIRMED, false, &record);
}

static void one_that_failed_its_self_test_is_given_up(void **state)
{
  (void) state;
  struct device_slots_record record = prepare(DEVICE_SLOTS_FAILED);
  expect_choice(1, DEVICE_OTA_SELF_TEST, false, &record);
  assert_int_equal(record.status, DEVICE_OTA_SELF_TEST);
}

static void a_pending_image_that_may_not_run_is_not_started(void **state)
{
  (void) state;
  struct device_slots_record record = prepare(DEVICE_SLOTS_PENDING);
  board.slot[0][100] ^= 1;
  expect_choice(1, DEVICE_OTA_CONFIRMED, false, &record);
  assert_string_equal(device_ota_status_name((enum device_ota_status) record.status),
                      "hash_mismatch");
  assert_true(record.unreported && record.stage == DEVICE_SLOTS_AT_REST);

  record = prepare(DEVICE_SLOTS_PENDING); /* somebody swapped it for one below the counter */
  struct firmware zero = board_firmware(0, 700);
  put(0, &zero);
  expect_choice(1, DEVICE_OTA_CONFIRMED, false, &record);
  assert_string_equal(device_ota_status_name((enum device_ota_status) record.status),
                      "old_counter");

  record = prepare(DEVICE_SLOTS_PENDING);
  put(0, NULL);
  expect_choice(1, DEVICE_OTA_CONFIRMED, false, &record);
  assert_string_equal(device_ota_status_name((enum device_ota_status) record.status), "bad_image");
}

static void a_start_that_cannot_be_noted_is_none(void **state)
{
  (void) state;
  struct device_slots_record record = prepare(DEVICE_SLOTS_PENDING);
  struct device_slots_choice choice;
  board.worn = true;
  assert_int_equal(device_slots_boot(&board.host, &board.updates, &record, &choice),
                   DEVICE_FAIL_NONE);
  assert_int_equal(choice.image.version, V1);
  assert_int_equal(record.status, DEVICE_OTA_FLASH_FAILED);
}

static void without_the_confirmed_image_the_other_one_is_started(void **state)
{
  (void) state;
  struct device_slots_record record = prepare(DEVICE_SLOTS_AT_REST);
  put(1, NULL);
  expect_choice(0, DEVICE_OTA_CONFIRMED, false, &record);
  assert_int_equal(record.active, 0);
  record = prepare(DEVICE_SLOTS_STARTED); /* an image on its trial is better than none */
  board.slot[1][50] ^= 1;
  expect_choice(0, DEVICE_OTA_TRIAL, true, &record);
  assert_int_equal(record.active, 1);
}

static void a_device_without_an_image_that_may_run_does_not_start(void **state)
{
  (void) state;
  (void) prepare(DEVICE_SLOTS_AT_REST);
  put(0, NULL);
  put(1, NULL);
  expect_none();
  struct device_slots_record record = prepare(DEVICE_SLOTS_AT_REST);
  record.counter = 3; /* both are older than what was confirmed */
  assert_int_equal(device_slots_write(&board.host, &record), 0);
  expect_none();
  (void) prepare(DEVICE_SLOTS_AT_REST);
  board.updates.image_key[10] ^= 1; /* nobody's images are ours */
  expect_none();
}

/* Sizes in a header that lead out of the slot, and a slot that is full to its last byte. */
static void an_image_ends_inside_its_slot(void **state)
{
  (void) state;
  static const size_t fields[] = {8, 9, 10, 11, 12, 13, 14, 15};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    struct device_slots_record record = prepare(DEVICE_SLOTS_AT_REST);
    board.slot[1][fields[i]] = 0xff;
    expect_choice(0, DEVICE_OTA_CONFIRMED, false, &record);
  }
}

static void blocks_are_marked_one_by_one(void **state)
{
  (void) state;
  uint8_t have[DEVICE_SLOTS_BLOCKS / 8], expected[DEVICE_SLOTS_BLOCKS / 8] = {0};
  static const uint32_t blocks[] = {0, 7, 8, 500, 1023};
  board_make(&board, &old_image);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(device_slots_mark(&board.host, &board.updates, 1, blocks[i]), 0);
    expected[blocks[i] / 8] |= (uint8_t) (1u << blocks[i] % 8);
    assert_int_equal(device_slots_marks(&board.host, &board.updates, 1, DEVICE_SLOTS_BLOCKS, have),
                     0);
    assert_memory_equal(have, expected, sizeof have);
  }
  assert_int_equal(device_slots_marks(&board.host, &board.updates, 1, 8, have), 0);
  assert_int_equal(have[0], 0x81);
  assert_int_equal(have[1], 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_is_read_as_it_was_written),
      cmocka_unit_test(a_blank_record_or_one_of_another_layout_is_the_factory),
      cmocka_unit_test(the_confirmed_image_is_started),
      cmocka_unit_test(a_pending_image_is_tried_once),
      cmocka_unit_test(one_that_failed_its_self_test_is_given_up),
      cmocka_unit_test(a_pending_image_that_may_not_run_is_not_started),
      cmocka_unit_test(a_start_that_cannot_be_noted_is_none),
      cmocka_unit_test(without_the_confirmed_image_the_other_one_is_started),
      cmocka_unit_test(a_device_without_an_image_that_may_run_does_not_start),
      cmocka_unit_test(an_image_ends_inside_its_slot),
      cmocka_unit_test(blocks_are_marked_one_by_one),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
