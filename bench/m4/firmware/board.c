#include "board.h"

#include <string.h>

#include "fleetsim/nvm.h"
#include "m4/marks.h"

static int board_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  for (size_t at = 0; at < size; at += 4) {
    uint32_t word = m4_read(M4_ENTROPY);
    memcpy(out + at, &word, size - at < 4 ? size - at : 4);
  }
  return 0;
}

static int nvm_read(void *ctx, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  if (offset > DEVICE_NVM_PAGE_SIZE || size > DEVICE_NVM_PAGE_SIZE - offset) return -1;
  memcpy(out, (const uint8_t *) (uintptr_t) M4_NVM + offset, size);
  return 0;
}

static int nvm_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  if (offset > DEVICE_NVM_PAGE_SIZE || size > DEVICE_NVM_PAGE_SIZE - offset) return -1;
  memcpy((uint8_t *) (uintptr_t) M4_NVM + offset, data, size);
  return 0;
}

const struct device_host board_host = {
    .random = board_random, .nvm_read = nvm_read, .nvm_write = nvm_write};

void board_print(const char *text)
{
  while (*text != '\0') m4_write(M4_PUTCHAR, (uint8_t) *text++);
}

_Noreturn void board_exit(int code)
{
  m4_write(M4_HEAP_PEAK, (uint32_t) board_heap_peak());
  m4_write(M4_EXIT, (uint32_t) code);
  for (;;)
    ;
}

_Noreturn void board_fail(const char *sentence)
{
  board_print("firmware: ");
  board_print(sentence);
  board_print("\n");
  board_exit(1);
}

/* Of newlib's assert. */
void __assert_func(const char *file, int line, const char *function, const char *expression);

void __assert_func(const char *file, int line, const char *function, const char *expression)
{
  (void) line;
  (void) function;
  board_print(file);
  board_print(": assertion ");
  board_print(expression);
  board_print("\n");
  board_fail("an assertion of the client does not hold");
}
