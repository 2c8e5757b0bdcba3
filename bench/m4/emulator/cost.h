/* Cycles of a Cortex-M4 from instruction classes and explicit parameters: Arm TRM 100166, section
 * 3.3.1, for code and data without wait states. The sum is linear in event counts; what a part's
 * flash adds is k_mem of a profile.
 */
#ifndef FLEETSIM_M4_COST_H
#define FLEETSIM_M4_COST_H

#include <stddef.h>

#include "instruction.h"

/* name, default in cycles, sentence */
#define M4_PARAMETERS(X)                                                                     \
  X(alu, 1, "ALU result, with or without a shift")                                           \
  X(multiply, 1, "MUL and 32-bit DSP products")                                              \
  X(multiply_add, 1, "MLA, MLS")                                                             \
  X(multiply_long, 1, "UMULL, UMLAL, UMAAL, SMULL, SMLAL")                                   \
  X(divide, 6, "UDIV, SDIV: 2 to 12, by the operands")                                       \
  X(load, 2, "LDR, LDRH, LDRB")                                                              \
  X(load_after_load, 1, "the same after a load whose result it does not need as an address") \
  X(load_pc, 2, "LDR PC, before the branch")                                                 \
  X(store, 1, "STR, immediate offset")                                                       \
  X(store_register_offset, 2, "STR, register offset")                                        \
  X(multiple, 1, "LDM, STM, PUSH, POP, VLDR, VSTM: for the instruction")                     \
  X(multiple_each, 1, "and for each word")                                                   \
  X(dual, 3, "LDRD, STRD")                                                                   \
  X(branch, 1, "any branch, taken or not")                                                   \
  X(table_branch, 3, "TBB, TBH, before the refill")                                          \
  X(taken_direct, 1, "refill after a taken B, BL, CBZ")                                      \
  X(taken_indirect, 2, "refill after BX, BLX, POP PC, LDR PC, TBB")                          \
  X(taken_unaligned, 1,                                                                      \
    "more where the target is a 32-bit instruction at an address not divisible by 4")        \
  X(address_stall, 1, "base or index is the result of the ALU or multiplier just before")    \
  X(it, 1, "IT; 0 where it folds into the instruction before")                               \
  X(system, 2, "MSR, MRS, CPS, barriers")                                                    \
  X(hint, 1, "NOP, WFI")                                                                     \
  X(float_move, 1, "VMOV of one register, VMRS")                                             \
  X(float_move_pair, 2, "VMOV of two core registers")                                        \
  X(exception, 12, "SVC: entry")                                                             \
  X(unclassified, 1, "what the classifier does not know; the report counts them")

struct m4_model {
#define M4_FIELD(name, cycles, sentence) unsigned name;
  M4_PARAMETERS(M4_FIELD)
#undef M4_FIELD
};

extern const struct m4_model m4_model_default;

struct m4_parameter {
  const char *name, *sentence;
  size_t offset; /* of its unsigned in struct m4_model */
};

extern const struct m4_parameter m4_parameters[];
extern const size_t m4_parameter_count;

/* Sets a parameter by name; false if there is none of that name. */
bool m4_model_set(struct m4_model *model, const char *name, unsigned cycles);
unsigned m4_model_get(const struct m4_model *model, const struct m4_parameter *parameter);

/* Cycles of an instruction that follows `previous` (NULL: the first of a block), without the refill
   of a branch. */
unsigned m4_cost(const struct m4_model *model, const struct m4_instruction *previous,
                 const struct m4_instruction *i);

/* Straight-line code as the core enters it at one address. */
struct m4_block {
  uint16_t size; /* bytes; 0: not yet looked at */
  uint16_t cycles;
  uint16_t instructions, unclassified;
  uint16_t stack_bytes; /* how far below its value at entry the block takes SP */
  uint8_t leaves_by;    /* enum m4_branch of its last instruction */
  bool always_taken, wide_at_odd_half, stack_unknown;
};

/* Costs the whole block; `code` holds `size` bytes of it, of which an incomplete last instruction
   counts as unknown. */
struct m4_block m4_cost_block(const struct m4_model *model, uint32_t address, const uint8_t *code,
                              size_t size);

/* What entering `block` by a taken branch of that kind adds. */
unsigned m4_cost_taken(const struct m4_model *model, enum m4_branch kind,
                       const struct m4_block *block);

/* Walks a block instruction by instruction: what m4_cost_block sums up. */
struct m4_walk {
  const uint8_t *code;
  size_t size, next; /* offsets */
  struct m4_instruction now, previous;
  unsigned cycles_before, cycles; /* of all before `now`; of `now` */
  unsigned in_it;                 /* instructions of an IT block still to come, with `now` */
};

void m4_walk_begin(struct m4_walk *walk, const uint8_t *code, size_t size);
bool m4_walk_next(struct m4_walk *walk, const struct m4_model *model);

#endif
