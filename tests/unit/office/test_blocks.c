#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "office/blocks.h"

enum { DEVICES = 4 };

static void put(uint8_t *out, uint32_t value)
{
  for (int i = 0; i < 4; i++) out[i] = (uint8_t) (value >> (24 - 8 * i));
}

static bool ask(struct blocks_book *book, size_t index, uint32_t serial, uint32_t first,
                uint32_t bitmap)
{
  uint8_t payload[BLOCKS_GET_SIZE];
  put(payload, serial);
  put(payload + 4, first);
  put(payload + 8, bitmap);
  return blocks_ask(book, index, payload, sizeof payload);
}

static void expect(struct blocks_book *book, size_t index, uint32_t serial, uint32_t number)
{
  struct blocks_want want;
  assert_true(blocks_next(book, &want));
  assert_int_equal(want.index, index);
  assert_int_equal(want.serial, serial);
  assert_int_equal(want.number, number);
}

static void expect_nothing(struct blocks_book *book)
{
  struct blocks_want want;
  assert_false(blocks_next(book, &want));
}

static void devices_take_turns(void **state)
{
  struct blocks_book *book = *state;
  expect_nothing(book);
  assert_true(ask(book, 2, 1, 10, 0x5));
  assert_true(ask(book, 0, 1, 0, 0x3));
  expect(book, 2, 1, 10);
  expect(book, 0, 1, 0);
  expect(book, 2, 1, 12);
  expect(book, 0, 1, 1);
  expect_nothing(book);
  assert_int_equal(book->requests, 2);
  assert_int_equal(book->dropped, 0);
}

static void what_is_asked_for_twice_is_sent_once(void **state)
{
  struct blocks_book *book = *state;
  /* nor does the queue grow */
  for (int i = 0; i < 1000; i++) assert_true(ask(book, 1, 1, 0, 0xff));
  assert_true(ask(book, 1, 1, 4, 0xff));
  for (uint32_t n = 0; n < 12; n++) expect(book, 1, 1, n);
  expect_nothing(book);
}

static void a_window_that_moves_keeps_what_has_not_come(void **state)
{
  struct blocks_book *book = *state;
  ask(book, 1, 1, 100, 0xf0000001);
  ask(book, 1, 1, 131, 0x80000001);
  ask(book, 1, 1, 101, 0x1);
  uint32_t numbers[] = {100, 101, 128, 129, 130, 131, 162};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) expect(book, 1, 1, numbers[i]);
  expect_nothing(book);
  assert_int_equal(book->dropped, 0);
}

static void a_later_request_far_away_takes_the_place(void **state)
{
  struct blocks_book *book = *state;
  ask(book, 1, 1, 0, 0xf);
  ask(book, 1, 1, 64, 0x1);
  assert_int_equal(book->dropped, 4);
  expect(book, 1, 1, 64);
  ask(book, 1, 1, 70, 0x3);
  ask(book, 1, 2, 0, 0x1); /* another update */
  assert_int_equal(book->dropped, 6);
  expect(book, 1, 2, 0);
  expect_nothing(book);
}

static void nonsense_is_refused(void **state)
{
  struct blocks_book *book = *state;
  uint8_t payload[BLOCKS_GET_SIZE + 1] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  for (size_t size = 0; size < sizeof payload; size++)
    if (size != BLOCKS_GET_SIZE) assert_false(blocks_ask(book, 0, payload, size));
  assert_false(ask(book, 0, 1, 0, 0));
  assert_false(ask(book, 0, 1, UINT32_MAX, 1));
  assert_false(ask(book, 0, 1, UINT32_MAX - 30, 0x80000000));
  assert_int_equal(book->requests, 0);
  expect_nothing(book);
}

static void any_sequence_of_requests_is_answered_once_each(void **state)
{
  struct blocks_book *book = *state;
  uint64_t asked = 0, random = 12345;
  for (uint32_t round = 0; round < 20000; round++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    uint32_t first = (uint32_t) (random >> 33) % 300, bitmap = (uint32_t) (random >> 20);
    if (bitmap == 0) continue;
    ask(book, round % DEVICES, 1 + (round % 1000 == 0), first, bitmap);
    asked = 0;
    for (size_t i = 0; i < DEVICES; i++)
      asked += (uint64_t) __builtin_popcountll(book->wishes[i].bitmap);
    if (round % 7 != 0) continue;
    struct blocks_want want;
    uint64_t came = 0;
    while (blocks_next(book, &want)) came++;
    assert_int_equal(came, asked);
  }
}

static struct blocks_image image_of(const uint8_t *data, size_t size, size_t announced)
{
  return (struct blocks_image){
      .serial = 7, .data = data, .size = size, .announced = announced, .block_size = 256};
}

static void only_the_last_block_is_short(void **state)
{
  (void) state;
  uint8_t data[600], out[BLOCKS_SIZE_MAX];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t) (i * 7);
  struct blocks_image image = image_of(data, sizeof data, sizeof data);
  assert_int_equal(blocks_make(&image, 1, out), BLOCKS_HEADER + 256);
  assert_memory_equal(out, "\0\0\0\7\0\0\0\1", BLOCKS_HEADER);
  assert_memory_equal(out + BLOCKS_HEADER, data + 256, 256);
  assert_int_equal(blocks_make(&image, 2, out), BLOCKS_HEADER + 88);
  assert_memory_equal(out + BLOCKS_HEADER, data + 512, 88);
  assert_int_equal(blocks_make(&image, 3, out), BLOCKS_HEADER);
  assert_int_equal(blocks_make(&image, UINT32_MAX, out), BLOCKS_HEADER);
  for (uint32_t n = 0; n < 4; n++) assert_int_equal(blocks_run_on(&image, n), 0);
}

static void an_endless_image_runs_on_beyond_its_end(void **state)
{
  (void) state;
  static uint8_t data[4096];
  uint8_t out[BLOCKS_SIZE_MAX];
  struct blocks_image image = image_of(data, sizeof data, 600);
  assert_int_equal(blocks_run_on(&image, 1), 0);
  assert_int_equal(blocks_run_on(&image, 2), BLOCKS_RUN_ON);
  assert_int_equal(blocks_run_on(&image, 3), 0);
  assert_int_equal(blocks_make(&image, 2, out), BLOCKS_HEADER + 256); /* and is whole */
  assert_int_equal(blocks_make(&image, 3, out), BLOCKS_HEADER + 256);
  image.announced = 512; /* ends with a block */
  assert_int_equal(blocks_run_on(&image, 1), BLOCKS_RUN_ON);
  assert_int_equal(blocks_run_on(&image, 2), 0);
}

static int open_book(void **state)
{
  *state = calloc(1, sizeof(struct blocks_book));
  return *state != NULL && blocks_open(*state, DEVICES) ? 0 : -1;
}

static int close_book(void **state)
{
  blocks_close(*state);
  free(*state);
  return 0;
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, open_book, close_book)

int main(void)
{
  const struct CMUnitTest tests[] = {
      STORY(devices_take_turns),
      STORY(what_is_asked_for_twice_is_sent_once),
      STORY(a_window_that_moves_keeps_what_has_not_come),
      STORY(a_later_request_far_away_takes_the_place),
      STORY(nonsense_is_refused),
      STORY(any_sequence_of_requests_is_answered_once_each),
      cmocka_unit_test(only_the_last_block_is_short),
      cmocka_unit_test(an_endless_image_runs_on_beyond_its_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
