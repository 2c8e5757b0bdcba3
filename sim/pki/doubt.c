/* What devices can load, and will not get far with: told once for each kind, with the first device
   that it is about. */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "pki/vet.h"

static const char *const sentences[PKI_DOUBTS] = {
    [PKI_DOUBT_EXPIRED] = "a certificate that has expired: a broker refuses these devices "
                          "(connect.tls.refused_expired)",
    [PKI_DOUBT_EARLY] = "a certificate that is not valid yet: until then a broker refuses these "
                        "devices (connect.tls.refused_certificate)",
    [PKI_DOUBT_PURPOSE] =
        "a certificate that is not for TLS clients (its extended key usage, or its key usage): a "
        "broker refuses these devices (connect.tls.refused_certificate)",
    [PKI_DOUBT_ALONE] = "no intermediate with the leaf: a broker refuses these devices "
                        "(connect.tls.refused_unknown_ca) unless its own CA file has that; put it "
                        "behind the leaf in the device's file",
    [PKI_DOUBT_STRANGE] = "a chain that ends under none of the fleet's roots: a broker refuses "
                          "these devices (connect.tls.refused_unknown_ca) unless its CA file has "
                          "their CA; 'pki export --what client-ca' does not write it",
    [PKI_DOUBT_SELF] = "a certificate that is self-signed: a broker refuses these devices "
                       "(connect.tls.refused_unknown_ca) unless its CA file has each of them; have "
                       "them issued by a CA",
    [PKI_DOUBT_NO_CA] = "an issuer that may be none (no basicConstraints with CA, or a key usage "
                        "without keyCertSign): a broker refuses these devices "
                        "(connect.tls.refused_unknown_ca); have that CA's certificate issued anew",
    [PKI_DOUBT_LONG] =
        "a chain that is longer than the path length of a CA above allows: a broker refuses these "
        "devices (connect.tls.refused_unknown_ca); have that CA's certificate issued anew",
    [PKI_DOUBT_ISSUER] =
        "an issuer that is not for TLS clients (its extended key usage leaves them out): a broker "
        "refuses these devices (connect.tls.refused_certificate); have that CA's certificate "
        "issued anew",
    [PKI_DOUBT_NAME] = "a CN that is not its name: a broker that takes user names from "
                       "certificates knows these devices by the CN",
    [PKI_DOUBT_SHARED] = "the private key of a device before it in the list: a broker cannot tell "
                         "one from the other, and what revokes one revokes both",
    [PKI_DOUBT_ROOT] = "a root behind the chain that a device has no room for: it was left out, "
                       "for brokers have it",
};

void pki_doubt_note(struct pki_doubts *doubts, enum pki_doubt kind, X509 *certificate,
                    const char *where)
{
  char title[PKI_CERT_TITLE];
  if (doubts->count[kind]++ > 0) return;
  pki_cert_title(X509_get_subject_name(certificate), title);
  snprintf(doubts->first[kind], sizeof doubts->first[kind], "%s: '%s'", where, title);
}

static void doubt_dates(struct pki_doubts *doubts, STACK_OF(X509) * chain, const char *where)
{
  X509 *expired = NULL, *early = NULL;
  for (int i = sk_X509_num(chain) - 1; i >= 0; i--) {
    X509 *one = sk_X509_value(chain, i);
    if (pki_cert_unix(X509_get0_notAfter(one)) <= pki_now()) expired = one;
    if (pki_cert_unix(X509_get0_notBefore(one)) > pki_now()) early = one;
  }
  if (expired != NULL) pki_doubt_note(doubts, PKI_DOUBT_EXPIRED, expired, where);
  if (early != NULL) pki_doubt_note(doubts, PKI_DOUBT_EARLY, early, where);
}

/* As OpenSSL's crypto/x509/x509_vfy.c goes through a chain. The anchor's extended key usage is
   nothing to it. */
static void doubt_issuers(struct pki_doubts *doubts, STACK_OF(X509) * chain, X509 *anchor,
                          const char *where)
{
  X509 *none = NULL, *narrow = NULL, *briefest = NULL;
  int count = sk_X509_num(chain);
  long below = 0; /* CAs, but for those that issued themselves */
  for (int i = 1; i < count + (anchor != NULL); i++) {
    X509 *one = i < count ? sk_X509_value(chain, i) : anchor;
    long allowed = X509_get_pathlen(one);
    /* other values are for what OpenSSL alone makes do with */
    bool is_ca = X509_check_ca(one) == 1;
    if (none == NULL && !is_ca) none = one;
    if (narrow == NULL && is_ca && i < count &&
        X509_check_purpose(one, X509_PURPOSE_SSL_CLIENT, 1) == 0)
      narrow = one;
    if (briefest == NULL && i > 1 && allowed >= 0 && below > allowed) briefest = one;
    below += (X509_get_extension_flags(one) & EXFLAG_SI) == 0;
  }
  if (none != NULL) pki_doubt_note(doubts, PKI_DOUBT_NO_CA, none, where);
  if (narrow != NULL) pki_doubt_note(doubts, PKI_DOUBT_ISSUER, narrow, where);
  if (briefest != NULL) pki_doubt_note(doubts, PKI_DOUBT_LONG, briefest, where);
}

void pki_doubt_chain(struct pki_doubts *doubts, STACK_OF(X509) * chain, X509 *anchor,
                     const char *where)
{
  X509 *leaf = sk_X509_value(chain, 0);
  doubt_dates(doubts, chain, where);
  if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1)
    pki_doubt_note(doubts, PKI_DOUBT_PURPOSE, leaf, where);
  if (pki_cert_is_signed_by(leaf, leaf)) {
    pki_doubt_note(doubts, PKI_DOUBT_SELF, leaf, where);
    return;
  }
  doubt_issuers(doubts, chain, anchor, where);
  if (anchor == NULL)
    pki_doubt_note(doubts, sk_X509_num(chain) == 1 ? PKI_DOUBT_ALONE : PKI_DOUBT_STRANGE, leaf,
                   where);
}

void pki_doubt_name(struct pki_doubts *doubts, const char *name, X509 *leaf, const char *where)
{
  char common_name[72];
  pki_cert_common_name(X509_get_subject_name(leaf), common_name, sizeof common_name);
  if (strcmp(common_name, name) != 0) pki_doubt_note(doubts, PKI_DOUBT_NAME, leaf, where);
}

void pki_doubts_tell(const struct pki_doubts *doubts, void (*warn)(void *ctx, const char *sentence),
                     void *ctx)
{
  char sentence[sizeof doubts->first[0] + 500];
  for (size_t i = 0; i < PKI_DOUBTS && warn != NULL; i++) {
    if (doubts->count[i] == 0) continue;
    snprintf(sentence, sizeof sentence, "%zu device%s %s (the first: %s)", doubts->count[i],
             doubts->count[i] == 1 ? " has" : "s have", sentences[i], doubts->first[i]);
    warn(ctx, sentence);
  }
}
