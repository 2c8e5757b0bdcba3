/* Whether a published list keeps out whom it names. Devices on it may not come, or meet but one of
 * several machines behind an address: somebody looks as they would come. */
#ifndef FLEETSIM_STAGE_LIST_LOOKS_H
#define FLEETSIM_STAGE_LIST_LOOKS_H

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
 * once. `untold`: no broker is told to read it; whom it names for the first time is not tried before
 * stage_list_told. */
void stage_list_names(struct stage *stage, const struct stage_list *list, bool untold);
void stage_list_told(struct stage *stage);

/* At brokers whose hooks claim and do not prove: looks at every address that is reachable until
 * those on the list are let in nowhere, 10 s at most (once, where they were let in after as much
 * already). They are kept out by the list where somebody who is not on it gets further in the same
 * round. Tells the fleet what was seen last (fleet_look_ended), and the phase where it is not as it
 * should be; the `last` time who is let in is for the verdict to say. DONE, or ABORTED. */
enum step_outcome stage_look_at_list(struct stage *stage, bool last);

/* Of somebody who is, or was, on the list nothing has shown at an address that he is kept out by it:
 * neither a look, nor a refused device of that issuer. A sentence, or NULL: there is no such one. */
const char *stage_list_unproven(struct stage *stage, char *out, size_t size);

/* The list was taken: where there is nobody to look at it with, the phase says so. */
void stage_list_say_untried(struct stage *stage);

/* Where somebody on the list was let in by the last look: " ..." for a sentence, or "". */
const char *stage_list_let_in(const struct stage *stage, char *out, size_t size);

#endif
