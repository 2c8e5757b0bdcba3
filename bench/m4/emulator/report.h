/* The report of one run, JSON of schema "fleetsim-m4/1". Cycles are modelled: no hardware has been
 * asked.
 *
 *     elf, elf_sha256, clock_hz
 *     instructions, cycles, unclassified      of which the cost is a guess of one cycle each
 *     idle_ms                                 spent in M4_WAIT_MS; no cycle runs meanwhile
 *     exit_code, failure                      one of them is null
 *     model.NAME, model.icache                every parameter; null or {bytes, line, ways,
 *                                             miss_cycles, misses}
 *     marks.NAME                              {count, cycles, mean_cycles, min_cycles, max_cycles,
 *                                             sent, received}: the last two are bytes over the link
 *     states.NAME                             {entered, cycles}; "reset" until the image names one
 *     memory                                  {rom_bytes, ram_static_bytes, heap_peak_bytes or
 *                                             null, stack_peak_bytes}
 */
#ifndef FLEETSIM_M4_REPORT_H
#define FLEETSIM_M4_REPORT_H

#include "machine.h"

struct m4_report {
  const char *elf, *elf_sha256;
  const struct m4_image *image;
  const struct m4_settings *settings;
  const struct m4_run *run;
  const char *failure; /* why the run ended, if not by M4_EXIT; else NULL */
};

/* To the file, or to standard output if `path` is NULL. 0, or -1 with a sentence. */
int m4_report_write(const struct m4_report *report, const char *path, struct error *error);

#endif
