/* The ClientHellos of a report, each that is unlike those before once: its facts for programs and
 * as lines for people, and what stands out. What differs at every connection (its random, the
 * numbers of GREASE) is in neither, and the name that it asks for is the case's. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "gauntlet/report_json.h"

#define LABEL_INDENT 2
#define HELLOS_MAX   64u /* a client whose hello is never the same is shown by those */

static void add_finding(void *ctx, const struct hello_finding *finding)
{
  json_t **findings = ctx;
  *findings = report_json_and(*findings,
                              json_pack("{s:s, s:s, s:o, s:o}", "severity",
                                        hello_severity_word(finding->severity), "id", finding->id,
                                        "reference", report_json_string(finding->reference),
                                        "sentence", report_json_string(finding->sentence)));
}

static json_t *findings_json(const struct hello *hello)
{
  json_t *findings = json_array();
  hello_stands_out(hello, add_finding, &findings);
  return findings;
}

/* "  label   text", and lines further in that go on with the text. */
static json_t *with_line(json_t *pairs, const char *line)
{
  size_t indent = strspn(line, " "), end = indent;
  while (line[end] != '\0' && !(line[end] == ' ' && line[end + 1] == ' ')) end++;
  const char *text = line + end + strspn(line + end, " ");
  json_t *last = json_array_get(pairs, json_array_size(pairs) - 1);
  if (indent <= LABEL_INDENT || last == NULL)
    return report_json_and(pairs, json_pack("{s:s%, s:o}", "label", line + indent, end - indent,
                                            "text", report_json_string(text)));
  json_t *longer = json_sprintf("%s %s", report_json_text(last, "text"), line + indent);
  if (json_object_set_new(last, "text", longer) == 0) return pairs;
  json_decref(pairs);
  return NULL;
}

static json_t *pairs_json(char *text)
{
  json_t *pairs = json_array();
  char *rest;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL && pairs != NULL;
       line = strtok_r(NULL, "\n", &rest))
    pairs = with_line(pairs, line);
  return pairs;
}

/* What hello_print_facts prints. */
static json_t *shown_json(const struct hello *hello)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return NULL;
  hello_print_facts(hello, out);
  json_t *pairs = fclose(out) == 0 ? pairs_json(text) : NULL;
  free(text);
  return pairs;
}

static json_t *one_hello(const struct hello *hello, json_t *facts)
{
  return json_pack("{s:i, s:{}, s:o, s:O, s:o}", "trials", 0, "layers", "stands_out",
                   findings_json(hello), "facts", facts, "shown", shown_json(hello));
}

/* What is the case's doing, or follows from it, is no difference of the client's. */
static json_t *own_facts(const json_t *facts)
{
  static const char *const not_own[] = {"server_name", "bytes", "message_bytes"};
  json_t *own = json_copy((json_t *) facts);
  for (size_t n = 0; own != NULL && n < sizeof not_own / sizeof *not_own; n++)
    (void) json_object_del(own, not_own[n]);
  return own;
}

/* The index of a hello that is alike; the size of the list: there is none. */
static size_t find_facts(const json_t *hellos, const json_t *facts)
{
  size_t at = 0;
  json_t *own = own_facts(facts);
  for (; at < json_array_size(hellos); at++) {
    json_t *other = own_facts(json_object_get(json_array_get(hellos, at), "facts"));
    bool alike = json_equal(own, other) != 0;
    json_decref(other);
    if (alike) break;
  }
  json_decref(own);
  return at;
}

static bool raise_count(json_t *object, const char *key)
{
  json_int_t count = json_integer_value(json_object_get(object, key)) + 1;
  return json_object_set_new(object, key, json_integer(count)) == 0;
}

/* NULL: no memory. */
static json_t *add_hello(json_t *hellos, const struct trial_result *trial, json_int_t *which)
{
  json_t *facts = hello_json(&trial->seen.hello);
  size_t at = find_facts(hellos, facts);
  if (facts == NULL) {
    json_decref(hellos);
    return NULL;
  }
  if (at == json_array_size(hellos) && at < HELLOS_MAX)
    hellos = report_json_and(hellos, one_hello(&trial->seen.hello, facts));
  json_decref(facts);
  if (hellos == NULL || at == HELLOS_MAX) return hellos;
  *which = (json_int_t) at;
  json_t *hello = json_array_get(hellos, at);
  if (raise_count(hello, "trials") &&
      raise_count(json_object_get(hello, "layers"), case_layer_word(trial->c->layer)))
    return hellos;
  json_decref(hellos);
  return NULL;
}

json_t *report_hellos_json(const struct report *report, json_int_t *which)
{
  json_t *hellos = json_array();
  for (size_t i = 0; i < report->count; i++) {
    which[i] = -1;
    if (hellos != NULL && report->result[i].seen.has_hello)
      hellos = add_hello(hellos, &report->result[i], &which[i]);
  }
  return hellos;
}
