/* The power fails in every operation on flash and non-volatile memory of a whole update, at its
 * first byte, in its middle, after its last byte, and leaving a byte that is neither old nor new:
 * the device always boots, with the old image or the new one, goes on by itself and ends updated.
 * board_power_cycle stops the test where it does not boot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"

#define V1 DEVICE_VERSION(1, 1, 0)
#define V2 DEVICE_VERSION(1, 2, 0)

static struct board fresh, board;
static struct firmware factory, image;
static struct device_manifest announced;

int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size)
{
  (void) tls;
  return board_write(data, size);
}

static int setup(void **state)
{
  if (board_begin(state) != 0) return -1;
  factory = board_firmware(1, 300);
  image = board_firmware(2, 5000);
  return 0;
}

/* A device whose other slot holds what an earlier download left there. */
static void prepare(bool https)
{
  board_make(&fresh, &factory);
  memset(fresh.slot[1], 0x55, sizeof fresh.slot[1]);
  announced = board_announcement(&image, 5, https);
}

/* An update with the power cut in operation `at`, and in each `again`th after. */
static void update(size_t at, size_t again, enum board_tear tear)
{
  board = fresh;
  board.host.ctx = board.session.ctx = &board;
  board.cut_at = at;
  board.cut_again = again;
  board.tear = tear;
  board_power_cycle(&board);
  board_offer(&board, &announced, &image);
  board_run(&board, 600000);
}

static void expect_updated(size_t at, enum board_tear tear)
{
  if (board.ota.version != V2 || board.ota.record.status != DEVICE_OTA_CONFIRMED)
    fail_msg("cut in operation %zu (tear %d): ends as %s with %08x", at, (int) tear,
             device_ota_status_name((enum device_ota_status) board.ota.record.status),
             board.ota.version);
  board_expect(&board, V2, "confirmed");
  assert_memory_equal(board.slot[1], image.data, image.size);
  assert_memory_equal(board.slot[0], fresh.slot[0], sizeof fresh.slot[0]);
}

/* A cut between the start of the trial and its confirmation takes the update back; the office
   offers it once more. */
static void expect_updated_or_back(size_t at, enum board_tear tear, size_t *back)
{
  if (board.ota.version == V1) {
    board_expect(&board, V1, "unconfirmed");
    (*back)++;
    struct device_manifest once_more = announced;
    once_more.serial = 6;
    board_offer(&board, &once_more, &image);
    board_run(&board, 600000);
  }
  expect_updated(at, tear);
}

static void survives_a_cut_in_every_operation(bool https)
{
  prepare(https);
  update(SIZE_MAX, 0, BOARD_TEAR_ALL);
  expect_updated(SIZE_MAX, BOARD_TEAR_ALL);
  size_t operations = board.operations, back = 0, most = 0;
  for (int tear = BOARD_TEAR_NOTHING; tear <= BOARD_TEAR_GARBAGE; tear++) {
    for (size_t at = 0; at < operations; at++) {
      update(at, 0, (enum board_tear) tear);
      assert_int_equal(board.cuts, 1);
      size_t came = board.bytes + board.duplicate_bytes;
      if (tear != BOARD_TEAR_GARBAGE && came > most) most = came;
      expect_updated_or_back(at, (enum board_tear) tear, &back);
    }
  }
  printf("%s: %zu operations, %zu cuts, taken back %zu times, re-sent at most %zu bytes\n",
         https ? "HTTPS" : "MQTT", operations, 4 * operations, back, most - image.size);
  assert_true(operations > 50);
  assert_true(back > 0 && back < 20);
  assert_in_range(most, image.size, image.size + announced.block_size);
}

static void survives_a_cut_in_every_operation_over_mqtt(void **state)
{
  (void) state;
  survives_a_cut_in_every_operation(false);
}

static void survives_a_cut_in_every_operation_over_https(void **state)
{
  (void) state;
  survives_a_cut_in_every_operation(true);
}

/* And again and again: as long as a restart gets further than the one before, it ends. */
static void survives_one_cut_after_the_other(void **state)
{
  (void) state;
  for (int tear = BOARD_TEAR_NOTHING; tear <= BOARD_TEAR_ALL; tear++) {
    for (size_t again = 12; again < 28; again++) {
      size_t back = 0;
      prepare(false);
      update(again, again, (enum board_tear) tear);
      assert_true(board.cuts > 1);
      board.cut_at = SIZE_MAX;
      expect_updated_or_back(again, (enum board_tear) tear, &back);
    }
  }
}

/* A new image whose self-test fails: the way back is as safe. */
static void survives_a_cut_on_the_way_back(void **state)
{
  (void) state;
  prepare(false);
  fresh.self_test = -1;
  update(SIZE_MAX, 0, BOARD_TEAR_ALL);
  board_expect(&board, V1, "self_test");
  size_t operations = board.operations;
  for (int tear = BOARD_TEAR_NOTHING; tear <= BOARD_TEAR_GARBAGE; tear++) {
    for (size_t at = 0; at < operations; at++) {
      update(at, 0, (enum board_tear) tear);
      board_expect(&board, V1,
                   board.booted.code == DEVICE_OTA_UNCONFIRMED ||
                           board.ota.record.status == DEVICE_OTA_UNCONFIRMED
                       ? "unconfirmed"
                       : "self_test");
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(survives_a_cut_in_every_operation_over_mqtt),
      cmocka_unit_test(survives_a_cut_in_every_operation_over_https),
      cmocka_unit_test(survives_one_cut_after_the_other),
      cmocka_unit_test(survives_a_cut_on_the_way_back),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
