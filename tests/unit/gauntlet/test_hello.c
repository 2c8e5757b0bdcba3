#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gauntlet/hello.h"
#include "hello_craft.h"

static uint8_t wire[CRAFT_MAX], other[CRAFT_MAX];
static struct craft craft;

/* In a block of exactly its size, so that a sanitizer sees a read past the end. */
static int read_exact(const uint8_t *data, size_t size, struct hello *out)
{
  uint8_t *exact = malloc(size + 1);
  memcpy(exact + 1, data, size);
  int result = hello_read(exact + 1, size, out);
  free(exact);
  return result;
}

static struct hello read_whole(const uint8_t *data, size_t size)
{
  struct hello hello;
  int result = read_exact(data, size, &hello);
  if (result != 1) fail_msg("read as %d (%s), expected a whole hello", result, hello.why);
  assert_int_equal(hello.wire_size, size);
  assert_string_equal(hello.why, "");
  return hello;
}

static struct hello read_craft(void)
{
  return read_whole(wire, craft_wire(&craft, 16384, wire));
}

static void expect_wrong(const uint8_t *data, size_t size, enum hello_wrong wrong, const char *why)
{
  struct hello hello;
  int result = read_exact(data, size, &hello);
  if (result != -1 || hello.wrong != wrong || strstr(hello.why, why) == NULL)
    fail_msg("read as %d, %s (%s); expected -1, %s (%s)", result, hello_wrong_word(hello.wrong),
             hello.why, hello_wrong_word(wrong), why);
  for (size_t cut = 0; cut < size; cut++) {
    int early = read_exact(data, cut, &hello);
    if (early == 1 || (early == -1 && hello.wrong != wrong))
      fail_msg("%zu of its %zu bytes are read as %d, %s; all of them as %s", cut, size, early,
               hello_wrong_word(hello.wrong), hello_wrong_word(wrong));
  }
}

static void expect_craft_wrong(enum hello_wrong wrong, const char *why)
{
  expect_wrong(wire, craft_wire(&craft, 16384, wire), wrong, why);
}

static void expect_numbers(const struct hello_numbers *list, size_t count, const uint16_t *values)
{
  assert_int_equal(list->count, count);
  assert_int_equal(list->more, 0);
  for (size_t i = 0; i < count; i++)
    if (list->value[i] != values[i])
      fail_msg("value %zu is 0x%04x, expected 0x%04x", i, list->value[i], values[i]);
}

/* --- Real clients ----------------------------------------------------------------------------- */

static void reads_what_openssl_was_told_to_offer(void **state)
{
  (void) state;
  static const uint16_t suites[] = {0x1301, 0xc02b, 0x00ff}, groups[] = {23, 29};
  static const uint16_t schemes[] = {0x0403, 0x0804}, versions[] = {0x0304, 0x0303};
  const struct craft_openssl wish = {.min = TLS1_2_VERSION,
                                     .max = TLS1_3_VERSION,
                                     .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
                                     .suites = "TLS_AES_128_GCM_SHA256",
                                     .groups = "P-256:X25519",
                                     .schemes = "ECDSA+SHA256:rsa_pss_rsae_sha256",
                                     .name = "broker.test",
                                     .protocols = "\4mqtt\x0ax-amzn-mqt"};
  struct hello hello = read_whole(wire, craft_by_openssl(&wish, wire));
  expect_numbers(&hello.suites, 3, suites);
  expect_numbers(&hello.groups, 2, groups);
  expect_numbers(&hello.schemes, 2, schemes);
  expect_numbers(&hello.versions, 2, versions);
  assert_int_equal(hello.record_version, HELLO_TLS10);
  assert_int_equal(hello.legacy_version, HELLO_TLS12);
  assert_int_equal(hello.highest, HELLO_TLS13);
  assert_int_equal(hello.lowest, HELLO_TLS12);
  assert_int_equal(hello.records, 1);
  assert_int_equal(hello.size + 5, hello.wire_size);
  assert_int_equal(hello.session_id_size, 32);
  assert_string_equal(hello.server_name, "broker.test");
  assert_false(hello.server_name_is_ip);
  assert_int_equal(hello.protocol_count, 2);
  assert_string_equal(hello.protocol[0], "mqtt");
  assert_string_equal(hello.protocol[1], "x-amzn-mqt");
  assert_int_equal(hello.share_count, 1);
  assert_int_equal(hello.share[0].group, 23);
  assert_int_equal(hello.share[0].size, 65);
  assert_int_equal(hello.compressions.count, 1);
  assert_int_equal(hello.compressions.value[0], 0);
  assert_int_equal(hello.psk_modes.count, 1);
  assert_int_equal(hello.psk_modes.value[0], 1);
  assert_int_equal(hello_extension_size(&hello, HELLO_SESSION_TICKET), 0);
  assert_true(hello_has(&hello, HELLO_EXTENDED_MASTER_SECRET));
  assert_true(hello_has(&hello, HELLO_ENCRYPT_THEN_MAC));
  assert_false(hello_has(&hello, HELLO_EARLY_DATA));
  assert_false(hello.grease);
}

static void a_client_of_tls_12_alone_rules_out_older_versions_by_its_suites(void **state)
{
  (void) state;
  struct craft_openssl wish = {.min = TLS1_2_VERSION,
                               .max = TLS1_2_VERSION,
                               .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA256"};
  struct hello hello = read_whole(wire, craft_by_openssl(&wish, wire));
  assert_false(hello_has(&hello, HELLO_SUPPORTED_VERSIONS));
  assert_int_equal(hello.highest, HELLO_TLS12);
  assert_int_equal(hello.lowest, HELLO_TLS12);
  wish.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA";
  hello = read_whole(wire, craft_by_openssl(&wish, wire));
  assert_int_equal(hello.highest, HELLO_TLS12);
  assert_int_equal(hello.lowest, 0);
}

static void an_old_client_names_its_highest_version(void **state)
{
  (void) state;
  const struct craft_openssl wish = {
      .min = TLS1_VERSION, .max = TLS1_1_VERSION, .ciphers = "AES128-SHA:@SECLEVEL=0"};
  struct hello hello = read_whole(wire, craft_by_openssl(&wish, wire));
  assert_int_equal(hello.highest, HELLO_TLS11);
  assert_int_equal(hello.lowest, 0);
  assert_false(hello_has(&hello, HELLO_SIGNATURE_ALGORITHMS));
}

static void a_client_that_begins_with_old_versions_lists_them(void **state)
{
  (void) state;
  const struct craft_openssl wish = {
      .min = TLS1_VERSION, .max = TLS1_3_VERSION, .ciphers = "ALL:@SECLEVEL=0"};
  struct hello hello = read_whole(wire, craft_by_openssl(&wish, wire));
  assert_int_equal(hello.highest, HELLO_TLS13);
  assert_int_equal(hello.lowest, HELLO_TLS10);
  assert_true(hello_lists(&hello.versions, HELLO_TLS11));
}

static void reads_pre_shared_key_and_early_data_of_openssl(void **state)
{
  (void) state;
  const struct craft_openssl wish = {.psk = "meter-4711"};
  size_t size = craft_by_openssl(&wish, wire);
  struct hello hello;
  assert_int_equal(read_exact(wire, size, &hello), 1);
  assert_int_equal(hello.psk_sizes.count, 1);
  assert_int_equal(hello.psk_sizes.value[0], 10);
  assert_true(hello.psk_is_last);
  assert_true(hello_has(&hello, HELLO_EARLY_DATA));
  assert_true(hello.wire_size < size); /* the early data follows it */
}

static void reads_what_a_device_offers(void **state)
{
  (void) state;
  static const uint16_t both[] = {0x1301, 0xc02b, 0x00ff}, group[] = {23}, scheme[] = {0x0403};
  struct hello hello = read_whole(wire, craft_by_device(12, 13, wire));
  expect_numbers(&hello.suites, 3, both);
  expect_numbers(&hello.groups, 1, group);
  expect_numbers(&hello.schemes, 1, scheme);
  assert_int_equal(hello.highest, HELLO_TLS13);
  assert_int_equal(hello.lowest, HELLO_TLS12);
  assert_string_equal(hello.server_name, "broker.test");
  assert_int_equal(hello.share_count, 1);
  hello = read_whole(wire, craft_by_device(12, 12, wire));
  assert_int_equal(hello.highest, HELLO_TLS12);
  assert_int_equal(hello.lowest, HELLO_TLS12);
  hello = read_whole(wire, craft_by_device(13, 13, wire));
  assert_int_equal(hello.highest, HELLO_TLS13);
  assert_int_equal(hello.lowest, HELLO_TLS13);
}

/* --- Pieces ----------------------------------------------------------------------------------- */

static void every_beginning_waits_for_more(void **state)
{
  (void) state;
  size_t size = craft_by_openssl(&(struct craft_openssl){.name = "broker.test"}, wire);
  struct hello hello;
  for (size_t cut = 0; cut < size; cut++) {
    int result = read_exact(wire, cut, &hello);
    if (result != 0) fail_msg("%zu of %zu bytes are read as %d (%s)", cut, size, result, hello.why);
  }
  read_whole(wire, size);
}

static void pieces_of_any_size_are_one_hello(void **state)
{
  (void) state;
  size_t size = craft_by_openssl(&(struct craft_openssl){.name = "broker.test"}, wire);
  struct hello whole = read_whole(wire, size), hello;
  for (size_t piece = 1; piece < size - 5; piece++) {
    hello = read_whole(other, craft_cut(wire, size, piece, other));
    size_t records = (size - 5 + piece - 1) / piece;
    if (hello.records != records)
      fail_msg("pieces of %zu: %u records, expected %zu", piece, hello.records, records);
    hello.records = whole.records;
    hello.wire_size = whole.wire_size;
    if (memcmp(&hello, &whole, sizeof hello) != 0)
      fail_msg("in pieces of %zu it says something else", piece);
  }
}

static void every_beginning_of_a_hello_in_pieces_waits_for_more(void **state)
{
  (void) state;
  struct hello hello;
  craft_modern(&craft);
  size_t size = craft_wire(&craft, 7, wire);
  for (size_t cut = 0; cut < size; cut++)
    if (read_exact(wire, cut, &hello) != 0)
      fail_msg("%zu of %zu bytes are read as %s", cut, size, hello.why);
  read_whole(wire, size);
}

static void what_follows_in_records_of_its_own_is_not_looked_at(void **state)
{
  (void) state;
  struct hello hello, alone;
  craft_modern(&craft);
  size_t size = craft_wire(&craft, 16384, wire);
  alone = read_whole(wire, size);
  memset(wire + size, 0x5a, 100);
  assert_int_equal(read_exact(wire, size + 100, &hello), 1);
  assert_memory_equal(&hello, &alone, sizeof hello);
}

static void a_flipped_bit_is_read_or_refused_with_a_sentence(void **state)
{
  (void) state;
  size_t size = craft_by_openssl(&(struct craft_openssl){.name = "broker.test"}, wire), read = 0;
  struct hello hello;
  for (size_t at = 0; at < size; at++)
    for (unsigned bit = 0; bit < 8; bit++) {
      wire[at] ^= (uint8_t) (1u << bit);
      int result = read_exact(wire, size, &hello);
      if (result < -1 || result > 1 || (result == -1) != (hello.why[0] != '\0') ||
          (result == -1) != (hello.wrong != HELLO_NOTHING))
        fail_msg("bit %u of byte %zu: read as %d with '%s'", bit, at, result, hello.why);
      read += result == 1;
      wire[at] ^= (uint8_t) (1u << bit);
    }
  assert_true(read > 32 * 8); /* those of the random and of the session id, at least */
}

/* --- What is none ----------------------------------------------------------------------------- */

#define EXPECT_FOREIGN(bytes, wrong) \
  expect_wrong((const uint8_t *) (bytes), sizeof(bytes) - 1, wrong, "")

static void a_client_without_tls_is_told_by_its_first_bytes(void **state)
{
  (void) state;
  EXPECT_FOREIGN("\x10\x14\0\4MQTT\4\2\0\x3c\0\0", HELLO_PLAIN_MQTT);
  EXPECT_FOREIGN("\x10\x94\x01\0\4MQTT\5\2\0\x3c\0\0", HELLO_PLAIN_MQTT);
  EXPECT_FOREIGN("\x10\x80\x80\x80\x01\0\6MQIsdp\3\2", HELLO_PLAIN_MQTT);
  EXPECT_FOREIGN("\x10\x14\0\4MQTX", HELLO_NOT_TLS);
  EXPECT_FOREIGN("\x10\x80\x80\x80\x80\x80", HELLO_NOT_TLS);
  EXPECT_FOREIGN("GET / HTTP/1.1\r\n\r\n", HELLO_PLAIN_TEXT);
  EXPECT_FOREIGN("SSH-2.0-x\r\n", HELLO_PLAIN_TEXT);
  EXPECT_FOREIGN("\x80\x2e\1\0\2\0\x15\0\0\0\x10", HELLO_SSL2);
  EXPECT_FOREIGN("\x80\x2e\4", HELLO_NOT_TLS);
  EXPECT_FOREIGN("\x15\3\3\0\2\2\x28", HELLO_ALERT);
  EXPECT_FOREIGN("\x15\5", HELLO_NOT_TLS);
  EXPECT_FOREIGN("\0\0\0\0\0", HELLO_NOT_TLS);
  EXPECT_FOREIGN("\xff\xff\xff\xff", HELLO_NOT_TLS);
  EXPECT_FOREIGN("\x16\xfe\xfd\0\0", HELLO_NOT_TLS); /* DTLS */
}

static void records_that_hold_no_hello_are_refused(void **state)
{
  (void) state;
  expect_wrong((const uint8_t *) "\x16\3\1\0\4\2\0\0\0", 9, HELLO_MALFORMED, "another one");
  expect_wrong((const uint8_t *) "\x16\3\1\0\0", 5, HELLO_MALFORMED, "empty");
  expect_wrong((const uint8_t *) "\x16\3\1\x40\1", 5, HELLO_MALFORMED, "longer than 16,384");
  expect_wrong((const uint8_t *) "\x16\3\1\0\1\1\x17\3\3\0\1\0", 12, HELLO_MALFORMED,
               "between its pieces");
  expect_wrong((const uint8_t *) "\x16\3\1\0\1\1\x16\2\3\0\1\0", 12, HELLO_MALFORMED,
               "of no version");
  expect_wrong((const uint8_t *) "\x16\3\1\0\4\1\0\0\0", 9, HELLO_MALFORMED, "ends within");
}

static void a_message_behind_it_in_its_record_is_refused(void **state)
{
  (void) state;
  craft_modern(&craft);
  size_t size = craft_wire(&craft, 16384, wire);
  wire[4]++;
  wire[size] = 0;
  expect_wrong(wire, size + 1, HELLO_MALFORMED, "follows it in its record");
}

static void a_hello_without_bounds_is_refused_by_its_head(void **state)
{
  (void) state;
  expect_wrong((const uint8_t *) "\x16\3\1\x40\0\1\xff\xff\xff", 9, HELLO_TOO_LARGE, "16,384");
  expect_wrong((const uint8_t *) "\x16\3\1\0\4\1\0\x3f\xfd", 9, HELLO_TOO_LARGE, "16,384");
  assert_int_equal(read_exact((const uint8_t *) "\x16\3\1\0\4\1\0\x3f\xfc", 9, &(struct hello){0}),
                   0);
}

static void the_largest_hello_is_read_and_one_in_too_many_pieces_is_not(void **state)
{
  (void) state;
  static uint8_t zeros[2048];
  struct hello hello;
  craft_modern(&craft);
  for (uint16_t number = 0x7000; number < 0x7007; number++)
    craft_set(&craft, number, zeros, sizeof zeros);
  size_t short_by = 16384 + 5 - craft_wire(&craft, 16384, wire);
  craft_set(&craft, 0x7007, zeros, short_by - 4);
  hello = read_whole(wire, craft_wire(&craft, 16384, wire));
  assert_int_equal(hello.size, HELLO_MAX);
  read_whole(other, craft_cut(wire, hello.wire_size, 23, other));
  struct hello cut;
  size_t size = craft_cut(wire, hello.wire_size, 22, other);
  assert_int_equal(read_exact(other, size, &cut), -1);
  assert_int_equal(cut.wrong, HELLO_TOO_LARGE);
}

/* --- Fields ----------------------------------------------------------------------------------- */

static void a_hello_without_extensions_is_one(void **state)
{
  (void) state;
  craft_ancient(&craft);
  struct hello hello = read_craft();
  assert_int_equal(hello.extension_count, 0);
  assert_int_equal(hello.highest, HELLO_TLS10);
  assert_int_equal(hello.session_id_size, 0);
  assert_string_equal(hello.server_name, "");
  assert_int_equal(hello_extension_size(&hello, HELLO_SERVER_NAMES), -1);
}

static void fields_that_break_the_rules_are_refused(void **state)
{
  (void) state;
  craft_ancient(&craft);
  craft.session_id_size = 33;
  expect_craft_wrong(HELLO_MALFORMED, "session id");
  craft_ancient(&craft);
  craft.suite_count = 0;
  expect_craft_wrong(HELLO_MALFORMED, "suites");
  craft_ancient(&craft);
  craft.compression_count = 0;
  expect_craft_wrong(HELLO_MALFORMED, "compression");
}

static void lists_that_are_too_long_are_counted(void **state)
{
  (void) state;
  craft_modern(&craft);
  while (craft.suite_count < 300) craft_add_suite(&craft, (uint16_t) craft.suite_count);
  for (int i = 1; i <= 20; i++) craft.compressions[craft.compression_count++] = (uint8_t) i;
  struct hello hello = read_craft();
  assert_int_equal(hello.suites.count, HELLO_NUMBERS);
  assert_int_equal(hello.suites.more, 300 - HELLO_NUMBERS);
  assert_int_equal(hello.suites.value[255], 255);
  assert_int_equal(hello.compressions.count, 16);
  assert_int_equal(hello.compressions.more, 5);
}

static void server_names_are_shown_as_far_as_they_can_be(void **state)
{
  (void) state;
  static const struct {
    const char *name;
    const char *shown;
    bool is_ip;
  } cases[] = {{"broker.test", "broker.test", false}, {"10.0.0.7", "10.0.0.7", true},
               {"2001:db8::1", "2001:db8::1", true},  {"10.0.0.7.test", "10.0.0.7.test", false},
               {"a\x1b[2J\xff", "a?[2J?", false},     {"10.0.0", "10.0.0", false},
               {"b\xc3\xbc.test", "b??.test", false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    craft_modern(&craft);
    craft_set_name(&craft, cases[i].name);
    struct hello hello = read_craft();
    assert_string_equal(hello.server_name, cases[i].shown);
    if (hello.server_name_is_ip != cases[i].is_ip)
      fail_msg("'%s' is taken for %s address", cases[i].name, cases[i].is_ip ? "no" : "an");
  }
  char long_name[400] = "";
  memset(long_name, 'a', 399);
  craft_set_name(&craft, long_name);
  assert_int_equal(strlen(read_craft().server_name), HELLO_SERVER_NAME - 1);
}

static void reads_the_small_extensions(void **state)
{
  (void) state;
  static const uint16_t schemes[] = {0x0804};
  craft_modern(&craft);
  craft_set(&craft, HELLO_MAX_FRAGMENT_LENGTH, "\2", 1);
  craft_set(&craft, HELLO_RECORD_SIZE_LIMIT, "\4\1", 2);
  craft_set(&craft, HELLO_HEARTBEAT, "\2", 1);
  craft_set(&craft, HELLO_CERTIFICATE_AUTHORITIES, "\0\7\0\2\x30\0\0\1\x30", 9);
  craft_set(&craft, HELLO_COOKIE, "\0\2hi", 4);
  craft_set(&craft, HELLO_PADDING, "\0\0\0", 3);
  craft_set(&craft, HELLO_ENCRYPTED_CLIENT_HELLO, "\0\0\1\0\1\7\0\0\0\1\0", 11);
  craft_set(&craft, HELLO_SESSION_TICKET, "0123456789", 10);
  craft_set(&craft, HELLO_POST_HANDSHAKE_AUTH, NULL, 0);
  craft_set(&craft, HELLO_EC_POINT_FORMATS, "\3\0\1\2", 4);
  craft_set_numbers(&craft, HELLO_SIGNATURE_ALGORITHMS_CERT, 2, 1, schemes);
  struct hello hello = read_craft();
  assert_int_equal(hello.max_fragment_size, 1024);
  assert_int_equal(hello.record_size_limit, 1025);
  assert_int_equal(hello.heartbeat, 2);
  assert_int_equal(hello.authorities, 2);
  assert_int_equal(hello.point_formats.count, 3);
  assert_int_equal(hello.certificate_schemes.value[0], 0x0804);
  assert_int_equal(hello_extension_size(&hello, HELLO_COOKIE), 4);
  assert_int_equal(hello_extension_size(&hello, HELLO_PADDING), 3);
  assert_int_equal(hello_extension_size(&hello, HELLO_ENCRYPTED_CLIENT_HELLO), 11);
  assert_int_equal(hello_extension_size(&hello, HELLO_SESSION_TICKET), 10);
  assert_true(hello_has(&hello, HELLO_POST_HANDSHAKE_AUTH));
  craft_set(&craft, HELLO_MAX_FRAGMENT_LENGTH, "\5", 1);
  assert_int_equal(read_craft().max_fragment_size, 0);
}

static void grease_is_seen_in_every_list(void **state)
{
  (void) state;
  static const uint16_t groups[] = {0x2a2a, 29}, versions[] = {0xfafa, 0x0304, 0x0303};
  craft_modern(&craft);
  assert_false(read_craft().grease);
  craft_add_suite(&craft, 0x0a0a);
  assert_true(read_craft().grease);
  craft_modern(&craft);
  craft_set_numbers(&craft, HELLO_SUPPORTED_GROUPS, 2, 2, groups);
  assert_true(read_craft().grease);
  craft_modern(&craft);
  craft_set_numbers(&craft, HELLO_SUPPORTED_VERSIONS, 1, 3, versions);
  struct hello hello = read_craft();
  assert_true(hello.grease);
  assert_int_equal(hello.highest, HELLO_TLS13);
  craft_modern(&craft);
  craft_set(&craft, 0x3a3a, NULL, 0);
  assert_true(read_craft().grease);
  assert_false(hello_is_grease(0x0a1a));
  assert_false(hello_is_grease(0x0b0b));
}

/* number, content: each breaks one rule of its extension */
static const struct {
  uint16_t number;
  size_t size;
  const char *content, *name;
} broken[] = {
    {0, 0, "", "server_name"},
    {0, 2, "\0\0", "server_name"},
    {0, 5, "\0\3\0\0\0", "server_name"},
    {0, 7, "\0\4\0\0\1ab", "server_name"},
    {0, 6, "\0\4\0\0\2a", "server_name"},
    {0, 10, "\0\x08\0\0\1a\0\0\1b", "server_name"},
    {1, 2, "\1\1", "max_fragment_length"},
    {10, 2, "\0\0", "supported_groups"},
    {10, 5, "\0\3\0\x17\0", "supported_groups"},
    {10, 6, "\0\2\0\x17\0\x18", "supported_groups"},
    {11, 1, "\0", "ec_point_formats"},
    {13, 4, "\0\4\4\3", "signature_algorithms"},
    {15, 0, "", "heartbeat"},
    {16, 3, "\0\1\0", "application_layer_protocol_negotiation"},
    {16, 6, "\0\4\4mqt", "application_layer_protocol_negotiation"},
    {28, 1, "\1", "record_size_limit"},
    {41, 2, "\0\0", "pre_shared_key"},
    {41, 11, "\0\7\0\1x\0\0\0\0\0\0", "pre_shared_key"},
    {43, 3, "\3\3\4", "supported_versions"},
    {43, 1, "\0", "supported_versions"},
    {45, 1, "\0", "psk_key_exchange_modes"},
    {47, 4, "\0\2\0\0", "certificate_authorities"},
    {50, 2, "\0\0", "signature_algorithms_cert"},
    {51, 6, "\0\4\0\x1d\0\0", "key_share"},
    {51, 4, "\0\3\0\x1d", "key_share"},
    {0xff01, 0, "", "renegotiation_info"},
};

static void an_extension_whose_lengths_do_not_fit_is_named(void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    craft_modern(&craft);
    craft_set(&craft, broken[i].number, broken[i].content, broken[i].size);
    expect_craft_wrong(HELLO_MALFORMED, broken[i].name);
  }
}

/* One identity more than binders, and one binder more than identities. */
static void identities_and_binders_come_in_pairs(void **state)
{
  (void) state;
  uint8_t psk[2 + 7 + 2 + 33 + 33] = {0, 7, 0, 1, 'x', 0, 0, 0, 0, 0, 33, 32};
  craft_modern(&craft);
  craft_set(&craft, HELLO_PRE_SHARED_KEY, psk, 2 + 7 + 2 + 33);
  assert_int_equal(read_craft().psk_sizes.count, 1);
  assert_true(read_craft().psk_is_last);
  psk[10] = 66;
  psk[11 + 33] = 32;
  craft_set(&craft, HELLO_PRE_SHARED_KEY, psk, sizeof psk);
  expect_craft_wrong(HELLO_MALFORMED, "pre_shared_key");
  psk[10] = 32;
  psk[11] = 31;
  craft_set(&craft, HELLO_PRE_SHARED_KEY, psk, 2 + 7 + 2 + 32);
  expect_craft_wrong(HELLO_MALFORMED, "pre_shared_key");
}

static void an_extension_that_comes_twice_is_refused(void **state)
{
  (void) state;
  craft_modern(&craft);
  craft.extension[craft.extension_count++] = craft.extension[2];
  expect_craft_wrong(HELLO_MALFORMED, "comes twice");
}

static void extensions_end_where_the_hello_ends(void **state)
{
  (void) state;
  craft_ancient(&craft);
  craft_set(&craft, 23, NULL, 0);
  size_t size = craft_wire(&craft, 16384, wire); /* ends with 00 04, 00 17 00 00 */
  struct hello hello;
  wire[size - 5] = 3;
  expect_wrong(wire, size, HELLO_MALFORMED, "length of its extensions");
  wire[size - 5] = 4;
  wire[size - 1] = 1;
  expect_wrong(wire, size, HELLO_MALFORMED, "extended_master_secret ends behind");
  wire[size - 1] = 0;
  assert_int_equal(read_exact(wire, size, &hello), 1);
}

static void more_extensions_than_there_are_names_for_are_refused(void **state)
{
  (void) state;
  craft_ancient(&craft);
  for (uint16_t number = 0x7000; number < 0x7100; number++) craft_set(&craft, number, NULL, 0);
  assert_int_equal(read_craft().extension_count, 256);
  craft_set(&craft, 0x7100, NULL, 0);
  expect_craft_wrong(HELLO_MALFORMED, "one more than the 256");
}

static void an_empty_list_of_key_shares_is_a_wish_to_be_asked(void **state)
{
  (void) state;
  craft_modern(&craft);
  craft_set(&craft, HELLO_KEY_SHARE, "\0\0", 2);
  assert_int_equal(read_craft().share_count, 0);
}

static void unknown_extensions_are_kept_in_their_order(void **state)
{
  (void) state;
  craft_ancient(&craft);
  craft_set(&craft, 0xabcd, "xyz", 3);
  craft_set(&craft, 0x1234, NULL, 0);
  struct hello hello = read_craft();
  assert_int_equal(hello.extension_count, 2);
  assert_int_equal(hello.extension[0].number, 0xabcd);
  assert_int_equal(hello.extension[0].size, 3);
  assert_int_equal(hello.extension[1].number, 0x1234);
  assert_false(hello_knows_extension(0xabcd));
  assert_true(hello_knows_extension(HELLO_KEY_SHARE));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_openssl_was_told_to_offer),
      cmocka_unit_test(a_client_of_tls_12_alone_rules_out_older_versions_by_its_suites),
      cmocka_unit_test(an_old_client_names_its_highest_version),
      cmocka_unit_test(a_client_that_begins_with_old_versions_lists_them),
      cmocka_unit_test(reads_pre_shared_key_and_early_data_of_openssl),
      cmocka_unit_test(reads_what_a_device_offers),
      cmocka_unit_test(every_beginning_waits_for_more),
      cmocka_unit_test(pieces_of_any_size_are_one_hello),
      cmocka_unit_test(every_beginning_of_a_hello_in_pieces_waits_for_more),
      cmocka_unit_test(what_follows_in_records_of_its_own_is_not_looked_at),
      cmocka_unit_test(a_flipped_bit_is_read_or_refused_with_a_sentence),
      cmocka_unit_test(a_client_without_tls_is_told_by_its_first_bytes),
      cmocka_unit_test(records_that_hold_no_hello_are_refused),
      cmocka_unit_test(a_message_behind_it_in_its_record_is_refused),
      cmocka_unit_test(a_hello_without_bounds_is_refused_by_its_head),
      cmocka_unit_test(the_largest_hello_is_read_and_one_in_too_many_pieces_is_not),
      cmocka_unit_test(a_hello_without_extensions_is_one),
      cmocka_unit_test(fields_that_break_the_rules_are_refused),
      cmocka_unit_test(lists_that_are_too_long_are_counted),
      cmocka_unit_test(server_names_are_shown_as_far_as_they_can_be),
      cmocka_unit_test(reads_the_small_extensions),
      cmocka_unit_test(grease_is_seen_in_every_list),
      cmocka_unit_test(an_extension_whose_lengths_do_not_fit_is_named),
      cmocka_unit_test(identities_and_binders_come_in_pairs),
      cmocka_unit_test(an_extension_that_comes_twice_is_refused),
      cmocka_unit_test(extensions_end_where_the_hello_ends),
      cmocka_unit_test(more_extensions_than_there_are_names_for_are_refused),
      cmocka_unit_test(an_empty_list_of_key_shares_is_a_wish_to_be_asked),
      cmocka_unit_test(unknown_extensions_are_kept_in_their_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
