/* A scenario's text as a YAML document in which every node has a path and every path a line and a
 * column.
 *
 * Paths read like "phases[2].do[0].connect.rate". What a reader of a scenario does not need is
 * refused here: aliases, anchors, tags, several documents, deep nesting, other encodings than
 * UTF-8.
 */
#ifndef FLEETSIM_SCENARIO_DOC_H
#define FLEETSIM_SCENARIO_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "base/error.h"

#define DOC_TEXT_MAX  (1024u * 1024u)
#define DOC_PATH_MAX  256
#define DOC_DEPTH_MAX 12
#define DOC_EDITS_MAX 64

/* One --set that was applied. */
struct doc_edit {
  const char *path, *value;
  /* from 0: the line that was put in; SIZE_MAX: none, the value stands where one stood */
  size_t line;
};

struct doc {
  const char *file; /* as the caller named it; outlives the doc */
  char *text;       /* malloc'd */
  size_t size;
  yaml_document_t yaml;
  bool parsed; /* yaml holds a document */
  struct doc_edit edits[DOC_EDITS_MAX];
  size_t edit_count;
};

/* Reads and parses a file. doc_free in any case. */
int doc_open(struct doc *doc, const char *file, struct error *error);

/* Parses `text` (malloc'd, terminated) in place of what the doc held; takes the text. */
int doc_parse(struct doc *doc, char *text, size_t size, struct error *error);
void doc_free(struct doc *doc);

yaml_node_t *doc_root(const struct doc *doc);
yaml_node_t *doc_node(const struct doc *doc, int id);

/* The node at a path; NULL: there is none. `*deepest` (may be NULL) is then the last node on the
 * way, and `*rest` the part of the path that was not found. The empty path is the root. */
yaml_node_t *doc_find(const struct doc *doc, const char *path, yaml_node_t **deepest,
                      const char **rest);

/* Value of `key` in a mapping, and the key's own node; NULL if absent. */
yaml_node_t *doc_value(const struct doc *doc, const yaml_node_t *mapping, const char *key,
                       yaml_node_t **key_node);

/* Line and column of a path in the file as its author sees it, from 1. */
int doc_line(const struct doc *doc, const char *path);

int doc_column(const struct doc *doc, const char *path);

/* Byte offset of a mark in the text: libyaml counts characters. */
size_t doc_offset(const struct doc *doc, const yaml_mark_t *mark);

/* A USAGE error "file:line:column: sentence" at a node, or at the nearest node on the way to a
 * path. When the path was given by --set, the sentence ends by saying so. Always -1. */
int doc_fail_at(const struct doc *doc, const yaml_mark_t *mark, const char *path,
                struct error *error, const char *sentence);
int doc_fail(const struct doc *doc, const char *path, size_t column, struct error *error,
             const char *sentence);

#endif
