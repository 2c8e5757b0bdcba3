/* The machine at work: what machine.c and words.c share. */
#ifndef FLEETSIM_M4_MACHINE_INSIDE_H
#define FLEETSIM_M4_MACHINE_INSIDE_H

#include <unicorn/unicorn.h>

#include "machine.h"

struct m4_machine {
  uc_engine *core;
  const struct m4_image *image;
  const struct m4_settings *settings;
  struct m4_run *run;
  struct error *error;
  struct m4_icache icache;
  struct m4_link link;
  struct m4_block *flash_blocks, *ram_blocks; /* one for each halfword, filled when first entered */

  /* the block that is being executed; its cycles are in run->cycles already */
  struct m4_block *block;
  uint32_t block_address;
  uint64_t block_began; /* cycle count at its first instruction */
  uint32_t word_after;  /* offset in it behind the last access to a word */
  bool look_at_stack;   /* the block before took SP somewhere that its encoding does not tell */
  uint32_t stack_lowest;

  bool failed; /* `error` is set */
  uint32_t send_from, receive_to, received;
  uint64_t random;
};

/* Ends the emulation; the sentence is in machine->error. */
void m4_machine_fail(struct m4_machine *machine);

/* Maps the words; false if Unicorn will not. */
bool m4_words_map(struct m4_machine *machine);

/* Registers r0 to r15. */
uint32_t m4_machine_register(const struct m4_machine *machine, unsigned number);

#endif
