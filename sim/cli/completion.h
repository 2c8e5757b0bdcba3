/* fleetsim completion: a file a shell, and what they ask of the table of verbs. Internal to
 * sim/cli. */
#ifndef FLEETSIM_CLI_COMPLETION_H
#define FLEETSIM_CLI_COMPLETION_H

#include "cli/args.h"

enum completion_kind {
  COMPLETION_NOTHING, /* what only the user knows: a number, a name */
  COMPLETION_WORDS,
  COMPLETION_BEGINS, /* words behind which more is typed at once: "fleet.devices=" */
  COMPLETION_FILES,
  COMPLETION_FOLDERS,
};

/* What may be offered where that is wanted: of an option its `value` and `words`, of a verb its
 * `operand` and `operand_words`. Both may be NULL. */
enum completion_kind completion_kind(const char *value, args_words *words);

/* Those words, with a blank between them. */
void completion_print_words(args_words *words, FILE *out);

/* The text without line ends, and with a `\` before each of `special`. A ' becomes `quote`. */
void completion_print_text(const char *text, const char *special, const char *quote, FILE *out);

/* A script for the shell: of all verbs below `root`. */
void completion_bash(const struct args_verb *root, FILE *out);
void completion_zsh(const struct args_verb *root, FILE *out);
void completion_fish(const struct args_verb *root, FILE *out);

#endif
