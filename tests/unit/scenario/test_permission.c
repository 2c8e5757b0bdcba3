/* Which hosts a file may name, in every place where it can name one. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../broker/resolver.h"
#include "load_text.h"
#include "scenario/url.h"

#define FILE_OF(broker)                                                          \
  "name: t\nfleet: {devices: 9, credentials: {token-file: 't/{id}'}}\ntargets: " \
  "[far.example]\nbroker:\n" broker "phases:\n  - name: p\n    do: [connect: {}]\n"

static int load(const char *text, const struct scenario_override *overrides, size_t count,
                struct error *error)
{
  struct scenario *scenario = NULL;
  int result = load_text(text, strlen(text), overrides, count, &scenario, error);
  if (result == 0) scenario_free(scenario);
  return result;
}

static void is_refused(const char *text, const struct scenario_override *overrides, size_t count,
                       const char *words)
{
  struct error error;
  if (load(text, overrides, count, &error) == 0) fail_msg("was loaded: %s", text);
  if (strstr(error.text, words) == NULL) fail_msg("'%s' does not say '%s'", error.text, words);
  if (error.code != EXIT_CODE_SETUP) fail_msg("exit code %d of '%s'", error.code, error.text);
}

/* Loads the file with this hook. */
static int with_hook(enum hook_kind kind, const char *hook, struct error *error)
{
  char text[600];
  snprintf(text, sizeof text, FILE_OF("  url: mqtts://localhost:8883\n  hooks: {%s: '%s'}\n"),
           hook_key(kind), hook);
  return load(text, NULL, 0, error);
}

static void no_hook_is_called_on_a_host_that_the_file_does_not_name(void **state)
{
  (void) state;
  resolver_asked = 0;
  static const char *const far[] = {"http://[::ffff:127.0.0.1]:18999/api",
                                    "https://near.example/x",
                                    "HTTPS://near.example/x",
                                    "http://127.0.0.1@near.example/",
                                    "http://192.0.2.7:1/",
                                    "http://localhost.near.example/"};
  static const char *const fine[] = {"http://localhost:1/",       "http://[::1]:1/",
                                     "http://127.0.0.1/",         "HTTP://FAR.example/",
                                     "curl http://near.example/", "http://127.1:80/"};
  for (int k = 0; k < HOOK_COUNT; k++) {
    struct error error;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
      if (with_hook((enum hook_kind) k, far[i], &error) == 0)
        fail_msg("%s: %s", hook_key((enum hook_kind) k), far[i]);
      assert_non_null(strstr(error.text, "nothing was sent"));
      assert_int_equal(error.code, EXIT_CODE_SETUP);
    }
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
      if (with_hook((enum hook_kind) k, fine[i], &error) != 0)
        fail_msg("%s: %s", fine[i], error.text);
  }
  assert_int_equal(resolver_asked, 0);
}

static void a_hook_that_is_no_url_is_refused_without_its_password(void **state)
{
  (void) state;
  struct error error;
  assert_int_equal(with_hook(HOOK_KICK, "http://bob:geheim@:99999/", &error), -1);
  assert_non_null(strstr(error.text, "'kick' is no URL"));
  assert_null(strstr(error.text, "geheim"));
}

static void a_hook_of_another_scheme_is_no_command(void **state)
{
  (void) state;
  static const char *const others[] = {"ftp://near.example/x", "mqtts://bob:geheim@near.example:1",
                                       "httpss://near.example/"};
  struct error error;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    assert_int_equal(with_hook(HOOK_RELOAD, others[i], &error), -1);
    assert_non_null(strstr(error.text, "neither http:// nor https://"));
    assert_null(strstr(error.text, "geheim"));
  }
  assert_int_equal(with_hook(HOOK_RELOAD, "./reload http://near.example/", &error), 0);
}

static void the_command_line_does_not_speak_for_the_file(void **state)
{
  (void) state;
  static const char text[] = FILE_OF("  url: mqtts://localhost:8883\n");
  static const struct scenario_override add[] = {{"targets", "[near.example]"},
                                                 {"broker.url", "mqtts://near.example:1"}};
  static const struct scenario_override entry[] = {{"targets[0]", "near.example"},
                                                   {"broker.url", "mqtts://near.example:1"}};
  static const struct scenario_override url[] = {{"broker.url", "mqtts://near.example:1"}};
  static const struct scenario_override prove[] = {{"broker.prove-url", "mqtts://near.example:1"}};
  static const struct scenario_override hook[] = {{"broker.hooks.reload", "https://near.example/"}};
  static const struct scenario_override whole[] = {
      {"broker", "{urls: ['mqtts://near.example:1']}"}};
  static const struct scenario_override named[] = {{"broker.url", "mqtts://FAR.example:1"}};
  is_refused(text, add, 2, "is for the file to say");
  is_refused(text, entry, 2, "is for the file to say");
  is_refused(text, url, 1, "'near.example' is beyond this machine");
  is_refused(text, prove, 1, "'near.example' is beyond this machine");
  is_refused(text, hook, 1, "'near.example' is beyond this machine");
  is_refused(text, whole, 1, "'near.example' is beyond this machine");
  struct error error;
  if (load(text, named, 1, &error) != 0) fail_msg("%s", error.text);
}

static void every_address_of_a_broker_that_is_none_has_its_own_sentence(void **state)
{
  (void) state;
  static const char *const rows[][2] = {
      {"mqtts://a_b:8883", "underscore"},
      {"mqtts://host:8883/", "goes on after the port"},
      {"mqtts://host:8883?x=1", "from the '?' on"},
      {"mqtts://bob:geheim@host:8883", "user name or password"},
      {"mqtts://m\xc3\xbcller.example:8883", "beyond ASCII"},
      {"mqtts://host", "has no port"},
      {"mqtts://host:", "has no port"},
      {"mqtts://[::1]", "has no port"},
      {"mqtts://host:mqtt", "port that is no number"},
      {"mqtts://host:0", "from 1 to 65535"},
      {"mqtts://host:65536", "from 1 to 65535"},
      {"mqtts://host:888888888888888888888", "from 1 to 65535"},
      {"mqtts://::1:8883", "without brackets"},
      {"mqtts://[::g]:8883", "no IPv6 address"},
      {"mqtts://[host]:8883", "no IPv6 address"},
      {"mqtts://[::1", "no IPv6 address"},
      {"mqtts://[fe80::1%eth0]:8883", "zone"},
      {"mqtts://:8883", "has no host"},
      {"mqtts://", "has no host"},
      {"mqtts://a..b:8883", "empty part"},
      {"mqtts://-a.b:8883", "at its edge"},
      {"mqtts://a b:8883", "' ' in its host name"},
      {"mqtts://256.1.1.1:8883", "no IPv4 address"},
      {"mqtt://host:1883", "without TLS"},
      {"ssl://host:8883", "called mqtts://"},
      {"wss://host:443", "behind HTTP"},
      {"host:8883", "does not begin with mqtts://"},
      {"", "does not begin with mqtts://"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char host[URL_HOST_MAX], why[200] = "";
    uint16_t port;
    if (url_split(rows[i][0], host, &port, why, sizeof why) == 0)
      fail_msg("%s was taken", rows[i][0]);
    if (strstr(why, rows[i][1]) == NULL)
      fail_msg("%s: '%s' does not say '%s'", rows[i][0], why, rows[i][1]);
    assert_null(strstr(why, "geheim"));
  }
}

static void the_address_of_a_broker_is_taken_apart(void **state)
{
  (void) state;
  char host[URL_HOST_MAX], why[200];
  uint16_t port;
  assert_int_equal(url_split("mqtts://staging-1.example.com:8883", host, &port, why, sizeof why),
                   0);
  assert_string_equal(host, "staging-1.example.com");
  assert_int_equal(port, 8883);
  assert_int_equal(url_split("MQTTS://[2001:db8::1]:1", host, &port, why, sizeof why), 0);
  assert_string_equal(host, "2001:db8::1");
  assert_int_equal(url_split("mqtts://127.0.0.1:65535", host, &port, why, sizeof why), 0);
  assert_int_equal(port, 65535);
}

static void no_refusal_tells_the_password_wherever_the_url_stands(void **state)
{
  (void) state;
  static const char *const secrets[] = {
      "mqtts://bob:geheimgeheimgeheimgeheim@host:8883",
      "mqtts://bob:x geheim@host:8883",
      "mqtts://bob:x'geheim@host:8883",
      "bob:geheim@host",
      "[bob:geheim@host]",
      "{url: \"bob:geheim@host\"}",
      "mqtts://host:8883/?password=geheim",
  };
  static const char *const paths[] = {"broker.url",  "broker.prove-url",  "broker.local",
                                      "broker.port", "broker.hooks.kick", "seed",
                                      "fleet",       "targets",           "phases[0].until",
                                      "pki.roots"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths * (sizeof secrets / sizeof *secrets); i++) {
    const char *path = paths[i % (sizeof paths / sizeof *paths)];
    struct scenario_override set = {path, secrets[i / (sizeof paths / sizeof *paths)]};
    struct error error = {.text = ""};
    load(FILE_OF("  url: mqtts://localhost:8883\n"), &set, 1, &error);
    if (strstr(error.text, "geheim") != NULL) fail_msg("%s: %s", path, error.text);
  }
  struct scenario_override set = {
      "targets", "[bob:geheimgeheimgeheimgeheimgeheimgeheimgeheimgeheimgeheim@host]"};
  struct error error = {.text = ""};
  load(FILE_OF("  url: mqtts://localhost:8883\n"), &set, 1, &error);
  assert_null(strstr(error.text, "geheim")); /* masked before it is cut */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_hook_is_called_on_a_host_that_the_file_does_not_name),
      cmocka_unit_test(a_hook_that_is_no_url_is_refused_without_its_password),
      cmocka_unit_test(a_hook_of_another_scheme_is_no_command),
      cmocka_unit_test(the_command_line_does_not_speak_for_the_file),
      cmocka_unit_test(every_address_of_a_broker_that_is_none_has_its_own_sentence),
      cmocka_unit_test(the_address_of_a_broker_is_taken_apart),
      cmocka_unit_test(no_refusal_tells_the_password_wherever_the_url_stands),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
