/* Texts with places for what is known of a device, as scenarios have them for names and topics:
 *
 *     SN-2026-{index:06}    acme/v1/{id}/up    {cohort}/{cn}
 *
 * {id} is its name, {index} its place in the fleet from 0, {index:06} the same in six digits or
 * more, {cn} the common name of its certificate, {cohort} the group that it belongs to. Any other
 * word is a column of the list that the device was imported from. Braces themselves are written
 * twice. */
#ifndef FLEETSIM_TEMPLATE_H
#define FLEETSIM_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum template_place {
  TEMPLATE_ID,
  TEMPLATE_INDEX,
  TEMPLATE_CN,
  TEMPLATE_COHORT,
  TEMPLATE_COLUMN,
  TEMPLATE_PLACES
};
#define TEMPLATE_BIT(place) (1u << (place))

/* Of one device; a text may be NULL where no template has its place; NULL or empty: it has none. */
struct template_values {
  const char *id, *cn, *cohort;
  /* the value of a column, valid until the next call; NULL, also of the function: there is none */
  const char *(*column)(void *ctx, const char *name, size_t size);
  void *ctx;
  size_t index;
  uint32_t number; /* by which a run counts it; of no place */
};

/* Whether the text is a template with these places only (TEMPLATE_BIT), and which it has, in
 * `*has`. USAGE with the character, from 1, at which it is not. */
int template_check(const char *text, unsigned places, unsigned *has, struct error *error);

/* Writes the device's text, zero and all; its size, or one of the codes. Of a checked template. */
enum { TEMPLATE_TOO_LONG = -1, TEMPLATE_LACKS = -2 };
int template_expand(const char *text, const struct template_values *values, char *out, size_t size);

/* The first place, as the template has it, that the device has nothing for, *size bytes; of what
   ended in TEMPLATE_LACKS. */
const char *template_lacking(const char *text, const struct template_values *values, size_t *size);

/* Writes the MQTT filter of all that it can become: '+' for each level that has a place. Its size,
   or -1. Of a checked template. */
int template_filter(const char *text, char *out, size_t size);

#endif
