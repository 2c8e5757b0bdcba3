/* Names the key that was meant: a walk over the document and libcyaml's schema side by side, which
 * also finds values of the wrong type and keys that are missing. What passes here, libcyaml takes.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "scenario/raw.h"
#include "scenario/schema.h"

/* libcyaml stops at the first key that it does not know but cannot say which was meant: this walk
 * over the same schema can, and knows every place. */
struct walk {
  const struct doc *doc;
  const struct schema_steps *steps;
  struct error *error;
};

/* Edit distance in which a swap of neighbours counts one; words longer than the table are far from
   everything. */
static unsigned distance(const char *a, const char *b)
{
  enum { MAX = 24 };
  size_t n = strlen(a), m = strlen(b);
  if (n > MAX || m > MAX) return MAX;
  unsigned d[MAX + 1][MAX + 1];
  for (unsigned i = 0; i <= n; i++) d[i][0] = i;
  for (unsigned j = 0; j <= m; j++) d[0][j] = j;
  for (size_t i = 1; i <= n; i++)
    for (size_t j = 1; j <= m; j++) {
      unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
          d[i - 2][j - 2] + 1 < best)
        best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  return d[n][m];
}

static const char *nearest_key(const char *key, const cyaml_schema_field_t *fields)
{
  const char *best = NULL;
  unsigned least = (unsigned) strlen(key) / 3 + 1;
  for (; fields->key != NULL; fields++) {
    unsigned d = distance(key, fields->key);
    if (d > least || (d == least && best != NULL)) continue;
    least = d;
    best = fields->key;
  }
  return best;
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key)
{
  for (; fields->key != NULL; fields++)
    if (strcmp(fields->key, key) == 0) return fields;
  return NULL;
}

/* "a, b and c" of the keys that a mapping may have. */
static void list_keys(const cyaml_schema_field_t *fields, char *out, size_t size)
{
  size_t used = 0;
  out[0] = '\0';
  for (const cyaml_schema_field_t *f = fields; f->key != NULL && used < size; f++) {
    const char *before = f == fields ? "" : f[1].key == NULL ? " and " : ", ";
    used += (size_t) snprintf(out + used, size - used, "%s%s", before, f->key);
  }
}

static int unknown_key(const struct walk *w, const yaml_node_t *key, const char *path,
                       const char *name, const cyaml_schema_field_t *fields)
{
  char sentence[800], known[600];
  const char *text = (const char *) key->data.scalar.value, *meant = nearest_key(text, fields);
  list_keys(fields, known, sizeof known);
  int n = snprintf(sentence, sizeof sentence, "unknown key '%.40s' in %s; ", text, name);
  char *rest = sentence + n;
  size_t room = sizeof sentence - (size_t) n;
  if (meant != NULL)
    snprintf(rest, room, "did you mean '%s'?", meant);
  else if (known[0] != '\0')
    snprintf(rest, room, "it may have %s", known);
  else
    snprintf(rest, room, "it has no keys: write '%s: {}'", name);
  char at[DOC_PATH_MAX];
  snprintf(at, sizeof at, "%s%s%.60s", path, *path != '\0' ? "." : "", text);
  return doc_fail_at(w->doc, &key->start_mark, at, w->error, sentence);
}

static int check_value(const struct walk *w, const yaml_node_t *node,
                       const cyaml_schema_value_t *schema, const char *path, const char *name);

static int check_required(const struct walk *w, const yaml_node_t *node,
                          const cyaml_schema_field_t *fields, const char *path, const char *name)
{
  char sentence[200];
  for (; fields->key != NULL; fields++) {
    if ((fields->value.flags & CYAML_FLAG_OPTIONAL) != 0) continue;
    if (doc_value(w->doc, node, fields->key, NULL) != NULL) continue;
    snprintf(sentence, sizeof sentence, "%s has no '%s'; add it", name, fields->key);
    return doc_fail_at(w->doc, &node->start_mark, path, w->error, sentence);
  }
  return 0;
}

static int check_pair(const struct walk *w, const yaml_node_t *mapping,
                      const yaml_node_pair_t *pair, const cyaml_schema_field_t *fields,
                      const char *path, const char *name)
{
  yaml_node_t *key = doc_node(w->doc, pair->key), *first = NULL;
  if (key->type != YAML_SCALAR_NODE)
    return doc_fail_at(w->doc, &key->start_mark, path, w->error, "a key must be a plain word");
  const char *text = (const char *) key->data.scalar.value;
  const cyaml_schema_field_t *field = find_field(fields, text);
  if (field == NULL || strlen(text) != key->data.scalar.length)
    return unknown_key(w, key, path, name, fields);

  doc_value(w->doc, mapping, text, &first);
  if (first != key) {
    char sentence[100];
    snprintf(sentence, sizeof sentence, "'%s' appears twice in %.40s; remove one", text, name);
    return doc_fail_at(w->doc, &key->start_mark, path, w->error, sentence);
  }
  char below[DOC_PATH_MAX];
  snprintf(below, sizeof below, "%s%s%s", path, *path != '\0' ? "." : "", text);
  return check_value(w, doc_node(w->doc, pair->value), &field->value, below, field->key);
}

static int check_mapping(const struct walk *w, const yaml_node_t *node,
                         const cyaml_schema_value_t *schema, const char *path, const char *name)
{
  const cyaml_schema_field_t *fields = schema->mapping.fields;
  for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
       pair++)
    if (check_pair(w, node, pair, fields, path, name) != 0) return -1;
  return check_required(w, node, fields, path, name);
}

static const char *entry_name(const char *list)
{
  if (strcmp(list, "phases") == 0) return "a phase";
  if (strcmp(list, SCHEMA_STEPS) == 0) return "a step";
  return "an entry of the list";
}

static int check_sequence(const struct walk *w, const yaml_node_t *node,
                          const cyaml_schema_value_t *schema, const char *path, const char *name)
{
  size_t count = (size_t) (node->data.sequence.items.top - node->data.sequence.items.start);
  char sentence[200], below[DOC_PATH_MAX];
  if (count < schema->sequence.min || count > schema->sequence.max) {
    snprintf(sentence, sizeof sentence, "'%s' has %zu entries; it must have %u to %u", name, count,
             schema->sequence.min, schema->sequence.max);
    return doc_fail_at(w->doc, &node->start_mark, path, w->error, sentence);
  }
  for (size_t i = 0; i < count; i++) {
    snprintf(below, sizeof below, "%s[%zu]", path, i);
    yaml_node_t *entry = doc_node(w->doc, node->data.sequence.items.start[i]);
    if (check_value(w, entry, schema->sequence.entry, below, entry_name(name)) != 0) return -1;
  }
  return 0;
}

static int wrong_type(const struct walk *w, const yaml_node_t *node, const char *path,
                      const char *name, const char *wanted)
{
  char sentence[200];
  const char *quote = strchr(name, ' ') != NULL ? "" : "'";
  snprintf(sentence, sizeof sentence, "%s%s%s must be %s", quote, name, quote, wanted);
  return doc_fail_at(w->doc, &node->start_mark, path, w->error, sentence);
}

static int check_scalar(const struct walk *w, const yaml_node_t *node, const char *path,
                        const char *name)
{
  if (strlen((const char *) node->data.scalar.value) != node->data.scalar.length)
    return wrong_type(w, node, path, name, "a text without zero bytes");
  if (node->data.scalar.length == 0)
    return wrong_type(w, node, path, name, "given a value; it is empty");
  return 0;
}

/* What libcyaml leaves alone. */
static int check_left_alone(const struct walk *w, const yaml_node_t *node, const char *path,
                            const char *name)
{
  if (strcmp(name, SCHEMA_STEPS) == 0) return check_value(w, node, &w->steps->list, path, name);
  assert(strcmp(name, SCHEMA_OPERATOR) == 0);
  if (node->type != YAML_SCALAR_NODE) return check_value(w, node, &schema_operator, path, name);
  if (strcmp((const char *) node->data.scalar.value, "none") == 0) return 0;
  return wrong_type(w, node, path, name, "'none', or a mapping: write '{key: value}'");
}

static int check_value(const struct walk *w, const yaml_node_t *node,
                       const cyaml_schema_value_t *schema, const char *path, const char *name)
{
  switch (schema->type) {
  case CYAML_MAPPING:
    if (node->type == YAML_MAPPING_NODE) return check_mapping(w, node, schema, path, name);
    return wrong_type(w, node, path, name,
                      "a mapping: write '{key: value}', or '{}' for all defaults");
  case CYAML_SEQUENCE:
    if (node->type == YAML_SEQUENCE_NODE) return check_sequence(w, node, schema, path, name);
    return wrong_type(w, node, path, name, "a list: write '[one, two]'");
  case CYAML_IGNORE: return check_left_alone(w, node, path, name);
  default:
    if (node->type == YAML_SCALAR_NODE) return check_scalar(w, node, path, name);
    return wrong_type(w, node, path, name, "a single value, not a list or mapping");
  }
}

int raw_check_keys(const struct doc *doc, const struct step_kind *const *kinds, struct error *error)
{
  struct schema_steps *steps = schema_steps_new(kinds);
  if (steps == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory to read it");
  struct walk walk = {.doc = doc, .steps = steps, .error = error};
  int result = check_value(&walk, doc_root(doc), &schema_scenario, "", "the scenario");
  schema_steps_free(steps);
  return result;
}
