/* Secrets in texts that are printed. */
#ifndef FLEETSIM_MASK_H
#define FLEETSIM_MASK_H

#include <stddef.h>

/* Replaces what stands before the @ of a URL, user name and password, by "***", in place: after "://" up to the last @
 * before the next blank or quote, or to there where what follows is "name:secr", cut off before its @, and no host with
 * its port. A password of up to five digits that is cut off cannot be told from a port: mask before cutting. */
void mask_urls(char *text);

/* The same for one URL of its own that may lack its scheme: all before its last @ goes. Returns `out`. */
const char *mask_url(const char *url, char *out, size_t capacity);

#endif
