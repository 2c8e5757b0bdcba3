/* Instructions as arm-none-eabi-as encodes them, and what each is for the cost model. */
#ifndef FLEETSIM_TEST_M4_SAMPLES_H
#define FLEETSIM_TEST_M4_SAMPLES_H

#include <stddef.h>

#include "m4/emulator/instruction.h"

struct m4_sample {
  const char *text;
  uint16_t first, second;
  struct m4_instruction expected;
};

extern const struct m4_sample m4_samples[];
extern const size_t m4_sample_count;

#endif
