/* Whose operations are counted: whoever steps a device names its meter first. Between two steps
 * nobody is counted, which is a meter too, so that the drivers need not ask. */
#include "crypto/meter.h"

#include <assert.h>
#include <stddef.h>

static_assert(sizeof(struct crypto_meter) == 16, "padding would take part in comparisons");

/* PSA's driver interface carries no context: these two are the context. */
static struct crypto_meter nobody;
static struct crypto_meter *current = &nobody;

void crypto_meter_use(struct crypto_meter *meter)
{
  current = meter != NULL ? meter : &nobody;
}

struct crypto_meter *crypto_meter_current(void)
{
  return current;
}
