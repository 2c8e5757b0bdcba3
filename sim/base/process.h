/* What this process was started with, put right before anything else happens. */
#ifndef FLEETSIM_PROCESS_H
#define FLEETSIM_PROCESS_H

#include <stdint.h>

#include "base/files.h"

/* Descriptors 0, 1 and 2 are open (on /dev/null where they were not: the next file would get their
 * number, and what is printed would go into it). No signal is blocked, and the ends of children are
 * told. Nothing of the memory, which holds private keys, is written to a core dump, nor of children
 * that keep what they inherit. abort(), ours or a library's, is a sentence and EXIT_CODE_INTERNAL.
 * Returns 0, or an errno. */
int process_prepare(void);

/* The absolute path of this program. 0, or -1: the system does not say, or it is too long. */
int process_path(char out[FILES_PATH_MAX]);

/* Of physical memory, at present; 0: the system does not say. */
uint64_t process_resident_bytes(void);

#endif
