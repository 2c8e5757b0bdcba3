/* A command line run in this process, and what it said. */
#ifndef SAID_H
#define SAID_H

#include "cli/args.h"

#define SAID_WORDS_MAX 16

struct said {
  int code;
  char out[65536], err[16384];
};

/* "pki make f --devices 3": the words after the verb's name, parted by blanks; "" for none. A word
 * '' is an empty text. */
void said_by(const struct args_verb *verb, const char *words, struct said *said);

#endif
