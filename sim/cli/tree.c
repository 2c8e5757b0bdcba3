/* Texts in and out of the JSON trees that the show verbs print. What a tree lacks is an empty
 * text. */
#include "cli/tree.h"

#include "base/text.h"

json_t *tree_hex(const uint8_t *bytes, size_t size)
{
  char text[2 * 32 + 1];
  text_hex(bytes, size < 32 ? size : 32, text);
  return json_string(text);
}

const char *tree_text(const json_t *object, const char *key)
{
  const char *text = json_string_value(json_object_get(object, key));
  return text == NULL ? "" : text;
}
