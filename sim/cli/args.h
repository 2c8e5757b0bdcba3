/* Command lines as tables: a verb says which options and operands it takes, in which words --help
 * explains them and where each value goes. From that come the reading (getopt_long's), the help and
 * the refusals, which are the same sentences in every verb.
 *
 *     static const struct args_option options[] = {
 *         {"out", "DIR", "folder for results", args_text, offsetof(struct given, out)},
 *         {0},
 *     };
 *     const struct args_verb cli_thing = {.name = "thing", .options = options,
 *                                         .size = sizeof(struct given), .run = run_thing, ...};
 */
#ifndef FLEETSIM_CLI_ARGS_H
#define FLEETSIM_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define ARGS_OPTIONS_MAX 32
#define ARGS_TEXTS_MAX   16

/* A fixed set of words: tells `say` each of them. */
typedef void args_words(void (*say)(void *ctx, const char *word), void *ctx);

struct args_option {
  const char *name; /* without its "--"; NULL ends a table */
  /* What --help calls the value; NULL: it takes none. FILE and PATH, DIR and FOLDER are what they
   * say to shells too, which complete them (completion.h). */
  const char *value;
  const char *help; /* what it does; lines after the first are put below the first */
  /* Puts a value at `to`: argv's own, which it may take apart; NULL where the option has none.
   * Returns 0, or -1 with a USAGE sentence. One of the args_* below, or the verb's own. For an
   * option given twice it is called twice, and what has room for one value keeps the last. */
  int (*take)(const struct args_option *option, char *value, void *to, struct error *error);
  /* The value may be left out: `take` then gets NULL. It stands behind a '=', or is the next word if
   * this says that the word is one. NULL: it is needed, where there is one. */
  bool (*is_value)(const char *word);
  size_t offset;        /* of `to` in what the verb is given */
  bool needed;          /* refused when it is missing */
  const char *what;     /* args_number: what a sentence calls it; NULL: "--NAME" */
  uint64_t least, most; /* args_number: both are allowed; args_texts: `most` values */
  args_words *words; /* that the value may be, or begins with where `value` has a '='; NULL: of no
                         * fixed set */
};

/* What may be given several times. */
struct args_texts {
  const char *at[ARGS_TEXTS_MAX];
  size_t count;
};

/* Kinds of option, for `take`. A text lives as long as argv, and is not empty. */
int args_flag(const struct args_option *option, char *value, void *to, struct error *error);
int args_text(const struct args_option *option, char *value, void *to, struct error *error);
int args_texts(const struct args_option *option, char *value, void *to, struct error *error);
int args_number(const struct args_option *option, char *value, void *to, struct error *error);

/* A command line that was taken. */
struct args {
  const void *given; /* the verb's struct */
  char **operand;    /* what is no option, in its order */
  size_t operand_count;
  char **word; /* all that was typed from the verb's name on, before options took it apart */
  size_t word_count;
};

/* A verb; or a group of verbs, of which the next word names one. --help prints `usage`, the group's
 * verbs, the options, `after` and the examples. */
struct args_verb {
  const char *name;
  const char *line;  /* what it does, for the list of its group; NULL: it is not listed */
  const char *usage; /* ends with an empty line if a list follows */
  const struct args_option *options; /* NULL: none but --help */
  const char *after;                 /* begins with an empty line; NULL: nothing */
  const char *example;               /* commands that work as they are, a line each */
  size_t operands_least, operands_most;
  const char *operands; /* the sentence that asks for them; a group that runs nothing has none */
  const char *operand;  /* as an option's `value`; NULL: nothing that a shell could complete */
  args_words *operand_words;
  size_t size;          /* of the struct that `offset` is in; 0: the verb is given none */
  const void *defaults; /* the same struct, as it is where nothing is given; NULL: all is 0 */
  /* The verb's own function: an exit code, with everything said, or -1 with an error, which is
   * printed after the verb's name. NULL: a group that does nothing by itself. */
  int (*run)(const struct args *args, struct error *error);
  const struct args_verb *const *verbs; /* a group's, ended by NULL; NULL: it is a verb */
};

/* Reads argv, which begins with the verb's own name, and runs the verb; of a group, that which the
 * next word names. Returns an exit code of base/error.h. A refusal is one sentence on stderr, after
 * the names that led to the verb; --help goes to stdout. */
int args_run(const struct args_verb *verb, int argc, char **argv);

#endif
