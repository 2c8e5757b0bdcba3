/* The reasons of RFC 5280 by their names. */
#include "pki/reason.h"

#include <stdio.h>
#include <string.h>

static const struct {
  enum pki_reason reason;
  const char *name;
} reasons[] = {
    {PKI_REASON_UNSPECIFIED, "unspecified"},
    {PKI_REASON_KEY_COMPROMISE, "keyCompromise"},
    {PKI_REASON_CA_COMPROMISE, "cACompromise"},
    {PKI_REASON_AFFILIATION_CHANGED, "affiliationChanged"},
    {PKI_REASON_SUPERSEDED, "superseded"},
    {PKI_REASON_CESSATION_OF_OPERATION, "cessationOfOperation"},
    {PKI_REASON_CERTIFICATE_HOLD, "certificateHold"},
    {PKI_REASON_PRIVILEGE_WITHDRAWN, "privilegeWithdrawn"},
    {PKI_REASON_AA_COMPROMISE, "aACompromise"},
};

const char *pki_reason_name(enum pki_reason reason)
{
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
    if (reasons[i].reason == reason) return reasons[i].name;
  return "unspecified";
}

void pki_reason_each(void (*each)(void *ctx, const char *name), void *ctx)
{
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) each(ctx, reasons[i].name);
}

int pki_reason_parse(const char *name, enum pki_reason *out, struct error *error)
{
  char known[256] = "";
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    *out = reasons[i].reason;
    if (strcmp(reasons[i].name, name) == 0) return 0;
    snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i == 0 ? "" : ", ",
             reasons[i].name);
  }
  return error_set(error, EXIT_CODE_USAGE, "'%.40s' is no reason of RFC 5280; use one of %s", name,
                   known);
}
