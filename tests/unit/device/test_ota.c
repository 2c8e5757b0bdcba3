/* An update from its manifest to its confirmation, and every way in which it can end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"
#include "device/bytes.h"

#define V1 DEVICE_VERSION(1, 1, 0)
#define V2 DEVICE_VERSION(1, 2, 0)
#define V3 DEVICE_VERSION(1, 3, 0)

static struct board board;
static struct firmware factory, image, third;

int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size)
{
  (void) tls;
  return board_write(data, size);
}

static int setup(void **state)
{
  if (board_begin(state) != 0) return -1;
  factory = board_firmware(1, 300);
  image = board_firmware(2, 5000); /* 21 blocks, the last one of no whole number of words */
  third = board_firmware(3, 700);
  return image.size % 4 != 0 ? 0 : -1;
}

static void offer(bool https)
{
  struct device_manifest manifest = board_announcement(&image, 5, https);
  board_offer(&board, &manifest, &image);
}

static void expect_statuses(size_t count, const enum device_ota_status *codes)
{
  for (size_t i = 0; i < count && i < board.note_count; i++)
    assert_string_equal(device_ota_status_name(board.notes[i].code),
                        device_ota_status_name(codes[i]));
  assert_int_equal(board.note_count, count);
}

static void takes_an_image(bool https)
{
  static const enum device_ota_status story[] = {DEVICE_OTA_DOWNLOADING, DEVICE_OTA_STAGED,
                                                 DEVICE_OTA_TRIAL, DEVICE_OTA_CONFIRMED};
  board_make(&board, &factory);
  offer(https);
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  assert_string_equal(
      board.report,
      "{\"status\":\"confirmed\",\"serial\":5,\"version\":\"1.2.0\",\"running\":\"1.2.0\"}");
  expect_statuses(4, story);
  assert_int_equal(board.booted.code, DEVICE_OTA_TRIAL);
  assert_int_equal(board.booted.serial, 5);
  assert_int_equal(board.bytes, image.size);
  assert_int_equal(board.duplicate_bytes, 0);
  assert_int_equal(board.ota.record.counter, 2);
  assert_memory_equal(board.slot[1], image.data, image.size);
  assert_memory_equal(board.slot[0], factory.data, factory.size);
  board_power_cycle(&board);
  assert_int_equal(board.booted.code, DEVICE_OTA_CONFIRMED);
  assert_int_equal(board.booted.serial, 5);
  assert_int_equal(board.note_count, 4);
  board_run(&board, 0);
}

static void takes_an_image_over_mqtt(void **state)
{
  (void) state;
  takes_an_image(false);
  assert_int_equal(board.asked, 5); /* 8, and 4 more for each half window: 8 + 4 + 4 + 4 + 1 */
}

static void takes_an_image_over_https(void **state)
{
  (void) state;
  takes_an_image(true);
  assert_int_equal(board.fetches, 1);
}

static void the_next_update_goes_into_the_other_slot(void **state)
{
  (void) state;
  takes_an_image(false);
  struct device_manifest manifest = board_announcement(&third, 6, true);
  board_offer(&board, &manifest, &third);
  board_run(&board, 60000);
  board_expect(&board, V3, "confirmed");
  assert_int_equal(board.ota.slot, 0);
  assert_memory_equal(board.slot[0], third.data, third.size);
}

static void blocks_may_come_in_any_order_twice_or_not_at_all(void **state)
{
  (void) state;
  board_make(&board, &factory);
  board.backwards = board.twice = true;
  board.lose_every = 5;
  offer(false);
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  assert_int_equal(board.bytes, image.size);
  assert_true(board.duplicate_bytes > image.size / 2);
}

static void a_foreign_block_is_no_block(void **state)
{
  (void) state;
  board_make(&board, &factory);
  board.office = false;
  offer(false);
  while (board.asked == 0) assert_true(board_step(&board));
  uint8_t other[256] = {0};
  board_send_block(&board, 4, 0, other, sizeof other);
  board_send_block(&board, 6, 99, other, sizeof other);
  assert_int_equal(board_say(&board, "ota/block", other, 7), 0);
  assert_int_equal(board.bytes, 0);
  assert_int_equal(board_status(&board), DEVICE_OTA_DOWNLOADING);
  assert_int_equal(board_say(&board, "ota/blocks", other, 7), 0);
  assert_int_equal(board_say(&board, "telemetry", other, 7), 0);
}

/* Resume: at every block. */

static void stop_after(size_t bytes)
{
  while (board.bytes < bytes) assert_true(board_step(&board));
}

static void goes_on_after_a_lost_connection_at_every_block(void **state)
{
  (void) state;
  for (size_t blocks = 0; blocks * 256 < image.size; blocks++) {
    board_make(&board, &factory);
    offer(false);
    stop_after(blocks * 256);
    board_offline(&board, true);
    board_run(&board, 60000);
    board_expect(&board, V2, "confirmed");
    assert_int_equal(board.bytes, image.size);
    assert_int_equal(board.duplicate_bytes, 0);
  }
}

static size_t lost_with(size_t partial)
{
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  device_ota_offline(&board.ota, false, partial);
  return board.duplicate_bytes;
}

/* What the receive buffer held was more than the block: its head, or another message behind it. */
static void a_lost_connection_costs_at_most_one_block(void **state)
{
  (void) state;
  assert_int_equal(lost_with(0), 0);
  assert_int_equal(lost_with(100), 100);
  assert_int_equal(lost_with(290), 256);
}

/* The office goes on sending, and is slow: what it sent before it heard of the break arrives
   after. */
static void what_is_under_way_is_not_asked_for_again(void **state)
{
  (void) state;
  uint32_t under_way[BOARD_QUEUE];
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  size_t count = board.queued;
  assert_true(count > 2);
  memcpy(under_way, board.queue, count * sizeof *under_way);
  board_offline(&board, true);
  board_online(&board);
  for (size_t i = 0; i < count; i++) {
    size_t had = board.bytes;
    board.queue[board.queued++] = under_way[i];
    while (board.bytes == had) assert_true(board_step(&board));
    board.now_ms += 100; /* of 125 that it waits for the next */
  }
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  assert_int_equal(board.bytes, image.size);
  assert_int_equal(board.duplicate_bytes, 0);
}

static void goes_on_after_a_restart_at_every_block(bool https)
{
  for (size_t blocks = 0; blocks * 256 < image.size; blocks++) {
    board_make(&board, &factory);
    offer(https);
    stop_after(blocks * 256);
    board_power_cycle(&board);
    board_run(&board, 60000);
    board_expect(&board, V2, "confirmed");
    assert_int_equal(board.bytes, image.size);
    assert_int_equal(board.duplicate_bytes, 0);
  }
}

static void goes_on_after_a_restart_over_mqtt(void **state)
{
  (void) state;
  goes_on_after_a_restart_at_every_block(false);
}

static void goes_on_after_a_restart_over_https(void **state)
{
  (void) state;
  goes_on_after_a_restart_at_every_block(true);
}

static void a_cut_fetch_sends_less_than_a_block_again(void **state)
{
  (void) state;
  for (size_t cut = 257; cut < 1400; cut += 97) {
    board_make(&board, &factory);
    board.cut_after = cut;
    board.chunk = 100;
    offer(true);
    board_run(&board, 60000);
    board_expect(&board, V2, "confirmed");
    assert_int_equal(board.bytes, image.size);
    assert_true(board.fetches > 1 && board.duplicate_bytes < (board.fetches - 1) * 256);
  }
}

static void a_fetch_needs_no_broker(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(true);
  while (board.fetches == 0) assert_true(board_step(&board));
  board.broker = false;
  board_offline(&board, false);
  /* downloads, restarts, and goes back, because nobody hears it in its trial */
  board_run(&board, 60000);
  assert_int_equal(board.bytes, image.size);
  assert_int_equal(board_status(&board), DEVICE_OTA_UNCONFIRMED);
  board.broker = true;
  board_run(&board, 1000);
  board_expect(&board, V1, "unconfirmed");
}

/* Refusals. */

static void expect_refusal(const char *word, size_t bytes)
{
  board_run(&board, 60000);
  board_expect(&board, V1, word);
  assert_int_equal(board.bytes, bytes);
  assert_int_equal(board.boots, 1);
  board_power_cycle(&board); /* and it stays refused */
  board_run(&board, 60000);
  board_expect(&board, V1, word);
  assert_int_equal(board.reboots, 0);
}

static void expect_unwanted(struct device_manifest manifest, const char *word)
{
  board_make(&board, &factory);
  board_offer(&board, &manifest, &image);
  expect_refusal(word, 0);
  assert_int_equal(board.ota.record.serial, manifest.serial);
}

static void refuses_what_it_does_not_want_before_a_byte_is_fetched(void **state)
{
  (void) state;
  struct device_manifest m = board_announcement(&image, 5, false);
  m.device_class = 43;
  expect_unwanted(m, "wrong_class");
  m = board_announcement(&image, 5, false);
  m.counter = 1;
  expect_unwanted(m, "old_counter");
  m.counter = 0;
  expect_unwanted(m, "old_counter");
  m = board_announcement(&image, 5, false);
  m.size = BOARD_SLOT_SIZE - DEVICE_FLASH_SECTOR + 1;
  expect_unwanted(m, "oversize");
  m.size = UINT32_MAX;
  expect_unwanted(m, "oversize");
  m = board_announcement(&image, 5, false);
  m.block_size = 4096;
  expect_unwanted(m, "oversize");
  m = board_announcement(&factory, 5, false);
  m.counter = 9;
  expect_unwanted(m, "same");
}

static int say_manifest(const struct key *key, const struct device_manifest *manifest)
{
  struct bytes bytes = manifest_make(key, manifest);
  return board_say(&board, "ota/manifest", bytes.data, bytes.size);
}

static void expect_turned_away(const char *word)
{
  while (board.pubacks > 0) assert_true(board_step(&board));
  enum device_ota_status status = board_status(&board);
  uint32_t serial = board.ota.record.serial;
  assert_string_equal(device_ota_status_name(status), word);
  assert_non_null(strstr(board.report, word));
  assert_int_equal(serial, 5);
}

static void a_manifest_that_is_not_good_changes_nothing(void **state)
{
  (void) state;
  takes_an_image(false);
  struct device_manifest m = board_announcement(&third, 6, false);
  assert_int_equal(say_manifest(&board_image_key, &m), 1);
  expect_turned_away("manifest_signature");
  assert_int_equal(board_say(&board, "ota/manifest", (const uint8_t *) "FSM1", 4), 1);
  expect_turned_away("bad_manifest");
  m.serial = 4;
  assert_int_equal(say_manifest(&board_update_key, &m), 1);
  expect_turned_away("stale_manifest");
  m.serial = 5; /* another one of the same serial */
  assert_int_equal(say_manifest(&board_update_key, &m), 1);
  expect_turned_away("stale_manifest");
  m.serial = 6;
  struct bytes cut = manifest_make(&board_update_key, &m);
  for (size_t size = 1; size < cut.size; size++) {
    board.note_count = 0;
    assert_int_equal(board_say(&board, "ota/manifest", cut.data, size), 1);
    expect_turned_away("bad_manifest");
  }
}

/* A broker hands out the empty message that ends a retained one, also to sessions that were
   away. */
static void an_empty_manifest_announces_nothing(void **state)
{
  (void) state;
  board_make(&board, &factory);
  size_t notes = board.note_count;
  assert_int_equal(board_say(&board, "ota/manifest", NULL, 0), 0);
  board_run(&board, 2000);
  assert_string_equal(board.report, "");
  assert_int_equal(board.note_count, notes);
}

static void the_same_manifest_again_is_answered_and_no_more(void **state)
{
  (void) state;
  takes_an_image(false);
  size_t operations = board.operations;
  board.report[0] = '\0';
  offer(false);
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  assert_int_equal(board.operations, operations);
  assert_int_equal(board.note_count, 4);
}

static void a_stale_manifest_does_not_disturb_a_download(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  struct device_manifest m = board_announcement(&third, 4, false);
  assert_int_equal(say_manifest(&board_update_key, &m), 1);
  expect_turned_away("stale_manifest");
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
}

static void a_higher_serial_takes_the_place_of_a_download(void **state)
{
  (void) state;
  for (int https = 0; https < 2; https++) {
    board_make(&board, &factory);
    offer(https != 0);
    stop_after(1000);
    struct device_manifest m = board_announcement(&third, 6, https == 0);
    board_offer(&board, &m, &third);
    board_run(&board, 60000);
    board_expect(&board, V3, "confirmed");
    assert_memory_equal(board.slot[1], third.data, third.size);
    assert_int_equal(board.notes[1].code, DEVICE_OTA_CANCELLED);
    assert_int_equal(board.notes[1].serial, 5);
  }
}

static void expect_bad_image(struct firmware bad, struct device_manifest manifest, const char *word)
{
  for (int https = 0; https < 2; https++) {
    board_make(&board, &factory);
    manifest.kind = https != 0 ? DEVICE_MANIFEST_HTTPS : DEVICE_MANIFEST_BLOCKS;
    strcpy(manifest.url, https != 0 ? "https://updates.test/v2.bin" : "");
    board_offer(&board, &manifest, &bad);
    expect_refusal(word, bad.size);
  }
}

static void refuses_every_damaged_image_before_it_is_committed(void **state)
{
  (void) state;
  struct device_manifest m = board_announcement(&image, 5, false);
  struct firmware bad = image;
  bad.data[0] ^= 1;
  expect_bad_image(bad, m, "bad_image");
  bad = image;
  bad.data[1000] ^= 1;
  expect_bad_image(bad, m, "hash_mismatch");
  bad = image;
  bad.data[bad.list_at] ^= 1;
  expect_bad_image(bad, m, "bad_tlv");
  bad = image;
  bad.data[15] = 0x7f; /* a body of 2 GiB */
  expect_bad_image(bad, m, "bad_tlv");
  bad = image;
  bad.data[bad.signature_at + 10] ^= 1;
  expect_bad_image(bad, m, "bad_signature");
  bad = firmware_make(&(struct firmware_recipe){.version = V2,
                                                .counter = 2,
                                                .device_class = 42,
                                                .body_size = 5000,
                                                .key = &board_update_key});
  expect_bad_image(bad, board_announcement(&bad, 5, false), "wrong_key");
}

static void refuses_an_image_that_is_not_what_was_announced(void **state)
{
  (void) state;
  struct device_manifest m = board_announcement(&image, 5, false);
  m.hash[0] ^= 1;
  expect_bad_image(image, m, "hash_mismatch");
  m = board_announcement(&image, 5, false);
  m.version++;
  expect_bad_image(image, m, "not_as_announced");
  m = board_announcement(&image, 5, false);
  m.counter++;
  expect_bad_image(image, m, "not_as_announced");
  struct firmware other = firmware_make(&(struct firmware_recipe){
      .version = V2, .counter = 2, .device_class = 43, .body_size = 5000, .key = &board_image_key});
  expect_bad_image(other, board_announcement(&other, 5, false), "not_as_announced");
}

static void more_or_less_than_announced_is_refused(void **state)
{
  (void) state;
  struct device_manifest m = board_announcement(&image, 5, true);
  m.size -= 10;
  board_make(&board, &factory);
  board_offer(&board, &m, &image);
  expect_refusal("endless", m.size);
  m.size += 20;
  board_make(&board, &factory);
  board_offer(&board, &m, &image);
  expect_refusal("truncated", image.size / 256 * 256);
  m = board_announcement(&image, 5, false);
  m.size += 10;
  board_make(&board, &factory);
  board_offer(&board, &m, &image);
  expect_refusal("truncated", image.size / 256 * 256);
}

static void a_block_beyond_the_end_or_too_long_is_refused(void **state)
{
  (void) state;
  static const uint8_t bytes[300] = {0};
  static const uint32_t number[] = {21, UINT32_MAX, 0, 20};
  static const size_t size[] = {256, 256, 257, 256};
  for (size_t i = 0; i < 4; i++) {
    board_make(&board, &factory);
    board.office = false;
    offer(false);
    while (board.asked == 0) assert_true(board_step(&board));
    board_send_block(&board, 5, number[i], bytes, size[i]);
    expect_refusal("endless", 0);
  }
}

static void gives_up_when_nobody_answers(void **state)
{
  (void) state;
  board_make(&board, &factory);
  board.office = false;
  offer(false);
  expect_refusal("no_answer", 0);
  assert_int_equal(board.asked, 3);
}

static void time_offline_is_no_missing_answer(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  board.broker = false;
  board_offline(&board, false);
  assert_false(board_step(&board));
  board.now_ms += 3600000;
  board.broker = true;
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
}

static void gives_up_on_a_server_with_its_last_word(void **state)
{
  (void) state;
  for (int cause = DEVICE_OTA_SERVER_FIRST; cause <= DEVICE_OTA_SERVER_LAST; cause++) {
    board_make(&board, &factory);
    board.server = false;
    board.refusal = (enum device_ota_status) cause;
    offer(true);
    expect_refusal(device_ota_status_name(board.refusal), 0);
    assert_int_equal(board.fetches, 3);
  }
}

static void flash_that_cannot_be_written_ends_it(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  board.worn = true;
  board_run(&board, 60000);
  assert_int_equal(board_status(&board), DEVICE_OTA_FLASH_FAILED);
  assert_non_null(strstr(board.report, "flash_failed"));
  assert_int_equal(board.ota.version, V1);
}

static void flash_that_is_neither_erased_nor_programmed_is_erased_again(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  board.slot[1][2000] = 0;
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  assert_true(board.bytes > image.size);
}

/* The trial. */

static void expect_roll_back(const char *word, enum device_ota_status code)
{
  board_run(&board, 60000);
  board_expect(&board, V1, word);
  assert_int_equal(board.booted.code, code);
  assert_int_equal(board.booted.version, V1);
  assert_int_equal(board_status(&board), code);
  assert_int_equal(board.notes[board.note_count - 1].serial, 5);
  assert_int_equal(board.notes[board.note_count - 1].version, V2);
  assert_int_equal(board.ota.record.counter, 0);
}

static void goes_back_when_its_self_test_fails(void **state)
{
  (void) state;
  board_make(&board, &factory);
  board.self_test = -1;
  offer(false);
  expect_roll_back("self_test", DEVICE_OTA_SELF_TEST);
  assert_int_equal(board.reboots, 2);
}

static void goes_back_when_it_crashes_in_its_trial(void **state)
{
  (void) state;
  board_make(&board, &factory);
  board.crashes = true;
  offer(false);
  expect_roll_back("unconfirmed", DEVICE_OTA_UNCONFIRMED);
  assert_int_equal(board.reboots, 1);
}

static void run_to_trial(void)
{
  while (board.boots < 2) {
    if (board.ota.phase == DEVICE_OTA_LEAVING) board.broker = false;
    assert_true(board_step(&board));
  }
  assert_int_equal(board.ota.phase, DEVICE_OTA_TRYING);
}

static void goes_back_when_its_time_is_over(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  run_to_trial();
  uint64_t since = board.now_ms;
  while (board.boots < 3) assert_true(board_step(&board));
  assert_int_equal(board.now_ms - since, board.updates.trial_timeout_ms);
  board.broker = true;
  expect_roll_back("unconfirmed", DEVICE_OTA_UNCONFIRMED);
}

static void after_a_roll_back_a_new_serial_is_tried_again(void **state)
{
  (void) state;
  board_make(&board, &factory);
  board.self_test = -1;
  offer(false);
  board_run(&board, 60000);
  board.self_test = 0;
  struct device_manifest m = board_announcement(&image, 6, false);
  board_offer(&board, &m, &image);
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
}

static void in_its_trial_it_is_busy(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  run_to_trial();
  struct device_manifest m = board_announcement(&third, 6, false);
  board.report[0] = '\0';
  assert_int_equal(say_manifest(&board_update_key, &m), 1);
  assert_int_equal(board_status(&board), DEVICE_OTA_BUSY);
  board.broker = true;
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  assert_int_equal(say_manifest(&board_update_key, &m), 1); /* and now it is not */
  assert_int_equal(board_status(&board), DEVICE_OTA_DOWNLOADING);
}

static void the_old_counter_does_not_come_back(void **state)
{
  (void) state;
  takes_an_image(false);
  /* the confirmed image is damaged: the one below its counter may not run */
  memset(board.slot[1], 0, 64);
  struct device_slots_record record;
  struct device_slots_choice choice;
  enum device_failure failure = device_slots_boot(&board.host, &board.updates, &record, &choice);
  assert_int_equal(failure, DEVICE_FAIL_DEVICE_IMAGE);
}

/* Calling off. */

static struct device_manifest cancellation(uint32_t serial)
{
  return (struct device_manifest){.serial = serial, .version = V2, .kind = DEVICE_MANIFEST_CANCEL};
}

static void expect_called_off(uint32_t serial, bool https, size_t bytes)
{
  board_make(&board, &factory);
  offer(https);
  if (bytes > 0) stop_after(bytes);
  struct device_manifest m = cancellation(serial);
  board_offer(&board, &m, &image);
  expect_refusal("cancelled", board.bytes);
  assert_int_equal(board.transfer, false);
  assert_int_equal(board.notes[board.note_count - 1].serial, bytes > 0 ? 5 : serial);
  offer(https); /* the announcement that was called off, late */
  board_run(&board, 60000);
  assert_int_equal(board.ota.version, V1);
}

static void a_download_can_be_called_off(void **state)
{
  (void) state;
  expect_called_off(5, false, 1000);
  expect_called_off(6, false, 1000);
  expect_called_off(5, true, 1000);
  expect_called_off(5, false, 0);
}

static void a_staged_image_can_be_called_off_before_the_restart(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  while (board.ota.phase != DEVICE_OTA_LEAVING) assert_true(board_step(&board));
  struct device_manifest m = cancellation(5);
  assert_int_equal(say_manifest(&board_update_key, &m), 1);
  expect_refusal("cancelled", image.size);
}

static void what_is_over_cannot_be_called_off(void **state)
{
  (void) state;
  takes_an_image(false);
  struct device_manifest m = cancellation(5);
  board_offer(&board, &m, &image);
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  m.serial = 4;
  assert_int_equal(say_manifest(&board_update_key, &m), 1);
  expect_turned_away("stale_manifest");
}

/* The rescue. */

static void fail_attempts(unsigned count)
{
  board.broker = false;
  for (unsigned i = 0; i < count; i++) board_offline(&board, true);
}

static void looks_for_rescue_when_no_broker_lets_it_in(void **state)
{
  (void) state;
  struct device_manifest m = board_announcement(&image, 5, true);
  board_make(&board, &factory);
  board.rescue = manifest_make(&board_update_key, &m);
  board.image = &image;
  fail_attempts(2);
  assert_false(board_step(&board));
  fail_attempts(1);
  while (board.boots < 2) assert_true(board_step(&board));
  assert_int_equal(board.fetches, 2);
  board.broker = true; /* the new image knows the way */
  board_run(&board, 4000);
  board_expect(&board, V2, "confirmed");
}

static void looks_for_rescue_no_more_often_than_it_may(void **state)
{
  (void) state;
  board_make(&board, &factory);
  board.server = false;
  board.refusal = DEVICE_OTA_SERVER_UNREACHABLE;
  fail_attempts(10);
  board_run(&board, 20000);
  assert_in_range(board.fetches, 10, 20); /* every 1 to 2 s */
  assert_int_equal(board.note_count, 0);
  board.broker = true;
  board_run(&board, 1000);
  size_t fetches = board.fetches;
  board_run(&board, 20000);
  assert_int_equal(board.fetches, fetches);
}

static void what_lies_at_the_rescue_url_is_checked_like_any_other(void **state)
{
  (void) state;
  struct device_manifest m = board_announcement(&image, 5, true);
  board_make(&board, &factory);
  board.rescue = manifest_make(&board_image_key, &m);
  fail_attempts(3);
  board_run(&board, 10000);
  assert_true(board.fetches >= 5);
  assert_int_equal(board.note_count, 1); /* once */
  assert_int_equal(board_status(&board), DEVICE_OTA_MANIFEST_SIGNATURE);
  board.broker = true;
  board_run(&board, 1000);
  assert_non_null(strstr(board.report, "manifest_signature"));
  board.rescue.size = sizeof board.rescue.data; /* an endless one */
  fail_attempts(3);
  board_run(&board, 4000);
  assert_int_equal(board_status(&board), DEVICE_OTA_BAD_MANIFEST);
  assert_int_equal(board.ota.record.serial, 0);
}

static void looks_for_rescue_where_a_download_waits_for_the_broker(void **state)
{
  (void) state;
  struct device_manifest m = board_announcement(&third, 6, true);
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  board.server = false;
  board.refusal = DEVICE_OTA_SERVER_TIMEOUT;
  fail_attempts(3);
  board_run(&board, 5000);
  assert_true(board.fetches > 1);
  assert_int_equal(board.bytes, 1024);
  board.server = true; /* now there is something */
  board.rescue = manifest_make(&board_update_key, &m);
  board.image = &third;
  while (board.boots < 2) assert_true(board_step(&board));
  board.broker = true;
  board_run(&board, 4000);
  board_expect(&board, V3, "confirmed");
  assert_int_equal(board.notes[1].code, DEVICE_OTA_CANCELLED);
}

static void a_download_goes_on_when_there_was_no_rescue(void **state)
{
  (void) state;
  board_make(&board, &factory);
  offer(false);
  stop_after(1000);
  board.server = false;
  board.refusal = DEVICE_OTA_SERVER_TIMEOUT;
  fail_attempts(3);
  while (board.fetches == 0) assert_true(board_step(&board));
  board.broker = true; /* in the midst of the fetch */
  board_run(&board, 60000);
  board_expect(&board, V2, "confirmed");
  assert_int_equal(board.bytes, image.size);
  assert_int_equal(board.duplicate_bytes, 0);
}

static void an_older_manifest_at_the_rescue_url_is_no_news(void **state)
{
  (void) state;
  takes_an_image(false);
  struct device_manifest m = board_announcement(&third, 4, true);
  board.rescue = manifest_make(&board_update_key, &m);
  size_t notes = board.note_count;
  fail_attempts(3);
  board_run(&board, 5000);
  assert_true(board.fetches > 1);
  assert_int_equal(board.note_count, notes);
  assert_false(device_ota_reports_wait(&board.ota));
}

/* The device's own answers to other messages fill the outbox: what may come again is not confirmed,
 * and what may not waits until there is room. */
static void a_report_that_does_not_fit_waits(void **state)
{
  (void) state;
  board_make(&board, &factory);
  while (device_session_acknowledge(&board.session, "trust/ack",
                                    "{\"status\":\"same\",\"version\":1}", 0))
    continue;
  size_t full = board.session.outbox.count;
  assert_int_equal(board_say(&board, "ota/manifest", (const uint8_t *) "FSM1", 4), -1);
  assert_int_equal(board.note_count, 0);
  struct device_manifest m = board_announcement(&image, 5, false);
  m.device_class = 43;
  assert_int_equal(say_manifest(&board_update_key, &m), 1);
  assert_int_equal(board_status(&board), DEVICE_OTA_WRONG_CLASS);
  assert_int_equal(board.session.outbox.count, full);
  assert_true(board.ota.report_due && board.ota.record.unreported);
  while (board.session.outbox.count > full / 2) device_outbox_remove(&board.session.outbox, 0);
  assert_int_equal(board_say(&board, "telemetry", (const uint8_t *) "", 0), 0); /* any event */
  assert_false(board.ota.report_due);
  assert_int_equal(board.session.outbox.count, full / 2 + 1);
}

static void what_could_not_be_reported_is_reported_later(void **state)
{
  (void) state;
  board_make(&board, &factory);
  struct device_manifest m = board_announcement(&image, 5, true);
  m.device_class = 43;
  board.rescue = manifest_make(&board_update_key, &m);
  fail_attempts(3);
  board_run(&board, 2000);
  assert_int_equal(board_status(&board), DEVICE_OTA_WRONG_CLASS);
  assert_true(board.ota.record.unreported);
  board_power_cycle(&board);
  assert_string_equal(board.report, "");
  board.broker = true;
  board_run(&board, 1000);
  board_expect(&board, V1, "wrong_class");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_an_image_over_mqtt),
      cmocka_unit_test(takes_an_image_over_https),
      cmocka_unit_test(the_next_update_goes_into_the_other_slot),
      cmocka_unit_test(blocks_may_come_in_any_order_twice_or_not_at_all),
      cmocka_unit_test(a_foreign_block_is_no_block),
      cmocka_unit_test(goes_on_after_a_lost_connection_at_every_block),
      cmocka_unit_test(a_lost_connection_costs_at_most_one_block),
      cmocka_unit_test(what_is_under_way_is_not_asked_for_again),
      cmocka_unit_test(goes_on_after_a_restart_over_mqtt),
      cmocka_unit_test(goes_on_after_a_restart_over_https),
      cmocka_unit_test(a_cut_fetch_sends_less_than_a_block_again),
      cmocka_unit_test(a_fetch_needs_no_broker),
      cmocka_unit_test(refuses_what_it_does_not_want_before_a_byte_is_fetched),
      cmocka_unit_test(a_manifest_that_is_not_good_changes_nothing),
      cmocka_unit_test(an_empty_manifest_announces_nothing),
      cmocka_unit_test(the_same_manifest_again_is_answered_and_no_more),
      cmocka_unit_test(a_stale_manifest_does_not_disturb_a_download),
      cmocka_unit_test(a_higher_serial_takes_the_place_of_a_download),
      cmocka_unit_test(refuses_every_damaged_image_before_it_is_committed),
      cmocka_unit_test(refuses_an_image_that_is_not_what_was_announced),
      cmocka_unit_test(more_or_less_than_announced_is_refused),
      cmocka_unit_test(a_block_beyond_the_end_or_too_long_is_refused),
      cmocka_unit_test(gives_up_when_nobody_answers),
      cmocka_unit_test(time_offline_is_no_missing_answer),
      cmocka_unit_test(gives_up_on_a_server_with_its_last_word),
      cmocka_unit_test(flash_that_cannot_be_written_ends_it),
      cmocka_unit_test(flash_that_is_neither_erased_nor_programmed_is_erased_again),
      cmocka_unit_test(goes_back_when_its_self_test_fails),
      cmocka_unit_test(goes_back_when_it_crashes_in_its_trial),
      cmocka_unit_test(goes_back_when_its_time_is_over),
      cmocka_unit_test(after_a_roll_back_a_new_serial_is_tried_again),
      cmocka_unit_test(in_its_trial_it_is_busy),
      cmocka_unit_test(the_old_counter_does_not_come_back),
      cmocka_unit_test(a_download_can_be_called_off),
      cmocka_unit_test(a_staged_image_can_be_called_off_before_the_restart),
      cmocka_unit_test(what_is_over_cannot_be_called_off),
      cmocka_unit_test(looks_for_rescue_when_no_broker_lets_it_in),
      cmocka_unit_test(looks_for_rescue_no_more_often_than_it_may),
      cmocka_unit_test(what_lies_at_the_rescue_url_is_checked_like_any_other),
      cmocka_unit_test(looks_for_rescue_where_a_download_waits_for_the_broker),
      cmocka_unit_test(a_download_goes_on_when_there_was_no_rescue),
      cmocka_unit_test(an_older_manifest_at_the_rescue_url_is_no_news),
      cmocka_unit_test(a_report_that_does_not_fit_waits),
      cmocka_unit_test(what_could_not_be_reported_is_reported_later),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
