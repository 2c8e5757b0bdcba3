/* Templates of names and topics: what they become, and where they are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/template.h"

#define ALL                                                                               \
  (TEMPLATE_BIT(TEMPLATE_ID) | TEMPLATE_BIT(TEMPLATE_INDEX) | TEMPLATE_BIT(TEMPLATE_CN) | \
   TEMPLATE_BIT(TEMPLATE_COHORT))

static const struct template_values pump = {
    .id = "pump 7", .cn = "p7.example.com", .cohort = "north", .index = 42};

static void each_place_becomes_its_value(void **state)
{
  (void) state;
  static const struct {
    const char *text, *becomes, *filter;
    unsigned has;
  } rows[] = {
      {"private/{id}/", "private/pump 7/", "private/+/", TEMPLATE_BIT(TEMPLATE_ID)},
      {"SN-2026-{index:06}", "SN-2026-000042", "+", TEMPLATE_BIT(TEMPLATE_INDEX)},
      {"{index}", "42", "+", TEMPLATE_BIT(TEMPLATE_INDEX)},
      {"{index:01}", "42", "+", TEMPLATE_BIT(TEMPLATE_INDEX)},
      {"a/{cohort}-{cn}/b{index}c/up", "a/north-p7.example.com/b42c/up", "a/+/+/up",
       ALL & ~TEMPLATE_BIT(TEMPLATE_ID)},
      {"{{{id}}}/x", "{pump 7}/x", "+/x", TEMPLATE_BIT(TEMPLATE_ID)},
      {"{{plain}}/x", "{plain}/x", "{plain}/x", 0},
      {"", "", "", 0},
      {"/{id}", "/pump 7", "/+", TEMPLATE_BIT(TEMPLATE_ID)},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char out[64];
    unsigned has;
    struct error error;
    if (template_check(rows[i].text, ALL, &has, &error) != 0)
      fail_msg("'%s': %s", rows[i].text, error.text);
    assert_int_equal(has, rows[i].has);
    assert_int_equal(template_expand(rows[i].text, &pump, out, sizeof out),
                     strlen(rows[i].becomes));
    assert_string_equal(out, rows[i].becomes);
    assert_int_equal(template_filter(rows[i].text, out, sizeof out), strlen(rows[i].filter));
    assert_string_equal(out, rows[i].filter);
  }
}

static void what_is_none_is_told_by_its_character(void **state)
{
  (void) state;
  static const struct {
    const char *text, *says;
  } rows[] = {
      {"a/{id", "character 3: a '{' without its '}'"},
      {"a/{id{x}", "character 3: a '{' without its '}'"},
      {"{", "character 1: a '{' without"},
      {"id}", "character 3: a '}' without its '{'"},
      {"{Id}", "character 1: there is no such place"},
      {"x{}", "character 2: there is no such place"},
      {"{id}{serial}", "character 5: there is no such place"},
      {"{id:06}", "character 1: only {index} takes"},
      {"{index:6}", "digits are written as in {index:06}"},
      {"{index:0}", "digits are written"},
      {"{index:00}", "digits are written"},
      {"{index:021}", "digits are written"},
      {"{index:0x}", "digits are written"},
      {"{index:0006}", "digits are written"},
      {"{index:}", "digits are written"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    unsigned has;
    struct error error = {.text = ""};
    if (template_check(rows[i].text, ALL, &has, &error) == 0)
      fail_msg("'%s' is none", rows[i].text);
    assert_int_equal(error.code, EXIT_CODE_USAGE);
    if (strstr(error.text, rows[i].says) == NULL)
      fail_msg("'%s': '%s' does not say '%s'", rows[i].text, error.text, rows[i].says);
  }
}

static void a_place_may_be_unknown_where_the_template_is_used(void **state)
{
  (void) state;
  unsigned has;
  struct error error;
  assert_int_equal(template_check("a{cn}", TEMPLATE_BIT(TEMPLATE_INDEX), &has, &error), -1);
  assert_non_null(strstr(error.text, "character 2: {cn} is not known here"));
}

static const char *hall(void *ctx, const char *name, size_t size)
{
  return size == 11 && memcmp(name, "Site, Hall:", size) == 0 ? ctx : NULL;
}

static void any_other_word_is_a_column_where_there_are_some(void **state)
{
  (void) state;
  const struct template_values values = {.id = "7", .column = hall, .ctx = "\"north\""};
  unsigned has;
  size_t size;
  char out[64];
  struct error error;
  static const char text[] = "a/{Site, Hall:}/{id}";
  assert_int_equal(template_check(text, ALL, &has, &error), -1);
  assert_int_equal(template_check(text, ALL | TEMPLATE_BIT(TEMPLATE_COLUMN), &has, &error), 0);
  assert_int_equal(has, TEMPLATE_BIT(TEMPLATE_COLUMN) | TEMPLATE_BIT(TEMPLATE_ID));
  assert_int_equal(template_expand(text, &values, out, sizeof out), 11);
  assert_string_equal(out, "a/\"north\"/7");
  assert_int_equal(template_filter(text, out, sizeof out), 5);
  assert_string_equal(out, "a/+/+");
  assert_int_equal(template_expand("{id}/{hall}x", &values, out, sizeof out), TEMPLATE_LACKS);
  assert_string_equal(template_lacking("{id}/{hall}x", &values, &size), "{hall}x");
  assert_int_equal(size, 6);
  assert_int_equal(template_expand("{cohort}", &values, out, sizeof out), TEMPLATE_LACKS);
  assert_int_equal(template_expand("{hall}", &pump, out, sizeof out), TEMPLATE_LACKS);
}

static void what_does_not_fit_is_not_cut(void **state)
{
  (void) state;
  char out[8];
  assert_int_equal(template_expand("{id}x", &pump, out, sizeof out), 7);
  assert_int_equal(template_expand("{id}xy", &pump, out, sizeof out), -1);
  assert_int_equal(template_filter("abcde/{id}", out, sizeof out), 7);
  assert_int_equal(template_filter("abcdef/{id}", out, sizeof out), -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_place_becomes_its_value),
      cmocka_unit_test(what_is_none_is_told_by_its_character),
      cmocka_unit_test(a_place_may_be_unknown_where_the_template_is_used),
      cmocka_unit_test(any_other_word_is_a_column_where_there_are_some),
      cmocka_unit_test(what_does_not_fit_is_not_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
