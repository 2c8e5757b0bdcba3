/* A command that was run on every case, as results tell it: without what its options say is secret.
 * It is text for a shell; words end at blanks, and what stands in quotes is one. */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gauntlet/report_json.h"

#define MASK       "***"
#define QUOTES_MAX 4u /* of quotes in quotes that are looked into */

/* Bytes of the word that `at`, of which there are `left`, begins with. */
static size_t word_size(const char *at, size_t left)
{
  size_t size = 0;
  char quote = 0;
  for (; size < left && (quote != 0 || !isspace((unsigned char) at[size])); size++) {
    if (at[size] == '\\' && quote != '\'' && size + 1 < left)
      size++;
    else if (quote != 0)
      quote = at[size] == quote ? 0 : quote;
    else if (at[size] == '\'' || at[size] == '"')
      quote = at[size];
  }
  return size;
}

static bool has_part(const char *word, size_t size, const char *part)
{
  size_t length = strlen(part);
  for (size_t i = 0; i + length <= size; i++)
    if (strncasecmp(word + i, part, length) == 0) return true;
  return false;
}

/* Whether it is the name of something secret: --password, MQTT_TOKEN=, -P of mosquitto's clients. */
static bool names_secret(const char *word, size_t size)
{
  static const char *const parts[] = {"pass", "pwd", "secret", "token", "credential", "auth"};
  if (size == 2 && strncmp(word, "-P", 2) == 0) return true;
  if (size == 4 && strncmp(word, "--pw", 4) == 0) return true;
  for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
    if (has_part(word, size, parts[p])) return true;
  return false;
}

/* "-u" of curl has both: user:password. */
static bool is_login(const char *name, size_t name_size, const char *word, size_t size)
{
  bool user = (name_size == 2 && strncmp(name, "-u", 2) == 0) ||
              (name_size == 6 && strncmp(name, "--user", 6) == 0);
  return user && memchr(word, ':', size) != NULL;
}

static bool is_option(const char *word, size_t size)
{
  return size > 0 && *word == '-' && memchr(word, '=', size) == NULL;
}

static bool is_place(const char *word, size_t size)
{
  return size > 1 && *word == '{' && word[size - 1] == '}';
}

/* What stands before the last @ of a URL, and behind its ?. A {host} and its {port} are neither. */
static void put_plain(FILE *out, const char *word, size_t size)
{
  static const char stop[] = "://";
  const char *scheme = NULL, *at = NULL, *query = NULL, *end = word + size;
  for (const char *c = word; c < end; c++) {
    if (scheme == NULL && end - c >= 3 && strncmp(c, stop, 3) == 0) scheme = c + 3;
    if (scheme != NULL && *c == '@') at = c;
    if (scheme != NULL && *c == '?' && query == NULL) query = c + 1;
  }
  if (query != NULL && (at == NULL || query > at)) end = query;
  if (at == NULL) scheme = word;
  fprintf(out, "%.*s", (int) (scheme - word), word);
  if (at != NULL) fputs(MASK, out);
  const char *rest = at != NULL ? at : word;
  fprintf(out, "%.*s%s", (int) (end - rest), rest, end == query ? MASK : "");
}

static void put_words(FILE *out, const char *command, size_t size, unsigned depth);

/* Words in quotes, as of sh -c, are looked at as well. */
static void put_word(FILE *out, const char *word, size_t size, unsigned depth)
{
  const char *value = memchr(word, '=', size);
  bool quoted = size > 2 && (*word == '\'' || *word == '"') && word[size - 1] == *word;
  if (quoted && depth > 0) {
    fputc(*word, out);
    put_words(out, word + 1, size - 2, depth - 1);
    fputc(*word, out);
  } else if (value != NULL && names_secret(word, (size_t) (value - word)))
    fprintf(out, "%.*s" MASK, (int) (value - word) + 1, word);
  else
    put_plain(out, word, size);
}

static void put_words(FILE *out, const char *command, size_t size, unsigned depth)
{
  const char *name = "", *end = command + size;
  size_t name_size = 0;
  while (command < end) {
    const char *word = command;
    while (word < end && isspace((unsigned char) *word)) word++;
    size_t length = word_size(word, (size_t) (end - word));
    bool follows = length > 0 && is_option(name, name_size) && !is_place(word, length);
    fprintf(out, "%.*s", (int) (word - command), command);
    if (follows && (names_secret(name, name_size) || is_login(name, name_size, word, length)))
      fputs(MASK, out);
    else
      put_word(out, word, length, depth);
    name = word;
    name_size = length;
    command = word + length;
  }
}

json_t *report_command_json(const char *command)
{
  char *masked = NULL;
  size_t size;
  if (command == NULL) return json_null();
  FILE *out = open_memstream(&masked, &size);
  if (out == NULL) return NULL;
  put_words(out, command, strlen(command), QUOTES_MAX);
  json_t *told = fclose(out) == 0 ? report_json_string(masked) : NULL;
  free(masked);
  return told;
}
