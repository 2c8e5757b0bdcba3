#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "said.h"

struct line {
  const char *out;
  struct args_texts hosts;
  uint64_t devices, counter;
  bool quiet;
  const char *show;
};

static struct line seen; /* what the verb was given, without its texts: they end with the line */
static char seen_show[32], seen_out[32], seen_operands[64], seen_hosts[64];
static int runs;

static int look(const struct args *args, struct error *error)
{
  (void) error;
  runs++;
  seen = *(const struct line *) args->given;
  seen_operands[0] = seen_hosts[0] = '\0';
  snprintf(seen_show, sizeof seen_show, "%s", seen.show == NULL ? "-" : seen.show);
  snprintf(seen_out, sizeof seen_out, "%s", seen.out == NULL ? "-" : seen.out);
  for (size_t i = 0; i < args->operand_count; i++)
    strcat(strcat(seen_operands, args->operand[i]), ";");
  for (size_t i = 0; i < seen.hosts.count; i++) strcat(strcat(seen_hosts, seen.hosts.at[i]), ";");
  return EXIT_CODE_PASS;
}

static int refuse(const struct args *args, struct error *error)
{
  (void) args;
  printf("half of a table\n");
  return error_set(error, EXIT_CODE_SETUP, "the world is not ready");
}

static int take_show(const struct args_option *option, char *value, void *to, struct error *error)
{
  (void) option, (void) error;
  *(const char **) to = value == NULL ? "usual" : value;
  return 0;
}

static bool is_number(const char *word)
{
  return word[strspn(word, "0123456789")] == '\0';
}

static const struct args_option options[] = {
    {"out", "DIR", "folder for results\n(made if missing)", args_text,
     .offset = offsetof(struct line, out)},
    {"host", "HOST", "may be loaded", args_texts, .offset = offsetof(struct line, hosts),
     .most = 2},
    {"devices", "N", "size of the fleet", args_number, .offset = offsetof(struct line, devices),
     .what = "number of devices", .least = 1, .most = 1000},
    {"counter", "N", "of the image", args_number, .offset = offsetof(struct line, counter),
     .most = UINT32_MAX},
    {"quiet", NULL, "says little", args_flag, .offset = offsetof(struct line, quiet)},
    {"show", "[N]", "where", take_show, .is_value = is_number,
     .offset = offsetof(struct line, show)},
    {0},
};
static const struct line defaults = {.devices = 7};

static const struct args_verb make = {.name = "make",
                                      .line = "makes one",
                                      .usage = "usage: thing make FILE\n\n",
                                      .options = options,
                                      .after = "\nexample: thing make a\n",
                                      .operands_least = 1,
                                      .operands_most = 2,
                                      .operands = "give one file or two",
                                      .size = sizeof(struct line),
                                      .defaults = &defaults,
                                      .run = look};

static const struct args_option must_options[] = {
    {"key", "FILE", "signs it", args_text, .offset = offsetof(struct line, out), .needed = true},
    {0},
};
static const struct args_verb must = {.name = "must",
                                      .line = "wants a key",
                                      .usage = "usage: thing must\n\n",
                                      .options = must_options,
                                      .after = "",
                                      .operands = "give a key and nothing else",
                                      .size = sizeof(struct line),
                                      .run = look};
static const struct args_verb hidden = {.name = "hidden",
                                        .usage = "usage: thing hidden DIR\n",
                                        .after = "",
                                        .operands_least = 1,
                                        .operands_most = 1,
                                        .operands = "give one folder",
                                        .run = refuse};
static const struct args_verb *const verbs[] = {&make, &must, &hidden, NULL};
static const struct args_verb group = {
    .name = "thing", .usage = "usage: thing COMMAND\n\n", .after = "\nthe end\n", .verbs = verbs};
static const struct args_verb acting = {.name = "thing",
                                        .usage = "usage: thing [FILE]\n\n",
                                        .options = options,
                                        .after = "",
                                        .operands_most = 1,
                                        .operands = "at most one file",
                                        .size = sizeof(struct line),
                                        .verbs = verbs,
                                        .run = look};

static struct said said;

static void given(const struct args_verb *verb, const char *words)
{
  runs = 0;
  said_by(verb, words, &said);
  if (said.code != EXIT_CODE_PASS || runs != 1) fprintf(stderr, "%s: %s\n", words, said.err);
  assert_int_equal(said.code, EXIT_CODE_PASS);
  assert_int_equal(runs, 1);
}

static void refused(const struct args_verb *verb, const char *words, const char *sentence)
{
  runs = 0;
  said_by(verb, words, &said);
  assert_string_equal(said.err, sentence);
  assert_string_equal(said.out, "");
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  assert_int_equal(runs, 0);
}

static void a_value_that_may_be_left_out_is_the_next_word_only_if_it_looks_like_one(void **state)
{
  (void) state;
  static const char *const rows[][3] = {
      {"a --show", "usual", "a;"},          {"--show a", "usual", "a;"},
      {"--show 12 a", "12", "a;"},          {"a --show 12 b", "12", "a;b;"},
      {"a --show --quiet", "usual", "a;"},  {"a --show=x", "x", "a;"},
      {"a --show -- 12", "usual", "a;12;"}, {"a", "-", "a;"}};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    given(&make, rows[r][0]);
    assert_string_equal(seen_show, rows[r][1]);
    assert_string_equal(seen_operands, rows[r][2]);
  }
}

static void values_go_where_the_table_says_wherever_they_stand(void **state)
{
  (void) state;
  given(&make, "--quiet a --out x --counter=4294967295 b --host h1 --host h2");
  assert_string_equal(seen_out, "x");
  assert_string_equal(seen_operands, "a;b;");
  assert_string_equal(seen_hosts, "h1;h2;");
  assert_int_equal(seen.counter, UINT32_MAX);
  assert_int_equal(seen.devices, 7);
  assert_true(seen.quiet);
  given(&make, "a --out -1h -- --quiet");
  assert_string_equal(seen_out, "-1h");
  assert_string_equal(seen_operands, "a;--quiet;");
  assert_false(seen.quiet);
}

static void of_an_option_given_twice_the_last_counts(void **state)
{
  (void) state;
  given(&make, "a --out x --devices 3 --devices 4 --out y --quiet --quiet");
  assert_string_equal(seen_out, "y");
  assert_int_equal(seen.devices, 4);
}

static void what_cannot_be_taken_is_one_sentence(void **state)
{
  (void) state;
  refused(&make, "a --fast", "make: there is no option '--fast'; --help lists them\n");
  refused(&make, "a --fast=secret", "make: there is no option '--fast'; --help lists them\n");
  refused(&make, "a -xyz", "make: there is no option '-x'; --help lists them\n");
  refused(&make, "a --out", "make: --out wants a value; --help shows an example\n");
  refused(&make, "a --quiet=yes", "make: --quiet takes no value; --help lists what does\n");
  refused(&make, "a --host 1 --host 2 --host 3", "make: at most 2 --host at a time\n");
  refused(&make, "", "make: give one file or two\n");
  refused(&make, "a b c d", "make: 'c' is one too many: give one file or two\n");
  refused(&make, "a b https://me:secret@host/",
          "make: 'https://***@host/' is one too many: give one file or two\n");
  refused(&must, "", "must: --key is missing; --help shows an example\n");
}

static void an_empty_text_is_no_value_and_no_name(void **state)
{
  (void) state;
  refused(&make, "a --out ''",
          "make: --out wants DIR, and the text after it is empty; --help shows an example\n");
  refused(&make, "a --host h --host ''",
          "make: --host wants HOST, and the text after it is empty; --help shows an example\n");
  refused(&make, "a --devices ''",
          "make: '' is no number of devices: give a whole number from 1 to 1000\n");
  refused(&make, "a ''", "make: an empty text is no name: give one file or two\n");
}

static void a_number_is_whole_and_in_its_range(void **state)
{
  (void) state;
  static const char *const bad[] = {"0", "1001", "-1", "+1", "3x", "x", "18446744073709551617"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char words[80], sentence[160];
    snprintf(words, sizeof words, "a --devices %s", bad[i]);
    snprintf(sentence, sizeof sentence,
             "make: '%s' is no number of devices: give a whole number from 1 to 1000\n", bad[i]);
    refused(&make, words, sentence);
  }
  refused(&make, "a --counter 4294967296",
          "make: '4294967296' is no --counter: give a whole number from 0 to 4294967295\n");
  given(&make, "a --counter 0 --devices 1000");
}

static void help_comes_from_the_table(void **state)
{
  (void) state;
  said_by(&make, "a --fast-is-not-read --help", &said);
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  said_by(&make, "--help", &said);
  assert_int_equal(said.code, EXIT_CODE_PASS);
  assert_string_equal(said.err, "");
  assert_string_equal(said.out, "usage: thing make FILE\n\n"
                                "  --out DIR    folder for results\n"
                                "               (made if missing)\n"
                                "  --host HOST  may be loaded\n"
                                "  --devices N  size of the fleet\n"
                                "  --counter N  of the image\n"
                                "  --quiet      says little\n"
                                "  --show [N]   where\n"
                                "\nexample: thing make a\n");
}

static void a_group_runs_the_verb_that_the_next_word_names(void **state)
{
  (void) state;
  given(&group, "make a --quiet");
  refused(&group, "mkae a", "thing: there is no verb 'mkae'; 'thing --help' lists them\n");
  refused(&group, "make --fast", "thing make: there is no option '--fast'; --help lists them\n");
  refused(&group, "must --quiet",
          "thing must: --quiet is no option of 'must'; --help lists them\n");
  refused(&group, "https://me:secret@host/",
          "thing: there is no verb 'https://***@host/'; 'thing --help' lists them\n");
  said_by(&group, "--help", &said);
  assert_int_equal(said.code, EXIT_CODE_PASS);
  assert_string_equal(
      said.out, "usage: thing COMMAND\n\n  make  makes one\n  must  wants a key\n\nthe end\n");
  said_by(&group, "", &said); /* nothing was asked: the same, and an exit code that says so */
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  assert_string_equal(said.out, "");
  assert_non_null(strstr(said.err, "usage: thing COMMAND"));
}

static void a_group_may_do_something_by_itself(void **state)
{
  (void) state;
  given(&acting, "");
  given(&acting, "a");
  given(&acting, "make a");
  refused(&acting, "--quiet make", "thing: say 'make' first, and its options after it\n");
  refused(&acting, "--key k", "thing: --key is no option of 'thing'; --help lists them\n");
}

static void a_verb_that_fails_says_why_below_what_it_printed(void **state)
{
  (void) state;
  said_by(&group, "hidden d", &said);
  assert_int_equal(said.code, EXIT_CODE_SETUP);
  assert_string_equal(said.out, "half of a table\n");
  assert_string_equal(said.err, "thing hidden: the world is not ready\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_value_that_may_be_left_out_is_the_next_word_only_if_it_looks_like_one),
      cmocka_unit_test(values_go_where_the_table_says_wherever_they_stand),
      cmocka_unit_test(of_an_option_given_twice_the_last_counts),
      cmocka_unit_test(what_cannot_be_taken_is_one_sentence),
      cmocka_unit_test(an_empty_text_is_no_value_and_no_name),
      cmocka_unit_test(a_number_is_whole_and_in_its_range),
      cmocka_unit_test(help_comes_from_the_table),
      cmocka_unit_test(a_group_runs_the_verb_that_the_next_word_names),
      cmocka_unit_test(a_group_may_do_something_by_itself),
      cmocka_unit_test(a_verb_that_fails_says_why_below_what_it_printed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
