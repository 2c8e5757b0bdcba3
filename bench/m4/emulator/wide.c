/* The 32-bit instructions: Arm v7-M manual, A5.3. */
#include "shapes.h"

static struct m4_instruction wide_multiple(uint16_t first, uint16_t second)
{
  const unsigned operation = field(first, 7, 2), base = field(first, 0, 4);
  /* RFE, SRS: not of this core */
  if (operation == 0 || operation == 3) return of_class(M4_UNCLASSIFIED);
  const bool writes_back = field(first, 5, 1) == 1;
  /* increment after, decrement before */
  const int words = operation == 1 ? ones(second) : -(int) ones(second);
  return multiple(field(first, 4, 1) == 1, base, second, base == M4_SP && writes_back ? words : 0);
}

static struct m4_instruction exclusive(uint16_t first, uint16_t second)
{
  const uint16_t base = bit(field(first, 0, 4));
  if (field(first, 4, 1) == 1) return load(field(second, 12, 4), base);
  return store(M4_STORE, base);
}

/* LDRD and STRD, exclusives, table branches. */
static struct m4_instruction wide_dual_or_exclusive(uint16_t first, uint16_t second)
{
  const bool pre_indexed = field(first, 8, 1) == 1, writes_back = field(first, 5, 1) == 1;
  const unsigned base = field(first, 0, 4);
  if (!pre_indexed && !writes_back) {
    if (field(first, 7, 1) == 0) return exclusive(first, second); /* LDREX, STREX */
    if (field(first, 4, 1) == 1 && field(second, 5, 3) == 0)
      return (struct m4_instruction){.class = M4_TABLE_BRANCH,
                                     .branch = M4_INDIRECT,
                                     .addressed_by = bit(base) | bit(field(second, 0, 4))};
    return exclusive(first, second); /* of bytes and halfwords */
  }
  const bool is_load = field(first, 4, 1) == 1;
  struct m4_instruction i = {.class = is_load ? M4_LOAD_DUAL : M4_STORE_DUAL,
                             .addressed_by = bit(base)};
  if (is_load) i.writes = bit(field(second, 12, 4)) | bit(field(second, 8, 4));
  if (base == M4_SP && writes_back) {
    const int bytes = (int) field(second, 0, 8) * 4;
    i.stack_change = (int16_t) (field(first, 7, 1) == 1 ? bytes : -bytes);
  }
  return i;
}

/* AND TST ... RSB of a register or of a modified immediate: Rd 15 with the flags set only
   compares. */
static struct m4_instruction wide_data_processing(unsigned operation, bool sets_flags,
                                                  unsigned destination)
{
  const bool compares = operation == 0 || operation == 4 || operation == 8 || operation == 13;
  return compares && sets_flags && destination == M4_PC ? compare() : alu(destination);
}

static unsigned plain_immediate(uint16_t first, uint16_t second)
{
  return field(first, 10, 1) << 11 | field(second, 12, 3) << 8 | field(second, 0, 8);
}

/* ADD and SUB SP, #immediate, which compilers use to make room for locals; other writes of SP stay
   unknown. */
static struct m4_instruction with_stack(struct m4_instruction i, uint16_t first, int bytes)
{
  if (!i.stack_unknown || field(first, 0, 4) != M4_SP || bytes > INT16_MAX || bytes < -INT16_MAX)
    return i;
  i.stack_unknown = false;
  i.stack_change = (int16_t) bytes;
  return i;
}

/* The immediate that ThumbExpandImm makes of 12 bits. */
static uint32_t expanded_immediate(unsigned immediate)
{
  const uint32_t byte = immediate & 0xffu;
  switch (immediate >> 8) {
  case 0: return byte;
  case 1: return byte << 16 | byte;
  case 2: return byte << 24 | byte << 8;
  case 3: return byte << 24 | byte << 16 | byte << 8 | byte;
  default: {
    const uint32_t value = 0x80u | byte;
    const unsigned turn = immediate >> 7; /* 8 to 31 */
    return value >> turn | value << (32 - turn);
  }
  }
}

static struct m4_instruction wide_modified_immediate(uint16_t first, uint16_t second)
{
  const unsigned operation = field(first, 5, 4);
  const struct m4_instruction i =
      wide_data_processing(operation, field(first, 4, 1) == 1, field(second, 8, 4));
  const uint32_t value = expanded_immediate(plain_immediate(first, second));
  if (value > INT16_MAX) return i;
  if (operation == 8) return with_stack(i, first, (int) value);
  return operation == 13 ? with_stack(i, first, -(int) value) : i;
}

static struct m4_instruction wide_plain_immediate(uint16_t first, uint16_t second)
{
  const unsigned operation = field(first, 4, 5);
  /* ADDW SUBW MOVW MOVT SSAT BFI UBFX ... */
  const struct m4_instruction i = alu(field(second, 8, 4));
  if (operation == 0x00) return with_stack(i, first, (int) plain_immediate(first, second));
  return operation == 0x0a ? with_stack(i, first, -(int) plain_immediate(first, second)) : i;
}

static struct m4_instruction wide_branch_or_control(uint16_t first, uint16_t second)
{
  if (field(second, 12, 1) == 1) return branch(M4_DIRECT, false); /* B.W, BL */
  if (field(second, 14, 1) == 1) return of_class(M4_UNCLASSIFIED);
  if (field(first, 7, 3) != 7) return branch(M4_DIRECT, true); /* Bcc.W */
  switch (field(first, 4, 7)) {
  case 0x38:
  case 0x39: return of_class(M4_SYSTEM); /* MSR */
  case 0x3a: return of_class(field(second, 8, 3) == 0 ? M4_HINT : M4_SYSTEM);
  case 0x3b: return of_class(M4_SYSTEM); /* DSB DMB ISB CLREX */
  case 0x3e:
  /* MRS */
  case 0x3f: return (struct m4_instruction){.class = M4_SYSTEM, .writes = bit(field(second, 8, 4))};
  /* UDF.W */
  case 0x7f: return of_class(M4_EXCEPTION);
  default: return of_class(M4_UNCLASSIFIED);
  }
}

/* [Rn, #-imm8], pre- and post-indexed: what writing back to SP adds to it. */
static void note_write_back(struct m4_instruction *i, unsigned base, uint16_t second)
{
  if (base != M4_SP || field(second, 8, 1) == 0) return;
  const int bytes = (int) field(second, 0, 8);
  i->stack_change = (int16_t) (field(second, 9, 1) == 1 ? bytes : -bytes);
}

static struct m4_instruction wide_single(uint16_t first, uint16_t second, bool is_load)
{
  const unsigned base = field(first, 0, 4), target = field(second, 12, 4),
                 size = field(first, 5, 2);
  const bool long_offset = field(first, 7, 1) == 1;
  if (size == 3) return of_class(M4_UNCLASSIFIED);
  if (is_load && target == M4_PC && size != 2) return of_class(M4_HINT); /* PLD, PLI */
  const bool by_register = !long_offset && base != M4_PC && field(second, 11, 1) == 0;
  const uint16_t registers = (uint16_t) (bit(base) | (by_register ? bit(field(second, 0, 4)) : 0));
  struct m4_instruction i;
  if (is_load)
    i = load(target, registers);
  else
    i = store(by_register ? M4_STORE_REGISTER_OFFSET : M4_STORE, registers);
  if (!long_offset && !by_register && base != M4_PC) note_write_back(&i, base, second);
  return i;
}

static struct m4_instruction wide_multiply(uint16_t second)
{
  const bool adds = field(second, 12, 4) != M4_PC;
  return product(adds ? M4_MULTIPLY_ADD : M4_MULTIPLY, bit(field(second, 8, 4)));
}

static struct m4_instruction wide_long_multiply_or_divide(uint16_t first, uint16_t second)
{
  const unsigned operation = field(first, 4, 3);
  if (operation == 1 || operation == 3) return product(M4_DIVIDE, bit(field(second, 8, 4)));
  if (operation == 7) return of_class(M4_UNCLASSIFIED);
  return product(M4_MULTIPLY_LONG, bit(field(second, 8, 4)) | bit(field(second, 12, 4)));
}

static struct m4_instruction wide_loads_stores_and_products(uint16_t first, uint16_t second)
{
  const unsigned operation = field(first, 4, 7);
  if (operation >= 0x40) return of_class(M4_UNCLASSIFIED); /* coprocessor */
  if (operation >= 0x38) return wide_long_multiply_or_divide(first, second);
  if (operation >= 0x30) return wide_multiply(second);
  /* shifts by register, extends, REV, CLZ, parallel sums */
  if (operation >= 0x20) return alu(field(second, 8, 4));
  if ((operation & 1) == 1) return wide_single(first, second, true);
  return field(first, 8, 1) == 0 ? wide_single(first, second, false) : of_class(M4_UNCLASSIFIED);
}

/* VLDR and VSTR cost what VLDM and VSTM of as many words do: Arm TRM 100166, table 7-1. */
static struct m4_instruction float_load_or_store(uint16_t first, uint16_t second)
{
  const bool before = field(first, 8, 1) == 1, up = field(first, 7, 1) == 1,
             writes_back = field(first, 5, 1) == 1;
  const unsigned base = field(first, 0, 4), words = field(second, 0, 8);
  if (!before && !up && !writes_back)
    return of_class(field(first, 6, 1) == 1 ? M4_FLOAT_MOVE_PAIR : M4_UNCLASSIFIED);
  struct m4_instruction i = {.class =
                                 field(first, 4, 1) == 1 ? M4_LOAD_MULTIPLE : M4_STORE_MULTIPLE,
                             .transfers = (uint8_t) words,
                             .addressed_by = bit(base)};
  if (before && !writes_back) i.transfers = field(second, 8, 1) == 1 ? 2 : 1; /* VLDR, VSTR */
  if (base == M4_SP && writes_back)
    i.stack_change = (int16_t) (4 * (up ? (int) words : -(int) words));
  return i;
}

static struct m4_instruction coprocessor(uint16_t first, uint16_t second)
{
  /* not the FPU */
  if (field(first, 12, 1) == 1 || field(second, 9, 3) != 5) return of_class(M4_UNCLASSIFIED);
  if (field(first, 9, 1) == 0) return float_load_or_store(first, second);
  return of_class(field(first, 8, 1) == 0 && field(second, 4, 1) == 1 ? M4_FLOAT_MOVE
                                                                      : M4_UNCLASSIFIED);
}

struct m4_instruction m4_decode_wide(uint16_t first, uint16_t second)
{
  switch (field(first, 11, 2)) {
  case 1:
    if (field(first, 10, 1) == 1) return coprocessor(first, second);
    if (field(first, 9, 1) == 1)
      return wide_data_processing(field(first, 5, 4), field(first, 4, 1) == 1, field(second, 8, 4));
    return field(first, 6, 1) == 1 ? wide_dual_or_exclusive(first, second)
                                   : wide_multiple(first, second);
  case 2:
    if (field(second, 15, 1) == 1) return wide_branch_or_control(first, second);
    return field(first, 9, 1) == 1 ? wide_plain_immediate(first, second)
                                   : wide_modified_immediate(first, second);
  default: return wide_loads_stores_and_products(first, second);
  }
}
