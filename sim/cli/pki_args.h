/* fleetsim pki: what its subcommands share. */
#ifndef FLEETSIM_CLI_PKI_ARGS_H
#define FLEETSIM_CLI_PKI_ARGS_H

#include <stdbool.h>
#include <stdio.h>

#include "pki/pki.h"

enum pki_arg {
  PKI_ARG_HELP,
  PKI_ARG_DEVICES,
  PKI_ARG_ROOTS,
  PKI_ARG_TRUSTED,
  PKI_ARG_BROKER_ROOT,
  PKI_ARG_DEVICE,
  PKI_ARG_JSON,
  PKI_ARG_WHAT,
  PKI_ARG_OUT,
  PKI_ARG_ROOT,
  PKI_ARG_CROSS,
  PKI_ARG_HOST,
  PKI_ARG_VERSION,
  PKI_ARG_CSV,
  PKI_ARG_ROOTS_PEM,
  PKI_ARG_REASON,
  PKI_ARG_CURRENT,
  PKI_ARG_NEXT_UPDATE,
  PKI_ARG_ENTRIES,
  PKI_ARGS
};

struct pki_args {
  const char *folder;
  const char *value[PKI_ARGS]; /* NULL: not given; "" for an option without a value */
};

/* One subcommand. `run` gets a folder always; what else it needs, it asks for. */
struct pki_command {
  const char *name;
  const char *line; /* one line of what it does */
  const char *help; /* usage, options, example */
  unsigned allowed; /* options, as bits 1 << enum pki_arg */
  int (*run)(const struct pki_args *args, struct error *error);
};

extern const struct pki_command pki_command_make, pki_command_show, pki_command_export,
    pki_command_import, pki_command_revoke, pki_command_unrevoke, pki_command_crl;

/* The option's value, or NULL with a sentence that asks for it. */
const char *pki_args_need(const struct pki_args *args, enum pki_arg arg, struct error *error);

/* "A,B,spare" */
int pki_args_roots(const char *text, struct pki_roots *out, struct error *error);

/* A decimal number of 1..limit. */
int pki_args_number(const char *text, const char *what, size_t limit, size_t *out,
                    struct error *error);

/* Eight hex digits of a device of the fleet, to its index. */
int pki_args_device(const struct pki *pki, const char *text, size_t *index, struct error *error);

/* Refuses names in `some` that are not in `all`. */
int pki_args_within(const struct pki_roots *some, const struct pki_roots *all, const char *option,
                    struct error *error);

#endif
