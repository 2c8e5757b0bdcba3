/* A list of a few: it is gone through from its first to its last. */
#include "live/guests.h"

void guests_arrive(struct guests *guests, struct guest *guest)
{
  struct guest **at = &guests->first;
  while (*at != NULL) at = &(*at)->next;
  guest->next = NULL;
  *at = guest;
  guests->count++;
}

void guests_leave(struct guests *guests, struct guest *guest)
{
  struct guest **at = &guests->first;
  while (*at != guest) at = &(*at)->next;
  *at = guest->next;
  guests->count--;
}

size_t guests_looking_on(const struct guests *guests)
{
  size_t count = 0;
  for (const struct guest *guest = guests->first; guest != NULL; guest = guest->next)
    count += guest->looks_on ? 1 : 0;
  return count;
}

struct guest *guests_dispensable(const struct guests *guests)
{
  struct guest *answered = NULL;
  for (struct guest *guest = guests->first; guest != NULL; guest = guest->next) {
    if (guest->looks_on || guest->leaving) continue;
    if (!guest->asked) return guest;
    if (answered == NULL) answered = guest;
  }
  return answered;
}
