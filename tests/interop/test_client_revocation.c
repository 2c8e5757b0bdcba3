/* What the device makes of revocation lists in its trust bundle when OpenSSL presents a chain, by
   policy. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <mbedtls/platform.h>

#include "client_rig.h"

#define LISTS_MAX 2u
#define POLICIES  3

static struct client_pki pki;

static int make_pki(void **state)
{
  (void) state;
  client_pki_make(&pki);
  return 0;
}

static int free_pki(void **state)
{
  (void) state;
  client_pki_free(&pki);
  return 0;
}

/* A device with these anchors and lists meets what rig->server presents. */
static void meet(struct client_rig *rig, X509 *const roots[2], const struct client_crl *lists,
                 size_t count)
{
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t size = client_pki_bundle_with_lists(&pki, 2, roots, lists, count, bundle, sizeof bundle);
  client_rig_reflash(rig, bundle, size);
  client_rig_open(rig, false);
  client_rig_pump(rig);
}

static void expect(const struct client_rig *rig, enum device_failure failure)
{
  if (failure != DEVICE_FAIL_NONE) {
    client_rig_expect_end(rig, failure);
    assert_int_equal(rig->notes[DEVICE_NOTE_HANDSHAKE], 0);
    return;
  }
  if (rig->notes[DEVICE_NOTE_ENDED] != 0)
    fail_msg("refused as %s, expected to be accepted",
             device_failure_name(rig->last[DEVICE_NOTE_ENDED].failure));
  assert_int_equal(rig->notes[DEVICE_NOTE_HANDSHAKE], 1);
  assert_false(rig->last[DEVICE_NOTE_HANDSHAKE].resumed);
}

struct rehearsal {
  const char *what;
  struct client_crl lists[LISTS_MAX];
  enum device_failure off, held, required;
};

static void rehearse(const struct rehearsal *r, uint8_t tls, enum device_revocation policy)
{
  static const char *const names[POLICIES] = {"off", "held", "required"};
  const enum device_failure expected[POLICIES] = {r->off, r->held, r->required};
  struct client_rig rig;
  size_t count = 0;
  while (count < LISTS_MAX && r->lists[count].signer != NULL) count++;
  print_message("  TLS %u, %s: %s\n", tls, names[policy], r->what);
  client_rig_make(&rig, &pki, tls, 5);
  rig.profile.revocation = (uint8_t) policy;
  meet(&rig, (X509 *const[]){pki.a.certificate, pki.spare.certificate}, r->lists, count);
  expect(&rig, expected[policy]);
  client_rig_free(&rig);
}

#define OK      DEVICE_FAIL_NONE
#define REVOKED DEVICE_FAIL_TLS_REVOKED
#define CRL     DEVICE_FAIL_TLS_CRL

static void judges_the_chain_by_the_lists_it_holds_as_its_policy_says(void **state)
{
  (void) state;
  const struct client_party *a = &pki.a, *b = &pki.b, *brokers = &pki.brokers;
  const X509 *leaf = pki.broker.certificate, *issuing = pki.brokers.certificate,
             *other = pki.device.certificate;
  const struct rehearsal all[] = {
      {"no list at all", {{0}}, OK, OK, CRL},
      {"both CAs' lists, empty",
       {{a, NULL, NULL, -1, 30}, {brokers, NULL, NULL, -1, 30}},
       OK,
       OK,
       OK},
      {"leaf revoked",
       {{a, NULL, NULL, -1, 30}, {brokers, NULL, leaf, -1, 30}},
       OK,
       REVOKED,
       REVOKED},
      {"leaf revoked, root's list missing", {{brokers, NULL, leaf, -1, 30}}, OK, REVOKED, REVOKED},
      {"intermediate revoked",
       {{a, NULL, issuing, -1, 30}, {brokers, NULL, NULL, -1, 30}},
       OK,
       REVOKED,
       REVOKED},
      {"intermediate revoked, its list missing",
       {{a, NULL, issuing, -1, 30}},
       OK,
       REVOKED,
       REVOKED},
      {"intermediate's list missing", {{a, NULL, NULL, -1, 30}}, OK, OK, CRL},
      {"root's list missing", {{brokers, NULL, NULL, -1, 30}}, OK, OK, CRL},
      {"expired", {{a, NULL, NULL, -1, 30}, {brokers, NULL, NULL, -30, -1}}, OK, OK, CRL},
      {"expired, leaf in it",
       {{a, NULL, NULL, -1, 30}, {brokers, NULL, leaf, -30, -1}},
       OK,
       REVOKED,
       REVOKED},
      {"not yet valid", {{a, NULL, NULL, 1, 30}, {brokers, NULL, NULL, -1, 30}}, OK, OK, CRL},
      {"not yet valid, leaf in it",
       {{a, NULL, NULL, -1, 30}, {brokers, NULL, leaf, 1, 30}},
       OK,
       REVOKED,
       REVOKED},
      {"in the issuer's name by another key",
       {{a, NULL, NULL, -1, 30}, {b, brokers, NULL, -1, 30}},
       OK,
       CRL,
       CRL},
      {"another CA's list", {{a, NULL, NULL, -1, 30}, {b, NULL, NULL, -1, 30}}, OK, OK, CRL},
      {"its number in another CA's list",
       {{a, NULL, leaf, -1, 30}, {brokers, NULL, NULL, -1, 30}},
       OK,
       OK,
       OK},
      {"another certificate",
       {{a, NULL, NULL, -1, 30}, {brokers, NULL, other, -1, 30}},
       OK,
       OK,
       OK},
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    for (uint8_t tls = 12; tls <= 13; tls++)
      for (int policy = 0; policy < POLICIES; policy++)
        rehearse(&all[i], tls, (enum device_revocation) policy);
}

static void a_wrong_clock_is_called_that_and_no_revocation(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.revocation = DEVICE_REVOCATION_REQUIRED;
  rig.unix_s = 0;
  const struct client_crl lists[] = {{&pki.a, NULL, NULL, -1, 30},
                                     {&pki.brokers, NULL, NULL, -1, 30}};
  meet(&rig, (X509 *const[]){pki.a.certificate, pki.spare.certificate}, lists, 2);
  expect(&rig, DEVICE_FAIL_TLS_NOT_YET_VALID);
  client_rig_free(&rig);
}

/* Root B's key certified by A: who holds A alone needs the cross-certificate, who holds B never
   looks at it. */
static void a_revoked_cross_certificate_stops_only_those_who_need_it(void **state)
{
  (void) state;
  struct client_party cross =
      client_pki_issue(&pki.a, &(struct client_recipe){"root B", NULL, NULL, -100, 300});
  struct client_party leaf = client_pki_issue(
      &pki.b, &(struct client_recipe){CLIENT_HOST, "DNS:" CLIENT_HOST, "serverAuth", -10, 300});
  struct client_rig rig;
  /* a cross-certificate has the subject's own key */
  X509_set_pubkey(cross.certificate, pki.b.key);
  assert_true(X509_sign(cross.certificate, pki.a.key, EVP_sha256()) > 0);
  for (int revoked = 0; revoked <= 1; revoked++)
    for (int holds_b = 0; holds_b <= 1; holds_b++) {
      const struct client_crl list = {&pki.a, NULL, revoked ? cross.certificate : NULL, -1, 30};
      client_rig_make(&rig, &pki, 13, 5);
      rig.profile.revocation = DEVICE_REVOCATION_HELD;
      client_rig_present(&rig, &leaf, cross.certificate);
      meet(&rig,
           (X509 *const[]){pki.a.certificate, holds_b ? pki.b.certificate : pki.spare.certificate},
           &list, 1);
      expect(&rig, revoked && !holds_b ? REVOKED : OK);
      client_rig_free(&rig);
    }
  client_party_free(&leaf);
  client_party_free(&cross);
}

static void a_list_takes_the_ticket_with_it_so_that_the_broker_is_judged_anew(void **state)
{
  (void) state;
  static const uint8_t kept_in[] = {DEVICE_RESUME_RAM, DEVICE_RESUME_NVM};
  for (size_t c = 0; c < 4; c++) {
    struct client_rig rig;
    uint8_t bundle[DEVICE_NVM_TRUST_MAX];
    const struct client_crl list = {&pki.brokers, NULL, pki.broker.certificate, -1, 30};
    client_rig_make(&rig, &pki, c < 2 ? 12 : 13, 5);
    rig.profile.resume = kept_in[c % 2];
    rig.profile.revocation = DEVICE_REVOCATION_HELD;
    for (int i = 0; i < 2; i++) {
      client_rig_online(&rig, false, false);
      assert_int_equal(rig.last[DEVICE_NOTE_HANDSHAKE].resumed, i);
      if (i == 1) {
        size_t size = client_pki_bundle_with_lists(
            &pki, 2, (X509 *const[]){pki.a.certificate, pki.spare.certificate}, &list, 1, bundle,
            sizeof bundle);
        client_rig_send(&rig, "private/00000a1f/trust", bundle, size, 1, 7);
        assert_int_equal(rig.last[DEVICE_NOTE_TRUST].code, DEVICE_UPDATE_COMMITTED);
      }
      client_rig_stop(&rig);
    }
    if (rig.profile.resume == DEVICE_RESUME_NVM) client_rig_power_cycle(&rig);
    client_rig_open(&rig, false); /* it may resume, but has nothing to resume with */
    client_rig_pump(&rig);
    client_rig_expect_end(&rig, REVOKED);
    assert_int_equal(rig.notes[DEVICE_NOTE_HANDSHAKE], 2);
    client_rig_free(&rig);
  }
}

/* Blocks of memory that the library holds now, and the most at once. */
static size_t blocks, blocks_peak;

static void *counted_calloc(size_t count, size_t size)
{
  void *block = calloc(count, size);
  if (block != NULL && ++blocks > blocks_peak) blocks_peak = blocks;
  return block;
}

static void counted_free(void *block)
{
  if (block != NULL) blocks--;
  free(block);
}

static void lists_take_memory_in_a_handshake_and_none_of_a_device_that_is_online(void **state)
{
  (void) state;
  const struct client_crl lists[] = {{&pki.a, NULL, NULL, -1, 30},
                                     {&pki.brokers, NULL, pki.device.certificate, -1, 30}};
  size_t online[2], peak[2];
  for (size_t count = 0; count <= 2; count += 2) {
    struct client_rig rig;
    uint8_t bundle[DEVICE_NVM_TRUST_MAX];
    size_t size = client_pki_bundle_with_lists(
        &pki, 2, (X509 *const[]){pki.a.certificate, pki.spare.certificate}, lists, count, bundle,
        sizeof bundle);
    client_rig_make(&rig, &pki, 13, 5);
    rig.profile.revocation = DEVICE_REVOCATION_HELD;
    client_rig_reflash(&rig, bundle, size);
    blocks = blocks_peak = 0;
    mbedtls_platform_set_calloc_free(counted_calloc, counted_free);
    client_rig_online(&rig, false, false);
    online[count / 2] = blocks;
    peak[count / 2] = blocks_peak;
    client_rig_free(&rig);
    mbedtls_platform_set_calloc_free(calloc, free);
  }
  print_message("  blocks without and with lists: online %zu and %zu, at most %zu and %zu\n",
                online[0], online[1], peak[0], peak[1]);
  assert_int_equal(online[0], online[1]);
  assert_true(peak[1] > peak[0]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(judges_the_chain_by_the_lists_it_holds_as_its_policy_says),
      cmocka_unit_test(a_wrong_clock_is_called_that_and_no_revocation),
      cmocka_unit_test(a_revoked_cross_certificate_stops_only_those_who_need_it),
      cmocka_unit_test(lists_take_memory_in_a_handshake_and_none_of_a_device_that_is_online),
      cmocka_unit_test(a_list_takes_the_ticket_with_it_so_that_the_broker_is_judged_anew),
  };
  return cmocka_run_group_tests(tests, make_pki, free_pki);
}
