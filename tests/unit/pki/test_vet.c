#define _GNU_SOURCE
#include "pki/vet.h"

#include <openssl/pem.h>

#include "fixture.h"

#define YEAR_S (365 * (int64_t) 86400)

/* A certificate as somebody else's CA makes it. */
struct recipe {
  const char *subject; /* CN */
  /* "P-256" (NULL), "P-384", "RSA", "ED25519", or "unknown": no library knows its kind */
  const char *key;
  const EVP_MD *hash; /* NULL: SHA-256 */
  const char *extension[4][2];
  int64_t from, to;   /* from now; 0, 0: a year to both sides */
  const char *second; /* one more CN */
};

struct made {
  X509 *certificate;
  EVP_PKEY *key;
};

static EVP_PKEY *make_key(const char *kind)
{
  if (kind == NULL || strcmp(kind, "unknown") == 0) return EVP_EC_gen("P-256");
  if (strcmp(kind, "RSA") == 0) return EVP_RSA_gen(2048);
  return strcmp(kind, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen(kind);
}

static void hide_key(X509 *certificate)
{
  uint8_t *point = OPENSSL_malloc(65);
  memset(point, 7, 65);
  X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(certificate), OBJ_txt2obj("1.2.3.4.5", 1),
                         V_ASN1_UNDEF, NULL, point, 65);
}

static X509 *read_again(X509 *certificate)
{
  uint8_t *der = NULL;
  int size = i2d_X509(certificate, &der);
  const uint8_t *in = der;
  X509 *again = d2i_X509(NULL, &in, size);
  OPENSSL_free(der);
  X509_free(certificate);
  return again;
}

/* `by` NULL: signed by itself. The key goes over to what was made. */
static struct made make_for(const struct recipe *recipe, const struct made *by, EVP_PKEY *key)
{
  struct made made = {X509_new(), key};
  const struct made *issuer = by == NULL ? &made : by;
  bool usual = recipe->from == 0 && recipe->to == 0;
  X509_NAME *name = X509_get_subject_name(made.certificate);
  X509_set_version(made.certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), 77);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *) recipe->subject, -1, -1,
                             0);
  if (recipe->second != NULL)
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *) recipe->second, -1, -1,
                               0);
  X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
  X509_gmtime_adj(X509_getm_notBefore(made.certificate), usual ? -YEAR_S : recipe->from);
  X509_gmtime_adj(X509_getm_notAfter(made.certificate), usual ? YEAR_S : recipe->to);
  X509_set_pubkey(made.certificate, made.key);
  if (recipe->key != NULL && strcmp(recipe->key, "unknown") == 0) hide_key(made.certificate);
  for (size_t i = 0; i < 4 && recipe->extension[i][0] != NULL; i++) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer->certificate, made.certificate, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);
    X509_EXTENSION *one =
        X509V3_EXT_conf(NULL, &ctx, recipe->extension[i][0], recipe->extension[i][1]);
    if (one == NULL || X509_add_ext(made.certificate, one, -1) != 1)
      fail_msg("no %s", recipe->extension[i][0]);
    X509_EXTENSION_free(one);
  }
  bool pure = EVP_PKEY_get_base_id(issuer->key) == EVP_PKEY_ED25519;
  const EVP_MD *hash = pure ? NULL : recipe->hash == NULL ? EVP_sha256() : recipe->hash;
  if (X509_sign(made.certificate, issuer->key, hash) <= 0)
    fail_msg("'%s' is not signed", recipe->subject);
  made.certificate = read_again(made.certificate);
  return made;
}

static struct made make(const struct recipe *recipe, const struct made *by)
{
  return make_for(recipe, by, make_key(recipe->key));
}

static void drop(struct made *made)
{
  X509_free(made->certificate);
  EVP_PKEY_free(made->key);
}

#define CA_EXTENSIONS                          \
  {"basicConstraints", "critical,CA:TRUE"},    \
  {                                            \
    "keyUsage", "critical,keyCertSign,cRLSign" \
  }

static char warned[4096];

static void keep_warning(void *ctx, const char *sentence)
{
  (void) ctx;
  strncat(warned, sentence, sizeof warned - strlen(warned) - 1);
}

/* --- Roots ------------------------------------------------------------------------------------ */

static int adopt(struct fixture *f, const struct recipe *recipe)
{
  struct made root = make(recipe, NULL),
              other =
                  make(&(struct recipe){.subject = "other", .extension = {CA_EXTENSIONS}}, NULL);
  struct pki *pki = NULL;
  struct pki_foreign foreign[] = {{.name = "A", .path = beside(f, "root.pem")},
                                  {.name = "B", .path = beside(f, "other.pem")}};
  EXPECT_OK(pki_cert_write(foreign[0].path, &root.certificate, 1, &error));
  EXPECT_OK(pki_cert_write(foreign[1].path, &other.certificate, 1, &error));
  drop(&root);
  drop(&other);
  warned[0] = '\0';
  int result = pki_create_foreign(f->folder, foreign, 2, &pki, keep_warning, NULL, &error);
  pki_close(pki);
  return result;
}

static void a_root_that_no_device_could_use_is_refused_and_leaves_nothing(void **state)
{
  const struct {
    struct recipe recipe;
    const char *sentence;
  } cases[] = {
      {{.hash = EVP_sha384()},
       "it is signed with ecdsa-with-SHA384, and devices know ecdsa-with-SHA256 only"},
      {{.hash = EVP_sha512()}, "it is signed with ecdsa-with-SHA512"},
      {{.key = "P-384"}, "its key is on the curve secp384r1, and devices know P-256 only"},
      {{.key = "RSA"}, "its key is RSA"},
      {{.key = "ED25519"}, "its key is ED25519"},
      {{.key = "unknown"}, "its key is of a kind that cannot be read"},
      {{.extension = {CA_EXTENSIONS, {"nameConstraints", "critical,permitted;DNS:example.com"}}},
       "has the critical extension X509v3 Name Constraints (2.5.29.30)"},
      {{.extension = {CA_EXTENSIONS, {"policyConstraints", "critical,requireExplicitPolicy:3"}}},
       "has the critical extension X509v3 Policy Constraints"},
      {{.extension = {CA_EXTENSIONS, {"2.5.29.32", "critical,DER:30:07:30:05:06:03:2A:03:04"}}},
       "has the critical extension X509v3 Certificate Policies"},
      {{.extension = {CA_EXTENSIONS, {"1.2.3.4", "critical,DER:05:00"}}},
       "has the critical extension unknown (1.2.3.4)"},
      {{.extension = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,cRLSign"}}},
       "its keyUsage does not let it sign certificates"},
      {{.extension = {{"keyUsage", "critical,digitalSignature"}}}, "it is no CA certificate"},
  };
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct recipe recipe = cases[i].recipe;
    struct stat st;
    recipe.subject = "root";
    if (recipe.extension[0][0] == NULL) {
      const char *const usual[2][2] = {CA_EXTENSIONS};
      memcpy(recipe.extension, usual, sizeof usual);
    }
    EXPECT_REFUSAL(adopt(f, &recipe), EXIT_CODE_USAGE, cases[i].sentence);
    if (strstr(error.text, "root.pem cannot be the root 'A': ") == NULL) fail_msg("%s", error.text);
    assert_int_not_equal(stat(f->folder, &st), 0);
  }
  EXPECT_OK(adopt(
      f, &(struct recipe){.subject = "root",
                          .extension = {CA_EXTENSIONS}})); /* and the same folder is free still */
  assert_string_equal(warned, "");
}

static void a_root_that_is_not_valid_now_is_told(void **state)
{
  struct fixture *f = *state;
  EXPECT_OK(adopt(
      f, &(struct recipe){
             .subject = "root", .extension = {CA_EXTENSIONS}, .from = -2 * YEAR_S, .to = -YEAR_S}));
  if (strstr(warned, "'A' has expired: devices refuse every broker's") == NULL ||
      strstr(warned, "brokers that trust it refuse every device") == NULL)
    fail_msg("'%s'", warned);
}

static void the_same_root_twice_is_no_second_anchor(void **state)
{
  struct fixture *f = *state;
  struct pki *pki = NULL;
  struct made root = make(&(struct recipe){.subject = "root", .extension = {CA_EXTENSIONS}}, NULL);
  struct pki_foreign foreign[] = {{.name = "A", .path = beside(f, "a.pem")},
                                  {.name = "B", .path = beside(f, "b.pem")}};
  EXPECT_OK(pki_cert_write(foreign[0].path, &root.certificate, 1, &error));
  EXPECT_OK(pki_cert_write(foreign[1].path, &root.certificate, 1, &error));
  drop(&root);
  EXPECT_REFUSAL(pki_create_foreign(f->folder, foreign, 2, &pki, NULL, NULL, &error),
                 EXIT_CODE_USAGE, "are the same certificate");
}

static void a_root_that_was_issued_anew_for_its_key_is_no_second_anchor(void **state)
{
  const struct recipe again[] = {
      {.subject = "root", .extension = {CA_EXTENSIONS}, .from = -YEAR_S / 2, .to = YEAR_S},
      {.subject = "root, second generation", .extension = {CA_EXTENSIONS}},
      {.subject = "root", .extension = {{"basicConstraints", "critical,CA:TRUE"}}},
  };
  struct fixture *f = *state;
  struct made root = make(&(struct recipe){.subject = "root", .extension = {CA_EXTENSIONS}}, NULL);
  struct pki_foreign foreign[] = {{.name = "A", .path = beside(f, "a.pem")},
                                  {.name = "B", .path = beside(f, "b.pem")}};
  EXPECT_OK(pki_cert_write(foreign[0].path, &root.certificate, 1, &error));
  for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
    struct pki *pki = NULL;
    struct made other = make_for(&again[i], NULL, root.key);
    EXPECT_OK(pki_cert_write(foreign[1].path, &other.certificate, 1, &error));
    EXPECT_REFUSAL(pki_create_foreign(f->folder, foreign, 2, &pki, NULL, NULL, &error),
                   EXIT_CODE_USAGE, "are certificates of one key");
    X509_free(other.certificate);
  }
  drop(&root);
}

/* By name alone libcrypto may find the wrong one. */
static void two_roots_of_one_name_without_identifiers_are_told(void **state)
{
  const struct recipe nameless = {.subject = "root",
                                  .extension = {{"basicConstraints", "critical,CA:TRUE"}}};
  const struct recipe other = {.subject = "other root",
                               .extension = {{"basicConstraints", "critical,CA:TRUE"}}};
  struct fixture *f = *state;
  struct pki_foreign foreign[] = {{.name = "A", .path = beside(f, "a.pem")},
                                  {.name = "B", .path = beside(f, "b.pem")}};
  for (int same = 0; same < 2; same++) {
    struct pki *pki = NULL;
    char folder[FILES_PATH_MAX + 8];
    struct made roots[] = {make(&nameless, NULL), make(same ? &nameless : &other, NULL)};
    for (size_t i = 0; i < 2; i++)
      EXPECT_OK(pki_cert_write(foreign[i].path, &roots[i].certificate, 1, &error));
    warned[0] = '\0';
    snprintf(folder, sizeof folder, "%s-%d", f->folder, same);
    EXPECT_OK(pki_create_foreign(folder, foreign, 2, &pki, keep_warning, NULL, &error));
    pki_close(pki);
    if ((strstr(warned, "have one name and no key identifiers") != NULL) != same)
      fail_msg("'%s'", warned);
    for (size_t i = 0; i < 2; i++) drop(&roots[i]);
  }
}

static void a_making_that_fails_leaves_nothing_behind(void **state)
{
  struct fixture *f = *state;
  struct pki_roots roots = names("A", "B", NULL);
  EXPECT_OK(files_make_folder(f->folder, 0700, &error));
  EXPECT_OK(files_make_folder(at(f, "update.pub"), 0700,
                              &error)); /* in the way, and no mark of a fleet */
  struct pki *pki = NULL;
  if (pki_create(f->folder, &roots, &pki, &error) == 0) fail_msg("a fleet was made all the same");
  struct stat st;
  assert_int_not_equal(stat(at(f, "ca"), &st), 0);
  assert_int_not_equal(stat(at(f, "update.key"), &st), 0);
  rmdir(at(f, "update.pub"));
  EXPECT_OK(pki_create(f->folder, &roots, &pki, &error));
  pki_close(pki);
}

static void what_a_broken_off_making_left_is_no_fleet(void **state)
{
  struct fixture *f = *state;
  struct pki_roots roots = names("A", "B", NULL);
  struct pki *pki = NULL;
  EXPECT_OK(files_make_folder(at(f, "ca"), 0700, &error));
  EXPECT_REFUSAL(pki_create(f->folder, &roots, &pki, &error), EXIT_CODE_USAGE,
                 "what is left of a fleet");
}

/* --- Chains ----------------------------------------------------------------------------------- */

struct world {
  struct fixture *f;
  struct made root, ca;
  struct pki *pki;
};

static int setup_world(void **state)
{
  if (setup_folder(state) != 0) return -1;
  device_platform_leave(); /* an import enters by itself */
  struct world *w = calloc(1, sizeof *w);
  w->f = *state;
  w->root = make(&(struct recipe){.subject = "root", .extension = {CA_EXTENSIONS}}, NULL);
  w->ca = make(&(struct recipe){.subject = "maker", .extension = {CA_EXTENSIONS}}, &w->root);
  struct made other =
      make(&(struct recipe){.subject = "other", .extension = {CA_EXTENSIONS}}, NULL);
  struct pki_foreign foreign[] = {{.name = "A", .path = beside(w->f, "a.pem")},
                                  {.name = "B", .path = beside(w->f, "b.pem")}};
  EXPECT_OK(pki_cert_write(foreign[0].path, &w->root.certificate, 1, &error));
  EXPECT_OK(pki_cert_write(foreign[1].path, &other.certificate, 1, &error));
  EXPECT_OK(pki_create_foreign(w->f->folder, foreign, 2, &w->pki, NULL, NULL, &error));
  drop(&other);
  *state = w;
  return 0;
}

static int teardown_world(void **state)
{
  struct world *w = *state;
  void *fixture = w->f;
  pki_close(w->pki);
  drop(&w->root);
  drop(&w->ca);
  free(w);
  return teardown(&fixture);
}

/* Imports one device with a leaf by that recipe and `behind` it. */
static int import(struct world *w, const struct recipe *recipe, const struct made *by, X509 *behind)
{
  struct pki_import how = {.trusted = names("A", "B", NULL)};
  struct made leaf = make(recipe, by);
  X509 *const chain[] = {leaf.certificate, behind};
  unlink(beside(w->f, "one.key"));
  EXPECT_OK(pki_key_write_new(beside(w->f, "one.key"), leaf.key, &error));
  EXPECT_OK(pki_cert_write(beside(w->f, "one.pem"), chain, behind == NULL ? 1 : 2, &error));
  drop(&leaf);
  warned[0] = '\0';
  write_text(beside(w->f, "list.csv"), "0000a001,one.key,one.pem\n");
  return pki_import_devices(w->pki, beside(w->f, "list.csv"), &how, keep_warning, NULL, &error);
}

#define LEAF_EXTENSIONS                      \
  {"keyUsage", "critical,digitalSignature"}, \
  {                                          \
    "extendedKeyUsage", "clientAuth"         \
  }

static void a_chain_that_no_device_can_load_is_refused_by_certificate_and_reason(void **state)
{
  struct world *w = *state;
  struct made rsa =
      make(&(struct recipe){.subject = "rsa", .key = "RSA", .extension = {CA_EXTENSIONS}}, NULL);
  struct made p384 = make(
      &(struct recipe){.subject = "wide", .key = "P-384", .extension = {CA_EXTENSIONS}}, &w->root);
  struct made narrow = make(
      &(struct recipe){
          .subject = "narrow",
          .extension = {CA_EXTENSIONS, {"nameConstraints", "critical,permitted;DNS:example.com"}}},
      &w->root);
  const struct {
    struct recipe recipe;
    const struct made *by;
    X509 *behind;
    const char *sentence;
  } cases[] = {
      {{.subject = "0000a001", .extension = {LEAF_EXTENSIONS}},
       &rsa,
       NULL,
       "('0000a001'): it is signed with sha256WithRSAEncryption"},
      {{.subject = "0000a001", .hash = EVP_sha384()},
       &w->ca,
       w->ca.certificate,
       "(1 of 2, '0000a001'): it is signed with ecdsa-with-SHA384"},
      {{.subject = "0000a001"},
       &p384,
       p384.certificate,
       "(2 of 2, 'wide'): its key is on the curve secp384r1"},
      {{.subject = "0000a001"},
       &narrow,
       narrow.certificate,
       "(2 of 2, 'narrow'): it has the critical extension X509v3 Name Constraints"},
      {{.subject = "0000a001", .extension = {{"1.2.3.4", "critical,DER:05:00"}}},
       &w->ca,
       NULL,
       "has the critical extension unknown (1.2.3.4)"},
      {{.subject = "0000a001",
        .extension = {{"2.5.29.32", "critical,DER:30:07:30:05:06:03:2A:03:04"}}},
       &w->ca,
       NULL,
       "X509v3 Certificate Policies"},
      {{.subject = "0000a001", .second = "0000a002"}, &w->ca, NULL, "more than one CN"},
      {{.subject = "0000A001"},
       &w->ca,
       NULL,
       "for CN '0000A001', not for the device id '0000a001'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    EXPECT_REFUSAL(import(w, &cases[i].recipe, cases[i].by, cases[i].behind), EXIT_CODE_USAGE,
                   cases[i].sentence);
    if (strstr(error.text, "list.csv:1: ") == NULL || strstr(error.text, "one.pem") == NULL)
      fail_msg("%s", error.text);
  }
  drop(&rsa);
  drop(&p384);
  drop(&narrow);
}

static void what_a_broker_will_refuse_is_taken_and_told(void **state)
{
  struct world *w = *state;
  struct made strange =
      make(&(struct recipe){.subject = "strange", .extension = {CA_EXTENSIONS}}, NULL);
  struct made hidden =
      make(&(struct recipe){.subject = "strange", .extension = {CA_EXTENSIONS}}, &strange);
  const struct {
    struct recipe recipe;
    const struct made *by;
    X509 *behind;
    const char *sentence;
  } cases[] = {
      {{.subject = "0000a001", .extension = {LEAF_EXTENSIONS}}, &w->ca, w->ca.certificate, NULL},
      {{.subject = "0000a001", .extension = {LEAF_EXTENSIONS}}, &w->root, NULL, NULL},
      {{.subject = "0000a001", .from = -2 * YEAR_S, .to = -YEAR_S},
       &w->ca,
       w->ca.certificate,
       "1 device has a certificate that has expired"},
      {{.subject = "0000a001", .from = YEAR_S, .to = 2 * YEAR_S},
       &w->ca,
       w->ca.certificate,
       "is not valid yet"},
      {{.subject = "0000a001", .extension = {{"extendedKeyUsage", "serverAuth"}}},
       &w->ca,
       w->ca.certificate,
       "not for TLS clients"},
      {{.subject = "0000a001", .extension = {{"keyUsage", "keyEncipherment"}}},
       &w->ca,
       w->ca.certificate,
       "not for TLS clients"},
      {{.subject = "0000a001"}, &w->ca, NULL, "no intermediate with the leaf"},
      {{.subject = "0000a001"}, NULL, NULL, "a certificate that is self-signed"},
      {{.subject = "0000a001"},
       &hidden,
       hidden.certificate,
       "ends under none of the fleet's roots"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    EXPECT_OK(import(w, &cases[i].recipe, cases[i].by, cases[i].behind));
    if (cases[i].sentence == NULL)
      assert_string_equal(warned, "");
    else if (strstr(warned, cases[i].sentence) == NULL ||
             strstr(warned, "list.csv:1: '0000a001'") == NULL ||
             (strstr(warned, "self-signed") != NULL && strstr(warned, "put ") != NULL))
      fail_msg("case %zu: '%s'", i, warned);
    pki_close(w->pki);
    EXPECT_OK(files_make_folder(w->f->folder, 0700, &error));
    nftw(w->f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    struct pki_foreign foreign[] = {{.name = "A", .path = beside(w->f, "a.pem")},
                                    {.name = "B", .path = beside(w->f, "b.pem")}};
    EXPECT_OK(pki_create_foreign(w->f->folder, foreign, 2, &w->pki, NULL, NULL, &error));
  }
  drop(&strange);
  drop(&hidden);
}

#define SIGNS "keyUsage", "critical,keyCertSign"

/* What brokers hold against the CA above a leaf, and against those above that. `anchor` issued the
 * first of `ca`; `title` is whom it is told of, NULL: nobody. */
struct issuers {
  struct recipe anchor, ca[2]; /* the second, if there is one, below the first */
  const char *title;
};

/* What is told of a leaf below them is in `warned`. */
static void doubt_leaf_below(const struct issuers *of)
{
  struct recipe of_root = of->anchor;
  of_root.subject = "root";
  bool two = of->ca[1].subject != NULL;
  struct made root = make(&of_root, NULL), upper = make(&of->ca[0], &root),
              lower = make(&of->ca[two ? 1 : 0], &upper);
  struct made leaf = make(&(struct recipe){.subject = "0000a001", .extension = {LEAF_EXTENSIONS}},
                          two ? &lower : &upper);
  STACK_OF(X509) *chain = sk_X509_new_null();
  sk_X509_push(chain, leaf.certificate);
  if (two) sk_X509_push(chain, lower.certificate);
  sk_X509_push(chain, upper.certificate);
  struct pki_doubts *doubts = calloc(1, sizeof *doubts);
  pki_doubt_chain(doubts, chain, root.certificate, "list.csv:1");
  warned[0] = '\0';
  pki_doubts_tell(doubts, keep_warning, NULL);
  free(doubts);
  sk_X509_free(chain);
  drop(&leaf);
  drop(&lower);
  drop(&upper);
  drop(&root);
}

static void told(const struct issuers *cases, size_t count, const char *sentence)
{
  for (size_t i = 0; i < count; i++) {
    doubt_leaf_below(&cases[i]);
    if (sentence == NULL)
      assert_string_equal(warned, "");
    else if (strstr(warned, sentence) == NULL || strstr(warned, cases[i].title) == NULL ||
             strstr(warned, "did not issue") != NULL)
      fail_msg("case %zu: '%s'", i, warned);
  }
}

static void a_chain_whose_issuers_may_issue_raises_no_doubt(void **state)
{
  (void) state;
  const struct issuers cases[] = {
      {{.extension = {CA_EXTENSIONS}}, {{.subject = "maker", .extension = {CA_EXTENSIONS}}}, NULL},
      {{.extension = {CA_EXTENSIONS}},
       {{.subject = "maker",
         .extension = {CA_EXTENSIONS, {"extendedKeyUsage", "clientAuth,serverAuth"}}}},
       NULL},
      {{.extension = {{"basicConstraints", "critical,CA:TRUE,pathlen:1"}}},
       {{.subject = "maker",
         .extension = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"}, {SIGNS}}}},
       NULL},
  };
  told(cases, sizeof cases / sizeof cases[0], NULL);
}

static void an_issuer_that_may_be_none_is_told(void **state)
{
  (void) state;
  const struct issuers cases[] = {
      {{.extension = {CA_EXTENSIONS}}, {{.subject = "maker"}}, "'maker'"},
      {{.extension = {CA_EXTENSIONS}}, {{.subject = "maker", .extension = {{SIGNS}}}}, "'maker'"},
      {{.extension = {CA_EXTENSIONS}},
       {{.subject = "maker", .extension = {{"basicConstraints", "critical,CA:FALSE"}, {SIGNS}}}},
       "'maker'"},
      {{.extension = {CA_EXTENSIONS}},
       {{.subject = "maker",
         .extension = {{"basicConstraints", "critical,CA:TRUE"},
                       {"keyUsage", "critical,digitalSignature"}}}},
       "'maker'"},
      {{.extension = {CA_EXTENSIONS}},
       {{.subject = "upper",
         .extension = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "cRLSign"}}},
        {.subject = "maker", .extension = {CA_EXTENSIONS}}},
       "'upper'"},
  };
  told(cases, sizeof cases / sizeof cases[0], "an issuer that may be none");
}

static void a_chain_longer_than_an_issuer_allows_is_told(void **state)
{
  (void) state;
  const struct issuers cases[] = {
      {{.extension = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"}}},
       {{.subject = "maker", .extension = {CA_EXTENSIONS}}},
       "'root'"},
      {{.extension = {{"basicConstraints", "critical,CA:TRUE,pathlen:1"}}},
       {{.subject = "upper", .extension = {CA_EXTENSIONS}},
        {.subject = "maker", .extension = {CA_EXTENSIONS}}},
       "'root'"},
      {{.extension = {CA_EXTENSIONS}},
       {{.subject = "upper",
         .extension = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"}, {SIGNS}}},
        {.subject = "maker", .extension = {CA_EXTENSIONS}}},
       "'upper'"},
  };
  told(cases, sizeof cases / sizeof cases[0], "a chain that is longer than");
}

static void an_issuer_that_is_not_for_clients_is_told(void **state)
{
  (void) state;
  const struct issuers cases[] = {
      {{.extension = {CA_EXTENSIONS}},
       {{.subject = "maker", .extension = {CA_EXTENSIONS, {"extendedKeyUsage", "serverAuth"}}}},
       "'maker'"},
      {{.extension = {CA_EXTENSIONS}},
       {{.subject = "upper",
         .extension = {CA_EXTENSIONS, {"extendedKeyUsage", "critical,codeSigning"}}},
        {.subject = "maker", .extension = {CA_EXTENSIONS}}},
       "'upper'"},
  };
  told(cases, sizeof cases / sizeof cases[0], "an issuer that is not for TLS clients");
}

static int setup_lone(void **state)
{
  int result = setup_folder(state);
  device_platform_leave();
  return result;
}

int main(void)
{
#define LONE(test)  cmocka_unit_test_setup_teardown(test, setup_lone, teardown)
#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup_world, teardown_world)
  const struct CMUnitTest tests[] = {
      LONE(a_root_that_no_device_could_use_is_refused_and_leaves_nothing),
      LONE(a_root_that_is_not_valid_now_is_told),
      LONE(the_same_root_twice_is_no_second_anchor),
      LONE(a_root_that_was_issued_anew_for_its_key_is_no_second_anchor),
      LONE(two_roots_of_one_name_without_identifiers_are_told),
      LONE(a_making_that_fails_leaves_nothing_behind),
      LONE(what_a_broken_off_making_left_is_no_fleet),
      WORLD(a_chain_that_no_device_can_load_is_refused_by_certificate_and_reason),
      WORLD(what_a_broker_will_refuse_is_taken_and_told),
      cmocka_unit_test(a_chain_whose_issuers_may_issue_raises_no_doubt),
      cmocka_unit_test(an_issuer_that_may_be_none_is_told),
      cmocka_unit_test(a_chain_longer_than_an_issuer_allows_is_told),
      cmocka_unit_test(an_issuer_that_is_not_for_clients_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
