/* What was run, and where: enough for somebody else to do it again, and to know why it was faster
   there. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/results_json.h"

#define PROGRAM "fleetsim"

static json_t *words_of(const struct results_asked *asked)
{
  json_t *words = results_json_and(json_array(), json_string(PROGRAM));
  for (size_t w = 0; w < asked->word_count; w++)
    words = results_json_and(words, results_json_string(asked->words[w]));
  return words;
}

static json_t *sets_of(const struct results_asked *asked)
{
  json_t *sets = json_array();
  for (size_t s = 0; s < asked->set_count; s++)
    sets = results_json_and(sets, json_pack("{s:o, s:o}", "path",
                                            results_json_string(asked->sets[s].path), "value",
                                            results_json_string(asked->sets[s].value)));
  return sets;
}

/* --- The command that repeats it -------------------------------------------------------------- */

/* A word as a POSIX shell takes it. */
static void put_word(FILE *out, const char *word)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "_@%+=:,./-";
  putc(' ', out);
  if (*word != '\0' && word[strspn(word, plain)] == '\0') {
    fputs(word, out);
    return;
  }
  putc('\'', out);
  for (; *word != '\0'; word++) {
    if (*word == '\'')
      fputs("'\\''", out);
    else
      putc(*word, out);
  }
  putc('\'', out);
}

static bool is_option(const char *word, const char *name)
{
  size_t size = strlen(name);
  return strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, size) == 0 &&
         (word[2 + size] == '\0' || word[2 + size] == '=');
}

/* Not over what this run has written; the seed is said, whoever chose it. */
static void put_command(const struct results *results, FILE *out)
{
  const struct results_asked *asked = results->asked;
  bool seeded = false;
  fputs(PROGRAM, out);
  for (size_t w = 0; w < asked->word_count; w++) {
    const char *word = asked->words[w];
    seeded = seeded || is_option(word, "seed");
    if (is_option(word, "overwrite")) continue;
    if (!is_option(word, "out") && !is_option(word, "summary-markdown"))
      put_word(out, word);
    else if (strchr(word, '=') == NULL)
      w++;
  }
  if (!seeded) fprintf(out, " --seed %" PRIu64, results->seed);
}

static json_t *repeat_of(const struct results *results)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return NULL;
  put_command(results, out);
  json_t *repeat = fclose(out) == 0 ? results_json_string(text) : NULL;
  free(text);
  return repeat;
}

/* --- Machine, brokers ------------------------------------------------------------------------- */

static json_t *machine_of(const struct machine *machine)
{
  return json_pack("{s:I, s:I, s:o, s:o}", "cores", (json_int_t) machine->cores, "memory_bytes",
                   (json_int_t) machine->memory_bytes, "kernel",
                   results_json_string(machine->kernel), "processor",
                   results_json_string(machine->processor));
}

static json_t *told_or_null(const char *text)
{
  return text == NULL || text[0] == '\0' ? json_null() : results_json_string(text);
}

static json_t *brokers_of(const struct results *results)
{
  json_t *brokers = json_array();
  for (size_t b = 0; b < results->broker_count; b++) {
    const struct results_broker *broker = &results->brokers[b];
    brokers = results_json_and(
        brokers, json_pack("{s:o, s:o, s:o}", "name", told_or_null(broker->name), "kind",
                           results_json_string(broker->kind), "url", told_or_null(broker->url)));
  }
  return brokers;
}

bool results_asked_add(json_t *tree, const struct results *results)
{
  const struct results_asked *asked = results->asked;
  json_t *scenario = json_object_get(tree, "scenario");
  return json_object_set_new(scenario, "text", told_or_null(results->scenario_text)) == 0 &&
         json_object_set_new(tree, "command", asked ? words_of(asked) : json_null()) == 0 &&
         json_object_set_new(tree, "set", asked ? sets_of(asked) : json_null()) == 0 &&
         json_object_set_new(tree, "repeat", asked ? repeat_of(results) : json_null()) == 0 &&
         json_object_set_new(tree, "machine", machine_of(&results->machine)) == 0 &&
         json_object_set_new(tree, "brokers", brokers_of(results)) == 0;
}
