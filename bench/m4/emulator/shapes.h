/* What narrow.c and wide.c share: bit fields, and one constructor for each shape of instruction. */
#ifndef FLEETSIM_M4_SHAPES_H
#define FLEETSIM_M4_SHAPES_H

#include "instruction.h"

/* By instruction width; `size` is left to m4_decode. */
struct m4_instruction m4_decode_narrow(uint16_t half);
struct m4_instruction m4_decode_wide(uint16_t first, uint16_t second);

static inline unsigned field(uint16_t half, unsigned low, unsigned bits)
{
  return ((unsigned) half >> low) & ((1u << bits) - 1u);
}

static inline uint16_t bit(unsigned reg)
{
  return (uint16_t) (1u << reg);
}

static inline uint8_t ones(unsigned list)
{
  uint8_t count = 0;
  for (; list != 0; list &= list - 1) count++;
  return count;
}

static inline struct m4_instruction of_class(enum m4_class class)
{
  return (struct m4_instruction){.class = class};
}

static inline struct m4_instruction alu(unsigned destination)
{
  struct m4_instruction i = {.class = M4_ALU, .writes = bit(destination)};
  if (destination == M4_SP) i.stack_unknown = true;
  if (destination == M4_PC) i = (struct m4_instruction){.class = M4_BRANCH, .branch = M4_INDIRECT};
  return i;
}

static inline struct m4_instruction compare(void)
{
  return of_class(M4_ALU);
}

static inline struct m4_instruction product(enum m4_class class, uint16_t writes)
{
  return (struct m4_instruction){.class = class, .writes = writes};
}

static inline struct m4_instruction branch(enum m4_branch kind, bool conditional)
{
  return (struct m4_instruction){.class = M4_BRANCH, .branch = kind, .conditional = conditional};
}

static inline struct m4_instruction load(unsigned target, uint16_t addressed_by)
{
  if (target == M4_PC)
    return (struct m4_instruction){
        .class = M4_LOAD_PC, .branch = M4_INDIRECT, .addressed_by = addressed_by};
  return (struct m4_instruction){.class = M4_LOAD,
                                 .writes = bit(target),
                                 .addressed_by = addressed_by,
                                 .stack_unknown = target == M4_SP};
}

static inline struct m4_instruction store(enum m4_class class, uint16_t addressed_by)
{
  return (struct m4_instruction){.class = class, .addressed_by = addressed_by};
}

static inline struct m4_instruction multiple(bool is_load, unsigned base, unsigned list,
                                             int stack_words)
{
  struct m4_instruction i = {.class = is_load ? M4_LOAD_MULTIPLE : M4_STORE_MULTIPLE,
                             .transfers = ones(list)};
  i.addressed_by = bit(base);
  i.writes = is_load ? (uint16_t) list : 0;
  i.stack_change = (int16_t) (4 * stack_words);
  if (is_load && (list & bit(M4_PC)) != 0) i.branch = M4_INDIRECT;
  return i;
}

#endif
