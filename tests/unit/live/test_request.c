/* Who is answered, and who is refused with which status: a row a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "live/request.h"
#include "report/onlooker.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define HERE  "127.0.0.1:8080"
#define OURS  "http://127.0.0.1:8080"

static const struct request_place loopback = {"127.0.0.1", 8080, true},
                                  beyond = {"192.0.2.7", 8080, false}, six = {"::1", 8080, true},
                                  plain = {"127.0.0.1", 80, true};

static const struct row {
  const char *says;
  const struct request_place *place;
  struct request request; /* method, path, host, origin, fetch_site, token */
  unsigned status;
} rows[] = {
    {"the page", &loopback, {"GET", "/", HERE, NULL, "none", NULL}, 200},
    {"the events of our page", &loopback, {"GET", "/events", HERE, NULL, "same-origin", NULL}, 200},
    {"Prometheus, which says nothing of itself",
     &loopback,
     {"GET", "/metrics", HERE, NULL, NULL, NULL},
     200},
    {"localhost, where that is meant",
     &loopback,
     {"GET", "/", "LocalHost:8080", NULL, NULL, NULL},
     200},
    {"localhost, where it is not", &beyond, {"GET", "/", "localhost:8080", NULL, NULL, NULL}, 421},
    {"an address of IPv6", &six, {"GET", "/", "[::1]:8080", NULL, NULL, NULL}, 200},
    {"one without brackets", &six, {"GET", "/", "::1:8080", NULL, NULL, NULL}, 421},
    {"no port, where it is the usual one",
     &plain,
     {"GET", "/", "127.0.0.1", NULL, NULL, NULL},
     200},
    {"no port, where it is another", &loopback, {"GET", "/", "127.0.0.1", NULL, NULL, NULL}, 421},
    {"another port", &loopback, {"GET", "/", "127.0.0.1:8081", NULL, NULL, NULL}, 421},
    {"a name that was led here",
     &loopback,
     {"GET", "/metrics", "evil.example:8080", NULL, "same-origin", NULL},
     421},
    {"our address as part of a name",
     &loopback,
     {"GET", "/", "127.0.0.1.evil.example:8080", NULL, NULL, NULL},
     421},
    {"no Host", &loopback, {"GET", "/", NULL, NULL, NULL, NULL}, 421},
    {"an empty one", &loopback, {"GET", "/", "", NULL, NULL, NULL}, 421},
    {"events for another site",
     &loopback,
     {"GET", "/events", HERE, "http://evil.example", "cross-site", NULL},
     403},
    {"one that says so by Sec-Fetch-Site alone",
     &loopback,
     {"GET", "/metrics", HERE, NULL, "cross-site", NULL},
     403},
    {"another port of this machine",
     &loopback,
     {"GET", "/events", HERE, "http://127.0.0.1:9999", "same-site", NULL},
     403},
    {"a frame or file, whose origin is null",
     &loopback,
     {"GET", "/", HERE, "null", NULL, NULL},
     403},
    {"https, which we are not",
     &loopback,
     {"GET", "/", HERE, "https://127.0.0.1:8080", NULL, NULL},
     403},
    {"another site, where nothing is", &loopback, {"GET", "/x", HERE, "null", NULL, NULL}, 403},
    {"what is not there", &loopback, {"GET", "/x", HERE, NULL, NULL, NULL}, 404},
    {"a way out", &loopback, {"GET", "/../etc/passwd", HERE, NULL, NULL, NULL}, 404},
    {"no path", &loopback, {"GET", "", HERE, NULL, NULL, NULL}, 404},
    {"a page that is posted to", &loopback, {"POST", "/", HERE, OURS, "same-origin", TOKEN}, 405},
    {"a control that is got", &loopback, {"GET", "/control", HERE, NULL, NULL, TOKEN}, 405},
    {"the question before a request of another origin",
     &loopback,
     {"OPTIONS", "/control", HERE, OURS, "same-origin", NULL},
     405},
    {"a control of our page",
     &loopback,
     {"POST", "/control", HERE, OURS, "same-origin", TOKEN},
     200},
    {"a control of a program that knows the token",
     &loopback,
     {"POST", "/control", HERE, NULL, NULL, TOKEN},
     200},
    {"a control typed as an address",
     &loopback,
     {"POST", "/control", HERE, NULL, "none", TOKEN},
     403},
    {"no token", &loopback, {"POST", "/control", HERE, OURS, "same-origin", NULL}, 401},
    {"an empty token", &loopback, {"POST", "/control", HERE, OURS, "same-origin", ""}, 401},
    {"a token with a wrong end",
     &loopback,
     {"POST", "/control", HERE, OURS, "same-origin", "0123456789abcdef0123456789abcdee"},
     401},
    {"its beginning", &loopback, {"POST", "/control", HERE, OURS, "same-origin", "0123"}, 401},
    {"more than it", &loopback, {"POST", "/control", HERE, OURS, "same-origin", TOKEN "0"}, 401},
    {"another site that knows the token",
     &loopback,
     {"POST", "/control", HERE, "http://evil.example", "cross-site", TOKEN},
     403},
};

static void answers_our_page_and_programs_and_nobody_else(void **state)
{
  (void) state;
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    enum request_route route = REQUEST_PAGE;
    const char *why = NULL;
    unsigned status = request_judge(&rows[r].request, rows[r].place, TOKEN, &route, &why);
    if (status != rows[r].status)
      fail_msg("%s: %u, expected %u", rows[r].says, status, rows[r].status);
    assert_true(status == 200 || strlen(why) > 5);
    assert_true(status != 200 ||
                (route == REQUEST_CONTROL) == (strcmp(rows[r].request.path, "/control") == 0));
  }
}

static void three_words_are_controls(void **state)
{
  (void) state;
  static const struct {
    const char *body;
    unsigned asks;
  } bodies[] = {{"pause", ONLOOKER_ASKS_PAUSE},
                {"go-on", ONLOOKER_ASKS_GO_ON},
                {"abort", ONLOOKER_ASKS_ABORT},
                {"", 0},
                {"abor", 0},
                {"abort ", 0},
                {"abort\n", 0},
                {"ABORT", 0},
                {"pause,abort", 0},
                {"xxxxxxxxxxxxxxxxx", 0}};
  for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++)
    if (request_control(bodies[b].body, strlen(bodies[b].body)) != bodies[b].asks)
      fail_msg("'%s' is misread", bodies[b].body);
  assert_int_equal(request_control("abort\0", 6), 0);
}

static void every_digit_of_the_token_counts(void **state)
{
  (void) state;
  assert_true(request_token_is(TOKEN, TOKEN));
  for (size_t i = 0; i < REQUEST_TOKEN_SIZE; i++) {
    char wrong[] = TOKEN;
    wrong[i] = 'x';
    assert_false(request_token_is(wrong, TOKEN));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_our_page_and_programs_and_nobody_else),
      cmocka_unit_test(three_words_are_controls),
      cmocka_unit_test(every_digit_of_the_token_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
