/* fleetsim pki revoke, unrevoke: what the registry says of a device's certificates. A broker learns
 * of it from the list that pki crl makes. */
#include "cli/pki_args.h"
#include "cli/verbs.h"
#include "pki/crl.h"

struct revoke_line {
  const char *device;
  enum pki_reason reason;
  bool current;
};

static int take_reason(const struct args_option *option, char *value, void *to, struct error *error)
{
  (void) option;
  return pki_reason_parse(value, to, error);
}

#define DEVICE                                                                                     \
  "device", "ID", "whose certificates", args_text, .offset = offsetof(struct revoke_line, device), \
                                                   .needed = true
static const struct args_option revoke_options[] = {
    {DEVICE},
    {"reason", "R",
     "of RFC 5280: unspecified, keyCompromise (default), cACompromise, affiliationChanged,\n"
     "superseded, cessationOfOperation, certificateHold, privilegeWithdrawn, aACompromise",
     take_reason, .offset = offsetof(struct revoke_line, reason), .words = pki_reason_each},
    {"current", NULL, "only the certificate in force, not every one that the device ever got",
     args_flag, .offset = offsetof(struct revoke_line, current)},
    {0},
};
static const struct args_option unrevoke_options[] = {{DEVICE}, {0}};
#undef DEVICE

static const struct revoke_line defaults = {.reason = PKI_REASON_KEY_COMPROMISE};

/* Opens the folder and finds the device that --device names. */
static int open_device(const struct args *args, struct pki **pki, size_t *index,
                       struct error *error)
{
  const struct revoke_line *line = args->given;
  if (pki_open(args->operand[0], pki, error) != 0) return -1;
  if (pki_args_device(*pki, line->device, index, error) == 0) return 0;
  pki_close(*pki);
  return -1;
}

static int revoke(const struct args *args, struct error *error)
{
  const struct revoke_line *line = args->given;
  struct pki *pki = NULL;
  size_t index, newly = 0;
  if (open_device(args, &pki, &index, error) != 0) return -1;
  int result = pki_revoke_device(pki, index, !line->current, line->reason, &newly, error);
  pki_close(pki);
  if (result != 0) return -1;
  printf("device %s: %zu certificate%s revoked (%s)%s; 'fleetsim pki crl' makes the list\n",
         line->device, newly, newly == 1 ? "" : "s", pki_reason_name(line->reason),
         newly == 0 ? ", what there is was revoked before" : "");
  return EXIT_CODE_PASS;
}

static int unrevoke(const struct args *args, struct error *error)
{
  const struct revoke_line *line = args->given;
  struct pki *pki = NULL;
  size_t index, count = 0;
  if (open_device(args, &pki, &index, error) != 0) return -1;
  int result = pki_unrevoke_device(pki, index, &count, error);
  pki_close(pki);
  if (result != 0) return -1;
  if (count == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "device %s is not revoked: there is nothing to take back", line->device);
  printf("device %s: the revocation of %zu certificate%s is taken back\n", line->device, count,
         count == 1 ? "" : "s");
  return EXIT_CODE_PASS;
}

const struct args_verb cli_pki_revoke = {
    .name = "revoke",
    .line = "revoke a device's certificates",
    .usage = "usage: fleetsim pki revoke FOLDER --device ID [options]\n\n",
    .options = revoke_options,
    .after = "\nA broker knows of it when it has the new list: 'fleetsim pki crl'. A run on this "
             "folder takes all\n"
             "revocations back when it begins.\n",
    .example = "fleetsim pki revoke fleets/lab --device 0000001f --reason keyCompromise",
    PKI_VERB,
    .size = sizeof(struct revoke_line),
    .defaults = &defaults,
    .run = revoke,
};

const struct args_verb cli_pki_unrevoke = {
    .name = "unrevoke",
    .line = "take that back, as a rehearsal may",
    .usage = "usage: fleetsim pki unrevoke FOLDER --device ID\n\n",
    .options = unrevoke_options,
    .after = "\nA real CA may do so for certificates on hold only (RFC 5280).\n",
    .example = "fleetsim pki unrevoke fleets/lab --device 0000001f",
    PKI_VERB,
    .size = sizeof(struct revoke_line),
    .run = unrevoke,
};
