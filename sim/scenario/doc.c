/* libyaml reads the text twice: as events, to refuse what a scenario has no use for before a tree
 * of it takes memory, then as a tree. Paths are walked in that tree whenever a line is wanted;
 * lines that --set has put in are left out of the count. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/doc.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/mask.h"
#include "base/text.h"

/* The document that the parser is in the middle of, seen as events: what must be refused before
 * libyaml builds a tree of it. */
struct scan {
  const struct doc *doc;
  struct error *error;
  unsigned depth, documents;
};

/* libyaml reads ahead of where its parser is. */
static yaml_mark_t mark_at(const char *text, size_t offset)
{
  yaml_mark_t mark = {0};
  for (size_t at = 0; at < offset && text[at] != '\0';) {
    unsigned size = text_letter(text + at);
    mark.column = text[at] == '\n' ? 0 : mark.column + 1;
    mark.line += text[at] == '\n' ? 1 : 0;
    at += size > 0 ? size : 1;
  }
  return mark;
}

/* What is no UTF-8, or a character of it that YAML does not take. */
static int text_error(const struct doc *doc, const yaml_parser_t *parser, struct error *error)
{
  char sentence[256];
  const char *at = doc->text + parser->problem_offset;
  yaml_mark_t mark = mark_at(doc->text, parser->problem_offset);
  if (text_letter(at) > 0)
    snprintf(sentence, sizeof sentence, "the character U+%04X is none that YAML allows: remove it",
             (unsigned) parser->problem_value);
  else
    snprintf(sentence, sizeof sentence, "this is not UTF-8 text: %.160s; save the file as UTF-8",
             parser->problem != NULL ? parser->problem : "");
  return doc_fail_at(doc, &mark, "", error, sentence);
}

static int syntax_error(const struct doc *doc, const yaml_parser_t *parser, struct error *error)
{
  char sentence[256];
  /* libyaml does not always say so: a node whose tag it could not copy is no error, only no
     document */
  if (parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory to read it");
  if (parser->error == YAML_READER_ERROR) return text_error(doc, parser, error);
  const char *problem = parser->problem != NULL ? parser->problem : "the text cannot be read";
  snprintf(sentence, sizeof sentence, "this is not valid YAML: %.160s%s%.60s", problem,
           parser->context != NULL ? ", " : "", parser->context != NULL ? parser->context : "");
  return doc_fail_at(doc, &parser->problem_mark, "", error, sentence);
}

static const yaml_char_t *anchor_or_tag(const yaml_event_t *event)
{
  if (event->type == YAML_SCALAR_EVENT)
    return event->data.scalar.anchor != NULL ? event->data.scalar.anchor : event->data.scalar.tag;
  if (event->type == YAML_SEQUENCE_START_EVENT)
    return event->data.sequence_start.anchor != NULL ? event->data.sequence_start.anchor
                                                     : event->data.sequence_start.tag;
  if (event->type == YAML_MAPPING_START_EVENT)
    return event->data.mapping_start.anchor != NULL ? event->data.mapping_start.anchor
                                                    : event->data.mapping_start.tag;
  return NULL;
}

static int scan_event(struct scan *scan, const yaml_event_t *event)
{
  const char *sentence = NULL;
  switch (event->type) {
  case YAML_MAPPING_START_EVENT:
  case YAML_SEQUENCE_START_EVENT:
    if (++scan->depth > DOC_DEPTH_MAX) sentence = "this is nested too deeply for a scenario";
    break;
  case YAML_MAPPING_END_EVENT:
  case YAML_SEQUENCE_END_EVENT: scan->depth--; break;
  case YAML_DOCUMENT_START_EVENT:
    if (++scan->documents > 1)
      sentence = "a second document begins here; a scenario file holds one";
    break;
  case YAML_ALIAS_EVENT:
    sentence = "a scenario has no YAML aliases (*name); write the value out";
    break;
  default: break;
  }
  if (sentence == NULL && anchor_or_tag(event) != NULL)
    sentence = "a scenario has no YAML anchors (&name) or tags (!name); remove it";
  if (sentence == NULL) return 0;
  return doc_fail_at(scan->doc, &event->start_mark, "", scan->error, sentence);
}

static void parser_start(yaml_parser_t *parser, const struct doc *doc)
{
  yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(parser, (const unsigned char *) doc->text, doc->size);
}

static int scan_text(const struct doc *doc, struct error *error)
{
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser))
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a YAML parser");
  parser_start(&parser, doc);
  struct scan scan = {.doc = doc, .error = error};
  int result = 0;
  for (bool more = true; more && result == 0;) {
    yaml_event_t event;
    if (!yaml_parser_parse(&parser, &event)) {
      result = syntax_error(doc, &parser, error);
      break;
    }
    result = scan_event(&scan, &event);
    more = event.type != YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return result;
}

static int load_tree(struct doc *doc, struct error *error)
{
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser))
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a YAML parser");
  parser_start(&parser, doc);
  int result = 0;
  doc->parsed = yaml_parser_load(&parser, &doc->yaml);
  if (!doc->parsed) result = syntax_error(doc, &parser, error);
  yaml_parser_delete(&parser);
  if (result == 0 && doc_root(doc) == NULL)
    result = error_set(error, EXIT_CODE_USAGE,
                       "%s:1:1: the file is empty; begin with 'name: my rehearsal'", doc->file);
  return result;
}

int doc_parse(struct doc *doc, char *text, size_t size, struct error *error)
{
  if (doc->parsed) yaml_document_delete(&doc->yaml);
  doc->parsed = false;
  if (doc->text != text) free(doc->text);
  doc->text = text;
  doc->size = size;
  if (scan_text(doc, error) != 0) return -1;
  return load_tree(doc, error);
}

int doc_open(struct doc *doc, const char *file, struct error *error)
{
  memset(doc, 0, sizeof *doc);
  doc->file = file;
  uint8_t *data = NULL;
  size_t size = 0;
  if (files_read(file, DOC_TEXT_MAX, &data, &size, error) != 0) return -1;
  if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
    free(data);
    return error_set(error, EXIT_CODE_USAGE,
                     "%s:1:1: the file begins with a byte order mark; save it as UTF-8 without one",
                     file);
  }
  return doc_parse(doc, (char *) data, size, error);
}

void doc_free(struct doc *doc)
{
  if (doc->parsed) yaml_document_delete(&doc->yaml);
  free(doc->text);
  memset(doc, 0, sizeof *doc);
}

/* libyaml's getters take a document that is not const, though they change nothing. */
yaml_node_t *doc_root(const struct doc *doc)
{
  return yaml_document_get_root_node((yaml_document_t *) (uintptr_t) &doc->yaml);
}

yaml_node_t *doc_node(const struct doc *doc, int id)
{
  return yaml_document_get_node((yaml_document_t *) (uintptr_t) &doc->yaml, id);
}

yaml_node_t *doc_value(const struct doc *doc, const yaml_node_t *mapping, const char *key,
                       yaml_node_t **key_node)
{
  size_t size = strlen(key);
  if (mapping->type != YAML_MAPPING_NODE) return NULL;
  for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
       pair < mapping->data.mapping.pairs.top; pair++) {
    yaml_node_t *node = doc_node(doc, pair->key);
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.length != size ||
        memcmp(node->data.scalar.value, key, size) != 0)
      continue;
    if (key_node != NULL) *key_node = node;
    return doc_node(doc, pair->value);
  }
  return NULL;
}

static bool begins_with_key(const char *path, const yaml_node_t *key)
{
  if (key->type != YAML_SCALAR_NODE) return false;
  size_t size = key->data.scalar.length;
  if (strlen(path) < size || memcmp(path, key->data.scalar.value, size) != 0) return false;
  return path[size] == '\0' || path[size] == '.' || path[size] == '[';
}

/* The value whose key the path begins with, and what follows; of two such keys the longer one: a
   key may have a dot. */
static yaml_node_t *step_down(const struct doc *doc, const yaml_node_t *mapping, const char *path,
                              const char **end)
{
  yaml_node_t *found = NULL;
  size_t longest = 0;
  if (mapping->type != YAML_MAPPING_NODE) return NULL;
  for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
       pair < mapping->data.mapping.pairs.top; pair++) {
    yaml_node_t *key = doc_node(doc, pair->key);
    if (!begins_with_key(path, key) || (found != NULL && key->data.scalar.length <= longest))
      continue;
    longest = key->data.scalar.length;
    *end = path + longest;
    found = doc_node(doc, pair->value);
  }
  return found;
}

static yaml_node_t *entry_of(const struct doc *doc, const yaml_node_t *sequence, const char *digits)
{
  if (sequence->type != YAML_SEQUENCE_NODE || strspn(digits, "0123456789") == 0) return NULL;
  unsigned long index = strtoul(digits, NULL, 10);
  yaml_node_item_t *start = sequence->data.sequence.items.start,
                   *top = sequence->data.sequence.items.top;
  return index < (unsigned long) (top - start) ? doc_node(doc, start[index]) : NULL;
}

yaml_node_t *doc_find(const struct doc *doc, const char *path, yaml_node_t **deepest,
                      const char **rest)
{
  yaml_node_t *node = doc_root(doc);
  const char *at = path;
  while (*at != '\0') {
    yaml_node_t *next;
    const char *part = *at == '.' ? at + 1 : at;
    const char *end = part;
    if (*part == '[') {
      end = part + strcspn(part, "]");
      next = *end == ']' ? entry_of(doc, node, part + 1) : NULL;
      end += *end == ']';
    } else {
      next = step_down(doc, node, part, &end);
    }
    if (next == NULL) {
      if (deepest != NULL) *deepest = node;
      if (rest != NULL) *rest = part;
      return NULL;
    }
    node = next;
    at = end;
  }
  return node;
}

size_t doc_offset(const struct doc *doc, const yaml_mark_t *mark)
{
  size_t characters = 0, offset = 0;
  for (; offset < doc->size; offset++) {
    bool begins = ((unsigned char) doc->text[offset] & 0xc0) != 0x80;
    if (begins && characters == mark->index) break;
    characters += begins;
  }
  return offset;
}

/* Line as the author sees it: without those that --set put in above. */
static size_t authors_line(const struct doc *doc, size_t line)
{
  size_t above = 0;
  for (size_t i = 0; i < doc->edit_count; i++) above += doc->edits[i].line < line;
  return line - above;
}

/* An edit speaks for its own path, for what is below it and for the mappings that it put in above
   it. */
static bool speaks_for(const struct doc_edit *edit, const char *path)
{
  size_t shared = strlen(edit->path) < strlen(path) ? strlen(edit->path) : strlen(path);
  if (shared == 0 || strncmp(edit->path, path, shared) != 0) return false;
  char next = strlen(edit->path) > shared ? edit->path[shared] : path[shared];
  bool above = strlen(path) < strlen(edit->path);
  return (next == '\0' || next == '.' || next == '[') && (!above || edit->line != SIZE_MAX);
}

int doc_fail_at(const struct doc *doc, const yaml_mark_t *mark, const char *path,
                struct error *error, const char *sentence)
{
  char set[200] = "", value[64];
  for (size_t i = 0; i < doc->edit_count; i++)
    if (speaks_for(&doc->edits[i], path))
      snprintf(set, sizeof set, " (from --set %.100s=%s)", doc->edits[i].path,
               mask_setting(doc->edits[i].path, doc->edits[i].value, value, sizeof value));
  return error_set(error, EXIT_CODE_USAGE, "%.400s:%zu:%zu: %s%s", doc->file,
                   authors_line(doc, mark->line) + 1, mark->column + 1, sentence, set);
}

int doc_fail(const struct doc *doc, const char *path, size_t column, struct error *error,
             const char *sentence)
{
  yaml_node_t *deepest = NULL;
  yaml_node_t *node = doc_find(doc, path, &deepest, NULL);
  if (node == NULL) node = deepest;
  assert(node != NULL);
  yaml_mark_t mark = node->start_mark;
  bool quoted =
      node->type == YAML_SCALAR_NODE && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  if (column > 0) mark.column += column + quoted;
  return doc_fail_at(doc, &mark, path, error, sentence);
}

static const yaml_node_t *nearest(const struct doc *doc, const char *path)
{
  yaml_node_t *deepest = NULL;
  const yaml_node_t *node = doc_find(doc, path, &deepest, NULL);
  if (node == NULL) node = deepest;
  assert(node != NULL);
  return node;
}

int doc_line(const struct doc *doc, const char *path)
{
  return (int) authors_line(doc, nearest(doc, path)->start_mark.line) + 1;
}

int doc_column(const struct doc *doc, const char *path)
{
  return (int) nearest(doc, path)->start_mark.column + 1;
}
