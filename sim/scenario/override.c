/* Edits of the text, never of the tree: the bytes of one value give way to others, or a pair is
 * added to a mapping, and the text is parsed again. An edit is remembered, so that a sentence
 * about it can say --set instead of a line. A permission cannot be given in this way. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/override.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mask.h"

#define VALUE_MAX 512
#define PIECE_MAX (2 * VALUE_MAX + 2 * DOC_PATH_MAX)

/* What goes into the text in place of the bytes [from, to). */
struct splice {
  size_t from, to;
  size_t line;  /* that is put in, SIZE_MAX: none */
  size_t lines; /* newlines that go with what is replaced, and are put back after the piece */
  char piece[PIECE_MAX];
};

static int fail_override(const struct scenario_override *o, struct error *error,
                         const char *sentence)
{
  char path[104], value[64];
  return error_set(error, EXIT_CODE_USAGE, "--set %s=%s: %s",
                   mask_value(o->path, path, sizeof path),
                   mask_setting(o->path, o->value, value, sizeof value), sentence);
}

/* Every scalar of a scenario is read as text, so quoting it changes nothing and keeps it one scalar
 * wherever it goes.
 */
static void quote(const char *value, char *out)
{
  *out++ = '"';
  for (; *value != '\0'; value++) {
    if (*value == '"' || *value == '\\') *out++ = '\\';
    *out++ = *value;
  }
  *out++ = '"';
  *out = '\0';
}

/* A list or mapping goes in as it stands, once it is known to be whole by itself. -1: no memory to
   see. */
static int is_whole_collection(const char *value)
{
  yaml_parser_t parser;
  yaml_document_t document;
  if (!yaml_parser_initialize(&parser)) return -1;
  yaml_parser_set_input_string(&parser, (const unsigned char *) value, strlen(value));
  bool whole = false, loaded = yaml_parser_load(&parser, &document);
  if (loaded) {
    yaml_node_t *root = yaml_document_get_root_node(&document);
    whole = root != NULL && root->type != YAML_SCALAR_NODE && root->end_mark.index == strlen(value);
    yaml_document_delete(&document);
  }
  bool starved = !loaded && (parser.error == YAML_MEMORY_ERROR || parser.error == YAML_NO_ERROR);
  yaml_parser_delete(&parser);
  return starved ? -1 : whole;
}

static int make_value(const struct scenario_override *o, char *out, struct error *error)
{
  if (strlen(o->value) > VALUE_MAX) return fail_override(o, error, "the value is too long");
  for (const char *c = o->value; *c != '\0'; c++)
    if ((unsigned char) *c < ' ' || *c == 127)
      return fail_override(o, error, "the value must be one line without control characters");
  if (o->value[0] != '[' && o->value[0] != '{') {
    quote(o->value, out);
    return 0;
  }
  int whole = is_whole_collection(o->value);
  if (whole < 0)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory to read --set %.100s", o->path);
  if (whole == 0)
    return fail_override(o, error,
                         "the brackets do not make a list or mapping: write 'waves=[10%, 100%]'");
  strcpy(out, o->value);
  return 0;
}

/* "c.d" and value -> "c: {d: value}". A list cannot be made up from an index. */
static int nest(const struct scenario_override *o, const char *rest, const char *value, char *out,
                size_t size, struct error *error)
{
  size_t depth = 0, used = 0;
  while (*rest != '\0') {
    size_t part = strcspn(rest, ".[");
    if (part == 0 || rest[part] == '[')
      return fail_override(o, error, "there is no such entry in the file; count from [0]");
    used += (size_t) snprintf(out + used, size - used, "%s%.*s: ", depth++ > 0 ? "{" : "",
                              (int) part, rest);
    rest += part + (rest[part] == '.');
  }
  used += (size_t) snprintf(out + used, size - used, "%s", value);
  for (; depth > 1; depth--) used += (size_t) snprintf(out + used, size - used, "}");
  return 0;
}

/* -1 when the piece does not fit. */
static int add_to_mapping(const struct doc *doc, const yaml_node_t *mapping, const char *pair,
                          struct splice *out)
{
  bool empty = mapping->data.mapping.pairs.start == mapping->data.mapping.pairs.top;
  int used;
  if (mapping->data.mapping.style == YAML_FLOW_MAPPING_STYLE) {
    out->from = doc_offset(doc, &mapping->start_mark) + 1;
    used = snprintf(out->piece, sizeof out->piece, "%s%s", pair, empty ? "" : ", ");
  } else {
    yaml_mark_t first = doc_node(doc, mapping->data.mapping.pairs.start->key)->start_mark;
    out->from = doc_offset(doc, &first);
    out->line = first.line;
    used = snprintf(out->piece, sizeof out->piece, "%s\n%*s", pair, (int) first.column, "");
  }
  out->to = out->from;
  return used > 0 && (size_t) used < sizeof out->piece ? 0 : -1;
}

static void replace(const struct doc *doc, const yaml_node_t *node, const char *value,
                    struct splice *out)
{
  out->from = doc_offset(doc, &node->start_mark);
  out->to = doc_offset(doc, &node->end_mark);
  bool block =
      (node->type == YAML_MAPPING_NODE && node->data.mapping.style != YAML_FLOW_MAPPING_STYLE) ||
      (node->type == YAML_SEQUENCE_NODE && node->data.sequence.style != YAML_FLOW_SEQUENCE_STYLE);
  /* the end of a block collection is where the next thing begins */
  while (block && out->to > out->from && strchr(" \t\r\n", doc->text[out->to - 1]) != NULL)
    out->to--;
  for (size_t i = out->from; i < out->to; i++) out->lines += doc->text[i] == '\n';
  snprintf(out->piece, sizeof out->piece, "%s%s", out->from == out->to ? " " : "", value);
}

static int plan(const struct doc *doc, const struct scenario_override *o, struct splice *out,
                struct error *error)
{
  char value[2 * VALUE_MAX + 3], pair[sizeof out->piece];
  yaml_node_t *deepest = NULL;
  const char *rest = NULL;
  if (make_value(o, value, error) != 0) return -1;
  yaml_node_t *node = doc_find(doc, o->path, &deepest, &rest);
  *out = (struct splice){.line = SIZE_MAX};
  if (node != NULL) {
    replace(doc, node, value, out);
    return 0;
  }
  if (deepest->type != YAML_MAPPING_NODE)
    return fail_override(
        o, error,
        "there is no such place in the file: a list has no such entry (they count from "
        "[0]), or a single value has no keys");
  if (nest(o, rest, value, pair, sizeof pair - 64, error) != 0) return -1;
  if (add_to_mapping(doc, deepest, pair, out) == 0) return 0;
  return fail_override(o, error, "the mapping is indented too far; edit the file instead");
}

static bool is_path(const char *path)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.[]";
  size_t size = strlen(path);
  return size > 0 && size < DOC_PATH_MAX / 2 && strspn(path, letters) == size && path[0] != '.' &&
         path[0] != '[' && path[size - 1] != '.' && strstr(path, "..") == NULL;
}

static void remember(struct doc *doc, const struct scenario_override *o, size_t line)
{
  for (size_t i = 0; i < doc->edit_count; i++)
    if (line != SIZE_MAX && doc->edits[i].line != SIZE_MAX && doc->edits[i].line >= line)
      doc->edits[i].line++;
  doc->edits[doc->edit_count++] =
      (struct doc_edit){.path = o->path, .value = o->value, .line = line};
}

/* The permission to load a host takes two words, the file's and the command line's: --set is the
   second one again. */
static bool is_permission(const char *path)
{
  return strncmp(path, "targets", 7) == 0 &&
         strchr(".[", path[7]) != NULL; /* strchr finds the end as well */
}

int override_apply(struct doc *doc, const struct scenario_override *override, struct error *error)
{
  struct splice splice;
  if (is_permission(override->path)) {
    fail_override(
        override, error,
        "nothing was sent: which hosts may be loaded is for the file to say: write 'targets:' "
        "there");
    error->code = EXIT_CODE_SETUP;
    return -1;
  }
  if (!is_path(override->path))
    return fail_override(override, error, "this is no path: write 'fleet.devices=50'");
  if (doc->edit_count == DOC_EDITS_MAX)
    return fail_override(override, error, "there are too many --set; edit the file instead");
  if (plan(doc, override, &splice, error) != 0) return -1;
  size_t piece = strlen(splice.piece), head = splice.from + piece + splice.lines,
         tail = doc->size - splice.to;
  char *text = malloc(head + tail + 1);
  if (text == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory for the scenario");
  memcpy(text, doc->text, splice.from);
  memcpy(text + splice.from, splice.piece, piece);
  memset(text + splice.from + piece, '\n', splice.lines);
  memcpy(text + head, doc->text + splice.to, tail + 1);
  remember(doc, override, splice.line);
  return doc_parse(doc, text, head + tail, error);
}
