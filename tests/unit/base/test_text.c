/* Texts are cut between letters, and take the columns that a terminal gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/text.h"

#define E_ACUTE "\xc3\xa9"
#define EURO    "\xe2\x82\xac"
#define HAN     "\xe6\xb1\x89"
#define SMILE   "\xf0\x9f\x98\x80"
#define ACCENT  "\xcc\x81" /* combining */

static void is_utf8(const char *text)
{
  while (*text != '\0') {
    unsigned size = text_letter(text);
    if (size == 0) fail_msg("not UTF-8 at \"%s\"", text);
    text += size;
  }
}

static void a_copy_is_cut_between_letters_at_every_size(void **state)
{
  (void) state;
  const char *text = "a" E_ACUTE EURO SMILE HAN "b";
  for (size_t size = 1; size <= strlen(text) + 2; size++) {
    char out[32];
    text_copy(out, size, text);
    is_utf8(out);
    assert_memory_equal(out, text, strlen(out));
    assert_true(strlen(out) < size);
    assert_true(strlen(out) + 4 >= size || strlen(out) == strlen(text));
  }
}

static void what_snprintf_cut_is_trimmed_and_what_is_whole_stays(void **state)
{
  (void) state;
  static const char *const cases[][2] = {{"a\xc3", "a"},           {"a" E_ACUTE, "a" E_ACUTE},
                                         {"a\xe2\x82", "a"},       {"a\xe2", "a"},
                                         {"a" EURO, "a" EURO},     {"a\xf0\x9f\x98", "a"},
                                         {"a" SMILE, "a" SMILE},   {"", ""},
                                         {"\x80\x80", "\x80\x80"}, {"\xc3", ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[16];
    strcpy(text, cases[i][0]);
    text_trim(text);
    assert_string_equal(text, cases[i][1]);
  }
}

static void columns_are_what_a_terminal_shows(void **state)
{
  (void) state;
  assert_int_equal(text_columns("abc"), 3);
  assert_int_equal(text_columns(E_ACUTE EURO), 2);
  assert_int_equal(text_columns(HAN HAN), 4);
  assert_int_equal(text_columns(SMILE), 2);
  assert_int_equal(text_columns("e" ACCENT), 1);
  assert_int_equal(text_columns("\xff\xfe"), 2);
}

#define WOMAN  "\xf0\x9f\x91\xa9"
#define GIRL   "\xf0\x9f\x91\xa7"
#define JOINED "\xe2\x80\x8d"
#define WAVE   "\xf0\x9f\x91\x8b"
#define TONE   "\xf0\x9f\x8f\xbd"
#define FLAG   "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa"
#define WARNS  "\xe2\x9a\xa0\xef\xb8\x8f"

static void what_fits_never_ends_inside_what_people_take_for_one_letter(void **state)
{
  (void) state;
  const char *const whole[] = {WOMAN JOINED GIRL, WAVE TONE, FLAG, WARNS, "e" ACCENT};
  for (size_t w = 0; w < sizeof whole / sizeof *whole; w++) {
    char text[64];
    size_t size = strlen(whole[w]), columns = text_columns(whole[w]);
    snprintf(text, sizeof text, "a%sb", whole[w]);
    for (size_t c = 0; c <= columns; c++)
      assert_int_equal(text_fit(text, SIZE_MAX, c), c == 0 ? 0 : c < 1 + columns ? 1 : 1 + size);
    assert_int_equal(text_fit(text, SIZE_MAX, 1 + columns), 1 + size);
    for (size_t bytes = 1; bytes <= size; bytes++)
      assert_int_equal(text_fit(text, bytes, SIZE_MAX), 1);
  }
  assert_int_equal(text_fit(FLAG FLAG, SIZE_MAX, 3), strlen(FLAG));
  assert_int_equal(text_columns(FLAG WARNS), 4);
}

static void what_fits_never_ends_inside_a_letter_nor_in_half_a_wide_one(void **state)
{
  (void) state;
  assert_int_equal(text_fit("abc", SIZE_MAX, 2), 2);
  assert_int_equal(text_fit(E_ACUTE E_ACUTE, SIZE_MAX, 1), 2);
  assert_int_equal(text_fit(E_ACUTE E_ACUTE, 3, 9), 2);
  assert_int_equal(text_fit(HAN HAN, SIZE_MAX, 3), 3);
  assert_int_equal(text_fit("e" ACCENT "x", SIZE_MAX, 1), 3);
  assert_int_equal(text_fit("", SIZE_MAX, 5), 0);
}

static void bytes_that_are_no_utf8_become_the_replacement_character(void **state)
{
  (void) state;
  char *text = text_mend("a\xff" E_ACUTE "\xc0\x80\xed\xa0\x80z");
  assert_string_equal(text, "a\xef\xbf\xbd" E_ACUTE
                            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
  free(text);
}

static void bytes_are_two_digits_each(void **state)
{
  (void) state;
  char out[9] = "????????";
  text_hex("\x00\xff\x7f", 3, out);
  assert_string_equal(out, "00ff7f");
  text_hex("", 0, out);
  assert_string_equal(out, "");
}

static void an_error_that_is_too_long_ends_between_letters(void **state)
{
  (void) state;
  struct error error;
  char text[1400];
  for (size_t shift = 0; shift < 3; shift++) {
    memset(text, 'x', shift);
    text[shift] = '\0';
    while (strlen(text) < 1200) strcat(text, EURO);
    error_set(&error, EXIT_CODE_USAGE, "%s", text);
    is_utf8(error.text);
    error_wrap(&error, "%s", text);
    is_utf8(error.text);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_copy_is_cut_between_letters_at_every_size),
      cmocka_unit_test(what_snprintf_cut_is_trimmed_and_what_is_whole_stays),
      cmocka_unit_test(columns_are_what_a_terminal_shows),
      cmocka_unit_test(what_fits_never_ends_inside_a_letter_nor_in_half_a_wide_one),
      cmocka_unit_test(what_fits_never_ends_inside_what_people_take_for_one_letter),
      cmocka_unit_test(bytes_that_are_no_utf8_become_the_replacement_character),
      cmocka_unit_test(bytes_are_two_digits_each),
      cmocka_unit_test(an_error_that_is_too_long_ends_between_letters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
