/* Sentences of failures: one line, whatever they quote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void expect_text(const struct error *error, const char *text)
{
  if (strcmp(error->text, text) != 0) fail_msg("'%s', not '%s'", error->text, text);
}

static void a_quoted_control_character_does_not_reach_a_terminal(void **state)
{
  (void) state;
  struct error error;
  assert_int_equal(error_set(&error, EXIT_CODE_USAGE, "unknown key '%s'", "\x1b[2J\x7f\xc2\x9b"),
                   -1);
  expect_text(&error, "unknown key '?[2J??"
                      "?'");
}

static void a_sentence_is_one_line(void **state)
{
  (void) state;
  struct error error;
  error_set(&error, EXIT_CODE_USAGE, "no name 'a\nPASS\tb\r'");
  expect_text(&error, "no name 'a PASS b '");
  error_wrap(&error, "file 'x\ny'");
  expect_text(&error, "file 'x y': no name 'a PASS b '");
}

static void letters_beyond_ascii_stay(void **state)
{
  (void) state;
  struct error error;
  error_set(&error, EXIT_CODE_USAGE, "unknown key '%s'",
            "Gr\xc3\xb6\xc3\x9f"
            "e \xc2\xa0");
  expect_text(&error, "unknown key 'Gr\xc3\xb6\xc3\x9f"
                      "e \xc2\xa0'");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_quoted_control_character_does_not_reach_a_terminal),
      cmocka_unit_test(a_sentence_is_one_line),
      cmocka_unit_test(letters_beyond_ascii_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
