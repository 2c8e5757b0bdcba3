/* Copies, as options take their texts apart. In doubt a value is a secret. */
#define _POSIX_C_SOURCE 200809L
#include "cli/told_line.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mask.h"

static bool has_password(const char *text)
{
  static const char word[] = "password";
  for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
    const char *after = at + sizeof word - 1;
    if (strncmp(after, "-file", 5) != 0 && strncmp(after, "-column", 7) != 0) return true;
  }
  return false;
}

static bool may_hold_secret(const char *text)
{
  return has_password(text) || strstr(text, "hooks") != NULL || strstr(text, "command") != NULL;
}

void told_line_mask(char *text)
{
  char *path = text, *equals = strchr(text, '=');
  if (strncmp(text, "--", 2) == 0 && equals != NULL) path = equals + 1; /* --set=PATH=VALUE */
  equals = strchr(path, '=');
  if (equals != NULL && may_hold_secret(path)) {
    for (size_t i = 1; i <= 3 && equals[i] != '\0'; i++) equals[i] = '*';
    if (strlen(equals) > 4) equals[4] = '\0';
  }
  mask_urls(text);
}

static char *masked(const char *text)
{
  char *copy = strdup(text);
  if (copy != NULL) told_line_mask(copy);
  return copy;
}

static int add_set(struct told_line *line, const struct scenario_override *override)
{
  size_t path = strlen(override->path), value = strlen(override->value);
  char *pair = malloc(path + value + 2);
  if (pair == NULL) return -1;
  memcpy(pair, override->path, path + 1);
  pair[path] = '=';
  memcpy(pair + path + 1, override->value, value + 1);
  told_line_mask(pair);
  char *equals = strchr(pair, '=');
  *equals = '\0';
  line->sets[line->asked.set_count++] = (struct results_set){.path = pair, .value = equals + 1};
  return 0;
}

static int tell_all(struct told_line *line, const struct args *args,
                    const struct overrides *overrides)
{
  line->words = calloc(args->word_count + 1, sizeof *line->words);
  line->sets = calloc(overrides->count + 1, sizeof *line->sets);
  if (line->words == NULL || line->sets == NULL) return -1;
  for (size_t w = 0; w < args->word_count; w++)
    if ((line->words[line->asked.word_count++] = masked(args->word[w])) == NULL) return -1;
  for (size_t s = 0; s < overrides->count; s++)
    if (add_set(line, &overrides->at[s]) != 0) return -1;
  line->asked.words = line->words;
  line->asked.sets = line->sets;
  return 0;
}

int told_line_make(const struct args *args, const struct overrides *overrides,
                   struct told_line *out, struct error *error)
{
  *out = (struct told_line){.words = NULL};
  if (tell_all(out, args, overrides) == 0) return 0;
  told_line_free(out);
  return error_set(error, EXIT_CODE_INTERNAL, "out of memory for the command line");
}

void told_line_free(struct told_line *line)
{
  for (size_t w = 0; line->words != NULL && w < line->asked.word_count; w++)
    free((char *) (uintptr_t) line->words[w]);
  for (size_t s = 0; line->sets != NULL && s < line->asked.set_count; s++)
    free((char *) (uintptr_t) line->sets[s].path);
  free(line->words);
  free(line->sets);
  *line = (struct told_line){.words = NULL};
}
