#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/environment.h"

static const char *callers(const char *name)
{
  size_t size = strlen(name);
  for (char *const *e = environment_of_caller(); *e != NULL; e++)
    if (strncmp(*e, name, size) == 0 && (*e)[size] == '=') return *e + size + 1;
  return NULL;
}

static void no_variable_of_ours_names_a_proxy_and_the_callers_copy_keeps_them(void **state)
{
  (void) state;
  static const char *const proxies[] = {"http_proxy", "https_proxy", "all_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"};
  for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) setenv(proxies[i], proxies[i], 1);
  setenv("no_proxy", "*", 1);
  setenv("OTHER", "stays", 1);
  environment_begin();
  for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) {
    assert_null(getenv(proxies[i]));
    assert_string_equal(callers(proxies[i]), proxies[i]);
  }
  assert_string_equal(getenv("OTHER"), "stays");
  assert_string_equal(callers("OTHER"), "stays");
  assert_string_equal(callers("no_proxy"), "*");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_variable_of_ours_names_a_proxy_and_the_callers_copy_keeps_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
