/* The lines of a trace: what happened, and when. It stands for the report's files: events and
 * results become lines here. */
#ifndef FLEETSIM_TRACE_TRACE_H
#define FLEETSIM_TRACE_TRACE_H

#include "scenario/scenario.h"

/* Begins a new one; the scenario outlives it. */
void trace_begin(const struct scenario *scenario);

/* All of it. Whatever names this folder says OUT instead. To be freed. */
char *trace_take(const char *folder);

/* A line without a time. */
void trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
