/* A file is blocks of `body: clause | sentence` lines under `flaw WORD` or `layer WORD`, read line by
 * line into a block for each word. What is wrong ends with the line's number and a sentence. */
#define _GNU_SOURCE
#include "gauntlet/standards.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STANDARDS_FILE_MAX (64 * 1024)

struct standards_reader {
  struct standards *out;
  struct standards_block *block; /* under way; NULL: none yet */
  int line;
  char *why;
  size_t why_size;
};

static const struct {
  const char *key, *title;
} bodies[STANDARDS_BODY_COUNT] = {
#define X(symbol, key, title) {key, title},
    STANDARDS_BODIES(X)
#undef X
};

const char *standards_key(enum standards_body body)
{
  assert(body < STANDARDS_BODY_COUNT);
  return bodies[body].key;
}

const char *standards_title(enum standards_body body)
{
  assert(body < STANDARDS_BODY_COUNT);
  return bodies[body].title;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static int refuse_line(struct standards_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse_line(struct standards_reader *r, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  int n = snprintf(r->why, r->why_size, "line %d: ", r->line);
  if (n > 0 && (size_t) n < r->why_size)
    vsnprintf(r->why + n, r->why_size - (size_t) n, format, args);
  va_end(args);
  return -1;
}

static int begin_block(struct standards_reader *r, struct standards_block *block, const char *word)
{
  if (block->count > 0) return refuse_line(r, "'%.40s' is there twice", word);
  r->block = block;
  return 0;
}

static int begin_flaw(struct standards_reader *r, const char *word)
{
  for (int i = 0; i < CASE_FLAW_COUNT; i++)
    if (strcmp(word, case_flaw_word((enum case_flaw) i)) == 0)
      return begin_block(r, &r->out->flaw[i], word);
  return refuse_line(r, "'%.40s' is no word of a flaw", word);
}

static int begin_layer(struct standards_reader *r, const char *word)
{
  for (int i = 0; i <= CASE_HTTPS; i++)
    if (strcmp(word, case_layer_word((enum case_layer) i)) == 0)
      return begin_block(r, &r->out->layer[i], word);
  return refuse_line(r, "'%.40s' is no layer: write tls, mqtt or https", word);
}

static int take_body(struct standards_reader *r, const char *key, enum standards_body *out)
{
  for (int i = 0; i < STANDARDS_BODY_COUNT; i++)
    if (strcmp(key, bodies[i].key) == 0) {
      *out = (enum standards_body) i;
      return 0;
    }
  return refuse_line(r, "'%.40s' is no standard that is known here", key);
}

static bool is_same(const struct standards_clause *a, const struct standards_clause *b)
{
  return a->body == b->body && strcmp(a->clause, b->clause) == 0;
}

static bool holds(const struct standards_block *block, const struct standards_clause *clause)
{
  for (size_t i = 0; i < block->count; i++)
    if (is_same(&block->clause[i], clause)) return true;
  return false;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
  text += strspn(text, " \t");
  for (size_t n = strlen(text); n > 0 && strchr(" \t\r", text[n - 1]) != NULL;) text[--n] = '\0';
  return text;
}

/* "etsi: 5.5-1 | a sentence" */
static int take_clause(struct standards_reader *r, char *line)
{
  char *number = strchr(line, ':'), *sentence = strchr(line, '|');
  struct standards_clause clause;
  if (number == NULL || sentence == NULL || sentence < number)
    return refuse_line(r, "expected 'flaw WORD', 'layer WORD' or 'standard: clause | sentence'");
  if (r->block == NULL) return refuse_line(r, "a clause belongs under 'flaw WORD' or 'layer WORD'");
  *number++ = '\0';
  *sentence++ = '\0';
  if (take_body(r, trim(line), &clause.body) != 0) return -1;
  number = trim(number);
  sentence = trim(sentence);
  if (*number == '\0' || strlen(number) >= sizeof clause.clause)
    return refuse_line(r, "a clause has 1 to %zu bytes", sizeof clause.clause - 1);
  if (*sentence == '\0' || strlen(sentence) >= sizeof clause.sentence)
    return refuse_line(r, "a sentence has 1 to %zu bytes", sizeof clause.sentence - 1);
  strcpy(clause.clause, number);
  strcpy(clause.sentence, sentence);
  if (holds(r->block, &clause)) return refuse_line(r, "clause %s is there twice", clause.clause);
  if (r->block->count == STANDARDS_CLAUSES_MAX)
    return refuse_line(r, "more than %d clauses of one word", STANDARDS_CLAUSES_MAX);
  r->block->clause[r->block->count++] = clause;
  return 0;
}

static int take_line(struct standards_reader *r, char *line)
{
  line = trim(line);
  if (*line == '\0' || *line == '#') return 0;
  if (strncmp(line, "flaw ", 5) == 0) return begin_flaw(r, trim(line + 5));
  if (strncmp(line, "layer ", 6) == 0) return begin_layer(r, trim(line + 6));
  return take_clause(r, line);
}

struct standards *standards_parse(const char *text, char *why, size_t why_size)
{
  char *copy = strdup(text), *rest = copy;
  struct standards_reader r = {.out = calloc(1, sizeof *r.out), .why = why, .why_size = why_size};
  int result = copy != NULL && r.out != NULL ? 0 : refuse_line(&r, "out of memory");
  for (char *line; result == 0 && (line = strsep(&rest, "\n")) != NULL;) {
    r.line++;
    result = take_line(&r, line);
  }
  free(copy);
  if (result == 0) return r.out;
  free(r.out);
  return NULL;
}

struct standards *standards_load(const char *path, char *why, size_t why_size)
{
  FILE *file = fopen(path, "r");
  char *text = calloc(1, STANDARDS_FILE_MAX);
  struct standards *standards = NULL;
  if (file != NULL && text != NULL &&
      fread(text, 1, STANDARDS_FILE_MAX - 1, file) < STANDARDS_FILE_MAX - 1)
    standards = standards_parse(text, why, why_size);
  else
    snprintf(why, why_size, "it cannot be read or is larger than %d bytes", STANDARDS_FILE_MAX - 1);
  if (file != NULL) fclose(file);
  free(text);
  return standards;
}

/* --- Looking up ------------------------------------------------------------------------------- */

/* The clauses that were given already are those of `count`, as far as there was room. */
static size_t give(const struct standards_block *block, const struct standards_clause **out,
                   size_t count, size_t room)
{
  for (size_t i = 0; i < block->count; i++) {
    bool given = false;
    for (size_t k = 0; k < count && k < room; k++) given |= is_same(out[k], &block->clause[i]);
    if (given) continue;
    if (count < room) out[count] = &block->clause[i];
    count++;
  }
  return count;
}

size_t standards_of(const struct standards *standards, const struct gauntlet_case *c,
                    const struct standards_clause **out, size_t room)
{
  size_t count = 0;
  for (int i = 0; i < CASE_FLAW_COUNT; i++)
    if (c->flaws & 1u << i) count = give(&standards->flaw[i], out, count, room);
  return give(&standards->layer[c->layer], out, count, room);
}
