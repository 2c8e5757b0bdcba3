/* Who may speak where in a mosquitto of its own: in as few lines as say it, and in no fewer. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/internal.h"
#include "broker/mosquitto.h"

static const char *cn_form; /* of a certificate's CN, by the number; NULL: as the name */

static void describe(void *ctx, size_t index, struct template_values *out)
{
  char(*texts)[32] = ctx;
  snprintf(texts[0], sizeof texts[0], "SN%zu", index);
  snprintf(texts[1], sizeof texts[1], cn_form != NULL ? cn_form : "SN%zu", index);
  out->id = texts[0];
  out->cn = texts[1];
  out->number = (uint32_t) index + 1;
}

static void expect_acl(const struct names_templates *templates, const char *wanted)
{
  char texts[2][32], got[1024] = "", path[FILES_PATH_MAX];
  struct names *names = NULL;
  struct error error = {.text = ""};
  struct broker broker = {.config = {.operator_name = "operator"}};
  if (templates != NULL && names_create(templates, 2, describe, texts, &names, NULL, &error) != 0)
    fail_msg("%s", error.text);
  broker.config.names = names;
  strcpy(broker.folder, "/tmp/fleetsim-acl-XXXXXX");
  assert_non_null(mkdtemp(broker.folder));
  if (mosquitto_write_acl(&broker, &error) != 0) fail_msg("%s", error.text);
  broker_file(&broker, "acl", path);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  got[fread(got, 1, sizeof got - 1, file)] = '\0';
  fclose(file);
  unlink(path);
  rmdir(broker.folder);
  names_free(names);
  assert_string_equal(got, wanted);
}

#define T(...)                    \
  &(const struct names_templates) \
  {                               \
    __VA_ARGS__                   \
  }

static void a_level_that_is_the_user_needs_one_line_for_all(void **state)
{
  (void) state;
  static const char usual[] =
      "user operator\ntopic readwrite private/#\n\npattern readwrite private/%u/#\n";
  cn_form = NULL;
  expect_acl(NULL, usual);
  expect_acl(&names_usual, usual);
  expect_acl(T("{index}", "acme/{id}/fs/", "acme/{cn}/up"),
             "user operator\ntopic readwrite acme/#\n\npattern readwrite acme/%u/fs/#\n"
             "pattern readwrite acme/%u/up\n");
  expect_acl(T("{id}", "{id}/fs/", "{id}/{id}"),
             "user operator\ntopic readwrite +/fs/#\ntopic readwrite +/+\n\n"
             "pattern readwrite %u/fs/#\npattern readwrite %u/%u\n");
}

static void what_is_no_level_of_the_user_is_said_of_each(void **state)
{
  (void) state;
  cn_form = NULL;
  expect_acl(T("{id}", "acme/{id}/", "acme/dev-{id}"),
             "user operator\ntopic readwrite acme/#\n\npattern readwrite acme/%u/#\n"
             "\nuser SN0\ntopic readwrite acme/dev-SN0\n"
             "\nuser SN1\ntopic readwrite acme/dev-SN1\n");
  expect_acl(T("{id}", "acme/{index}/", "acme/{index}/telemetry"),
             "user operator\ntopic readwrite acme/#\n\n"
             "\nuser SN0\ntopic readwrite acme/0/#\n\nuser SN1\ntopic readwrite acme/1/#\n");
  expect_acl(T("{id}", "100%u/{id}/", "100%u/{id}/up"),
             "user operator\ntopic readwrite 100%u/#\n\n"
             "\nuser SN0\ntopic readwrite 100%u/SN0/#\n\nuser SN1\ntopic readwrite 100%u/SN1/#\n");
}

/* An imported device whose name is not its CN. */
static void users_are_the_certificates_names(void **state)
{
  (void) state;
  cn_form = "unit %zu";
  expect_acl(&names_usual, "user operator\ntopic readwrite private/#\n\n"
                           "\nuser unit 0\ntopic readwrite private/SN0/#\n"
                           "\nuser unit 1\ntopic readwrite private/SN1/#\n");
  expect_acl(T("{id}", "p/{cn}/", "p/{cn}/t"),
             "user operator\ntopic readwrite p/#\n\npattern readwrite p/%u/#\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_level_that_is_the_user_needs_one_line_for_all),
      cmocka_unit_test(what_is_no_level_of_the_user_is_said_of_each),
      cmocka_unit_test(users_are_the_certificates_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
