/* OpenSSL is set to send whatever the case says: security level 0, no chain of its own making, any
 * client certificate or none. What it does not take ends with a sentence. */
#include "gauntlet/act.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

static int accept_anybody(int ok, X509_STORE_CTX *store)
{
  (void) ok, (void) store;
  return 1;
}

/* As a verdict of OpenSSL's own, so that the alert is the one that its servers send. */
static int refuse_unknown(int ok, X509_STORE_CTX *store)
{
  (void) ok;
  X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  return 0;
}

static int refuse_expired(int ok, X509_STORE_CTX *store)
{
  (void) ok;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_HAS_EXPIRED);
  return 0;
}

static int refuse_revoked(int ok, X509_STORE_CTX *store)
{
  (void) ok;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REVOKED);
  return 0;
}

/* Who refuses certificates refuses also to go without one. */
static void ask_for_certificate(const struct act *act)
{
  static const SSL_verify_cb judges[] = {[CASE_REFUSES_NONE] = accept_anybody,
                                         [CASE_REFUSES_UNKNOWN] = refuse_unknown,
                                         [CASE_REFUSES_EXPIRED] = refuse_expired,
                                         [CASE_REFUSES_REVOKED] = refuse_revoked};
  int mode = SSL_VERIFY_PEER;
  if (act->c->asks_not) return;
  if (act->c->refuses != CASE_REFUSES_NONE) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(act->context, mode, judges[act->c->refuses]);
}

static int protocol_of(uint8_t tls)
{
  return TLS1_VERSION + tls - 10;
}

X509 *act_certificate(const struct act *act, const char *name)
{
  int at = case_find(act->c, name);
  return at >= 0 ? act->mint.x509[at] : NULL;
}

/* The public half of one key and the private half of another: OpenSSL compares public halves only,
 * and signs with what it has. */
static EVP_PKEY *graft(EVP_PKEY *public_of, EVP_PKEY *private_of)
{
  unsigned char point[160];
  size_t size = 0;
  char group[32] = "";
  BIGNUM *scalar = NULL;
  EVP_PKEY *key = NULL;
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  bool read = EVP_PKEY_get_group_name(public_of, group, sizeof group, NULL) == 1 &&
              EVP_PKEY_get_octet_string_param(public_of, OSSL_PKEY_PARAM_PUB_KEY, point,
                                              sizeof point, &size) == 1 &&
              EVP_PKEY_get_bn_param(private_of, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1;
  if (read && build != NULL && context != NULL &&
      OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, size) == 1 &&
      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1) {
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    if (EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1)
      key = NULL;
    OSSL_PARAM_free(parameters);
  }
  BN_clear_free(scalar);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_BLD_free(build);
  return key;
}

static bool give_key(struct act *act, int leaf)
{
  const struct gauntlet_case *c = act->c;
  EVP_PKEY *own = act->mint.key[leaf];
  if (c->signs_with[0] == '\0') return SSL_CTX_use_PrivateKey(act->context, own) == 1;
  EVP_PKEY *grafted = graft(own, act->mint.key[case_find(c, c->signs_with)]);
  bool taken = grafted != NULL && SSL_CTX_use_PrivateKey(act->context, grafted) == 1;
  EVP_PKEY_free(grafted);
  return taken;
}

static bool present_chain(struct act *act)
{
  const struct gauntlet_case *c = act->c;
  int leaf = case_find(c, c->sends.name[0]);
  if (SSL_CTX_use_certificate(act->context, act->mint.x509[leaf]) != 1 || !give_key(act, leaf))
    return false;
  for (size_t i = 1; i < c->sends.count; i++)
    if (SSL_CTX_add1_chain_cert(act->context, act_certificate(act, c->sends.name[i])) != 1)
      return false;
  return true;
}

/* A modulus that OpenSSL makes of so many bits would take seconds: the known safe primes of RFC 2409
 * and 3526 do. */
static bool offer_dh(struct act *act)
{
  const char *name = act->c->dh_bits >= 4096   ? "modp_4096"
                     : act->c->dh_bits >= 3072 ? "modp_3072"
                     : act->c->dh_bits >= 2048 ? "modp_2048"
                                               : "modp_1536";
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
  EVP_PKEY *parameters = NULL;
  BIGNUM *p = act->c->dh_bits < 1536 ? BN_get_rfc2409_prime_1024(NULL) : NULL, *g = BN_new();
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  bool made = context != NULL && build != NULL && g != NULL && BN_set_word(g, 2) == 1 &&
              EVP_PKEY_fromdata_init(context) == 1;
  if (made && p != NULL)
    made = OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_FFC_P, p) == 1 &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_FFC_G, g) == 1;
  else if (made)
    made = OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, name, 0) == 1;
  OSSL_PARAM *list = made ? OSSL_PARAM_BLD_to_param(build) : NULL;
  made = list != NULL &&
         EVP_PKEY_fromdata(context, &parameters, EVP_PKEY_KEY_PARAMETERS, list) == 1 &&
         SSL_CTX_set0_tmp_dh_pkey(act->context, parameters) == 1;
  if (!made) EVP_PKEY_free(parameters);
  OSSL_PARAM_free(list);
  OSSL_PARAM_BLD_free(build);
  EVP_PKEY_CTX_free(context);
  BN_free(p);
  BN_free(g);
  return made;
}

static bool set_offers(struct act *act)
{
  const struct gauntlet_case *c = act->c;
  return (c->suites[0] == '\0' || SSL_CTX_set_cipher_list(act->context, c->suites) == 1) &&
         (c->suites13[0] == '\0' || SSL_CTX_set_ciphersuites(act->context, c->suites13) == 1) &&
         (c->groups[0] == '\0' || SSL_CTX_set1_groups_list(act->context, c->groups) == 1) &&
         (c->dh_bits == 0 || offer_dh(act));
}

/* No tickets: a client that resumes would not look at the next case's chain. */
static bool set_up(struct act *act)
{
  int version = protocol_of(act->tls);
  act->context = SSL_CTX_new(TLS_server_method());
  if (act->context == NULL) return false;
  SSL_CTX_set_security_level(act->context, 0);
  SSL_CTX_set_mode(act->context, SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_num_tickets(act->context, 0);
  SSL_CTX_set_options(act->context, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(act->context, SSL_SESS_CACHE_OFF);
  ask_for_certificate(act);
  return SSL_CTX_set_cipher_list(act->context, "DEFAULT:@SECLEVEL=0") == 1 &&
         SSL_CTX_set_min_proto_version(act->context, version) == 1 &&
         SSL_CTX_set_max_proto_version(act->context, version) == 1 && set_offers(act) &&
         present_chain(act);
}

int act_open(struct act *act, const struct gauntlet_case *c, uint8_t tls,
             const struct mint_setting *setting, struct error *error)
{
  static const struct mint_setting as_written = {0};
  char why[256];
  *act = (struct act){.c = c, .tls = tls};
  if (mint_make_in(c, setting != NULL ? setting : &as_written, &act->mint, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "case %s: %s", c->id, why);
  ERR_clear_error();
  if (set_up(act)) return 0;
  const char *reason = ERR_reason_error_string(ERR_peek_error());
  return error_set(error, EXIT_CODE_USAGE, "case %s (line %d): OpenSSL does not serve it: %s",
                   c->id, c->line, reason != NULL ? reason : "it gives no reason");
}

void act_close(struct act *act)
{
  SSL_CTX_free(act->context);
  act->context = NULL;
  mint_free(&act->mint);
}
