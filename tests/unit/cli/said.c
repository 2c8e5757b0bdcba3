#define _GNU_SOURCE
#include "said.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The stream goes to a file from here to put_back. */
static int take_away(FILE *stream, FILE **file)
{
  fflush(stream);
  int kept = dup(fileno(stream));
  *file = tmpfile();
  assert_non_null(*file);
  assert_true(kept >= 0 && dup2(fileno(*file), fileno(stream)) >= 0);
  return kept;
}

static void put_back(FILE *stream, int kept, FILE *file, char *text, size_t capacity)
{
  fflush(stream);
  dup2(kept, fileno(stream));
  close(kept);
  rewind(file);
  size_t size = fread(text, 1, capacity - 1, file);
  text[size] = '\0';
  fclose(file);
}

void said_by(const struct args_verb *verb, const char *words, struct said *said)
{
  char empty[1] = "", copy[1024], *argv[SAID_WORDS_MAX + 2] = {(char *) verb->name}, *rest = NULL;
  int argc = 1;
  FILE *out, *err;
  snprintf(copy, sizeof copy, "%s", words);
  for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
    assert_true(argc <= SAID_WORDS_MAX);
    argv[argc++] = strcmp(word, "''") == 0 ? empty : word;
  }
  int kept_out = take_away(stdout, &out), kept_err = take_away(stderr, &err);
  said->code = args_run(verb, argc, argv);
  put_back(stdout, kept_out, out, said->out, sizeof said->out);
  put_back(stderr, kept_err, err, said->err, sizeof said->err);
}
