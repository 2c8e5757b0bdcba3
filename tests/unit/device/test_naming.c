#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fleetsim/device.h"

static void a_name_is_a_text_of_1_to_64_bytes(void **state)
{
  (void) state;
  static const char *const good[] = {"7",
                                     "00000a1f",
                                     "SN-2026-000007",
                                     "a4:cf:12:00:00:07",
                                     "urn:uuid:6f1c2e5a-8a53-4d9b-9a2e-0b1c2d3e4f50",
                                     "pump 7/a",
                                     "\xc3\xbc"
                                     "ber",
                                     "\xe6\xb3\xb5",
                                     "\xf0\x9f\x9a\xb0",
                                     "\xc2\xa0",
                                     "+#"};
  char text[DEVICE_NAME_TEXT + 1];
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    if (!device_name_is_good(good[i])) fail_msg("'%s' is a name", good[i]);
  memset(text, 'n', sizeof text);
  text[64] = '\0';
  assert_true(device_name_is_good(text));
  text[64] = 'n';
  text[65] = '\0';
  assert_false(device_name_is_good(text));
  assert_false(device_name_is_good(""));
}

static void a_name_holds_no_control_character_and_no_broken_utf8(void **state)
{
  (void) state;
  static const char *const bad[] = {
      "a\tb", "\n",   "a\x1f",     "a\x7f",        "\xc2\x80",         "a\xc2\x9f",
      "\xff", "\xc3", "a\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (device_name_is_good(bad[i])) fail_msg("number %zu is no name", i);
}

static void a_name_may_be_one_level_of_a_topic_or_not(void **state)
{
  (void) state;
  assert_true(device_name_is_level("urn:dev:7"));
  assert_true(device_name_is_level("pump 7"));
  assert_false(device_name_is_level("pump/7"));
  assert_false(device_name_is_level("+"));
  assert_false(device_name_is_level("7#"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_is_a_text_of_1_to_64_bytes),
      cmocka_unit_test(a_name_holds_no_control_character_and_no_broken_utf8),
      cmocka_unit_test(a_name_may_be_one_level_of_a_topic_or_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
