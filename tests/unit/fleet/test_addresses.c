#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fleet/addresses.h"

static void twenty_thousand_connections_share_an_address(void **state)
{
  (void) state;
  assert_int_equal(addresses_needed(0), 1);
  assert_int_equal(addresses_needed(1), 1);
  assert_int_equal(addresses_needed(20000), 1);
  assert_int_equal(addresses_needed(20001), 2);
  assert_int_equal(addresses_needed(100000), 5);
}

static void source_addresses_are_loopback_and_distinct(void **state)
{
  (void) state;
  for (size_t i = 0; i < ADDRESSES_MAX; i++) {
    struct sockaddr_storage storage;
    struct sockaddr_in address;
    char text[INET_ADDRSTRLEN], expected[INET_ADDRSTRLEN];
    addresses_source(i, &storage);
    memcpy(&address, &storage, sizeof address);
    snprintf(expected, sizeof expected, "127.0.0.%u", (unsigned) (i + 1) % 256);
    assert_string_equal(inet_ntop(AF_INET, &address.sin_addr, text, sizeof text), expected);
    assert_int_equal(address.sin_port, 0);
  }
}

/* What the preflight says and leaves behind under given limits: in a child, as limits only ever go down. */
struct report {
  int status;
  struct error error;
  struct rlimit after;
};

static struct report preflight_under(rlim_t soft, rlim_t hard, size_t devices)
{
  int ends[2];
  struct report report = {0};
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    const struct rlimit limit = {soft, hard};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(1);
    report.status = addresses_preflight(devices, &report.error);
    getrlimit(RLIMIT_NOFILE, &report.after);
    _exit(write(ends[1], &report, sizeof report) == sizeof report ? 0 : 1);
  }
  close(ends[1]);
  assert_int_equal(read(ends[0], &report, sizeof report), sizeof report);
  close(ends[0]);
  assert_int_equal(waitpid(child, NULL, 0), child);
  return report;
}

static void a_limit_that_suffices_is_left_alone(void **state)
{
  (void) state;
  struct report report = preflight_under(1024, 4096, 700);
  assert_int_equal(report.status, 0);
  assert_int_equal(report.after.rlim_cur, 1024);
}

static void a_low_soft_limit_is_raised(void **state)
{
  (void) state;
  struct report report = preflight_under(256, 4096, 1000);
  assert_int_equal(report.status, 0);
  assert_int_equal(report.after.rlim_cur, 4096);
}

static void a_low_hard_limit_is_an_error_that_says_what_to_change(void **state)
{
  (void) state;
  struct report report = preflight_under(256, 1024, 1000);
  assert_int_equal(report.status, -1);
  assert_int_equal(report.error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(report.error.text, "1000 devices need 1256 file descriptors"));
  assert_non_null(strstr(report.error.text, "ulimit -Hn 1256"));
  assert_non_null(strstr(report.error.text, "--devices 768"));
}

static void the_advice_is_sound(void **state)
{
  (void) state;
  assert_int_equal(preflight_under(256, 1256, 1000).status, 0);
  assert_int_equal(preflight_under(256, 1024, 768).status, 0);
  assert_int_equal(preflight_under(256, 1024, 769).status, -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(twenty_thousand_connections_share_an_address),
      cmocka_unit_test(source_addresses_are_loopback_and_distinct),
      cmocka_unit_test(a_limit_that_suffices_is_left_alone),
      cmocka_unit_test(a_low_soft_limit_is_raised),
      cmocka_unit_test(a_low_hard_limit_is_an_error_that_says_what_to_change),
      cmocka_unit_test(the_advice_is_sound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
