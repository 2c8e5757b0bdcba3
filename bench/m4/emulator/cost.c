#include "cost.h"

#include <string.h>

#define M4_VALUE(name, cycles, sentence) .name = (cycles),
const struct m4_model m4_model_default = {M4_PARAMETERS(M4_VALUE)};
#undef M4_VALUE

#define M4_ROW(name, cycles, sentence) {#name, sentence, offsetof(struct m4_model, name)},
const struct m4_parameter m4_parameters[] = {M4_PARAMETERS(M4_ROW)};
#undef M4_ROW
const size_t m4_parameter_count = sizeof m4_parameters / sizeof *m4_parameters;

bool m4_model_set(struct m4_model *model, const char *name, unsigned cycles)
{
  for (size_t i = 0; i < m4_parameter_count; i++) {
    if (strcmp(m4_parameters[i].name, name) != 0) continue;
    memcpy((char *) model + m4_parameters[i].offset, &cycles, sizeof cycles);
    return true;
  }
  return false;
}

unsigned m4_model_get(const struct m4_model *model, const struct m4_parameter *parameter)
{
  unsigned cycles;
  memcpy(&cycles, (const char *) model + parameter->offset, sizeof cycles);
  return cycles;
}

static bool needs_result_of(const struct m4_instruction *i, const struct m4_instruction *previous)
{
  return (i->addressed_by & previous->writes) != 0;
}

static unsigned cost_of_load(const struct m4_model *model, const struct m4_instruction *previous,
                             const struct m4_instruction *i)
{
  const bool pipelined =
      previous != NULL && previous->class == M4_LOAD && !needs_result_of(i, previous);
  return pipelined ? model->load_after_load : model->load;
}

static unsigned cost_of_class(const struct m4_model *model, const struct m4_instruction *previous,
                              const struct m4_instruction *i)
{
  switch (i->class) {
  case M4_ALU: return model->alu;
  case M4_MULTIPLY: return model->multiply;
  case M4_MULTIPLY_ADD: return model->multiply_add;
  case M4_MULTIPLY_LONG: return model->multiply_long;
  case M4_DIVIDE: return model->divide;
  case M4_LOAD: return cost_of_load(model, previous, i);
  case M4_STORE: return model->store;
  case M4_STORE_REGISTER_OFFSET: return model->store_register_offset;
  case M4_LOAD_MULTIPLE:
  case M4_STORE_MULTIPLE: return model->multiple + model->multiple_each * i->transfers;
  case M4_LOAD_DUAL:
  case M4_STORE_DUAL: return model->dual;
  case M4_LOAD_PC: return model->load_pc;
  case M4_BRANCH: return model->branch;
  case M4_TABLE_BRANCH: return model->table_branch;
  case M4_IT: return model->it;
  case M4_SYSTEM: return model->system;
  case M4_HINT: return model->hint;
  case M4_FLOAT_MOVE: return model->float_move;
  case M4_FLOAT_MOVE_PAIR: return model->float_move_pair;
  case M4_EXCEPTION: return model->exception;
  default: return model->unclassified;
  }
}

unsigned m4_cost(const struct m4_model *model, const struct m4_instruction *previous,
                 const struct m4_instruction *i)
{
  const bool stalls =
      previous != NULL && m4_is_data_processing(previous) && needs_result_of(i, previous);
  return cost_of_class(model, previous, i) + (stalls ? model->address_stall : 0);
}

static uint16_t half_at(const struct m4_walk *walk, size_t offset)
{
  if (walk->size - offset < 2) return 0;
  return (uint16_t) (walk->code[offset] | walk->code[offset + 1] << 8);
}

void m4_walk_begin(struct m4_walk *walk, const uint8_t *code, size_t size)
{
  *walk = (struct m4_walk){.code = code, .size = size};
}

/* How many instructions an IT makes conditional: the place of the lowest bit of its mask. */
static unsigned it_length(uint16_t half)
{
  unsigned length = 4;
  for (unsigned mask = half; (mask & 1u) == 0; mask >>= 1) length--;
  return length;
}

bool m4_walk_next(struct m4_walk *walk, const struct m4_model *model)
{
  if (walk->next + 2 > walk->size) return false;
  const bool first = walk->next == 0;
  const uint16_t half = half_at(walk, walk->next);
  walk->previous = walk->now;
  walk->cycles_before += walk->cycles;
  if (walk->in_it > 0) walk->in_it--;
  if (walk->previous.class == M4_IT && !first)
    walk->in_it = it_length(half_at(walk, walk->next - 2));

  const bool whole = !m4_is_wide(half) || walk->next + 4 <= walk->size;
  walk->now = whole ? m4_decode(half, half_at(walk, walk->next + 2 <= walk->size ? walk->next + 2
                                                                                 : walk->size))
                    : (struct m4_instruction){.class = M4_UNCLASSIFIED, .size = 2};
  walk->cycles = m4_cost(model, first ? NULL : &walk->previous, &walk->now);
  walk->next += walk->now.size;
  return true;
}

struct m4_block m4_cost_block(const struct m4_model *model, uint32_t address, const uint8_t *code,
                              size_t size)
{
  struct m4_block block = {.size = (uint16_t) size};
  struct m4_walk walk;
  int stack = 0;
  unsigned cycles = 0;
  m4_walk_begin(&walk, code, size);
  while (m4_walk_next(&walk, model)) {
    if (block.instructions == 0) block.wide_at_odd_half = walk.now.size == 4 && (address & 2u) != 0;
    block.instructions++;
    if (walk.now.class == M4_UNCLASSIFIED) block.unclassified++;
    stack += walk.now.stack_change;
    if (-stack > block.stack_bytes) block.stack_bytes = (uint16_t) -stack;
    block.stack_unknown |= walk.now.stack_unknown;
    cycles += walk.cycles;
    block.leaves_by = (uint8_t) walk.now.branch;
    block.always_taken =
        walk.now.branch != M4_NO_BRANCH && !walk.now.conditional && walk.in_it == 0;
  }
  block.cycles = (uint16_t) (cycles < UINT16_MAX ? cycles : UINT16_MAX);
  return block;
}

unsigned m4_cost_taken(const struct m4_model *model, enum m4_branch kind,
                       const struct m4_block *block)
{
  const unsigned refill = kind == M4_INDIRECT ? model->taken_indirect : model->taken_direct;
  return refill + (block->wide_at_odd_half ? model->taken_unaligned : 0);
}
