#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mask.h"

static void masks_users_and_passwords_in_sentences(void **state)
{
  (void) state;
  static const char *const rows[][2] = {
      {"'mqtts://bob:secret@host:8883' is bad", "'mqtts://***@host:8883' is bad"},
      {"http://bob@a/ and https://eve:x@b/c", "http://***@a/ and https://***@b/c"},
      {"mqtts://a:p@ss@host:1", "mqtts://***@host:1"},
      {"mqtts://a:p/w?x#y@host:1", "mqtts://***@host:1"},
      {"mqtts://x@h", "mqtts://*@h"},
      {"'mqtts://bob:secr' was cut", "'mqtts://***' was cut"},
      {"'mqtts://bob:1234567' was cut", "'mqtts://***' was cut"},
      {"mqtts://host:8883, and mqtts://[::1]:8884: fine",
       "mqtts://host:8883, and mqtts://[::1]:8884: fine"},
      {"http://host:8080/a:b is fine", "http://host:8080/a:b is fine"},
      {"mqtts://host:8883: sentence", "mqtts://host:8883: sentence"},
      {"a@b and nothing://", "a@b and nothing://"},
      {"--set targets=[u:sekret@h]: no", "--set targets=[***@h]: no"},
      {"--set devices=u:se=kr,et@h: no", "--set devices=***@h: no"},
      {"(from --set broker={url: \"u:sekret@h\"})", "(from --set broker={url: \"***@h\"})"},
      {"[u:a@h,v:b@i] and w:cccc@j", "[***@i] and ***@j"},
      {"a.yaml:3:1: write to a@b", "a.yaml:3:1: write to a@b"},
      {"--set kick=http://u:se kret@h/: no", "--set kick=http://***@h/: no"},
      {"'http://u:se k@r et@h/' is 'http://v:x y@i'", "'http://***@h/' is 'http://***@i'"},
      {"http://u:se kret@h/ and http://i:80/", "http://***@h/ and http://i:80/"},
      {"'mqtts://u:se\"kret@h:1' is bad", "'mqtts://***@h:1' is bad"},
      {"mqtts://u:p@h: remove what stands before the @",
       "mqtts://***@h: remove what stands before the @"},
      {"'mqtts://h:1/?password=sekret' is bad", "'mqtts://h:1/?***' is bad"},
      {"(from --set broker={url: \"h/?token=sekret&a=b\"})",
       "(from --set broker={url: \"h/?***\"})"},
      {"see http://h/?sekret: no; or http://i? yes", "see http://h/?***: no; or http://i? yes"},
      {"'mqtts://::1:8883' lacks brackets", "'mqtts://::1:8883' lacks brackets"},
      {"mqtts://fe80::1%25eth0 and mqtts://2001:db8::2",
       "mqtts://fe80::1%25eth0 and mqtts://2001:db8::2"},
      {"'mqtts://bob::secr' was cut", "'mqtts://***' was cut"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[200];
    snprintf(text, sizeof text, "%s", rows[i][0]);
    mask_urls(text);
    assert_string_equal(text, rows[i][1]);
  }
}

static void masks_one_url_whatever_its_password_holds(void **state)
{
  (void) state;
  char out[40];
  assert_string_equal(mask_url("mqtts://a:it's @ 'x'@host:1", out, sizeof out),
                      "mqtts://***@host:1");
  assert_string_equal(mask_url("bob:secret@host:1", out, sizeof out), "***@host:1");
  assert_string_equal(mask_url("broker.url", out, sizeof out), "broker.url");
  assert_string_equal(mask_url("mqtts://::1:8883", out, sizeof out), "mqtts://::1:8883");
  assert_string_equal(mask_url("h:1/?password=sekret", out, sizeof out), "h:1/?***");
}

static void no_error_tells_a_password(void **state)
{
  (void) state;
  struct error error;
  error_set(&error, EXIT_CODE_USAGE, "'%.15s' is bad", "mqtts://u:secretsecretsecret@h:1");
  assert_string_equal(error.text, "'mqtts://***' is bad");
  error_set(&error, EXIT_CODE_USAGE, "no");
  error_wrap(&error, "https://u:%s@h", "secret");
  assert_string_equal(error.text, "https://***@h: no");
}

/* What a mistake in a setting prints of it. */
static void a_setting_that_is_kept_secret_is_stars(void **state)
{
  (void) state;
  char out[64];
  assert_string_equal(mask_setting("fleet.credentials.password", "{hush", out, sizeof out), "***");
  assert_string_equal(mask_setting("fleet", "{credentials: {password: [hush", out, sizeof out),
                      "***");
  assert_string_equal(mask_setting("broker.hooks.kick", "curl -u me:hush", out, sizeof out), "***");
  assert_string_equal(mask_setting("fleet.devices", "{3", out, sizeof out), "{3");
  assert_string_equal(mask_setting("broker.url", "mqtts://a:b@host:1", out, sizeof out),
                      "mqtts://***@host:1");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(masks_users_and_passwords_in_sentences),
      cmocka_unit_test(masks_one_url_whatever_its_password_holds),
      cmocka_unit_test(no_error_tells_a_password),
      cmocka_unit_test(a_setting_that_is_kept_secret_is_stars),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
