/* The heap of a process that is going to hold thousands of devices. */
#ifndef FLEETSIM_HEAP_H
#define FLEETSIM_HEAP_H

#include <stdint.h>

/* Grows the heap once by `bytes`, and asks for pages of 2 MiB there. By 132 KiB and 4 at a time, as
 * it grows otherwise, a device's connect costs 5 % more, for page faults and misses of the TLB.
 * Takes address space alone: memory is taken when it is touched, and not given back then: a process
 * may slowly come to hold all of it, 300 devices 3 MiB more an hour, until it does. So it does
 * nothing for less than 6 MiB, where it brings little; nor where the C library is not glibc or was
 * replaced. */
void heap_grow(uint64_t bytes);

#endif
