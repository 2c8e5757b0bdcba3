/* Each byte is marked as what it belongs to, by the marks of libyaml's nodes; then the text is copied
 * by them. What stands in no scalar and begins with # is a comment: of a hook that was tried once,
 * perhaps, with all that it needs. */
#include "scenario/told.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OUTSIDE, SCALAR, SECRET };

static const char stars[] = "\"***\"";

struct marks {
  const struct doc *doc;
  char *mark;       /* of each byte of the text */
  uint32_t *offset; /* of each of its characters, which libyaml counts */
};

static void mark_node(struct marks *marks, const yaml_node_t *node, char as)
{
  size_t from = marks->offset[node->start_mark.index], to = marks->offset[node->end_mark.index];
  /* the end of a block is where the next thing begins */
  while (to > from && strchr(" \t\r\n", marks->doc->text[to - 1]) != NULL) to--;
  memset(marks->mark + from, as, to - from);
}

static bool is_key(const yaml_node_t *key, const char *name)
{
  return key->type == YAML_SCALAR_NODE && key->data.scalar.length == strlen(name) &&
         memcmp(key->data.scalar.value, name, key->data.scalar.length) == 0;
}

static void mark_values(struct marks *marks, const yaml_node_t *mapping)
{
  if (mapping->type != YAML_MAPPING_NODE) {
    mark_node(marks, mapping, SECRET);
    return;
  }
  for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
       pair < mapping->data.mapping.pairs.top; pair++)
    mark_node(marks, doc_node(marks->doc, pair->value), SECRET);
}

static void mark_secrets(struct marks *marks, const yaml_node_t *mapping)
{
  for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
       pair < mapping->data.mapping.pairs.top; pair++) {
    const yaml_node_t *key = doc_node(marks->doc, pair->key),
                      *value = doc_node(marks->doc, pair->value);
    if (is_key(key, "hooks")) mark_values(marks, value);
    if (is_key(key, "password") || is_key(key, "command")) mark_node(marks, value, SECRET);
  }
}

/* The document numbers its nodes from 1. Scalars first: a secret is one, too. */
static void mark_all(struct marks *marks)
{
  const yaml_node_t *node;
  for (int n = 1; (node = doc_node(marks->doc, n)) != NULL; n++)
    if (node->type == YAML_SCALAR_NODE) mark_node(marks, node, SCALAR);
  for (int n = 1; (node = doc_node(marks->doc, n)) != NULL; n++)
    if (node->type == YAML_MAPPING_NODE) mark_secrets(marks, node);
}

/* The room is for a secret of one byte, which becomes five. */
static void copy(const struct marks *marks, char *out)
{
  const char *text = marks->doc->text;
  size_t size = marks->doc->size, first = marks->offset[doc_root(marks->doc)->start_mark.index];
  for (size_t i = 0; i < size;) {
    bool comment = text[i] == '#' && marks->mark[i] == OUTSIDE && i >= first;
    if (marks->mark[i] == SECRET) {
      memcpy(out, stars, sizeof stars - 1);
      out += sizeof stars - 1;
      while (i < size && marks->mark[i] == SECRET) i++;
    } else if (comment) {
      i += strcspn(text + i, "\n");
    } else {
      *out++ = text[i++];
    }
  }
  *out = '\0';
}

static void find_offsets(struct marks *marks)
{
  size_t characters = 0;
  for (size_t i = 0; i < marks->doc->size; i++)
    if (((unsigned char) marks->doc->text[i] & 0xc0) != 0x80)
      marks->offset[characters++] = (uint32_t) i;
  for (; characters <= marks->doc->size; characters++)
    marks->offset[characters] = (uint32_t) marks->doc->size;
}

char *told_text(const struct doc *doc)
{
  struct marks marks = {.doc = doc,
                        .mark = calloc(1, doc->size + 1),
                        .offset = calloc(doc->size + 1, sizeof *marks.offset)};
  char *out =
      marks.mark == NULL || marks.offset == NULL ? NULL : malloc(sizeof stars * (doc->size + 1));
  if (out != NULL) {
    find_offsets(&marks);
    mark_all(&marks);
    copy(&marks, out);
  }
  free(marks.mark);
  free(marks.offset);
  return out;
}
