/* Where a number stands in a payload: a JSON path, or the text right before its digits.
 *
 *     $.meta.seq    $.values[0].t    $['odd key'].n      a JSON path begins with '$'
 *     seq=          "n":                                 anything else is such a text
 *
 * The number is whole and not negative, of at most 16 digits; in JSON it may be a string of digits. */
#ifndef FLEETSIM_PAYLOAD_PLACE_H
#define FLEETSIM_PAYLOAD_PLACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool payload_place_is_path(const char *place);

/* Whether a path is one; NULL, or what is wrong with it. */
const char *payload_place_check(const char *place);

/* A payload under the eyes of several places: parsed once, when the first path needs it. */
struct payload_view {
  const uint8_t *data;
  size_t size;
  json_t *json; /* NULL: it is no JSON, or nobody has asked */
  bool parsed;
};

/* False: there is no number at that place, which is a checked one. The view is the caller's to
 * close. */
bool payload_place_read(const char *place, struct payload_view *view, uint64_t *out);
void payload_view_close(struct payload_view *view);

#endif
