/* Command lines as tables, on getopt_long. The happy path: the group finds the verb, read_line puts
 * options where the table says and leaves the operands, the verb runs. Whatever cannot be taken
 * ends it with one sentence and EXIT_CODE_USAGE, before the verb has begun. */
#define _GNU_SOURCE
#include "cli/args.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mask.h"
#include "base/memory.h"

#define ARGS_PATH_MAX 80 /* "fleetsim pki make" */

enum { HELP = 256, FIRST_OPTION }; /* above every letter, '?' and ':' */

/* --- Kinds of option -------------------------------------------------------------------------- */

int args_flag(const struct args_option *option, char *value, void *to, struct error *error)
{
  (void) option, (void) value, (void) error;
  *(bool *) to = true;
  return 0;
}

static int check_text(const struct args_option *option, const char *value, struct error *error)
{
  if (value[0] != '\0') return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "--%s wants %s, and the text after it is empty; --help shows an example",
                   option->name, option->value);
}

int args_text(const struct args_option *option, char *value, void *to, struct error *error)
{
  *(const char **) to = value;
  return check_text(option, value, error);
}

int args_texts(const struct args_option *option, char *value, void *to, struct error *error)
{
  struct args_texts *texts = to;
  assert(option->most > 0 && option->most <= ARGS_TEXTS_MAX);
  if (texts->count == option->most)
    return error_set(error, EXIT_CODE_USAGE, "at most %u --%s at a time", (unsigned) option->most,
                     option->name);
  texts->at[texts->count++] = value;
  return check_text(option, value, error);
}

int args_number(const struct args_option *option, char *value, void *to, struct error *error)
{
  char *end = NULL;
  errno = 0;
  unsigned long long number = strtoull(value, &end, 10);
  if (errno == 0 && value[0] >= '0' && value[0] <= '9' && *end == '\0' && number >= option->least &&
      number <= option->most) {
    *(uint64_t *) to = number;
    return 0;
  }
  return error_set(error, EXIT_CODE_USAGE, "'%s' is no %s%s: give a whole number from %llu to %llu",
                   value, option->what == NULL ? "--" : "",
                   option->what == NULL ? option->name : option->what,
                   (unsigned long long) option->least, (unsigned long long) option->most);
}

/* --- Help ------------------------------------------------------------------------------------- */

static size_t label_size(const struct args_option *option)
{
  return strlen(option->name) + (option->value == NULL ? 0 : strlen(option->value) + 1);
}

static void print_option(const struct args_option *option, size_t column, FILE *out)
{
  fprintf(out, "  --%s%s%s%*s", option->name, option->value == NULL ? "" : " ",
          option->value == NULL ? "" : option->value, (int) (column - label_size(option)), "");
  for (const char *line = option->help;; fprintf(out, "%*s", (int) column + 4, "")) {
    int size = (int) strcspn(line, "\n");
    fprintf(out, "%.*s\n", size, line);
    if (line[size] == '\0') return;
    line += size + 1;
  }
}

/* Whether there was one to print. */
static bool print_verbs(const struct args_verb *const *verbs, FILE *out)
{
  size_t column = 0;
  for (size_t v = 0; verbs != NULL && verbs[v] != NULL; v++)
    if (verbs[v]->line != NULL && strlen(verbs[v]->name) > column) column = strlen(verbs[v]->name);
  for (size_t v = 0; column > 0 && verbs[v] != NULL; v++)
    if (verbs[v]->line != NULL)
      fprintf(out, "  %-*s  %s\n", (int) column, verbs[v]->name, verbs[v]->line);
  return column > 0;
}

static void print_examples(const char *line, FILE *out)
{
  for (const char *label = "\nexample: "; line != NULL && *line != '\0'; label = "         ") {
    int size = (int) strcspn(line, "\n");
    fprintf(out, "%s%.*s\n", label, size, line);
    line += size + (line[size] == '\n');
  }
}

static void print_help(const struct args_verb *verb, FILE *out)
{
  size_t column = 0;
  fputs(verb->usage, out);
  bool listed = print_verbs(verb->verbs, out);
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++)
    if (label_size(o) + 2 > column) column = label_size(o) + 2;
  if (listed && column > 0) fputc('\n', out);
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++)
    print_option(o, column, out);
  if (verb->after != NULL) fputs(verb->after, out);
  print_examples(verb->example, out);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static int has_value(const struct args_option *option)
{
  if (option->value == NULL) return no_argument;
  return option->is_value != NULL ? optional_argument : required_argument;
}

/* getopt_long takes a value that may be left out from behind a '=' only. */
static char *value_or_next(const struct args_option *option, int argc, char **argv)
{
  bool next = optarg == NULL && option->is_value != NULL && optind < argc;
  /* the verb's own */
  return next && option->is_value(argv[optind]) ? argv[optind++] : optarg;
}

static void list_for_getopt(const struct args_option *options, struct option *known)
{
  size_t count = 0;
  for (; options != NULL && options[count].name != NULL; count++) {
    assert(count < ARGS_OPTIONS_MAX);
    known[count] = (struct option){.name = options[count].name,
                                   .has_arg = has_value(&options[count]),
                                   .val = FIRST_OPTION + (int) count};
  }
  known[count] = (struct option){.name = "help", .has_arg = no_argument, .val = HELP};
  known[count + 1] = (struct option){0};
}

/* getopt_long says no more than `optopt` of an option that was given a value and takes none. */
static bool takes_no_value(const char *argument, size_t length, const struct option *known)
{
  if (strncmp(argument, "--", 2) != 0 || argument[length] != '=') return false;
  for (const struct option *o = known; o->name != NULL; o++)
    if (o->has_arg == no_argument && strncmp(o->name, argument + 2, length - 2) == 0) return true;
  return false;
}

static bool is_option_of_another(const char *argument, size_t length,
                                 const struct args_verb *const *group)
{
  for (; group != NULL && *group != NULL && strncmp(argument, "--", 2) == 0; group++)
    for (const struct args_option *o = (*group)->options; o != NULL && o->name != NULL; o++)
      if (strlen(o->name) == length - 2 && memcmp(o->name, argument + 2, length - 2) == 0)
        return true;
  return false;
}

/* After getopt_long gave ':' or '?'. What stands behind the name's '=' is not repeated: it may be a
 * secret. */
static int refuse_option(int found, const char *argument, const struct option *known,
                         const struct args_verb *verb, const struct args_verb *const *group,
                         struct error *error)
{
  size_t length = strcspn(argument, "=");
  if (found == ':')
    return error_set(error, EXIT_CODE_USAGE, "%s wants a value; --help shows an example", argument);
  if (takes_no_value(argument, length, known))
    return error_set(error, EXIT_CODE_USAGE, "%.*s takes no value; --help lists what does",
                     (int) length, argument);
  if (optopt > 0) /* a letter: of "-xy" the argument is not through yet */
    return error_set(error, EXIT_CODE_USAGE, "there is no option '-%c'; --help lists them", optopt);
  if (is_option_of_another(argument, length, group))
    return error_set(error, EXIT_CODE_USAGE, "%.*s is no option of '%s'; --help lists them",
                     (int) length, argument, verb->name);
  return error_set(error, EXIT_CODE_USAGE, "there is no option '%.*s'; --help lists them",
                   (int) length, argument);
}

static int check_needed(const struct args_option *options, const bool *seen, struct error *error)
{
  for (size_t i = 0; options != NULL && options[i].name != NULL; i++)
    if (options[i].needed && !seen[i])
      return error_set(error, EXIT_CODE_USAGE, "--%s is missing; --help shows an example",
                       options[i].name);
  return 0;
}

static const struct args_verb *find_verb(const struct args_verb *const *verbs, const char *name)
{
  for (; verbs != NULL && *verbs != NULL; verbs++)
    if (strcmp((*verbs)->name, name) == 0) return *verbs;
  return NULL;
}

enum line {
  LINE_REFUSED = -1,
  LINE_WHOLE,
  LINE_HELP,
  LINE_UNCLEAR /* it gets the help, unasked */
};

static int check_operands(const struct args_verb *verb, const struct args *args,
                          struct error *error)
{
  char shown[200];
  if (args->operand_count < verb->operands_least)
    return error_set(error, EXIT_CODE_USAGE, "%s", verb->operands);
  for (size_t i = 0; i < args->operand_count; i++)
    if (args->operand[i][0] == '\0')
      return error_set(error, EXIT_CODE_USAGE, "an empty text is no name: %s", verb->operands);
  if (args->operand_count <= verb->operands_most) return 0;
  return error_set(error, EXIT_CODE_USAGE, "'%s' is one too many: %s",
                   mask_url(args->operand[verb->operands_most], shown, sizeof shown),
                   verb->operands);
}

/* Operands, and that nothing is missing. */
static enum line check_whole(const struct args_verb *verb, const struct args *args,
                             const bool *seen, struct error *error)
{
  if (verb->run == NULL) return LINE_UNCLEAR;
  assert(verb->operands != NULL);
  if (args->operand_count > 0 && find_verb(verb->verbs, args->operand[0]) != NULL)
    error_set(error, EXIT_CODE_USAGE, "say '%s' first, and its options after it", args->operand[0]);
  else if (check_operands(verb, args, error) == 0 && check_needed(verb->options, seen, error) == 0)
    return LINE_WHOLE;
  return LINE_REFUSED;
}

/* Into `given` and `args`. */
static enum line read_line(const struct args_verb *verb, const struct args_verb *const *group,
                           int argc, char **argv, void *given, struct args *args,
                           struct error *error)
{
  struct option known[ARGS_OPTIONS_MAX + 2];
  bool seen[ARGS_OPTIONS_MAX] = {false};
  int found;
  list_for_getopt(verb->options, known);
  opterr = 0, optind = 0;
  while ((found = getopt_long(argc, argv, ":", known, NULL)) != -1) {
    if (found == HELP) return LINE_HELP;
    if (found == ':' || found == '?') {
      refuse_option(found, argv[optind - 1], known, verb, group, error);
      return LINE_REFUSED;
    }
    const struct args_option *option = &verb->options[found - FIRST_OPTION];
    void *to = (char *) given + option->offset;
    /* one of the kinds above, or the verb's own */
    if (option->take(option, value_or_next(option, argc, argv), to, error) != 0)
      return LINE_REFUSED;
    seen[found - FIRST_OPTION] = true;
  }
  args->given = given;
  args->operand = argv + optind;
  args->operand_count = (size_t) (argc - optind);
  return check_whole(verb, args, seen, error);
}

static void copy_words(int argc, char **argv, struct args *args)
{
  args->word = calloc((size_t) argc + 1, sizeof *args->word);
  if (args->word == NULL) memory_gone("a command line");
  for (args->word_count = 0; args->word_count < (size_t) argc; args->word_count++) {
    args->word[args->word_count] = strdup(argv[args->word_count]);
    if (args->word[args->word_count] == NULL) memory_gone("a command line");
  }
}

static void free_words(struct args *args)
{
  for (size_t w = 0; w < args->word_count; w++) free(args->word[w]);
  free(args->word);
}

static int run_line(const struct args_verb *verb, const struct args_verb *const *group,
                    const char *path, int argc, char **argv)
{
  struct error error = {.code = EXIT_CODE_INTERNAL};
  struct args args;
  void *given = calloc(1, verb->size + 1);
  if (given == NULL) memory_gone("a command line");
  copy_words(argc, argv, &args);
  if (verb->defaults != NULL) memcpy(given, verb->defaults, verb->size);
  enum line line = read_line(verb, group, argc, argv, given, &args, &error);
  int code = line == LINE_HELP ? EXIT_CODE_PASS : EXIT_CODE_USAGE;
  if (line == LINE_HELP || line == LINE_UNCLEAR) print_help(verb, code == 0 ? stdout : stderr);
  if (line == LINE_REFUSED) code = -1;
  if (line == LINE_WHOLE) code = verb->run(&args, &error); /* the one that the verb's table names */
  free(given);
  free_words(&args);
  if (code >= 0) return code;
  fflush(stdout); /* the sentence belongs below what was printed */
  fprintf(stderr, "%s: %s\n", path, error.text);
  return (int) error.code;
}

/* --- Groups ----------------------------------------------------------------------------------- */

static int refuse_verb(const char *path, const char *word)
{
  char shown[200];
  fprintf(stderr, "%s: there is no verb '%s'; '%s --help' lists them\n", path,
          mask_url(word, shown, sizeof shown), path);
  return EXIT_CODE_USAGE;
}

static int run_verb(const struct args_verb *verb, const struct args_verb *const *group,
                    const char *path, int argc, char **argv)
{
  char below[ARGS_PATH_MAX];
  const char *word = argc > 1 ? argv[1] : "--";
  if (verb->verbs == NULL) return run_line(verb, group, path, argc, argv);
  const struct args_verb *named = find_verb(verb->verbs, word);
  if (named != NULL) {
    snprintf(below, sizeof below, "%s %s", path, named->name);
    return run_verb(named, verb->verbs, below, argc - 1, argv + 1);
  }
  if (word[0] == '-' || verb->operands_most > 0)
    return run_line(verb, verb->verbs, path, argc, argv);
  return refuse_verb(path, word);
}

int args_run(const struct args_verb *verb, int argc, char **argv)
{
  return run_verb(verb, NULL, verb->name, argc, argv);
}
