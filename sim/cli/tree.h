/* Parts of the JSON trees that pki show and image show make and print, for people or as they
 * are. */
#ifndef FLEETSIM_CLI_TREE_H
#define FLEETSIM_CLI_TREE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The first 32 bytes in lower case: a new text. */
json_t *tree_hex(const uint8_t *bytes, size_t size);

/* The text that an object has there, or "". */
const char *tree_text(const json_t *object, const char *key);

#endif
