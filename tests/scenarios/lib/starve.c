/* LD_PRELOAD: the STARVE_NTH allocation of the program fails (STARVE_FOR of them in a row, 1 unless
 * said), and is told by its backtrace in the file STARVE_LOG. Children start with their memory:
 * STARVE_NTH is taken out of their environment. */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static atomic_ulong calls;
static unsigned long first, last;
static int log_fd = -1;
static bool counting;
static _Thread_local bool inside;

static void tell(void)
{
  void *frames[24];
  inside = true;
  int count = backtrace(frames, 24);
  if (log_fd >= 0) backtrace_symbols_fd(frames, count, log_fd);
  inside = false;
}

static bool starves(void)
{
  if (!counting || inside) return false;
  unsigned long n = atomic_fetch_add(&calls, 1) + 1;
  if (n < first || n > last) return false;
  if (n == first) tell();
  errno = ENOMEM;
  return true;
}

void *malloc(size_t size)
{
  return starves() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
  return starves() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
  return starves() ? NULL : __libc_realloc(block, size);
}

/* After the libraries' own start: what fails there is not ours to tell. */
__attribute__((constructor)) static void begin(void)
{
  const char *nth = getenv("STARVE_NTH"), *run = getenv("STARVE_FOR"), *path = getenv("STARVE_LOG");
  void *warm_up[1];
  (void) backtrace(warm_up, 1); /* loads libgcc, which allocates */
  if (nth == NULL) return;
  if (path != NULL) log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
  first = strtoul(nth, NULL, 10);
  last = first + (run != NULL ? strtoul(run, NULL, 10) : 1) - 1;
  unsetenv("STARVE_NTH");
  counting = true;
}

__attribute__((destructor)) static void end(void)
{
  char line[64];
  int size = snprintf(line, sizeof line, "allocations %lu\n", atomic_load(&calls));
  if (log_fd >= 0 && counting) (void) !write(log_fd, line, (size_t) size);
}
