#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "live/live.h"

static void reads_an_address_and_a_port(void **state)
{
  (void) state;
  static const struct {
    const char *text, *host;
    unsigned port;
    bool loopback;
  } rows[] = {
      {"127.0.0.1:8080", "127.0.0.1", 8080, true},
      {":9100", "127.0.0.1", 9100, true},
      {"9100", "127.0.0.1", 9100, true},
      {"localhost:0", "127.0.0.1", 0, true},
      {"127.8.9.1:1", "127.8.9.1", 1, true},
      {"[::1]:65535", "::1", 65535, true},
      {"[0:0::1]:1", "::1", 1, true},
      {"0.0.0.0:80", "0.0.0.0", 80, false},
      {"192.0.2.7:80", "192.0.2.7", 80, false},
      {"[::]:80", "::", 80, false},
      {"[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80, false},
  };
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    struct live_place place;
    struct error error;
    assert_true(live_is_place(rows[r].text));
    if (live_place_read(rows[r].text, &place, &error) != 0)
      fail_msg("%s: %s", rows[r].text, error.text);
    assert_string_equal(place.host, rows[r].host);
    assert_int_equal(place.port, rows[r].port);
    assert_int_equal(place.loopback, rows[r].loopback);
  }
}

static void refuses_what_is_no_place(void **state)
{
  (void) state;
  static const char *const texts[] = {
      "",
      ":",
      "127.0.0.1",
      "127.0.0.1:",
      "127.0.0.1:x",
      "::1:80",
      "[::1:80",
      "::1]:80",
      "example.com:80",
      "127.0.0.1:65536",
      "1.2.3:80",
      "[1.2.3.4]:80x",
      "127.0.0.1:-1",
      "127.0.0.1: 80",
      "127.0.0.1:999999",
      "[]:80",
      "0x7f.1:80",
      " 127.0.0.1:80",
      "11111111111111111111111111111111111111111111111111111111111111111111111111111111:80"};
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    struct live_place place;
    struct error error;
    if (live_place_read(texts[t], &place, &error) == 0) fail_msg("'%s' was taken", texts[t]);
    assert_int_equal(error.code, EXIT_CODE_USAGE);
  }
}

static void takes_no_file_for_a_place(void **state)
{
  (void) state;
  static const char *const words[] = {"scenario.yaml", "dir/x:80", "a.yaml",
                                      "--quiet",       "808080",   "80.yaml"};
  for (size_t w = 0; w < sizeof words / sizeof *words; w++) assert_false(live_is_place(words[w]));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_an_address_and_a_port),
      cmocka_unit_test(refuses_what_is_no_place),
      cmocka_unit_test(takes_no_file_for_a_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
