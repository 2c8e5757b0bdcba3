/* The number that a device gets in its folder: that of its name where the name is one, else the
 * next that is free. Nobody has the name already, or he is refused. */
#include "internal.h"

#include "pki/names.h"

int pki_newcomer_is_taken(struct pki *pki, const char *name, struct error *error)
{
  struct pki_registry *registry = pki->registry;
  char own[PKI_DEVICE_NAME];
  uint32_t id;
  int found = pki_names_find(pki_registry_names(registry), name, &id, error);
  if (found != 0 || !pki_names_is_id(name, &id) || !pki_registry_has_device(registry, id))
    return found;
  found = pki_names_get(pki_registry_names(registry), id, own, error);
  return found < 0 ? -1 : found == 0;
}

/* That of the name if it is one and free, or the next that nobody has. */
static uint32_t choose_id(struct pki_registry *registry, const char *name, uint32_t *next)
{
  uint32_t id;
  if (pki_names_is_id(name, &id) && !pki_registry_has_device(registry, id)) return id;
  while (pki_registry_has_device(registry, *next)) ++*next;
  return (*next)++;
}

int pki_newcomer_take_id(struct pki *pki, struct pki_newcomer *newcomer, uint32_t *next,
                         struct error *error)
{
  int taken = pki_newcomer_is_taken(pki, newcomer->name, error);
  if (taken < 0) return -1;
  if (taken > 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the device %s is in the fleet already, or twice in this list",
                     newcomer->name);
  newcomer->id = choose_id(pki->registry, newcomer->name, next);
  return 0;
}
