/* What this machine is, for people who compare what two of them measured. */
#ifndef FLEETSIM_MACHINE_H
#define FLEETSIM_MACHINE_H

#include <stdint.h>

struct machine {
  unsigned cores;        /* that this process may use; 0: not known, and so the others */
  uint64_t memory_bytes; /* of the machine */
  char kernel[200];      /* "Linux 6.1.0 x86_64" */
  char processor[128];   /* as its maker calls it */
};

void machine_look(struct machine *out);

#endif
