/* The one table of device clients: what is not in it no fleet can have. */
#include "fleet/clients.h"

#include <string.h>

static const struct device_ops *const clients[] = {&device_builtin, NULL};

const struct device_ops *clients_at(size_t index)
{
  size_t i = 0;
  while (i < index && clients[i] != NULL) i++;
  return clients[i];
}

const struct device_ops *clients_find(const char *name)
{
  for (size_t i = 0; clients[i] != NULL; i++)
    if (strcmp(clients[i]->name, name) == 0) return clients[i];
  return NULL;
}
