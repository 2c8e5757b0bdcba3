/* The names of a fleet of one device, 00000001. */
#ifndef FLEETSIM_TEST_ONE_NAME_H
#define FLEETSIM_TEST_ONE_NAME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/names.h"

static void describe(void *ctx, size_t index, struct template_values *out)
{
  (void) ctx, (void) index;
  out->id = "00000001";
}

/* Of a fleet of one. */
static const struct names *one_name(void)
{
  static struct names *names; /* lives as long as the program */
  if (names == NULL)
    assert_int_equal(names_create(&names_usual, 1, describe, NULL, &names, NULL, NULL), 0);
  return names;
}

#endif
