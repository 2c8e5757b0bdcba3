/* Takes one value of a scenario file: its text becomes a checked number, word or root, or a refusal
 * at its place.
 *
 * `at` is the path of the mapping ("phases[0].do[1].connect"), `key` the value's key in it. A NULL
 * text leaves *out, the default, alone. All return 0, or -1 with the error set.
 */
#ifndef FLEETSIM_SCENARIO_TAKE_H
#define FLEETSIM_SCENARIO_TAKE_H

#include "scenario/doc.h"
#include "scenario/scenario.h"

struct take {
  const struct doc *doc;
  uint64_t devices; /* of the fleet: what "20%/s" is a share of; 0: not read yet */
  const struct step_kind *const *kinds; /* ended by NULL */
  struct error *error;
};

/* A refusal at at.key. Always -1. */
int take_fail(const struct take *t, const char *at, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

int take_text(const struct take *t, const char *at, const char *key, const char *text, char *out,
              size_t capacity);
int take_number(const struct take *t, const char *at, const char *key, const char *text,
                uint64_t least, uint64_t most, uint64_t *out);
int take_flag(const struct take *t, const char *at, const char *key, const char *text, bool *out);

/* `words` is a NULL-terminated list; *out becomes the index in it. */
int take_word(const struct take *t, const char *at, const char *key, const char *text,
              const char *const *words, int *out);

/* `least_ms` <= *out <= `most_ms`. */
int take_duration(const struct take *t, const char *at, const char *key, const char *text,
                  uint64_t least_ms, uint64_t most_ms, uint64_t *out);
int take_rate(const struct take *t, const char *at, const char *key, const char *text, double *out);

/* Above 0 and at most 100%. */
int take_share(const struct take *t, const char *at, const char *key, const char *text,
               double *out);

/* A root of `known`; with known NULL any well-formed name. */
int take_root(const struct take *t, const char *at, const char *key, const char *text,
              const struct pki_roots *known, char out[PKI_NAME_MAX]);

/* A list of different roots, none leaves *out alone. The schema has seen to it that no list is too
   long. */
int take_roots(const struct take *t, const char *at, const char *key, char *const *texts,
               size_t count, const struct pki_roots *known, struct pki_roots *out);

int take_waves(const struct take *t, const char *at, const char *key, char *const *texts,
               size_t count, struct scenario_waves *out);

/* "A, B and spare". */
const char *take_list_roots(const struct pki_roots *roots, char *out, size_t size);

#endif
