/* What a Thumb-2 instruction is, as far as its cost on a Cortex-M4 depends on it. Encodings: Arm
 * v7-M Architecture Reference Manual (DDI 0403), chapter A5. Of floating point it knows moves,
 * loads and stores, since P-256 code keeps integers in those registers; arithmetic stays
 * unclassified.
 */
#ifndef FLEETSIM_M4_INSTRUCTION_H
#define FLEETSIM_M4_INSTRUCTION_H

#include <stdbool.h>
#include <stdint.h>

enum m4_class {
  M4_UNCLASSIFIED, /* not known to this table, or no instruction at all */
  M4_ALU,
  M4_MULTIPLY,      /* MUL, and the DSP extension's 32-bit products */
  M4_MULTIPLY_ADD,  /* MLA, MLS, and the DSP extension's */
  M4_MULTIPLY_LONG, /* UMULL, UMLAL, UMAAL, SMULL, SMLAL ... */
  M4_DIVIDE,
  M4_LOAD, /* one register other than PC */
  M4_STORE,
  M4_STORE_REGISTER_OFFSET,
  M4_LOAD_MULTIPLE, /* LDM, POP; with PC in the list it branches too */
  M4_STORE_MULTIPLE,
  M4_LOAD_DUAL,
  M4_STORE_DUAL,
  M4_LOAD_PC,
  M4_BRANCH, /* B, Bcc, CBZ, BL, BX, BLX, MOV PC: `branch` says how */
  M4_TABLE_BRANCH,
  M4_IT,
  M4_SYSTEM,          /* MSR, MRS, CPS, barriers */
  M4_HINT,            /* NOP, YIELD, WFI ... */
  M4_FLOAT_MOVE,      /* between one core register and one of the FPU */
  M4_FLOAT_MOVE_PAIR, /* two of each */
  M4_EXCEPTION,       /* SVC, BKPT, UDF */
  M4_CLASSES,
};

enum m4_branch { M4_NO_BRANCH, M4_DIRECT, M4_INDIRECT };

#define M4_PC 15u
#define M4_SP 13u

struct m4_instruction {
  enum m4_class class;
  enum m4_branch branch;
  uint8_t size;      /* 2 or 4 bytes */
  uint8_t transfers; /* registers of a multiple load or store */
  /* a branch that may fall through by itself (IT blocks are the caller's to know) */
  bool conditional;
  uint16_t writes;       /* bit r: register r is written by an ALU result or a load */
  uint16_t addressed_by; /* bit r: register r is the base or the index of a memory access */
  int16_t stack_change;  /* what it adds to SP, in bytes, where the encoding says so */
  bool stack_unknown;    /* SP is written by something that the encoding does not tell */
};

bool m4_is_wide(uint16_t first);

/* Decodes one instruction; `second` is looked at only if `first` begins a 32-bit one. */
struct m4_instruction m4_decode(uint16_t first, uint16_t second);

bool m4_is_load(const struct m4_instruction *instruction);
bool m4_is_store(const struct m4_instruction *instruction);

/* Results that the next instruction can take as an address only after a stall. */
bool m4_is_data_processing(const struct m4_instruction *instruction);

#endif
