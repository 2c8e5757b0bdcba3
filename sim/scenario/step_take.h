/* The arguments of one step, on their way from a file's texts to struct scenario_step.
 *
 * `key` is one of the step's own, as its kind lists them. What is absent leaves the default alone.
 * All that return int return 0, or -1 with the error set, at the argument's place.
 */
#ifndef FLEETSIM_SCENARIO_STEP_TAKE_H
#define FLEETSIM_SCENARIO_STEP_TAKE_H

#include "scenario/take.h"

#define STEP_LIST_MAX      16
#define STEP_WITHIN_MAX_MS (7u * 86400000u)
#define STEP_RATE_PER_S    200.0

struct step_take {
  const struct take *t;
  const char *at;          /* path of its arguments: "phases[0].do[1].connect" */
  const yaml_node_t *args; /* the mapping there */
  const struct scenario *scenario;
  struct scenario_step *out;
};

/* The texts of a list, owned by the document. */
struct step_list {
  char *text[STEP_LIST_MAX];
  unsigned count;
  bool given;
};

/* NULL: absent. */
const char *step_take_text(const struct step_take *w, const char *key);
struct step_list step_take_list(const struct step_take *w, const char *key);

/* A list of mappings: how many, and one value of the i-th. */
unsigned step_take_entries(const struct step_take *w, const char *key);
const char *step_take_entry(const struct step_take *w, const char *key, unsigned i,
                            const char *field);

/* A refusal at an argument, "": at the step. Always -1. */
int step_take_fail(const struct step_take *w, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As those of take.h. */
int step_take_number(const struct step_take *w, const char *key, uint64_t least, uint64_t most,
                     uint32_t *out);
int step_take_flag(const struct step_take *w, const char *key, bool *out);
int step_take_word(const struct step_take *w, const char *key, const char *const *words, int *out);
int step_take_duration(const struct step_take *w, const char *key, uint64_t least_ms,
                       uint64_t most_ms, uint64_t *out);
int step_take_share(const struct step_take *w, const char *key, double *out);
int step_take_bytes(const struct step_take *w, const char *key, uint64_t most, uint64_t *out);

/* What many steps have, into its field of take->out. */
int step_take_rate(const struct step_take *w);
int step_take_within(const struct step_take *w);        /* within_ms */
int step_take_broker_within(const struct step_take *w); /* broker_ms */
int step_take_waves(const struct step_take *w);
int step_take_root(const struct step_take *w); /* which must be there */
/* `least`: 2 for a trust bundle. */
int step_take_roots(const struct step_take *w, size_t least);
/* `needed`: some devices must be named. */
int step_take_who(const struct step_take *w, bool needed);
int step_take_apply(const struct step_take *w, enum scenario_files files);
/* root, cross, intermediate, cross-expired, leaf-expired; or root, chain, key, leaf-expired. */
int step_take_chain(const struct step_take *w);
/* `all`: the step may be for all of the brokers. */
int step_take_node(const struct step_take *w, bool all);
/* policy, base, cap; the scenario's own where they are absent. */
int step_take_policy(const struct step_take *w);
/* An image that some step publishes. */
int step_take_image(const struct step_take *w);
/* Refuses where devices take no firmware updates. */
int step_take_ota(const struct step_take *w);

#endif
