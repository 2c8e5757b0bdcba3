/* X509_verify_cert judges, with every check on; the errors of a check that is skipped are taken for
   none, by one table. What OpenSSL does not ask is asked here: that a leaf's key may sign. The one
   check that libssl makes of itself, possession of the key, is lost by standing before it. */
#define _GNU_SOURCE
#include "judge.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define STRICT_LEVEL 2 /* 112 bits */

static const struct {
  const char *name;
  unsigned check;
} names[] = {
    {"trust", JUDGE_TRUST},
    {"chain", JUDGE_TRUST},
    {"name", JUDGE_NAME},
    {"time", JUDGE_TIME},
    {"usage", JUDGE_USAGE},
    {"issuer", JUDGE_ISSUER},
    {"signature", JUDGE_SIGNATURE},
    {"strength", JUDGE_STRENGTH},
    {"extension", JUDGE_EXTENSION},
    {"constraints", JUDGE_CONSTRAINTS},
    {"version", JUDGE_VERSION},
    {"possession", JUDGE_POSSESSION},
    {"all", JUDGE_ALL},
};

unsigned judge_check_named(const char *name)
{
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i].name) == 0) return names[i].check;
  return 0;
}

/* Possession ------------------------------------------------------------------------------------*/

/* libssl and libcrypto both call EVP_DigestVerify by its public name, and so get the one below: for
   the signature on the handshake, and while a chain is judged for those on certificates. */
static bool skips_possession, in_chain;

typedef int digest_verify(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *,
                          size_t);

int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *signature, size_t signature_size,
                     const unsigned char *text, size_t text_size)
{
  static digest_verify *verify;
  if (!verify) *(void **) &verify = dlsym(RTLD_NEXT, "EVP_DigestVerify");
  int is_right = verify(ctx, signature, signature_size, text, text_size);
  if (is_right == 1 || !skips_possession || in_chain) return is_right;
  ERR_clear_error();
  return 1;
}

/* The chain -------------------------------------------------------------------------------------*/

static unsigned check_of(int error, int depth)
{
  switch (error) {
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_CERT_UNTRUSTED: return JUDGE_TRUST;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH: return JUDGE_NAME;
  case X509_V_ERR_CERT_NOT_YET_VALID:
  case X509_V_ERR_CERT_HAS_EXPIRED: return JUDGE_TIME;
  case X509_V_ERR_INVALID_PURPOSE: return depth == 0 ? JUDGE_USAGE : JUDGE_ISSUER;
  case X509_V_ERR_INVALID_CA:
  case X509_V_ERR_INVALID_NON_CA:
  case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
  case X509_V_ERR_PATH_LENGTH_EXCEEDED: return JUDGE_ISSUER;
  case X509_V_ERR_CERT_SIGNATURE_FAILURE: return JUDGE_SIGNATURE;
  case X509_V_ERR_EE_KEY_TOO_SMALL:
  case X509_V_ERR_CA_KEY_TOO_SMALL:
  case X509_V_ERR_CA_MD_TOO_WEAK: return JUDGE_STRENGTH;
  case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: return JUDGE_EXTENSION;
  case X509_V_ERR_PERMITTED_VIOLATION:
  case X509_V_ERR_EXCLUDED_VIOLATION: return JUDGE_CONSTRAINTS;
  default: return 0;
  }
}

static struct judge *judge_of(X509_STORE_CTX *chain)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
  return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* Whether an anchor or a certificate that was sent has the name of who should have issued the one at
   fault: then it is no stranger's, but claims a signature that it does not have. */
static bool claims_known_issuer(X509_STORE_CTX *chain)
{
  X509 *claimant = X509_STORE_CTX_get_current_cert(chain);
  const X509_NAME *issuer = X509_get_issuer_name(claimant);
  STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(chain);
  STACK_OF(X509) *anchors = X509_STORE_CTX_get1_certs(chain, issuer);
  bool is_known = sk_X509_num(anchors) > 0;
  sk_X509_pop_free(anchors, X509_free);
  for (int i = 0; i < sk_X509_num(sent) && !is_known; i++) {
    X509 *one = sk_X509_value(sent, i);
    is_known =
        X509_cmp(one, claimant) != 0 && X509_NAME_cmp(X509_get_subject_name(one), issuer) == 0;
  }
  return is_known;
}

static int forgive(int is_right, X509_STORE_CTX *chain)
{
  int error = X509_STORE_CTX_get_error(chain), depth = X509_STORE_CTX_get_error_depth(chain);
  struct judge *judge = judge_of(chain);
  if (is_right) return 1;
  unsigned check = check_of(error, depth);
  if (check == JUDGE_TRUST && claims_known_issuer(chain)) check = JUDGE_SIGNATURE;
  if (judge->skips & check) {
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
  }
  snprintf(judge->said, sizeof judge->said, "%s, of the %s", X509_verify_cert_error_string(error),
           depth == 0 ? "leaf" : "chain above it");
  return 0;
}

static int decide(X509_STORE_CTX *chain, void *unused)
{
  (void) unused;
  struct judge *judge = judge_of(chain);
  X509_STORE_CTX_set_verify_cb(chain, forgive);
  /* A level of 0, where the connection has it, is for the connection. */
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(chain),
                                   judge->skips & JUDGE_STRENGTH ? 0 : STRICT_LEVEL);
  in_chain = true;
  int is_right = X509_verify_cert(chain);
  in_chain = false;
  uint32_t usage = X509_get_key_usage(X509_STORE_CTX_get0_cert(chain));
  if (is_right == 1 && !(usage & KU_DIGITAL_SIGNATURE)) {
    X509_STORE_CTX_set_error_depth(chain, 0);
    X509_STORE_CTX_set_error(chain, X509_V_ERR_INVALID_PURPOSE);
    is_right = forgive(0, chain);
  }
  return is_right == 1;
}

/* The connection --------------------------------------------------------------------------------*/

static int set_anchors(const struct judge *judge, SSL_CTX *ctx)
{
  if (!judge->pin) return SSL_CTX_load_verify_file(ctx, judge->anchors);
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
  return SSL_CTX_load_verify_file(ctx, judge->pin);
}

#define STRONG_SIGNATURES \
  "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256:RSA+SHA384"
#define WEAK_SIGNATURES STRONG_SIGNATURES ":ECDSA+SHA224:RSA+SHA224:ECDSA+SHA1:RSA+SHA1"

/* Old versions want level 0, which is more than they are to have: so only strong ciphers and groups
   go with them. */
static bool set_strength(const struct judge *judge, SSL_CTX *ctx)
{
  bool is_weak = judge->skips & JUDGE_STRENGTH, is_old = judge->skips & JUDGE_VERSION;
  int least = judge->least_tls ? judge->least_tls : is_old ? TLS1_VERSION : TLS1_2_VERSION;
  const char *ciphers = is_weak ? "ALL:eNULL:!aNULL" : is_old ? "ECDHE+HIGH:!aNULL" : "DEFAULT";
  SSL_CTX_set_security_level(ctx, is_weak || is_old ? 0 : STRICT_LEVEL);
  if (!SSL_CTX_set_min_proto_version(ctx, least)) return false;
  if (!SSL_CTX_set_max_proto_version(ctx, judge->most_tls)) return false;
  if (!SSL_CTX_set_cipher_list(ctx, ciphers)) return false;
  if (!is_weak && !is_old) return true;
  if (is_weak && !SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384:P-192")) return false;
  return SSL_CTX_set1_sigalgs_list(ctx, is_weak ? WEAK_SIGNATURES : STRONG_SIGNATURES);
}

SSL_CTX *judge_context(struct judge *judge)
{
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  skips_possession = judge->skips & JUDGE_POSSESSION;
  if (!ctx || !set_anchors(judge, ctx) || !set_strength(judge, ctx)) {
    snprintf(judge->said, sizeof judge->said, "cannot read %s, or set up TLS as asked",
             judge->pin ? judge->pin : judge->anchors);
    SSL_CTX_free(ctx);
    return NULL;
  }
  SSL_CTX_set_app_data(ctx, judge);
  SSL_CTX_set_verify(ctx, judge->skips & JUDGE_ALL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  if (!(judge->skips & JUDGE_ALL)) SSL_CTX_set_cert_verify_callback(ctx, decide, NULL);
  return ctx;
}

int judge_expect(struct judge *judge, SSL *ssl)
{
  struct in6_addr address;
  bool is_address = inet_pton(AF_INET, judge->host, &address) == 1 ||
                    inet_pton(AF_INET6, judge->host, &address) == 1;
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                             X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  int ok = is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, judge->host)
                      : X509_VERIFY_PARAM_set1_host(param, judge->host, 0) &&
                            SSL_set_tlsext_host_name(ssl, judge->host);
  return ok ? 0 : -1;
}

int judge_keep_issuer(SSL *ssl, const char *path)
{
  STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
  errno = 0;
  FILE *file = sk_X509_num(sent) > 1 ? fopen(path, "wx") : NULL;
  if (!file) return errno == EEXIST ? 0 : -1; /* another one, at the same time, was first */
  int ok = PEM_write_X509(file, sk_X509_value(sent, 1));
  return fclose(file) == 0 && ok ? 0 : -1;
}
