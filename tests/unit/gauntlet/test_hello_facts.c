#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gauntlet/hello.h"
#include "gauntlet/hello_suites.h"
#include "hello_craft.h"

static uint8_t wire[CRAFT_MAX];
static struct craft craft;

static struct hello read_wire(size_t size)
{
  struct hello hello;
  int result = hello_read(wire, size, &hello);
  if (result != 1) fail_msg("read as %d (%s), expected a whole hello", result, hello.why);
  return hello;
}

static struct hello read_craft(void)
{
  return read_wire(craft_wire(&craft, 16384, wire));
}

/* --- Names ------------------------------------------------------------------------------------ */

static void suites_are_called_as_openssl_calls_them(void **state)
{
  (void) state;
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  char name[HELLO_NAME];
  unsigned compared = 0;
  assert_int_equal(SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"), 1);
  STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++, compared++) {
    const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
    const char *ours = hello_suite_name(SSL_CIPHER_get_protocol_id(cipher), name);
    assert_string_equal(ours, SSL_CIPHER_standard_name(cipher));
  }
  SSL_CTX_free(context);
  assert_true(compared > 100);
}

/* What it says of a suite's version and ciphers is what follows of its parts. */
static void what_is_true_of_a_suite_is_what_openssl_says(void **state)
{
  (void) state;
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  assert_int_equal(SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"), 1);
  STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
    const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
    const char *name = SSL_CIPHER_get_name(cipher), *version = SSL_CIPHER_get_version(cipher);
    unsigned traits = hello_suite_traits(SSL_CIPHER_get_protocol_id(cipher));
    int auth = SSL_CIPHER_get_auth_nid(cipher), kx = SSL_CIPHER_get_kx_nid(cipher);
    bool null = SSL_CIPHER_get_cipher_nid(cipher) == NID_undef;
    bool rsa = kx == NID_kx_rsa || kx == NID_kx_rsa_psk;
    bool dhe = (kx == NID_kx_dhe && auth != NID_auth_null) || kx == NID_kx_dhe_psk;
    if (((traits & HELLO_SUITE_TLS13) != 0) != (strcmp(version, "TLSv1.3") == 0) ||
        ((traits & HELLO_SUITE_TLS12) != 0) != (strcmp(version, "TLSv1.2") == 0))
      fail_msg("%s is of %s", name, version);
    if (((traits & HELLO_SUITE_ANONYMOUS) != 0) !=
        (auth == NID_auth_null && kx != NID_kx_srp && kx != NID_kx_any))
      fail_msg("%s: anonymous?", name);
    if (((traits & HELLO_SUITE_NULL) != 0) != null) fail_msg("%s: encrypts nothing?", name);
    if (((traits & HELLO_SUITE_RSA) != 0) != rsa) fail_msg("%s: RSA key exchange?", name);
    if (((traits & HELLO_SUITE_DHE) != 0) != dhe) fail_msg("%s: finite field?", name);
    if ((traits & HELLO_SUITE_TLS13) == 0 && !null &&
        ((traits & HELLO_SUITE_CBC) != 0) == (SSL_CIPHER_is_aead(cipher) == 1))
      fail_msg("%s: CBC or AEAD?", name);
  }
  SSL_CTX_free(context);
}

#define EXPECT_NAME(kind, number, expected)                               \
  do {                                                                    \
    char name_out[HELLO_NAME];                                            \
    assert_string_equal(hello_##kind##_name(number, name_out), expected); \
  } while (0)

static void numbers_have_ianas_names(void **state)
{
  (void) state;
  EXPECT_NAME(suite, 0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5");
  EXPECT_NAME(suite, 0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA");
  EXPECT_NAME(suite, 0x1301, "TLS_AES_128_GCM_SHA256");
  EXPECT_NAME(suite, 0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM");
  EXPECT_NAME(suite, 0xc0b4, "TLS_SHA256_SHA256");
  EXPECT_NAME(suite, 0xc0ff, "TLS_ECJPAKE_WITH_AES_128_CCM_8");
  EXPECT_NAME(suite, 0xd005, "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256");
  EXPECT_NAME(suite, 0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
  EXPECT_NAME(suite, 0x5600, "TLS_FALLBACK_SCSV");
  EXPECT_NAME(suite, 0x4a4a, "GREASE");
  EXPECT_NAME(suite, 0xeeee, "0xEEEE");
  EXPECT_NAME(group, 0x11ec, "X25519MLKEM768");
  EXPECT_NAME(group, 23, "secp256r1");
  EXPECT_NAME(group, 0x0a0a, "GREASE");
  EXPECT_NAME(group, 0x2bad, "0x2BAD");
  EXPECT_NAME(scheme, 0x0403, "ecdsa_secp256r1_sha256");
  EXPECT_NAME(scheme, 0x0905, "mldsa65");
  EXPECT_NAME(scheme, 0x0201, "rsa_pkcs1_sha1");
  EXPECT_NAME(version, 0x0304, "TLS 1.3");
  EXPECT_NAME(version, 0x0300, "SSL 3.0");
  EXPECT_NAME(version, 0x7f1c, "0x7F1C");
  EXPECT_NAME(extension, 0xfe0d, "encrypted_client_hello");
  EXPECT_NAME(extension, 43, "supported_versions");
  EXPECT_NAME(psk_mode, 1, "psk_dhe_ke");
  EXPECT_NAME(compression, 1, "DEFLATE");
  EXPECT_NAME(point_format, 0, "uncompressed");
}

/* --- What stands out -------------------------------------------------------------------------- */

struct found {
  char ids[512];
  char sentences[4096];
};

static void note_finding(void *ctx, const struct hello_finding *finding)
{
  struct found *found = ctx;
  size_t ids = strlen(found->ids), size = strlen(found->sentences);
  snprintf(found->ids + ids, sizeof found->ids - ids, "%s%s", ids > 0 ? " " : "", finding->id);
  snprintf(found->sentences + size, sizeof found->sentences - size, "%s: %s\n",
           hello_severity_word(finding->severity), finding->sentence);
  assert_non_null(strstr(finding->sentence, finding->reference));
  assert_null(strstr(finding->sentence, "()"));
}

static struct found findings_of(const struct hello *hello)
{
  struct found found = {.ids = ""};
  hello_stands_out(hello, note_finding, &found);
  return found;
}

static void expect_ids(const struct hello *hello, const char *ids)
{
  struct found found = findings_of(hello);
  if (strcmp(found.ids, ids) != 0)
    fail_msg("what stands out is '%s', expected '%s':\n%s", found.ids, ids, found.sentences);
}

static void expect_craft(const char *ids)
{
  struct hello hello = read_craft();
  expect_ids(&hello, ids);
}

static void nothing_stands_out_of_a_careful_client(void **state)
{
  (void) state;
  struct craft_openssl wish = {.min = TLS1_2_VERSION,
                               .ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20",
                               .groups = "X25519:P-256:P-384",
                               .schemes = "ECDSA+SHA256:rsa_pss_rsae_sha256:RSA+SHA256:ed25519",
                               .name = "broker.test",
                               .protocols = "\4mqtt"};
  struct hello hello = read_wire(craft_by_openssl(&wish, wire));
  expect_ids(&hello, "");
  wish.max = TLS1_2_VERSION;
  hello = read_wire(craft_by_openssl(&wish, wire));
  expect_ids(&hello, "");
  craft_modern(&craft);
  expect_craft("");
}

static void nothing_stands_out_of_a_device(void **state)
{
  (void) state;
  static const uint8_t versions[][2] = {{12, 12}, {12, 13}, {13, 13}};
  for (size_t i = 0; i < 3; i++) {
    struct hello hello = read_wire(craft_by_device(versions[i][0], versions[i][1], wire));
    expect_ids(&hello, "");
  }
}

static void what_openssl_offers_by_itself_stands_out(void **state)
{
  (void) state;
  struct hello hello =
      read_wire(craft_by_openssl(&(struct craft_openssl){.min = TLS1_2_VERSION}, wire));
  struct found found = findings_of(&hello);
  assert_non_null(strstr(found.ids, "rsa-key-exchange"));
  assert_non_null(strstr(found.ids, "no-server-name"));
  assert_null(strstr(found.ids, "rc4"));
  assert_null(strstr(found.ids, "old-tls"));
}

static void old_versions_stand_out(void **state)
{
  (void) state;
  static const uint16_t all[] = {0x0304, 0x0303, 0x0302, 0x0301, 0x0300};
  craft_modern(&craft);
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 4, all);
  expect_craft("old-tls");
  struct hello hello = read_craft();
  assert_non_null(strstr(findings_of(&hello).sentences,
                         "medium: offers an old version of TLS (TLS 1.0, TLS 1.1): "));
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 5, all);
  expect_craft("ssl3 old-tls");
  craft_ancient(&craft);
  expect_craft("old-tls rsa-key-exchange only-cbc no-extended-master-secret no-server-name");
  craft.legacy_version = 0x0300;
  expect_craft("ssl3 rsa-key-exchange only-cbc no-extended-master-secret no-server-name");
  craft.legacy_version = 0x0002;
  expect_craft("ssl3 rsa-key-exchange only-cbc no-extended-master-secret no-server-name");
}

/* suite, what stands out when a careful client offers it too */
static const struct {
  uint16_t suite;
  const char *ids;
} by_suite[] = {
    {0x0001, "null-suites rsa-key-exchange"},
    {0x0003, "export-suites rc4 rsa-key-exchange"},
    {0x0005, "rc4 rsa-key-exchange"},
    {0x0009, "export-suites rsa-key-exchange"},
    {0x000a, "rsa-key-exchange 3des"},
    {0x0034, "anonymous-suites"},
    {0xc018, "anonymous-suites"},
    {0x003f, "static-dh"},
    {0xc025, "static-ecdh"},
    {0x009c, "rsa-key-exchange"},
    {0x009e, "dhe-suites"},
    {0xc0b4, "null-suites"},
    {HELLO_FALLBACK_SCSV, "fallback"},
    {HELLO_RENEGOTIATION_SCSV, ""},
    {0xc013, ""},
    {0x5a5a, ""},
    {0xeeee, ""},
};

static void weak_suites_stand_out(void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof by_suite / sizeof by_suite[0]; i++) {
    craft_modern(&craft);
    craft_add_suite(&craft, by_suite[i].suite);
    struct hello hello = read_craft();
    struct found found = findings_of(&hello);
    if (strcmp(found.ids, by_suite[i].ids) != 0)
      fail_msg("suite 0x%04x: what stands out is '%s', expected '%s'", by_suite[i].suite, found.ids,
               by_suite[i].ids);
  }
}

static void suites_of_versions_that_are_not_spoken_are_no_offer(void **state)
{
  (void) state;
  static const uint16_t only_13[] = {0x0304}, only_12[] = {0x0303};
  craft_modern(&craft);
  craft_add_suite(&craft, 0x0005);
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 1, only_13);
  expect_craft("");
  craft_modern(&craft);
  craft_add_suite(&craft, 0xc0b4);
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 1, only_12);
  craft.session_id_size = 0;
  expect_craft("");
}

static void a_client_with_cbc_alone_stands_out(void **state)
{
  (void) state;
  static const uint16_t suites[] = {0x1301, 0xc009, 0xc013, 0x00ff};
  craft_modern(&craft);
  craft_suites(&craft, 4, suites);
  expect_craft("only-cbc");
  craft_add_suite(&craft, 0xc02b);
  expect_craft("");
}

static void weak_signatures_stand_out(void **state)
{
  (void) state;
  static const uint16_t md5[] = {0x0403, 0x0101}, sha1[] = {0x0403, 0x0203, 0x0201, 0x0202},
                        sha224[] = {0x0403, 0x0303}, grease[] = {0x0403, 0x0a0a};
  static const uint16_t in_chains[] = {0x0201};
  craft_modern(&craft);
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS, 2, 2, md5);
  expect_craft("md5-signatures");
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS, 2, 4, sha1);
  expect_craft("sha1-signatures");
  struct hello hello = read_craft();
  assert_non_null(
      strstr(findings_of(&hello).sentences, "(ecdsa_sha1, rsa_pkcs1_sha1 and 1 more): "));
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS, 2, 2, sha224);
  expect_craft("sha224-signatures");
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS, 2, 2, grease);
  expect_craft("");
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS_CERT, 2, 1, in_chains);
  expect_craft("sha1-signatures");
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS, 2, 3, sha1); /* and in both lists */
  hello = read_craft();
  assert_non_null(strstr(findings_of(&hello).sentences, "(ecdsa_sha1, rsa_pkcs1_sha1): "));
  craft_modern(&craft);
  craft_drop(&craft, HELLO_SIGNATURE_ALGORITHMS);
  expect_craft("no-signature-algorithms");
}

static void weak_groups_stand_out(void **state)
{
  (void) state;
  static const uint16_t weak[] = {29, 19, 1}, finite[] = {29, 256, 260};
  static const uint16_t normal[] = {29, 26, 30, 0x11ec, 0x1a1a, 21};
  craft_modern(&craft);
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 3, weak);
  expect_craft("weak-curves");
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 3, finite);
  expect_craft("finite-field-groups");
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 2, (const uint16_t[]){29, 260});
  expect_craft("finite-field-groups");
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 6, normal);
  expect_craft("");
}

static void what_a_session_of_tls_12_needs_stands_out_where_it_is_missing(void **state)
{
  (void) state;
  static const uint16_t only_13[] = {0x0304};
  craft_modern(&craft);
  craft_drop(&craft, HELLO_EXTENDED_MASTER_SECRET);
  expect_craft("no-extended-master-secret");
  craft_modern(&craft);
  craft_drop(&craft, HELLO_RENEGOTIATION_INFO);
  expect_craft("no-renegotiation-info");
  craft_add_suite(&craft, HELLO_RENEGOTIATION_SCSV);
  expect_craft("");
  craft_modern(&craft);
  craft_drop(&craft, HELLO_RENEGOTIATION_INFO);
  craft_drop(&craft, HELLO_EXTENDED_MASTER_SECRET);
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 1, only_13);
  expect_craft("");
}

static void names_stand_out_that_are_missing_or_none(void **state)
{
  (void) state;
  craft_modern(&craft);
  craft_drop(&craft, HELLO_SERVER_NAMES);
  expect_craft("no-server-name");
  craft_modern(&craft);
  craft_set_name(&craft, "192.0.2.7");
  expect_craft("address-as-name");
}

static void set_shares(size_t count, const uint16_t *groups)
{
  uint8_t list[200] = {0, (uint8_t) (5 * count)};
  for (size_t i = 0; i < count; i++) {
    uint8_t share[5] = {(uint8_t) (groups[i] >> 8), (uint8_t) groups[i], 0, 1, 9};
    memcpy(list + 2 + 5 * i, share, 5);
  }
  craft_set(&craft, HELLO_KEY_SHARE, list, 2 + 5 * count);
}

static void key_shares_stand_out_when_they_are_none_or_too_many(void **state)
{
  (void) state;
  static const uint16_t groups[] = {0x1a1a, 29, 23, 24}, all[] = {0x1a1a, 29, 23, 24};
  craft_modern(&craft);
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 4, all);
  set_shares(3, groups);
  expect_craft("");
  set_shares(4, groups);
  expect_craft("many-key-shares");
  set_shares(1, groups); /* GREASE alone is none */
  expect_craft("no-key-share");
  craft_modern(&craft);
  craft_drop(&craft, HELLO_KEY_SHARE);
  expect_craft("no-key-share");
  craft_modern(&craft);
  set_shares(1, (const uint16_t[]){25});
  expect_craft("stray-key-share");
}

static void what_resumes_stands_out(void **state)
{
  (void) state;
  static const uint16_t only_12[] = {0x0303};
  static const uint8_t psk[2 + 7 + 2 + 33] = {0, 7, 0, 1, 'x', 0, 0, 0, 0, 0, 33, 32};
  craft_modern(&craft);
  craft_set(&craft, HELLO_SESSION_TICKET, "ticket", 6);
  expect_craft("resumes-by-ticket");
  craft_modern(&craft);
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 1, only_12);
  expect_craft("resumes-by-id");
  craft_set(&craft, HELLO_SESSION_TICKET, "ticket", 6);
  expect_craft("resumes-by-ticket");
  craft_set(&craft, HELLO_SESSION_TICKET, NULL, 0);
  craft.session_id_size = 0;
  expect_craft("");
  craft_modern(&craft);
  craft_set(&craft, HELLO_PRE_SHARED_KEY, psk, sizeof psk);
  expect_craft("resumes-by-psk");
  craft_set(&craft, 0x7777, NULL, 0);
  expect_craft("psk-not-last resumes-by-psk");
  craft_modern(&craft);
  craft_set(&craft, HELLO_EARLY_DATA, NULL, 0);
  expect_craft("early-data");
  craft_modern(&craft);
  craft_set(&craft, HELLO_PSK_KEY_EXCHANGE_MODES, "\2\1\0", 3);
  expect_craft("psk-alone");
}

static void the_rest_stands_out(void **state)
{
  (void) state;
  static const uint8_t zeros[1200];
  craft_modern(&craft);
  craft_set(&craft, HELLO_HEARTBEAT, "\1", 1);
  expect_craft("heartbeat");
  craft_modern(&craft);
  craft.compressions[craft.compression_count++] = 1;
  expect_craft("compression");
  craft_modern(&craft);
  craft_set(&craft, HELLO_PADDING, zeros, sizeof zeros);
  size_t size = craft_wire(&craft, 16384, wire);
  craft_set(&craft, HELLO_PADDING, zeros, sizeof zeros - (size - 1400));
  expect_craft("");
  craft_set(&craft, HELLO_PADDING, zeros, sizeof zeros - (size - 1401));
  expect_craft("large-hello");
}

static void findings_come_the_gravest_first(void **state)
{
  (void) state;
  static const char *const order[] = {"low", "medium", "high"};
  size_t before = 2;
  craft_ancient(&craft);
  craft.legacy_version = 0x0300;
  for (uint16_t suite = 0; suite < 0x60; suite++) craft_add_suite(&craft, suite);
  craft_set(&craft, HELLO_HEARTBEAT, "\1", 1);
  struct hello hello = read_craft();
  struct found found = findings_of(&hello);
  unsigned lines = 0;
  for (char *line = strtok(found.sentences, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    size_t at = 0;
    while (strncmp(line, order[at], strlen(order[at])) != 0) at++;
    if (at > before) fail_msg("'%s' comes after one that is less grave", line);
    before = at;
    lines++;
  }
  assert_true(lines > 8);
}

/* --- Facts ------------------------------------------------------------------------------------ */

/* What hello_print_facts writes; to be freed. */
static char *facts_of(const struct hello *hello)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  hello_print_facts(hello, out);
  fclose(out);
  return text;
}

static void expect_screen(const struct hello *hello)
{
  char *facts = facts_of(hello);
  unsigned lines = 0;
  for (const char *line = facts; *line != '\0'; lines++) {
    size_t size = strcspn(line, "\n");
    if (size > 98) fail_msg("a line has %zu columns:\n%.*s", size, (int) size, line);
    assert_memory_equal(line, "  ", 2);
    line += size + 1;
  }
  if (lines > 24) fail_msg("%u lines are no screen:\n%s", lines, facts);
  free(facts);
}

static void facts_fit_on_a_screen(void **state)
{
  (void) state;
  struct hello hello = read_wire(craft_by_device(12, 13, wire));
  expect_screen(&hello);
  hello = read_wire(craft_by_openssl(&(struct craft_openssl){.name = "broker.test"}, wire));
  expect_screen(&hello);
  hello = read_wire(craft_by_openssl(
      &(struct craft_openssl){.min = TLS1_VERSION, .ciphers = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"},
      wire));
  expect_screen(&hello);
  craft_ancient(&craft);
  hello = read_craft();
  expect_screen(&hello);
}

static void expect_fact(const char *facts, const char *fact)
{
  if (strstr(facts, fact) == NULL) fail_msg("'%s' is not told:\n%s", fact, facts);
}

static void facts_say_what_a_reader_asks_for(void **state)
{
  (void) state;
  craft_modern(&craft);
  craft_set(&craft, HELLO_MAX_FRAGMENT_LENGTH, "\1", 1);
  craft_set(&craft, 0xabcd, NULL, 0);
  struct hello hello = read_craft();
  char *facts = facts_of(&hello);
  expect_fact(facts, "  versions       TLS 1.3, TLS 1.2\n");
  expect_fact(facts, "  server name    broker.test\n");
  expect_fact(facts, "  protocols      none\n");
  expect_fact(facts, "  suites         TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256,\n");
  expect_fact(facts, "  groups         x25519, secp256r1, secp384r1\n");
  expect_fact(facts, "  key shares     x25519 (32 bytes)\n");
  expect_fact(facts, "session id of 32 bytes, wants a ticket, psk_dhe_ke\n");
  expect_fact(facts, "  also           max_fragment_length 512\n");
  expect_fact(facts, "0xABCD\n");
  free(facts);
  craft_ancient(&craft);
  hello = read_craft();
  facts = facts_of(&hello);
  expect_fact(facts, "  versions       TLS 1.0, and what is older is not ruled out\n");
  expect_fact(facts, "  server name    none\n");
  expect_fact(facts, "  extensions     none\n");
  free(facts);
}

static const char *text_at(const json_t *object, const char *key, size_t at)
{
  const char *text = json_string_value(json_array_get(json_object_get(object, key), at));
  return text != NULL ? text : "(none)";
}

static void json_has_the_same_facts(void **state)
{
  (void) state;
  craft_modern(&craft);
  craft_set(&craft, 0xabcd, NULL, 0);
  craft_set(&craft, HELLO_RECORD_SIZE_LIMIT, "\2\0", 2);
  struct hello hello = read_craft();
  json_t *json = hello_json(&hello);
  assert_string_equal(text_at(json, "suites", 2), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
  assert_string_equal(text_at(json, "versions", 0), "TLS 1.3");
  assert_string_equal(text_at(json, "groups", 1), "secp256r1");
  assert_string_equal(text_at(json, "signature_algorithms", 2), "ed25519");
  assert_string_equal(text_at(json, "extensions", 0), "server_name");
  assert_string_equal(text_at(json, "unknown_extensions", 0), "0xABCD");
  assert_string_equal(text_at(json, "compression_methods", 0), "null");
  assert_string_equal(json_string_value(json_object_get(json, "server_name")), "broker.test");
  assert_string_equal(json_string_value(json_object_get(json, "lowest")), "TLS 1.2");
  assert_string_equal(json_string_value(json_object_get(json, "renegotiation_info")), "extension");
  assert_int_equal(json_integer_value(json_object_get(json, "record_size_limit")), 512);
  assert_true(json_is_integer(json_object_get(json, "session_ticket_bytes")));
  assert_int_equal(json_integer_value(json_object_get(json, "bytes")), hello.wire_size);
  assert_true(json_is_null(json_object_get(json, "cookie_bytes")));
  assert_true(json_is_true(json_object_get(json, "extended_master_secret")));
  assert_true(json_is_false(json_object_get(json, "early_data")));
  const json_t *share = json_array_get(json_object_get(json, "key_shares"), 0);
  assert_string_equal(json_string_value(json_object_get(share, "group")), "x25519");
  assert_int_equal(json_integer_value(json_object_get(share, "bytes")), 32);
  json_decref(json);
}

static void json_says_how_much_had_no_room(void **state)
{
  (void) state;
  craft_modern(&craft);
  while (craft.suite_count < 300) craft_add_suite(&craft, (uint16_t) craft.suite_count);
  struct hello hello = read_craft();
  json_t *json = hello_json(&hello);
  assert_int_equal(json_integer_value(json_object_get(json, "left_out")), 44);
  assert_true(json_is_null(json_object_get(json, "ja3")));
  assert_true(json_is_null(json_object_get(json, "ja4")));
  json_decref(json);
}

/* --- Fingerprints ----------------------------------------------------------------------------- */

static void expect_ja3(const char *expected)
{
  char ja3[HELLO_JA3];
  struct hello hello = read_craft();
  assert_true(hello_ja3(&hello, ja3));
  assert_string_equal(ja3, expected);
}

/* The two examples of its authors, and the first with GREASE strewn in. */
static void ja3_is_that_of_its_authors(void **state)
{
  (void) state;
  static const uint16_t suites[] = {47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4};
  static const uint16_t bare[] = {4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99};
  static const uint16_t groups[] = {23, 24, 25, 0xbaba};
  craft_ancient(&craft);
  craft_suites(&craft, 12, suites);
  craft_set_name(&craft, "a");
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 3, groups);
  craft_set(&craft, HELLO_EC_POINT_FORMATS, "\1\0", 2);
  expect_ja3("ada70206e40642a3e4461f35503241d5");
  craft_set(&craft, 0x6a6a, NULL, 0);
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 4, groups);
  craft_add_suite(&craft, 0x1a1a);
  expect_ja3("ada70206e40642a3e4461f35503241d5");
  craft_ancient(&craft);
  craft_suites(&craft, 11, bare);
  expect_ja3("de350869b8c85de67a350c8d186f11e6");
}

static void expect_ja4(const char *expected)
{
  char ja4[HELLO_JA4];
  struct hello hello = read_craft();
  assert_true(hello_ja4(&hello, ja4));
  assert_string_equal(ja4, expected);
}

/* The example of its authors: a browser, whose lists come in another order each time. */
static void craft_browser(void)
{
  static const uint16_t suites[] = {0x7a7a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                                    0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
  static const uint16_t schemes[] = {0x0403, 0x0804, 0x0401, 0x0503,
                                     0x0805, 0x0501, 0x0806, 0x0601};
  static const uint16_t versions[] = {0x3a3a, 0x0304, 0x0303};
  craft_modern(&craft);
  craft_suites(&craft, 16, suites);
  craft_set(&craft, 0x1a1a, NULL, 0);
  craft_set(&craft, 0x4469, "\0\3\2h2", 5);
  craft_set(&craft, 0x0012, NULL, 0);
  craft_set(&craft, 0x001b, "\2\0\2", 3);
  craft_set(&craft, 0x0005, "\1\0\0\0\0", 5);
  craft_set(&craft, HELLO_ALPN, "\0\x0c\2h2\x08http/1.1", 14);
  craft_set(&craft, HELLO_PADDING, "\0", 1);
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS, 2, 8, schemes);
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 3, versions);
}

static void ja4_is_that_of_its_authors(void **state)
{
  (void) state;
  craft_browser();
  expect_ja4("t13d1516h2_8daaf6152771_e5627efa2ab1");
  craft_set(&craft, HELLO_ALPN, "\0\3\2\xab\xcd", 5);
  expect_ja4("t13d1516ad_8daaf6152771_e5627efa2ab1");
  craft_set(&craft, HELLO_ALPN, "\0\4\3-xb", 6);
  expect_ja4("t13d151622_8daaf6152771_e5627efa2ab1");
  craft_drop(&craft, HELLO_ALPN);
  craft_drop(&craft, HELLO_SERVER_NAMES);
  expect_ja4("t13i151400_8daaf6152771_e5627efa2ab1");
}

static void fingerprints_count_to_99_and_are_left_out_of_half_a_list(void **state)
{
  (void) state;
  uint16_t groups[300];
  char print[HELLO_JA4];
  craft_modern(&craft);
  while (craft.suite_count < 120) craft_add_suite(&craft, (uint16_t) craft.suite_count);
  struct hello hello = read_craft();
  assert_true(hello_ja4(&hello, print));
  assert_memory_equal(print, "t13d991000_", 11);
  for (uint16_t i = 0; i < 300; i++) groups[i] = i;
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 300, groups);
  hello = read_craft();
  assert_false(hello_ja3(&hello, print));
  assert_string_equal(print, "");
}

static void ja4_of_an_old_client_has_zeros_for_what_it_lacks(void **state)
{
  (void) state;
  char ja4[HELLO_JA4];
  craft_ancient(&craft);
  struct hello hello = read_craft();
  assert_true(hello_ja4(&hello, ja4));
  assert_memory_equal(ja4, "t10i020000_", 11);
  assert_string_equal(ja4 + 23, "_000000000000");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(suites_are_called_as_openssl_calls_them),
      cmocka_unit_test(what_is_true_of_a_suite_is_what_openssl_says),
      cmocka_unit_test(numbers_have_ianas_names),
      cmocka_unit_test(nothing_stands_out_of_a_careful_client),
      cmocka_unit_test(nothing_stands_out_of_a_device),
      cmocka_unit_test(what_openssl_offers_by_itself_stands_out),
      cmocka_unit_test(old_versions_stand_out),
      cmocka_unit_test(weak_suites_stand_out),
      cmocka_unit_test(suites_of_versions_that_are_not_spoken_are_no_offer),
      cmocka_unit_test(a_client_with_cbc_alone_stands_out),
      cmocka_unit_test(weak_signatures_stand_out),
      cmocka_unit_test(weak_groups_stand_out),
      cmocka_unit_test(what_a_session_of_tls_12_needs_stands_out_where_it_is_missing),
      cmocka_unit_test(names_stand_out_that_are_missing_or_none),
      cmocka_unit_test(key_shares_stand_out_when_they_are_none_or_too_many),
      cmocka_unit_test(what_resumes_stands_out),
      cmocka_unit_test(the_rest_stands_out),
      cmocka_unit_test(findings_come_the_gravest_first),
      cmocka_unit_test(facts_fit_on_a_screen),
      cmocka_unit_test(facts_say_what_a_reader_asks_for),
      cmocka_unit_test(json_has_the_same_facts),
      cmocka_unit_test(json_says_how_much_had_no_room),
      cmocka_unit_test(ja3_is_that_of_its_authors),
      cmocka_unit_test(ja4_is_that_of_its_authors),
      cmocka_unit_test(fingerprints_count_to_99_and_are_left_out_of_half_a_list),
      cmocka_unit_test(ja4_of_an_old_client_has_zeros_for_what_it_lacks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
