/* A walk over the schema alone: what is a value, or a list of values, has a path. */
#include "scenario/settings.h"

#include <stdio.h>
#include <string.h>

#include "scenario/doc.h"
#include "scenario/schema.h"

struct saying {
  void (*say)(void *ctx, const char *setting);
  void *ctx;
};

static void say_fields(const struct saying *saying, const cyaml_schema_field_t *fields,
                       const char *above);

static void say_field(const struct saying *saying, const cyaml_schema_field_t *field,
                      const char *path)
{
  char setting[DOC_PATH_MAX];
  const cyaml_schema_value_t *value = &field->value;
  if (value->type == CYAML_IGNORE && strcmp(field->key, SCHEMA_OPERATOR) == 0)
    value = &schema_operator;
  if (value->type == CYAML_MAPPING) {
    say_fields(saying, value->mapping.fields, path);
    return;
  }
  bool is_value = value->type == CYAML_STRING ||
                  (value->type == CYAML_SEQUENCE && value->sequence.entry->type == CYAML_STRING);
  if (!is_value || strcmp(path, "targets") == 0) return;
  snprintf(setting, sizeof setting, "%s=", path);
  saying->say(saying->ctx, setting); /* of the shell's script, or of a test */
}

static void say_fields(const struct saying *saying, const cyaml_schema_field_t *fields,
                       const char *above)
{
  char path[DOC_PATH_MAX - 1];
  for (; fields->key != NULL; fields++) {
    snprintf(path, sizeof path, "%s%s%s", above, *above != '\0' ? "." : "", fields->key);
    say_field(saying, fields, path);
  }
}

void scenario_settings(void (*say)(void *ctx, const char *setting), void *ctx)
{
  say_fields(&(struct saying){say, ctx}, schema_scenario.mapping.fields, "");
}
