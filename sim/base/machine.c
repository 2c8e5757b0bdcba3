/* Asks the system; what it does not say stays 0 or "". */
#define _GNU_SOURCE
#include "base/machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void find_processor(char *out, size_t size)
{
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    const char *colon = strchr(line, ':');
    if (colon == NULL || strncmp(line, "model name", 10) != 0) continue;
    snprintf(out, size, "%.*s", (int) strcspn(colon + 2, "\n"), colon + 2);
    break;
  }
  if (file != NULL) fclose(file);
}

void machine_look(struct machine *out)
{
  struct utsname name;
  struct sysinfo info;
  cpu_set_t cores;
  memset(out, 0, sizeof *out);
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) out->cores = (unsigned) CPU_COUNT(&cores);
  if (sysinfo(&info) == 0) out->memory_bytes = (uint64_t) info.totalram * info.mem_unit;
  if (uname(&name) == 0)
    snprintf(out->kernel, sizeof out->kernel, "%s %s %s", name.sysname, name.release, name.machine);
  find_processor(out->processor, sizeof out->processor);
}
