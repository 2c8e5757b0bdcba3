/* Who stands in for those on the brokers' list, and who was taken off it. */
#ifndef FLEETSIM_STAGE_LIST_NAMES_H
#define FLEETSIM_STAGE_LIST_NAMES_H

#include "stage/stage.h"

/* Whom a list names. */
struct stage_list {
  bool *names; /* per device: with the certificate that it holds */
  /* of certificates that devices held once, one of each issuer, the latest */
  struct stage_stand_in former[STAGE_LISTED_MAX];
  size_t former_count;
};
void stage_list_name_former(struct stage_list *list, const struct pki_former *former);

/* A list is about to be told to the fleet: chooses who stands in at the looks for those that it names.
 * Of a list that is added to, the new ones too: a machine that goes on with the list before refuses the
 * others. Whoever has been let in and whose certificate counts by its dates goes before others; and who
 * was on the list already stands in where nobody else of that issuer does. Of an issuer of whose certificates no device holds one that is listed, one that a device held
 * once. Of those who are taken off it one of each issuer. `untold`: no broker is told to read it; whom it names for the first time is not tried before
 * stage_list_told. */
void stage_list_names(struct stage *stage, const struct stage_list *list, bool untold);
void stage_list_told(struct stage *stage);

/* Brokers' hooks claim, and do not prove; not while a phase is rolled back. */
bool stage_list_is_looked_at(const struct stage *stage);

/* The list that was published last keeps everybody out, or will in a moment: it ends, or nobody has
   checked it. And so before looks that may take until then. */
bool stage_list_shuts_out(const struct stage *stage);
bool stage_list_will_shut_out(const struct stage *stage);

/* Once somebody has looked: at an address who is on no list is kept out as by a list that is over,
 * and the one that was published last is not. Below 0: there is no such address. */
int stage_list_older_at(const struct stage *stage);

/* Of somebody who is, or was, on the list nothing has shown at an address that he is kept out by
 * it: neither a look, nor a refused device of that issuer; or of who was taken off it that he is
 * let in again: neither a look, nor his own full handshake. Or an older list is in force at one. A
 * sentence, or NULL: there is no such one. */
const char *stage_list_unproven(struct stage *stage, char *out, size_t size);

#endif
