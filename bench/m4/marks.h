/* Marks: how a firmware image talks to fleetsim-m4, the emulator, through one block of words in its
 * address space.
 *
 * Any ELF for a Cortex-M4 (bare metal, vector table at the lowest loaded address) that is linked
 * with this header can be run: `fleetsim-m4 --elf MY.elf`. On real hardware the block does not
 * exist; leave these calls out there.
 *
 *     m4_mark_begin("sign");   psa_sign_hash(...);   m4_mark_end("sign");
 *
 * Cycles between begin and end of a name are added up and counted (marks may nest and repeat; at
 * most 64 names of up to 31 characters). A state is what the program is in until it names the next
 * one: every cycle belongs to one state. Reading and writing the block itself costs nothing.
 */
#ifndef FLEETSIM_M4_MARKS_H
#define FLEETSIM_M4_MARKS_H

#include <stdint.h>

#define M4_BLOCK 0x5ff00000u /* 4 KiB of words */
/* 12 KiB, readable and writable: page --page of file --nvm; writes are not kept */
#define M4_NVM 0x60000000u

enum m4_word {
  M4_PUTCHAR = 0x00,    /* write: one character to the emulator's standard error */
  M4_EXIT = 0x04,       /* write: ends the emulation with this exit code */
  M4_MARK_BEGIN = 0x08, /* write: address of a zero-terminated name */
  M4_MARK_END = 0x0c,   /* write: the same name */
  M4_STATE = 0x10,      /* write: address of the name of the state from now on */
  M4_ENTROPY = 0x14,    /* read: 32 random bits, the same for the same --seed */
  /* read: milliseconds since reset: modelled cycles at --clock, and the time spent waiting */
  M4_TIME_MS = 0x18,
  /* read: seconds since 1970, as the emulator was started with, plus M4_TIME_MS */
  M4_UNIX_S = 0x1c,
  M4_OPEN = 0x20,       /* write: 1 begins a TCP connection to --connect HOST:PORT, 0 closes it */
  M4_LINK = 0x24,       /* read: 0 closed, 1 being opened, 2 open */
  M4_SEND_FROM = 0x28,  /* write: address of bytes */
  M4_SEND = 0x2c,       /* write: how many; they are sent whole before the write returns */
  M4_RECEIVE_TO = 0x30, /* write: address of room */
  M4_RECEIVE = 0x34,    /* write: how much room; then read: bytes received, 0 if there were none */
  /* write: sleeps until the connection has something to tell, at most so long */
  M4_WAIT_MS = 0x38,
  M4_HEAP_PEAK = 0x3c, /* write: the most heap the program had in use, in bytes; for the report */
};

static inline void m4_write(enum m4_word word, uint32_t value)
{
  *(volatile uint32_t *) (uintptr_t) (M4_BLOCK + (uint32_t) word) = value;
}

static inline uint32_t m4_read(enum m4_word word)
{
  return *(volatile uint32_t *) (uintptr_t) (M4_BLOCK + (uint32_t) word);
}

static inline void m4_mark_begin(const char *name)
{
  m4_write(M4_MARK_BEGIN, (uint32_t) (uintptr_t) name);
}

static inline void m4_mark_end(const char *name)
{
  m4_write(M4_MARK_END, (uint32_t) (uintptr_t) name);
}

static inline void m4_state(const char *name)
{
  m4_write(M4_STATE, (uint32_t) (uintptr_t) name);
}

#endif
