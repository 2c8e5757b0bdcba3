/* kind: generic. A broker of which nothing is known: nothing is refused, and it has its own hooks. */
#include "base/product.h"

static const struct product_fact facts[] = {{0}};

const struct product product_generic = {.word = "generic", .title = "a broker", .facts = facts};
