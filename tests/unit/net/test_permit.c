/* Who may be sent to, with a resolver of the test's own: what libuv, libcurl and this program call
 * is this getaddrinfo.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../broker/resolver.h"
#include "net/permit.h"

static const char *const hosts[] = {"far.example", "10.1.2.3"};
static const struct permit both = {hosts, 2};

static void loopback_is_known_by_its_spelling_alone(void **state)
{
  (void) state;
  static const char *const yes[] = {"localhost",   "LocalHost", "127.0.0.1",
                                    "127.255.0.9", "::1",       "0:0:0:0:0:0:0:1"};
  static const char *const no[] = {"localhost.evil.example",
                                   "127.0.0.1.evil.example",
                                   "127.1",
                                   "2130706433",
                                   "0.0.0.0",
                                   "::",
                                   "::ffff:127.0.0.1",
                                   "128.0.0.1",
                                   "localhost.",
                                   ""};
  resolver_asked = 0;
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) assert_true(permit_is_loopback(yes[i]));
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    if (permit_is_loopback(no[i])) fail_msg("%s is taken for loopback", no[i]);
  assert_int_equal(resolver_asked, 0);
}

static void a_host_is_permitted_by_its_name_in_any_case(void **state)
{
  (void) state;
  assert_true(permit_host(&both, "FAR.example"));
  assert_true(permit_host(&both, "10.1.2.3"));
  assert_false(permit_host(&both, "near.example"));
  assert_false(permit_host(NULL, "far.example"));
  assert_true(permit_host(NULL, "127.0.0.1"));
}

static void localhost_may_not_lead_elsewhere_by_any_of_its_addresses(void **state)
{
  (void) state;
  char beyond[PERMIT_ADDRESS_MAX] = "";
  resolver_answer = (const char *const[]){"127.0.0.1", "::1", NULL};
  assert_true(permit_look_up(&both, "localhost", beyond));
  resolver_answer = (const char *const[]){"127.0.0.1", "192.0.2.7", NULL};
  assert_false(permit_look_up(&both, "localhost", beyond));
  assert_string_equal(beyond, "192.0.2.7");
  resolver_answer = (const char *const[]){"::1", "2001:db8::7", NULL};
  assert_false(permit_look_up(NULL, "LOCALHOST", beyond));
  assert_string_equal(beyond, "2001:db8::7");
  resolver_answer = (const char *const[]){"::ffff:127.0.0.1", NULL};
  assert_false(permit_look_up(NULL, "localhost", beyond));
  resolver_answer = (const char *const[]){NULL};
  assert_true(permit_look_up(NULL, "localhost", beyond));
}

static void a_listed_host_may_have_any_address_and_is_not_looked_up(void **state)
{
  (void) state;
  char beyond[PERMIT_ADDRESS_MAX];
  struct sockaddr_in far = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000207)};
  resolver_answer = (const char *const[]){"192.0.2.7", NULL};
  resolver_asked = 0;
  assert_true(permit_look_up(&both, "far.example", beyond));
  assert_int_equal(resolver_asked, 0);
  assert_true(permit_address(&both, "Far.Example", (struct sockaddr *) &far));
  assert_false(permit_address(&both, "localhost", (struct sockaddr *) &far));
  assert_false(permit_address(NULL, "far.example", (struct sockaddr *) &far));
}

static void the_host_of_a_url_is_the_one_that_libcurl_would_call(void **state)
{
  (void) state;
  static const char *const rows[][2] = {{"http://localhost:80/x", "localhost"},
                                        {"https://[::1]:8443/", "::1"},
                                        {"HTTP://Far.Example/a?b", "Far.Example"},
                                        {"http://127.0.0.1@evil.example/", "evil.example"},
                                        {"http://127.1/", "127.0.0.1"},
                                        {"http://[::ffff:127.0.0.1]:1/", "::ffff:127.0.0.1"},
                                        {"http://evil.example#@127.0.0.1/", "evil.example"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char host[PERMIT_HOST_MAX] = "";
    assert_int_equal(permit_url_host(rows[i][0], host), 0);
    assert_string_equal(host, rows[i][1]);
  }
  char host[PERMIT_HOST_MAX];
  assert_int_equal(permit_url_host("http://", host), -1);
  assert_int_equal(permit_url_host("http://a b/", host), -1);
  assert_int_equal(permit_url_host("http://user:word@127.0.0.1@evil.example/", host), -1);
  assert_int_equal(permit_url_host("http://x:99999/", host), -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loopback_is_known_by_its_spelling_alone),
      cmocka_unit_test(a_host_is_permitted_by_its_name_in_any_case),
      cmocka_unit_test(localhost_may_not_lead_elsewhere_by_any_of_its_addresses),
      cmocka_unit_test(a_listed_host_may_have_any_address_and_is_not_looked_up),
      cmocka_unit_test(the_host_of_a_url_is_the_one_that_libcurl_would_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
