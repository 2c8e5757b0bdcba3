#define _GNU_SOURCE
#include "said.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* The next word, as a shell has it: what stands in quotes is one, also with blanks in it. NULL: none. */
static char *next_word(char **rest)
{
  char *word = *rest + strspn(*rest, " ");
  if (*word == '\0') return NULL;
  bool quoted = *word == '\'';
  word += quoted;
  size_t size = strcspn(word, quoted ? "'" : " ");
  *rest = word + size + (word[size] != '\0');
  word[size] = '\0';
  return word;
}

void said_by(const struct args_verb *verb, const char *words, struct said *said)
{
  char copy[1024], *argv[SAID_WORDS_MAX + 2] = {(char *) verb->name}, *rest = copy;
  int argc = 1;
  FILE *out, *err;
  snprintf(copy, sizeof copy, "%s", words);
  for (char *word = next_word(&rest); word != NULL; word = next_word(&rest)) {
    assert_true(argc <= SAID_WORDS_MAX);
    argv[argc++] = word;
  }
  int kept_out = take_away(stdout, &out), kept_err = take_away(stderr, &err);
  said->code = args_run(verb, argc, argv);
  put_back(stdout, kept_out, out, said->out, sizeof said->out);
  put_back(stderr, kept_err, err, said->err, sizeof said->err);
}
