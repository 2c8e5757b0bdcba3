/* The heap of this process. What a sanitizer puts in its place is left alone. */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/heap.h"

#define MIB ((uint64_t) 1 << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define FOREIGN 1
#else
#define FOREIGN 0
#endif

static uintptr_t end_of_heap(void)
{
  return (uintptr_t) sbrk(0);
}

/* Whether huge pages are asked for in the mapping that holds `address`. */
static bool asks_for_huge_pages(uintptr_t address)
{
  char line[512];
  bool here = false, asks = false;
  FILE *maps = fopen("/proc/self/smaps", "re");
  assert_non_null(maps);
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2) here = from <= address && address < to;
    if (here && strncmp(line, "VmFlags:", 8) == 0) asks = strstr(line, " hg") != NULL;
  }
  fclose(maps);
  return asks;
}

static void a_few_hundred_devices_change_nothing(void **state)
{
  (void) state;
  uintptr_t before = end_of_heap();
  heap_grow(5 * MIB);
  assert_int_equal(end_of_heap(), before);
}

static void thousands_find_their_room_at_once(void **state)
{
  (void) state;
  enum { pieces = 15 * 1024 }; /* of 1,000 and some bytes: less than 16 MiB */
  if (FOREIGN) skip();
  uintptr_t before = end_of_heap();
  heap_grow(16 * MIB);
  uintptr_t grown = end_of_heap();
  /* what was free at its end is trimmed first */
  assert_in_range(grown - before, 15 * MIB, 17 * MIB);
  void **piece = malloc(pieces * sizeof *piece);
  assert_non_null(piece);
  for (size_t i = 0; i < pieces; i++) assert_non_null(piece[i] = malloc(1000));
  assert_int_equal(end_of_heap(), grown);
  if (access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0)
    assert_true(asks_for_huge_pages((uintptr_t) piece[pieces / 2]));
  for (size_t i = 0; i < pieces; i++) free(piece[i]);
  free(piece);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_few_hundred_devices_change_nothing),
      cmocka_unit_test(thousands_find_their_room_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
