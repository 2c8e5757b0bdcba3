/* fleetsim pki: what its verbs share. */
#ifndef FLEETSIM_CLI_PKI_ARGS_H
#define FLEETSIM_CLI_PKI_ARGS_H

#include "cli/args.h"
#include "pki/pki.h"

/* What all pki verbs have in common, between the braces of theirs. */
#define PKI_VERB                           \
  .operands_least = 1, .operands_most = 1, \
  .operands = "give exactly one fleet folder; --help shows an example", .operand = "FOLDER"

/* `take` of a list of roots, "A,B,spare", into a struct pki_roots; none is given while its count is
 * 0. */
int pki_args_take_roots(const struct args_option *option, char *value, void *to,
                        struct error *error);

/* The name of a device of the fleet, to its index. */
int pki_args_device(const struct pki *pki, const char *text, size_t *index, struct error *error);

/* Refuses names in `some` that are not in `all`. */
int pki_args_within(const struct pki_roots *some, const struct pki_roots *all, const char *option,
                    struct error *error);

/* The line that says what a new fleet has. */
void pki_args_print_fleet(const struct pki *pki, const struct pki_roots *trusted);

/* Devices take no bundle of one root, so that no single CA can strand them; but they may be made with
   one: who does is told. */
void pki_args_warn_of_one_root(const char *verb, const struct pki_roots *trusted);

#endif
