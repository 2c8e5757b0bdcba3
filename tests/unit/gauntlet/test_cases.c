/* The matrix itself: its text is understood, and its certificates are what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#include "gauntlet/mint.h"

#define DEFAULTS                                                                                 \
  "defaults\n  cert root: ca=yes ku=keyCertSign\n  cert leaf: issuer=root ca=no eku=serverAuth " \
  "san=DNS:broker.test\n"                                                                        \
  "  trusts: root\n  sends: leaf\n  host: broker.test\n  clock: 2026-06-01\n  tls: 1.2 1.3\n"

static char why[512];

static struct cases *parse(const char *text)
{
  struct cases *cases = cases_parse(text, why, sizeof why);
  if (!cases) fail_msg("%s", why);
  return cases;
}

static void a_case_inherits_what_it_does_not_say(void **state)
{
  (void) state;
  struct cases *cases = parse(DEFAULTS "case one\n why: w\n expect: accept\n"
                                       "case two\n why: w\n cert leaf: eku=clientAuth\n tls: 1.3\n"
                                       " expect: connect.tls.bad_usage flags=0x1000\n");
  assert_int_equal(cases->count, 2);
  const struct gauntlet_case *one = cases->item[0], *two = cases->item[1];
  assert_string_equal(one->certificate[1].eku, "serverAuth");
  assert_string_equal(two->certificate[1].eku, "clientAuth");
  assert_string_equal(two->certificate[1].san, "DNS:broker.test");
  assert_int_equal(one->clock_unix_s, 1780272000);
  assert_true(one->tls12 && one->tls13 && !one->has_flags);
  assert_true(!two->tls12 && two->tls13 && two->has_flags);
  assert_int_equal(two->flags, 0x1000);
  assert_string_equal(two->expect, "connect.tls.bad_usage");
  cases_free(cases);
}

static void like_takes_all_but_name_and_key(void **state)
{
  (void) state;
  struct cases *cases =
      parse(DEFAULTS "case one\n why: w\n cert fake: like=root cn=root\n expect: accept\n");
  const struct case_certificate *fake = &cases->item[0]->certificate[2];
  assert_string_equal(fake->name, "fake");
  assert_string_equal(fake->cn, "root");
  assert_string_equal(fake->ku, "keyCertSign");
  cases_free(cases);
}

static void refuses(const char *text, const char *sentence)
{
  why[0] = 0;
  struct cases *cases = cases_parse(text, why, sizeof why);
  assert_null(cases);
  if (!strstr(why, sentence)) fail_msg("expected '%s' in '%s'", sentence, why);
}

static void refuses_what_it_does_not_understand(void **state)
{
  (void) state;
  refuses("nonsense\n", "line 1: expected");
  refuses(DEFAULTS "case a\n wy: w\n", "line 10: unknown key 'wy'");
  refuses(DEFAULTS "case a\n cert leaf: colour=red\n", "no attribute 'colour'");
  refuses(DEFAULTS "case a\n cert leaf: like=nobody\n", "like=nobody");
  refuses(DEFAULTS "case a\n clock: yesterday\n", "'yesterday' is no date");
  refuses(DEFAULTS "case a\n tls: 1.4\n", "tls: '1.4' is none of 1.0, 1.1");
  refuses(DEFAULTS "case a\n dh: 768\n", "dh: '768' is none of 1024, 1536, 2048, 3072, 4096");
  refuses(DEFAULTS "case a\n refuses: me\n",
          "refuses: 'me' is none of no, unknown, expired, revoked");
  refuses(DEFAULTS "case a\n why: w\n expect: accept\n asks: no\n refuses: expired\n",
          "refuses a certificate that it does not ask for");
}

static void refuses_a_case_that_is_not_whole(void **state)
{
  (void) state;
  refuses(DEFAULTS "case a\n expect: accept\n", "say why");
  refuses(DEFAULTS "case a\n why: w\n", "say what to expect");
  refuses(DEFAULTS "case a\n why: w\n expect: accept\n sends: ghost\n", "no certificate 'ghost'");
  refuses(DEFAULTS "case a\n why: w\n expect: accept\n cert leaf: issuer=ghost\n",
          "no issuer 'ghost'");
  refuses(DEFAULTS "case a\n why: w\n expect: accept\ncase a\n", "there twice");
}

static void mints_what_the_text_says(void **state)
{
  (void) state;
  struct cases *cases =
      parse(DEFAULTS "case a\n why: w\n expect: accept\n cert leaf: damage=signature\n"
                     " cert twin: like=leaf key-of=leaf cn=other damage=\n");
  struct mint mint;
  if (mint_make(cases->item[0], &mint, why, sizeof why) != 0) fail_msg("%s", why);
  X509 *root = mint.x509[0], *leaf = mint.x509[1], *twin = mint.x509[2];
  assert_int_equal(X509_check_ca(root), 1);
  assert_int_equal(X509_check_ca(leaf), 0);
  assert_int_equal(X509_verify(root, mint.key[0]), 1);
  assert_int_not_equal(X509_verify(leaf, mint.key[0]), 1);
  assert_int_equal(X509_verify(twin, mint.key[0]), 1);
  assert_int_equal(EVP_PKEY_eq(mint.key[1], mint.key[2]), 1);
  assert_int_equal(X509_check_host(leaf, "broker.test", 0, 0, NULL), 1);
  assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 1);
  assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0), 0);
  mint_free(&mint);
  cases_free(cases);
}

static void a_certificate_of_version_1_has_no_extensions(void **state)
{
  (void) state;
  struct cases *cases =
      parse(DEFAULTS "case one\n why: w\n cert leaf: version=1\n expect: accept\n");
  struct mint mint;
  if (mint_make(cases->item[0], &mint, why, sizeof why) != 0) fail_msg("%s", why);
  assert_int_equal(X509_get_version(mint.x509[0]), X509_VERSION_3);
  assert_int_equal(X509_get_version(mint.x509[1]), X509_VERSION_1);
  assert_int_equal(X509_get_ext_count(mint.x509[1]), 0);
  assert_int_equal(X509_verify(mint.x509[1], mint.key[0]), 1);
  mint_free(&mint);
  cases_free(cases);
}

static void refuses_to_mint_what_it_cannot(void **state)
{
  (void) state;
  static const char *const wrong[] = {"key=p999",   "hash=md999",    "ca=maybe", "ext=odd",
                                      "damage=all", "ku=everything", "version=2"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char text[1024];
    snprintf(text, sizeof text, DEFAULTS "case a\n why: w\n expect: accept\n cert leaf: %s\n",
             wrong[i]);
    struct cases *cases = parse(text);
    struct mint mint;
    int result = mint_make(cases->item[0], &mint, why, sizeof why);
    if (result == 0) fail_msg("minted a certificate with %s", wrong[i]);
    mint_free(&mint);
    cases_free(cases);
  }
}

static void the_whole_matrix_can_be_read_and_minted(void **state)
{
  (void) state;
  struct cases *cases = cases_load(FLEETSIM_SOURCE_DIR "/certs/chains.txt", why, sizeof why);
  if (!cases) fail_msg("%s", why);
  for (size_t i = 0; i < cases->count; i++) {
    struct mint mint;
    if (mint_make(cases->item[i], &mint, why, sizeof why) != 0) fail_msg("%s", why);
    mint_free(&mint);
  }
  print_message("%zu cases\n", cases->count);
  assert_true(cases->count >= 30);
  cases_free(cases);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_case_inherits_what_it_does_not_say),
      cmocka_unit_test(like_takes_all_but_name_and_key),
      cmocka_unit_test(refuses_what_it_does_not_understand),
      cmocka_unit_test(refuses_a_case_that_is_not_whole),
      cmocka_unit_test(mints_what_the_text_says),
      cmocka_unit_test(a_certificate_of_version_1_has_no_extensions),
      cmocka_unit_test(refuses_to_mint_what_it_cannot),
      cmocka_unit_test(the_whole_matrix_can_be_read_and_minted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
