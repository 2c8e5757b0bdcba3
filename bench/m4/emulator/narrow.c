/* The 16-bit instructions: Arm v7-M manual, A5.2. */
#include "shapes.h"

static struct m4_instruction special_data_or_branch(uint16_t half)
{
  const unsigned operation = field(half, 8, 2), destination = field(half, 0, 3) | field(half, 7, 1)
                                                                                      << 3;
  if (operation == 3) return branch(M4_INDIRECT, false); /* BX, BLX */
  return operation == 1 ? compare() : alu(destination);
}

static struct m4_instruction narrow_register_operations(uint16_t half)
{
  if (field(half, 10, 2) == 1) return special_data_or_branch(half);
  if (field(half, 11, 1) == 1) return load(field(half, 8, 3), bit(M4_PC)); /* literal */
  switch (field(half, 6, 4)) {
  case 8:  /* TST */
  case 10: /* CMP */
  case 11: /* CMN */ return compare();
  case 13: return product(M4_MULTIPLY, bit(field(half, 0, 3)));
  default: return alu(field(half, 0, 3));
  }
}

static struct m4_instruction narrow_load_or_store(uint16_t half)
{
  const unsigned target = field(half, 0, 3);
  const uint16_t base = bit(field(half, 3, 3));
  if (field(half, 12, 4) == 5) { /* [Rn, Rm]: STR STRH STRB, then LDRSB LDR LDRH LDRB LDRSH */
    const uint16_t both = base | bit(field(half, 6, 3));
    return field(half, 9, 3) < 3 ? store(M4_STORE_REGISTER_OFFSET, both) : load(target, both);
  }
  const bool is_load = field(half, 11, 1) == 1;
  if (field(half, 12, 4) == 9)
    return is_load ? load(field(half, 8, 3), bit(M4_SP)) : store(M4_STORE, bit(M4_SP));
  return is_load ? load(target, base) : store(M4_STORE, base);
}

static struct m4_instruction narrow_miscellaneous(uint16_t half)
{
  const unsigned registers = field(half, 0, 8), extra = field(half, 8, 1);
  switch (field(half, 8, 4)) {
  case 0x0: { /* ADD SP, SUB SP */
    const int bytes = (int) field(half, 0, 7) * 4;
    const int change = field(half, 7, 1) == 1 ? -bytes : bytes;
    return (struct m4_instruction){
        .class = M4_ALU, .writes = bit(M4_SP), .stack_change = (int16_t) change};
  }
  case 0x1:
  case 0x3:
  case 0x9:
  case 0xb: return branch(M4_DIRECT, true); /* CBZ, CBNZ */
  case 0x2:                                 /* SXTH SXTB UXTH UXTB */
  case 0xa: return alu(field(half, 0, 3));  /* REV ... */
  case 0x4:
  case 0x5:
    return multiple(false, M4_SP, registers | extra << 14, -(int) (ones(registers) + extra));
  case 0x6: return of_class(M4_SYSTEM); /* CPS */
  case 0xc:
  case 0xd: return multiple(true, M4_SP, registers | extra << 15, (int) (ones(registers) + extra));
  case 0xe: return of_class(M4_EXCEPTION); /* BKPT */
  case 0xf: return of_class(field(half, 0, 4) != 0 ? M4_IT : M4_HINT);
  default: return of_class(M4_UNCLASSIFIED);
  }
}

static struct m4_instruction narrow_conditional(uint16_t half)
{
  return field(half, 8, 4) >= 14 ? of_class(M4_EXCEPTION) : branch(M4_DIRECT, true); /* UDF, SVC */
}

struct m4_instruction m4_decode_narrow(uint16_t half)
{
  switch (field(half, 12, 4)) {
  case 0x0:
  case 0x1: return alu(field(half, 0, 3)); /* shifts; ADD and SUB of three operands */
  case 0x2:
  /* MOV CMP ADD SUB #8 bits */
  case 0x3: return field(half, 11, 2) == 1 ? compare() : alu(field(half, 8, 3));
  case 0x4: return narrow_register_operations(half);
  case 0xa: return alu(field(half, 8, 3)); /* ADR; ADD Rd, SP */
  case 0xb: return narrow_miscellaneous(half);
  case 0xc: return multiple(field(half, 11, 1) == 1, field(half, 8, 3), field(half, 0, 8), 0);
  case 0xd: return narrow_conditional(half);
  case 0xe: return branch(M4_DIRECT, false);
  default: return narrow_load_or_store(half); /* 5 to 9 */
  }
}
