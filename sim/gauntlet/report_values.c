/* JSON for reports: nothing vanishes where memory is short, and texts of any bytes are texts. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gauntlet/report_json.h"

json_t *report_json_with(json_t *object, const char *key, json_t *value)
{
  if (json_object_set_new(object, key, value) == 0) return object;
  json_decref(object);
  return NULL;
}

json_t *report_json_and(json_t *array, json_t *value)
{
  if (json_array_append_new(array, value) == 0) return array;
  json_decref(array);
  return NULL;
}

json_t *report_json_string(const char *from)
{
  if (from == NULL) return json_null();
  json_t *string = json_string(from);
  if (string != NULL) return string;
  char *whole = strdup(from), *mended = NULL; /* no UTF-8: maybe cut to fit where it was made */
  if (whole != NULL) text_trim(whole);
  if (whole != NULL) mended = text_mend(whole);
  if (mended != NULL) string = json_string(mended);
  free(mended);
  free(whole);
  return string;
}

json_t *report_json_ms(double ms)
{
  if (!isfinite(ms) || ms < 0) return json_null();
  double rounded = floor(ms * 1000 + 0.5) / 1000;
  if (rounded < 0x1p53 && rounded == floor(rounded)) return json_integer((json_int_t) rounded);
  return json_real(rounded);
}

json_t *report_json_tls(uint8_t tls)
{
  return tls == 0 ? json_null() : json_sprintf("%u.%u", tls / 10u, tls % 10u);
}

const char *report_json_text(const json_t *object, const char *key)
{
  const char *value = json_string_value(json_object_get(object, key));
  return value != NULL ? value : "";
}

double report_json_number(const json_t *object, const char *key)
{
  return json_number_value(json_object_get(object, key));
}

bool report_json_is(const json_t *object, const char *key)
{
  return json_is_true(json_object_get(object, key));
}

bool report_json_says(const json_t *object, const char *key, const char *word)
{
  return strcmp(report_json_text(object, key), word) == 0;
}
