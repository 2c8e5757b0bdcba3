/* A Cortex-M4 in Unicorn, with flash, RAM, the block of words of m4/marks.h, and a count of
 * modelled cycles.
 *
 * Every basic block is costed once and charged each time it is entered. A branch was taken if a
 * block does not begin where the one before it ended. An instruction that an IT block skips is
 * charged as if it were executed.
 *
 * Unicorn is under the GPL: this file and words.c, the only ones that use it, belong to the
 * executable fleetsim-m4 and to nothing that is linked into fleetsim.
 */
#ifndef FLEETSIM_M4_MACHINE_H
#define FLEETSIM_M4_MACHINE_H

#include "cost.h"
#include "elf.h"
#include "icache.h"
#include "link.h"
#include "tally.h"

#define M4_NVM_SIZE 12288u

struct m4_settings {
  struct m4_model model;
  struct m4_icache_shape icache; /* bytes 0: none */
  double clock_hz;
  uint64_t seed;
  uint64_t unix_s;      /* time of day at reset */
  uint64_t cycle_limit; /* the image ends itself before */
  double idle_limit_ms; /* and does not wait for more than this in all */
  struct sockaddr_in peer;
  uint8_t nvm[M4_NVM_SIZE];
};

/* What a run has found out so far. */
struct m4_run {
  uint64_t instructions, cycles, unclassified, icache_misses;
  double idle_ms;
  bool exited; /* by M4_EXIT, with exit_code */
  uint32_t exit_code;
  bool heap_told;
  uint32_t heap_peak_bytes, stack_peak_bytes;
  struct m4_tally tally;
};

/* Runs the image from reset to its end. 0 if it wrote M4_EXIT; otherwise -1 with a sentence, and
 * `run` holds what was counted until then. */
int m4_machine_run(const struct m4_image *image, const struct m4_settings *settings,
                   struct m4_run *run, struct error *error);

#endif
