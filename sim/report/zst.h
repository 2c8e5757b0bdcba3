/* A list of events that is compressed with Zstandard (RFC 8878): what lines are written to, or read
 * from, as a FILE, so that nobody else has to know. `zstdcat` reads it, whole or cut short. Internal to
 * sim/report.
 */
#ifndef FLEETSIM_REPORT_ZST_H
#define FLEETSIM_REPORT_ZST_H

#include <stdint.h>
#include <stdio.h>

/* What is written is compressed into `fd`, which is closed with it. After fflush all that was written can
 * be read by who opens the file, at the cost of a block: once a second, not after each line. *written is
 * how many bytes the file has, and outlives the FILE. NULL with errno; then fd is the caller's. */
FILE *zst_write(int fd, uint64_t *written);

/* What was compressed into `fd`, which is closed with it; it ends where the file ends, in the midst of a
 * block too. What is not of that format is an error of reading (EBADMSG). NULL with errno; then fd is the
 * caller's. */
FILE *zst_read(int fd);

#endif
