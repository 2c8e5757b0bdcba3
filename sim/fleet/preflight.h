/* What a machine must lend a fleet, computed before the first device connects: descriptors, source
 * addresses with their ports, memory, disk. What can be arranged is arranged; what cannot is one
 * sentence that says what to change.
 *
 *     preflight(&need, &error) is preflight_look, preflight_plan and preflight_arrange in a row.
 */
#ifndef FLEETSIM_PREFLIGHT_H
#define FLEETSIM_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct preflight_need {
  size_t devices;
  uint64_t bytes;          /* resident memory, however many devices there are */
  size_t bytes_per_device; /* resident memory: fleet_bytes_per_device */
  /* the broker is on this machine, so that the fleet can have many source addresses */
  bool loopback;
  size_t downloads;                  /* over HTTPS, at once; 0: none */
  unsigned descriptors_per_download; /* 1, and what a server of our own adds in this process */
  size_t guests;                     /* whose connections end in this process, too, at once */
  uint64_t disk_bytes_per_device;    /* of image slots that are not blank; 0: no flash */
  const char *disk_folder;           /* where its file is made: fleet/flash.h */
  unsigned threads;                  /* and processes, that must be there at once beside this one */
  /* in: as the scenario wants it, 0: chosen here; out: 0 where the system chooses */
  size_t source_addresses;
};

/* What this machine has. */
struct preflight_machine {
  uint64_t descriptors, descriptors_hard; /* soft and hard limit of this process */
  unsigned first_port, last_port;         /* ephemeral ports */
  uint64_t memory_bytes;                  /* available to this process now */
  uint64_t disk_bytes;                    /* free in the folder that was looked at */
  unsigned threads;                       /* that could be started, of those that were tried */
};

int preflight_look(struct preflight_machine *out, struct error *error);

/* What is free in a folder. */
int preflight_look_at_disk(const char *folder, struct preflight_machine *out, struct error *error);

/* Starts up to `wanted` threads for a moment. No number of the system says how many there may be:
 * limits of the user, the service and the container stand beside each other, and libuv aborts where
 * one of its own cannot start. */
void preflight_look_at_threads(unsigned wanted, struct preflight_machine *out);

/* Pure: chooses the source addresses. -1: the fleet is too large for the machine. */
int preflight_plan(struct preflight_need *need, const struct preflight_machine *machine,
                   struct error *error);

/* Raises the soft limit of descriptors where it is too low; children started from here on inherit
 * it. Makes room in the heap, and in the system's table of descriptors: best while the process has
 * one thread. */
int preflight_arrange(const struct preflight_need *need, const struct preflight_machine *machine,
                      struct error *error);

int preflight(struct preflight_need *need, struct error *error);

#endif
