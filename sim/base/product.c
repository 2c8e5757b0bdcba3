/* The list of products, and the questions that a reader of scenarios has. */
#define _POSIX_C_SOURCE 200809L
#include "base/product.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCTS = 4 };

static const struct product *const products[PRODUCTS] = {&product_generic, &product_mosquitto,
                                                         &product_rabbitmq, &product_aedes};

size_t product_count(void)
{
  return PRODUCTS;
}

const struct product *product_at(size_t i)
{
  assert(i < PRODUCTS);
  return products[i];
}

const struct product *product_find(const char *word)
{
  for (size_t i = 0; i < PRODUCTS; i++)
    if (strcmp(products[i]->word, word) == 0) return products[i];
  return NULL;
}

/* At most four digits; what is behind them, or NULL. */
static const char *read_part(const char *text, unsigned *out)
{
  size_t digits = strspn(text, "0123456789");
  *out = (unsigned) strtoul(text, NULL, 10);
  return digits > 0 && digits <= 4 ? text + digits : NULL;
}

int product_version_read(const char *text, struct product_version *out)
{
  if (text[strspn(text, "0123456789.")] != '\0' || strlen(text) > 12) return -1;
  const char *at = read_part(text, &out->major);
  if (at == NULL || *at != '.') return -1;
  at = read_part(at + 1, &out->minor);
  return at != NULL && (*at == '\0' || *at == '.') ? 0 : -1;
}

static bool is_before(struct product_version a, struct product_version b)
{
  return a.major != b.major ? a.major < b.major : a.minor < b.minor;
}

bool product_can(const struct product *product, struct product_version version,
                 enum product_skill skill)
{
  return !is_before(version, product->ability[skill].since);
}

bool product_hook_command(const struct product *product, struct product_version version,
                          enum hook_kind kind, const char *setting, char *out, size_t size)
{
  const struct product_hook *hook = &product->hook[kind];
  size_t used = 0;
  if (hook->command == NULL || setting[0] == '\0') return false;
  if (hook->before.major != 0 && !is_before(version, hook->before)) return false;
  for (const char *c = hook->command; *c != '\0' && used < size; c++) {
    bool place = c[0] == '{' && c[1] == '}';
    used += (size_t) snprintf(out + used, size - used, place ? "%s" : "%.1s", place ? setting : c);
    if (place) c++;
  }
  return used < size;
}
