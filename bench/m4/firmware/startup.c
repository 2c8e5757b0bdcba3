/* From reset to main: vector table, .data, .bss. Whatever the core cannot go on from ends the
 * emulation with a sentence.
 */
#include <stdint.h>

#include "board.h"

int main(void);
void reset(void);

extern uint32_t stack_top[], data_start[], data_end[], bss_start[], bss_end[]; /* m4.ld */
extern const uint32_t data_image[];

static void hard_fault(void)
{
  board_fail("the core took a HardFault: bad address, bad instruction, or a stack over its end");
}

static void fault(void)
{
  board_fail("the core took an exception that this image has no use for");
}

void reset(void)
{
  const uint32_t *from = data_image;
  for (uint32_t *to = data_start; to < data_end; to++) *to = *from++;
  for (uint32_t *to = bss_start; to < bss_end; to++) *to = 0;
  board_exit(main());
}

struct vectors {
  uint32_t *stack;
  void (*handler[15])(void);
};

static const struct vectors vectors __attribute__((section(".vectors"), used)) = {
    stack_top,
    {reset, fault, hard_fault, hard_fault, hard_fault, hard_fault, fault, fault, fault, fault,
     fault, fault, fault, fault, fault}};
