/* events.ndjson: one line per device-visible event, flushed at least once a second, so that a crash
   loses little. */
#ifndef FLEETSIM_EVENTS_H
#define FLEETSIM_EVENTS_H

#include <stdint.h>

#include "base/error.h"

struct events;

/* Opens folder/events.ndjson for writing. */
int events_open(const char *folder, struct events **out, struct error *error);

/* Writes what is left; reports a full disk, and a file that was removed, replaced or changed
   meanwhile. Frees. */
int events_close(struct events *events, struct error *error);

/* Hands all lines over; -1: one of them is lost already, or the file is no longer the one that they
   went to. */
int events_check(struct events *events, struct error *error);

/* One line: {"t": seconds of the run, "device": "0000000a" (absent if 0), "event": name, ...more}.
 * `more` is a printf format of further JSON members without braces, e.g. "\"failure\": \"%s\"", or
 * NULL; strings must already be safe for JSON (events_quote). */
void events_add(struct events *events, double t_s, uint32_t device, const char *name,
                const char *more, ...) __attribute__((format(printf, 5, 6)));

/* Copies text into out with JSON escapes, cut to fit; returns out. */
const char *events_quote(const char *text, char *out, unsigned capacity);

/* Hands lines to the operating system; call once a second. */
void events_flush(struct events *events);

#endif
