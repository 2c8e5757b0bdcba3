/* Readers of what a run shows: each gets whole texts and the newest, and none is left asleep. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "live/board.h"

static int halts, resumes;

static void halt(void *ctx)
{
  (void) ctx;
  halts++;
}

static void resume(void *ctx)
{
  (void) ctx;
  resumes++;
}

static struct board_reader a_reader(enum board_kind kind, bool goes_on)
{
  return (struct board_reader){.kind = kind, .goes_on = goes_on, .halt = halt, .resume = resume};
}

static void show(struct board *board, enum board_kind kind, const char *text)
{
  board_show(board, kind, sheet_of(strdup(text), strlen(text)));
}

/* What it reads next, in pieces of `room`, until it is halted (0) or at its end (-1). */
static void expect_read(struct board *board, struct board_reader *reader, size_t room,
                        const char *text, ssize_t end)
{
  char seen[100] = "", piece[100];
  ssize_t size;
  while ((size = board_read(board, reader, piece, room)) > 0) strncat(seen, piece, (size_t) size);
  assert_string_equal(seen, text);
  assert_int_equal(size, end);
}

static int begin(void **state)
{
  static struct board board;
  board_begin(&board);
  *state = &board;
  halts = resumes = 0;
  return 0;
}

static int end(void **state)
{
  board_end(*state);
  return 0;
}

static void a_reader_that_goes_on_gets_each_text_whole_and_then_the_newest(void **state)
{
  struct board *board = *state;
  struct board_reader reader = a_reader(BOARD_DOCUMENT, true);
  char piece[4];
  board_join(board, &reader);
  expect_read(board, &reader, 100, "", 0);
  assert_int_equal(board_wanted(board), 1u << BOARD_DOCUMENT);
  show(board, BOARD_DOCUMENT, "first");
  assert_int_equal(board_wanted(board), 0);
  assert_int_equal(resumes, 1);
  assert_int_equal(board_read(board, &reader, piece, 4), 4); /* it is slow: three more are shown */
  show(board, BOARD_DOCUMENT, "second");
  show(board, BOARD_DOCUMENT, "third");
  show(board, BOARD_DOCUMENT, "fourth");
  assert_int_equal(resumes, 1); /* it was not halted */
  expect_read(board, &reader, 4, "tfourth", 0);
  board_leave(board, &reader);
}

static void a_reader_of_one_text_gets_one_that_was_made_for_it(void **state)
{
  struct board *board = *state;
  struct board_reader reader = a_reader(BOARD_METRICS, false);
  show(board, BOARD_METRICS, "old");
  board_join(board, &reader);
  expect_read(board, &reader, 100, "", 0);
  assert_int_equal(halts, 1);
  show(board, BOARD_DOCUMENT, "another kind");
  assert_int_equal(resumes, 0);
  show(board, BOARD_METRICS, "new");
  assert_int_equal(resumes, 1);
  expect_read(board, &reader, 2, "new", -1);
  board_leave(board, &reader);
}

static void after_the_end_readers_get_the_last_text_and_their_own_end(void **state)
{
  struct board *board = *state;
  struct board_reader halted = a_reader(BOARD_DOCUMENT, true), late = halted,
                      scraper = a_reader(BOARD_METRICS, false), none = scraper;
  board_join(board, &halted);
  board_join(board, &none);
  expect_read(board, &halted, 100, "", 0);
  expect_read(board, &none, 100, "", 0);
  show(board, BOARD_DOCUMENT, "pass");
  board_set_ended(board);
  assert_int_equal(resumes, 2);
  expect_read(board, &halted, 100, "pass", -1);
  expect_read(board, &none, 100, "", -1); /* no text of its kind was ever shown */
  board_join(board, &late);
  expect_read(board, &late, 100, "pass", -1);
  board_leave(board, &none);
  show(board, BOARD_METRICS, "last");
  board_join(board, &scraper);
  expect_read(board, &scraper, 100, "last", -1);
  board_leave(board, &halted);
  board_leave(board, &late);
  board_leave(board, &scraper);
}

static void closing_lets_go_of_who_still_reads(void **state)
{
  struct board *board = *state;
  struct board_reader reader = a_reader(BOARD_DOCUMENT, true);
  board_join(board, &reader);
  expect_read(board, &reader, 100, "", 0);
  board_close(board, 1);
  assert_int_equal(resumes, 1);
  expect_read(board, &reader, 100, "", -1);
  board_leave(board, &reader);
  board_close(board, 60000); /* nobody reads: it does not wait */
}

static void want_of_memory_shows_nothing(void **state)
{
  struct board *board = *state;
  struct board_reader reader = a_reader(BOARD_DOCUMENT, true);
  board_join(board, &reader);
  expect_read(board, &reader, 100, "", 0);
  board_show(board, BOARD_DOCUMENT, sheet_of(NULL, 0));
  assert_int_equal(resumes, 0);
  assert_int_equal(board_wanted(board), 1u << BOARD_DOCUMENT);
  board_leave(board, &reader);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(
          a_reader_that_goes_on_gets_each_text_whole_and_then_the_newest, begin, end),
      cmocka_unit_test_setup_teardown(a_reader_of_one_text_gets_one_that_was_made_for_it, begin,
                                      end),
      cmocka_unit_test_setup_teardown(after_the_end_readers_get_the_last_text_and_their_own_end,
                                      begin, end),
      cmocka_unit_test_setup_teardown(closing_lets_go_of_who_still_reads, begin, end),
      cmocka_unit_test_setup_teardown(want_of_memory_shows_nothing, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
