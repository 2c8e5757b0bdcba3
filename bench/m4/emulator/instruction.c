#include "instruction.h"

#include "shapes.h"

bool m4_is_wide(uint16_t first)
{
  return (first >> 11) >= 0x1d;
}

struct m4_instruction m4_decode(uint16_t first, uint16_t second)
{
  struct m4_instruction i =
      m4_is_wide(first) ? m4_decode_wide(first, second) : m4_decode_narrow(first);
  i.size = m4_is_wide(first) ? 4 : 2;
  return i;
}

bool m4_is_load(const struct m4_instruction *i)
{
  return i->class == M4_LOAD || i->class == M4_LOAD_MULTIPLE || i->class == M4_LOAD_DUAL ||
         i->class == M4_LOAD_PC || i->class == M4_TABLE_BRANCH;
}

bool m4_is_store(const struct m4_instruction *i)
{
  return i->class == M4_STORE || i->class == M4_STORE_REGISTER_OFFSET ||
         i->class == M4_STORE_MULTIPLE || i->class == M4_STORE_DUAL;
}

bool m4_is_data_processing(const struct m4_instruction *i)
{
  return i->class == M4_ALU || (i->class >= M4_MULTIPLY && i->class <= M4_DIVIDE);
}
