/* The stable words: each value has one, no two are the same, and a word finds its value again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleetsim/device.h"

static void every_update_status_is_found_by_its_word(void **state)
{
  (void) state;
  for (int i = 0; i < DEVICE_OTA_STATUS_COUNT; i++) {
    const char *name = device_ota_status_name((enum device_ota_status) i);
    assert_int_equal(device_ota_status_find(name, strlen(name)), i);
    assert_true(strlen(device_ota_status_sentence((enum device_ota_status) i)) > 10);
  }
  assert_int_equal(device_ota_status_find("confirmed", 7), -1);
  assert_int_equal(device_ota_status_find("", 0), -1);
  assert_string_equal(device_ota_status_name(DEVICE_OTA_STATUS_COUNT), "unknown");
}

static void an_update_goes_on_or_has_ended_in_one_way(void **state)
{
  (void) state;
  for (int i = 0; i < DEVICE_OTA_STATUS_COUNT; i++) {
    enum device_ota_status s = (enum device_ota_status) i;
    int ways = device_ota_is_under_way(s) + device_ota_is_refusal(s) + device_ota_is_rolled_back(s);
    int well = s == DEVICE_OTA_NONE || s == DEVICE_OTA_CONFIRMED || s == DEVICE_OTA_SAME ||
               s == DEVICE_OTA_CANCELLED;
    assert_int_equal(ways + well, 1);
  }
}

static bool begins(const char *name, const char *with)
{
  return strncmp(name, with, strlen(with)) == 0;
}

static bool is_in(int failure, enum device_failure first, enum device_failure last)
{
  return failure >= (int) first && failure <= (int) last;
}

static void the_ranges_of_failures_are_those_of_their_names(void **state)
{
  (void) state;
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    const char *name = device_failure_name((enum device_failure) f);
    bool told = begins(name, "connect.tls.refused_") && f != DEVICE_FAIL_TLS_ALERT_HANDSHAKE &&
                f != DEVICE_FAIL_TLS_ALERT_OTHER;
    bool certificate = is_in(f, DEVICE_FAIL_TLS_NOT_TRUSTED, DEVICE_FAIL_TLS_BAD_CERTIFICATE);
    bool tls = is_in(f, DEVICE_FAIL_TLS_FIRST, DEVICE_FAIL_TLS_LAST);
    assert_int_equal(begins(name, "connect."),
                     is_in(f, DEVICE_FAIL_CONNECT_FIRST, DEVICE_FAIL_CONNECT_LAST));
    assert_int_equal(begins(name, "connect.tls."), tls);
    assert_int_equal(told || certificate,
                     is_in(f, DEVICE_FAIL_VERDICT_FIRST, DEVICE_FAIL_VERDICT_LAST));
    assert_int_equal(told, is_in(f, DEVICE_FAIL_ALERT_FIRST, DEVICE_FAIL_VERDICT_LAST));
    assert_int_equal(begins(name, "connect.mqtt.refused_"),
                     is_in(f, DEVICE_FAIL_CONNACK_FIRST, DEVICE_FAIL_CONNACK_LAST));
    assert_int_equal(tls && device_failure_is_refusal((enum device_failure) f),
                     is_in(f, DEVICE_FAIL_ALERT_FIRST, DEVICE_FAIL_REFUSED_TLS_LAST));
    assert_int_equal(begins(name, "session."),
                     is_in(f, DEVICE_FAIL_SESSION_FIRST, DEVICE_FAIL_SESSION_LAST));
  }
}

/* "(alert 42, 43 or 46)": the numbers of a failure's sentence are those that lead to it. */
static void an_alert_is_the_failure_whose_sentence_has_its_number(void **state)
{
  (void) state;
  for (int alert = 0; alert < 256; alert++) {
    enum device_failure wanted = DEVICE_FAIL_TLS_ALERT_OTHER;
    for (int f = DEVICE_FAIL_ALERT_FIRST; f < DEVICE_FAIL_TLS_ALERT_OTHER; f++) {
      const char *at = strstr(device_failure_sentence((enum device_failure) f), "(alert ");
      assert_non_null(at);
      for (at = strpbrk(at, "0123456789"); at != NULL; at = strpbrk(at, "0123456789")) {
        char *end;
        if (strtol(at, &end, 10) == alert) wanted = (enum device_failure) f;
        at = end;
      }
    }
    assert_string_equal(device_failure_name(device_failure_of_alert((uint8_t) alert)),
                        device_failure_name(wanted));
  }
}

static void a_version_is_written_in_three_numbers(void **state)
{
  (void) state;
  char text[DEVICE_VERSION_TEXT];
  device_version_text(DEVICE_VERSION(1, 2, 0), text);
  assert_string_equal(text, "1.2.0");
  device_version_text(UINT32_MAX, text);
  assert_string_equal(text, "255.255.65535");
  device_version_text(0, text);
  assert_string_equal(text, "0.0.0");
  assert_true(DEVICE_VERSION(1, 10, 0) > DEVICE_VERSION(1, 9, 65535));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_update_status_is_found_by_its_word),
      cmocka_unit_test(an_update_goes_on_or_has_ended_in_one_way),
      cmocka_unit_test(the_ranges_of_failures_are_those_of_their_names),
      cmocka_unit_test(an_alert_is_the_failure_whose_sentence_has_its_number),
      cmocka_unit_test(a_version_is_written_in_three_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
