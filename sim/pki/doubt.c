/* What devices can load, and will not get far with: told once for each kind, with the first device that it is about. */
#include <openssl/x509v3.h>
#include <stdio.h>

#include "pki/vet.h"

static const char *const sentences[PKI_DOUBTS] = {
    [PKI_DOUBT_EXPIRED] =
        "a certificate that has expired: a broker refuses these devices (connect.tls.refused_expired)",
    [PKI_DOUBT_EARLY] = "a certificate that is not valid yet: until then a broker refuses these devices "
                        "(connect.tls.refused_certificate)",
    [PKI_DOUBT_PURPOSE] = "a certificate that is not for TLS clients (its extended key usage, or its key usage): a "
                          "broker refuses these devices (connect.tls.refused_certificate)",
    [PKI_DOUBT_ALONE] =
        "no intermediate with the leaf: a broker refuses these devices (connect.tls.refused_unknown_ca) "
        "unless its own CA file has that; put it behind the leaf in the device's file",
    [PKI_DOUBT_STRANGE] = "a chain that ends under none of the fleet's roots: a broker refuses these devices "
                          "(connect.tls.refused_unknown_ca) unless its CA file has their CA; 'pki export --what "
                          "client-ca' does not write it",
    [PKI_DOUBT_ORDER] = "a certificate that the next one in the file did not issue: some brokers refuse these devices; "
                        "put the leaf first, and each one's issuer behind it",
};

static void note(struct pki_doubts *doubts, enum pki_doubt kind, X509 *certificate, const char *where)
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
  if (expired != NULL) note(doubts, PKI_DOUBT_EXPIRED, expired, where);
  if (early != NULL) note(doubts, PKI_DOUBT_EARLY, early, where);
}

void pki_doubt_chain(struct pki_doubts *doubts, STACK_OF(X509) * chain, const char *root, const char *where)
{
  X509 *leaf = sk_X509_value(chain, 0);
  doubt_dates(doubts, chain, where);
  if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1) note(doubts, PKI_DOUBT_PURPOSE, leaf, where);
  for (int i = 0; i + 1 < sk_X509_num(chain); i++)
    if (!pki_cert_issued(sk_X509_value(chain, i), sk_X509_value(chain, i + 1))) {
      note(doubts, PKI_DOUBT_ORDER, sk_X509_value(chain, i), where);
      return;
    }
  if (root[0] != '\0') return;
  note(doubts, sk_X509_num(chain) == 1 ? PKI_DOUBT_ALONE : PKI_DOUBT_STRANGE, leaf, where);
}

void pki_doubts_tell(const struct pki_doubts *doubts, void (*warn)(void *ctx, const char *sentence), void *ctx)
{
  char sentence[sizeof doubts->first[0] + 500];
  for (size_t i = 0; i < PKI_DOUBTS && warn != NULL; i++) {
    if (doubts->count[i] == 0) continue;
    snprintf(sentence, sizeof sentence, "%zu device%s %s (the first: %s)", doubts->count[i],
             doubts->count[i] == 1 ? " has" : "s have", sentences[i], doubts->first[i]);
    warn(ctx, sentence);
  }
}
