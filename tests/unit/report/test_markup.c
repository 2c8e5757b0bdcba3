/* Texts of any origin in XML and HTML: they are the text that they were, and never markup. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report/markup.h"

static void expect_put(const char *text, const char *expected)
{
  char *put = NULL;
  size_t size;
  FILE *out = open_memstream(&put, &size);
  assert_non_null(out);
  markup_put(out, text);
  fclose(out);
  assert_string_equal(put, expected);
  free(put);
}

static void plain_words_stay(void **state)
{
  (void) state;
  expect_put("", "");
  expect_put("two words, caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
             "two words, caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void nothing_ends_what_it_stands_in(void **state)
{
  (void) state;
  expect_put("<a b=\"c\" d='e'>&amp;]]>", "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;]]&gt;");
}

static void what_steers_is_a_space(void **state)
{
  (void) state;
  expect_put("a\nb\tc\x1b[2J\x7f\xc2\x9b", "a b c [2J  ");
}

static void what_is_no_letter_is_replaced(void **state)
{
  (void) state;
  expect_put("\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd");
  expect_put("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
  expect_put("\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd"); /* of no XML 1.0 */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_words_stay),
      cmocka_unit_test(nothing_ends_what_it_stands_in),
      cmocka_unit_test(what_steers_is_a_space),
      cmocka_unit_test(what_is_no_letter_is_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
