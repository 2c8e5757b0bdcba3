/* Numbers with units, as scenarios write them. All return 0, or -1 with a sentence in `why` that
 * shows a right example.
 */
#ifndef FLEETSIM_UNITS_H
#define FLEETSIM_UNITS_H

#include <stddef.h>
#include <stdint.h>

int units_duration_ms(const char *text, uint64_t *ms, char *why,
                      /* "250ms", "30s", "5m", "2h", "1d" */
                      size_t why_size);
/* "200/s", "30/m", "20%/s": of `devices` */
int units_rate(const char *text, uint64_t devices, double *per_s, char *why, size_t why_size);
/* "5%", "0.1%": 0..1 */
int units_share(const char *text, double *share, char *why, size_t why_size);
/* "64", "64B", "4KiB", "1MiB" */
int units_bytes(const char *text, uint64_t *bytes, char *why, size_t why_size);
/* "41us", "85ms", "1s": short ones */
int units_us(const char *text, uint64_t *us, char *why, size_t why_size);
/* "1.2.3": DEVICE_VERSION */
int units_version(const char *text, uint32_t *version, char *why, size_t why_size);
/* RFC 3339 date-time in Z */
int units_instant(const char *text, int64_t *unix_s, char *why, size_t why_size);

#endif
