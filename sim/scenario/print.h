/* The words of the timetable that more than one file needs. */
#ifndef FLEETSIM_SCENARIO_PRINT_H
#define FLEETSIM_SCENARIO_PRINT_H

#include <stdio.h>

#include "scenario/scenario.h"

/* "250 ms", "30 s", "2 min 5 s". */
const char *print_duration(uint64_t ms, char out[32]);

/* "all at once", "in waves of 1%, 10%, 100%". */
const char *print_waves(const struct scenario_waves *w, char *out, size_t size);

/* "5% of the devices", "cohort eu", "5% of cohort eu", "device 0000002a and 2 more". */
void print_who(const struct scenario_who *who, char *out, size_t size);

/* Firmware updates: the lines in the head, a step's words, and the longest time that a rollout
   takes. */
void print_ota_head(const struct scenario_ota *ota, FILE *out);
void print_ota_step(const struct scenario *s, const struct scenario_step *step, FILE *out);
uint64_t print_ota_ms(const struct scenario_step *rollout);

#endif
