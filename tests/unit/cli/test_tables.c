#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/completion.h"
#include "cli/verbs.h"
#include "cli/walk.h"
#include "said.h"

static struct said said;
static size_t walked;

/* --- Examples --------------------------------------------------------------------------------- */

static int do_nothing(const struct args *args, struct error *error)
{
  (void) args, (void) error;
  return EXIT_CODE_PASS;
}

/* Its verb, and where its words begin. */
static const struct args_verb *verb_of(const char *line, const char **words)
{
  const struct args_verb *verb = &cli_fleetsim, *found = verb;
  for (*words = line + strcspn(line, " "); found != NULL;) {
    const char *word = *words + strspn(*words, " ");
    size_t size = strcspn(word, " ");
    found = NULL;
    for (size_t v = 0; verb->verbs != NULL && verb->verbs[v] != NULL; v++)
      if (strlen(verb->verbs[v]->name) == size && strncmp(word, verb->verbs[v]->name, size) == 0)
        found = verb->verbs[v];
    if (found == NULL) break;
    verb = found;
    *words = word + size;
  }
  return verb;
}

/* Read by the verb's own table, which then does nothing. */
static void check_line(const char *line)
{
  char copy[512];
  const char *words;
  snprintf(copy, sizeof copy, "%s", line);
  copy[strcspn(copy, "&|>")] = '\0'; /* the shell's */
  struct args_verb verb = *verb_of(copy, &words);
  if (verb.run == NULL) fail_msg("'%s' names no verb", line);
  verb.run = do_nothing;
  said_by(&verb, words, &said);
  if (said.code != EXIT_CODE_PASS) fail_msg("'%s' ends with %d: %s", line, said.code, said.err);
}

static void check_examples(const struct args_verb *verb, const char *path, FILE *out)
{
  char copy[1024], *rest = NULL;
  (void) out;
  walked++;
  if (verb->example == NULL) {
    fail_msg("%s --help has no example", path);
    return; /* for who reads it without cmocka: that has gone already */
  }
  assert_true(strlen(verb->example) < sizeof copy);
  snprintf(copy, sizeof copy, "%s", verb->example);
  bool own = false;
  for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    own |= strstr(line, path) != NULL;
    if (strncmp(line, "fleetsim ", strlen("fleetsim ")) == 0) check_line(line);
  }
  if (!own) fail_msg("no example of %s is of itself: %s", path, verb->example);
}

static void every_example_is_a_line_that_its_verb_takes(void **state)
{
  (void) state;
  walked = 0;
  walk_verbs(&cli_fleetsim, check_examples, NULL);
  assert_true(walked > 20);
  check_examples(&cli_terminator, "fleetsim terminator", NULL); /* which is not listed */
}

static void check_end_of_help(const struct args_verb *verb, const char *path, FILE *out)
{
  char words[100];
  (void) out;
  snprintf(words, sizeof words, "%s --help", path + strcspn(path, " "));
  said_by(&cli_fleetsim, words, &said);
  const char *last = strrchr(verb->example, '\n');
  last = last == NULL ? verb->example : last + 1;
  size_t size = strlen(last), all = strlen(said.out);
  assert_true(all > size + 1);
  if (strncmp(said.out + all - size - 1, last, size) != 0)
    fail_msg("%s ends not with '%s' but with '%s'", words, last, said.out + all - size - 1);
  assert_non_null(strstr(said.out, "\nexample: "));
}

static void help_ends_with_the_examples(void **state)
{
  (void) state;
  walk_verbs(&cli_fleetsim, check_end_of_help, NULL);
}

/* --- What a shell is told of values ----------------------------------------------------------- */

/* Of no fixed set, and no path: whoever adds an option says which of the three it is. */
static const char *const free_values[] = {"N",
                                          "URL",
                                          "HOST",
                                          "[ADDR:PORT]",
                                          "ADDR",
                                          "PERCENT",
                                          "ADDR:PORT",
                                          "COMMAND",
                                          "SECONDS",
                                          "TEMPLATE",
                                          "NAME",
                                          "PROTOCOL",
                                          "ID",
                                          "A,B,spare",
                                          "A,spare",
                                          "A,B",
                                          "A",
                                          "B",
                                          "D",
                                          "1.2.0",
                                          "256KiB",
                                          "id=NAME,key=NAME,..",
                                          "A=FILE,B=FILE"};

static void check_values(const struct args_verb *verb, const char *path, FILE *out)
{
  (void) out;
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++) {
    bool known = o->value == NULL || completion_kind(o->value, o->words) != COMPLETION_NOTHING;
    for (size_t f = 0; !known && f < sizeof free_values / sizeof *free_values; f++)
      known = strcmp(o->value, free_values[f]) == 0;
    if (!known)
      fail_msg("%s --%s %s: is that a FILE, a DIR, a word of `words`, or free?", path, o->name,
               o->value);
  }
}

static void of_every_value_it_is_known_what_a_shell_may_offer(void **state)
{
  (void) state;
  walk_verbs(&cli_fleetsim, check_values, NULL);
}

static const struct args_verb *word_verb;
static const struct args_option *word_option;

/* A word that completion offers is one that the option takes. */
static void take_word(void *ctx, const char *word)
{
  (void) ctx;
  char value[100];
  struct error error = {.text = ""};
  union {
    max_align_t any;
    char room[4096];
  } given = {.room = {0}};
  walked++;
  snprintf(value, sizeof value, "%s", word);
  assert_true(word_verb->size <= sizeof given);
  if (word_option->take(word_option, value, given.room + word_option->offset, &error) != 0)
    fail_msg("%s --%s does not take '%s': %s", word_verb->name, word_option->name, word,
             error.text);
}

static void check_words(const struct args_verb *verb, const char *path, FILE *out)
{
  (void) path, (void) out;
  word_verb = verb;
  for (word_option = verb->options; word_option != NULL && word_option->name != NULL; word_option++)
    if (word_option->words != NULL) word_option->words(take_word, NULL);
}

static void options_take_the_words_that_are_offered_for_them(void **state)
{
  (void) state;
  walked = 0;
  walk_verbs(&cli_fleetsim, check_words, NULL);
  assert_true(walked > 25);
}

static void try_name(void *ctx, const char *name)
{
  char words[120];
  size_t *tried = ctx;
  (*tried)++;
  snprintf(words, sizeof words, "explain %s", name);
  said_by(&cli_fleetsim, words, &said);
  if (said.code != EXIT_CODE_PASS) fail_msg("'%s' is offered: %s", words, said.err);
}

static void explain_knows_every_name_that_is_offered(void **state)
{
  (void) state;
  size_t tried = 0;
  cli_explain.operand_words(try_name, &tried);
  assert_true(tried > 100);
}

/* --- Scripts and page ------------------------------------------------------------------------- */

static struct said text;

static void check_named(const char *wanted, const char *path)
{
  if (strstr(text.out, wanted) == NULL) fail_msg("nothing of '%s' (%s)", wanted, path);
}

static void check_bash(const struct args_verb *verb, const char *path, FILE *out)
{
  char wanted[200];
  (void) out;
  snprintf(wanted, sizeof wanted, "\"%s\")", path);
  check_named(wanted, path);
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++) {
    if (o->value != NULL && o->is_value == NULL)
      snprintf(wanted, sizeof wanted, "\"%s --%s\")", path, o->name);
    else
      snprintf(wanted, sizeof wanted, "--%s ", o->name);
    check_named(wanted, path);
  }
}

static void check_fish(const struct args_verb *verb, const char *path, FILE *out)
{
  char wanted[200];
  (void) out;
  const char *below = strchr(path, ' ');
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++) {
    snprintf(wanted, sizeof wanted, "at \"%s\"' -l %s ", below == NULL ? "" : below + 1, o->name);
    check_named(wanted, path);
  }
}

static void check_zsh(const struct args_verb *verb, const char *path, FILE *out)
{
  char wanted[200], function[WALK_PATH_MAX];
  (void) out;
  snprintf(function, sizeof function, "%s", path);
  for (char *c = function; *c != '\0'; c++)
    if (*c == ' ') *c = '_';
  snprintf(wanted, sizeof wanted, "\n_%s() {\n", function);
  check_named(wanted, path);
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++) {
    snprintf(wanted, sizeof wanted, "--%s%s[", o->name,
             o->value == NULL      ? ""
             : o->is_value != NULL ? "=-"
                                   : "=");
    check_named(wanted, path);
  }
}

static void check_page(const struct args_verb *verb, const char *path, FILE *out)
{
  (void) out;
  char wanted[200];
  if (verb->run == NULL) return;
  snprintf(wanted, sizeof wanted, ".SS %s\n", path);
  check_named(wanted, path);
  snprintf(wanted, sizeof wanted, "\n.nf\n%s", path); /* its usage, without that word */
  check_named(wanted, path);
}

static void scripts_and_page_have_every_verb_and_option(void **state)
{
  (void) state;
  static const struct {
    const char *words;
    void (*check)(const struct args_verb *verb, const char *path, FILE *out);
  } made[] = {{"completion bash", check_bash},
              {"completion zsh", check_zsh},
              {"completion fish", check_fish},
              {"man", check_page}};
  for (size_t m = 0; m < sizeof made / sizeof *made; m++) {
    said_by(&cli_fleetsim, made[m].words, &text);
    assert_int_equal(text.code, EXIT_CODE_PASS);
    assert_null(strstr(text.out, "terminator FOLDER")); /* nobody types it */
    walk_verbs(&cli_fleetsim, made[m].check, NULL);
  }
  said_by(&cli_fleetsim, "completion tcsh", &said);
  assert_string_equal(said.err, "fleetsim completion: there is no completion for 'tcsh': say bash, "
                                "zsh or fish\n");
  assert_int_equal(said.code, EXIT_CODE_USAGE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_example_is_a_line_that_its_verb_takes),
      cmocka_unit_test(help_ends_with_the_examples),
      cmocka_unit_test(of_every_value_it_is_known_what_a_shell_may_offer),
      cmocka_unit_test(options_take_the_words_that_are_offered_for_them),
      cmocka_unit_test(explain_knows_every_name_that_is_offered),
      cmocka_unit_test(scripts_and_page_have_every_verb_and_option),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
