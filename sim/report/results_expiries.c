/* The member "expires": when which certificate and which list ends. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "report/results_json.h"

static json_t *date_of(int64_t unix_s)
{
  char text[32];
  struct tm utc;
  time_t when = (time_t) unix_s;
  if (gmtime_r(&when, &utc) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
    return json_null();
  return json_string(text);
}

json_t *results_expiries_json(const struct results *results)
{
  json_t *array = json_array();
  for (size_t e = 0; e < results->expiry_count; e++) {
    const struct results_expiry *expiry = &results->expiries[e];
    array = results_json_and(array, json_pack("{s:s, s:o, s:o, s:I}", "kind", expiry->kind, "name",
                                              results_json_string(expiry->name), "at",
                                              date_of(expiry->unix_s), "unix_s",
                                              (json_int_t) expiry->unix_s));
  }
  return array;
}
