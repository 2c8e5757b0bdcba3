/* The words of the timetable that more than one file needs. */
#ifndef FLEETSIM_SCENARIO_PRINT_H
#define FLEETSIM_SCENARIO_PRINT_H

#include <stdio.h>

#include "scenario/scenario.h"

#define PRINT_BROKER_MS 70000u /* longest time of a reload, a restart or a hook */

/* "250 ms", "30 s", "2 min 5 s". */
const char *print_duration(uint64_t ms, char out[32]);

/* "64 KiB", "1 MiB", "100 bytes". */
const char *print_bytes(uint64_t bytes, char out[32]);

/* "all at once", "in waves of 1%, 10%, 100%". */
const char *print_waves(const struct scenario_waves *w, char *out, size_t size);

/* "5% of the devices", "cohort eu", "5% of cohort eu", "device 0000002a and 2 more". */
void print_who(const struct scenario_who *who, char *out, size_t size);

/* "a chain under root B with the cross-certificate by A". */
void print_chain(const struct pki_chain *chain, FILE *out);

/* ", payload of 63 bytes with its number at $.seq and its time at t=": nothing of the binary message. */
void print_payload(const struct payload_text *payload, FILE *out);

/* "full-jitter, base 1 s, cap 30 s". */
void print_policy(const struct scenario_reconnect *policy, FILE *out);

/* "the name mqtt.example leads to a, b". */
void print_lead(const struct scenario *s, const struct scenario_name *name,
                const struct scenario_name *lead, FILE *out);

/* "reload the broker", "reload all brokers", "kill (SIGKILL) the broker b": `what`, and whom. */
void print_node(const struct scenario *s, const struct scenario_step *step, const char *what,
                FILE *out);

/* ", then reload it". */
const char *print_apply(enum scenario_apply apply);

/* The longest that a restart of all brokers takes. */
uint64_t print_restart_ms(const struct scenario *s, const struct scenario_step *step);

/* The longest of one hook, where the broker is asked by them; else 0. */
uint64_t print_hook_ms(const struct scenario *s);

/* The longest that it is looked at whether a list keeps out whom it names: one before it, and that
   list; a broker of ours says itself when it has it. */
uint64_t print_list_ms(const struct scenario *s);

/* The longest that new files take until they are in force: `apply`, and the hook of a remote
 * broker; that a step takes with one wait of `within`, or one per wave; and that a share of the
 * fleet takes to begin at a rate. */
uint64_t print_apply_ms(const struct scenario *s, const struct scenario_step *step);
uint64_t print_within_ms(const struct scenario *s, const struct scenario_step *step);
uint64_t print_waves_ms(const struct scenario *s, const struct scenario_step *step);
uint64_t print_ramp_ms(const struct scenario *s, double share, double rate);

#endif
