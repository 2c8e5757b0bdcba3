/* Secrets in texts that are printed. */
#ifndef FLEETSIM_MASK_H
#define FLEETSIM_MASK_H

#include <stddef.h>

/* Replaces user names and passwords by "***", in place, never longer than before:
 * - what stands after "://" up to the last @ of that URL, whose password may hold blanks and
 *   quotes; without any @ all
 * of "name:secr", cut off before it and no host with its port. A password of up to five digits that
 * is cut off cannot be told from a port: mask before cutting;
 * - "user:password" before an @ without a scheme;
 * - what follows the ? of a query. */
void mask_urls(char *text);

/* The same for one URL of its own that may lack its scheme: all before its last @ goes. Returns
   `out`. */
const char *mask_url(const char *url, char *out, size_t capacity);

/* A text of any kind, masked before it is cut to fit. Returns `out`. */
const char *mask_value(const char *value, char *out, size_t capacity);

/* The value of a setting, which may be a mapping: "***" where the path or the value names one that is
   kept secret (told.c). Returns `out`. */
const char *mask_setting(const char *path, const char *value, char *out, size_t capacity);

#endif
