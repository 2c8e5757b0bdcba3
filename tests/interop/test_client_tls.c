/* what a connection still holds: the library has no getters for it */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
/* The device's TLS against OpenSSL: what it accepts, what it refuses, and what it calls the
   reason. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "client_rig.h"
#include "crypto/records.h"
#include "device/client.h"

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

static void meet(struct client_rig *rig)
{
  client_rig_open(rig, false);
  client_rig_pump(rig);
}

static void goes_online_with_both_versions_of_tls_and_mqtt(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (uint8_t mqtt = 4; mqtt <= 5; mqtt++) {
      struct client_rig rig;
      uint8_t anchor[32];
      client_rig_make(&rig, &pki, tls, mqtt);
      client_rig_online(&rig, false, false);
      const struct device_note *handshake = &rig.last[DEVICE_NOTE_HANDSHAKE];
      assert_string_equal(rig.trace, "opening handshaking connecting subscribing online ");
      assert_int_equal(handshake->tls_version, tls);
      assert_int_equal(handshake->chain_certificates, 2);
      assert_false(handshake->resumed);
      X509_digest(pki.a.certificate, EVP_sha256(), anchor, NULL);
      assert_memory_equal(rig.anchor_id, anchor, sizeof anchor);
      assert_string_equal(SSL_get_cipher(rig.ssl),
                          tls == 13 ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256");
      assert_int_equal(rig.deadline_ms, rig.now_ms + 30000);
      client_rig_free(&rig);
    }
}

static void goes_online_when_every_byte_arrives_alone(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    rig.chunk = 1;
    client_rig_online(&rig, false, false);
    client_rig_free(&rig);
  }
}

static void falls_back_to_tls_12_only_when_its_profile_allows_it(void **state)
{
  (void) state;
  for (uint8_t least = 12; least <= 13; least++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    rig.profile.tls_min = least;
    SSL_CTX_set_max_proto_version(rig.server, TLS1_2_VERSION);
    meet(&rig);
    if (least == 13)
      client_rig_expect_end(&rig, DEVICE_FAIL_TLS_ALERT_HANDSHAKE);
    else
      assert_int_equal(rig.last[DEVICE_NOTE_HANDSHAKE].tls_version, 12);
    client_rig_free(&rig);
  }
}

struct refusal {
  const char *why;
  struct client_recipe leaf;
  const struct client_party *issuer, *sent; /* `sent`: the intermediate in the chain */
  int64_t clock_days;
  enum device_failure failure;
};

static void refuse_one(const struct refusal *refusal, uint8_t tls)
{
  struct client_rig rig;
  struct client_party leaf = client_pki_issue(refusal->issuer, &refusal->leaf);
  client_rig_make(&rig, &pki, tls, 5);
  client_rig_present(&rig, &leaf, refusal->sent != NULL ? refusal->sent->certificate : NULL);
  rig.unix_s =
      refusal->clock_days == INT64_MIN ? 0 : CLIENT_UNIX + refusal->clock_days * CLIENT_DAY;
  meet(&rig);
  print_message("  TLS %u, %s\n", tls, refusal->why);
  client_rig_expect_end(&rig, refusal->failure);
  assert_true(rig.closed);
  assert_int_equal(rig.notes[DEVICE_NOTE_HANDSHAKE], 0);
  assert_true(rig.last[DEVICE_NOTE_ENDED].verify_flags != 0);
  assert_int_equal(rig.last[DEVICE_NOTE_ENDED].chain_certificates, refusal->sent != NULL ? 2 : 1);
  client_rig_free(&rig);
  client_party_free(&leaf);
}

static void refuses_a_broker_whose_certificate_it_cannot_believe(void **state)
{
  (void) state;
  const struct client_recipe good = {CLIENT_HOST, "DNS:" CLIENT_HOST, "serverAuth", -10, 300};
  const struct client_recipe stale = {CLIENT_HOST, "DNS:" CLIENT_HOST, "serverAuth", -10, -1};
  const struct client_recipe early = {CLIENT_HOST, "DNS:" CLIENT_HOST, "serverAuth", 1, 300};
  const struct client_recipe other = {"other.test", "DNS:other.test", "serverAuth", -10, 300};
  const struct client_recipe device = {CLIENT_HOST, "DNS:" CLIENT_HOST, "clientAuth", -10, 300};
  const struct refusal refusals[] = {
      {"another root", good, &pki.b, NULL, 0, DEVICE_FAIL_TLS_NOT_TRUSTED},
      {"intermediate not served", good, &pki.brokers, NULL, 0, DEVICE_FAIL_TLS_NOT_TRUSTED},
      {"leaf expired", stale, &pki.brokers, &pki.brokers, 0, DEVICE_FAIL_TLS_EXPIRED},
      {"leaf not yet valid", early, &pki.brokers, &pki.brokers, 0, DEVICE_FAIL_TLS_NOT_YET_VALID},
      {"clock at 1970", good, &pki.brokers, &pki.brokers, INT64_MIN, DEVICE_FAIL_TLS_NOT_YET_VALID},
      {"clock years ahead", good, &pki.brokers, &pki.brokers, 5000, DEVICE_FAIL_TLS_EXPIRED},
      {"another name", other, &pki.brokers, &pki.brokers, 0, DEVICE_FAIL_TLS_NAME_MISMATCH},
      {"a device as broker", device, &pki.a, NULL, 0, DEVICE_FAIL_TLS_BAD_USAGE},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
    for (uint8_t tls = 12; tls <= 13; tls++) refuse_one(&refusals[i], tls);
}

static void refuses_an_expired_cross_certificate_as_expired(void **state)
{
  (void) state;
  struct client_rig rig;
  /* root B's key, certified by A until yesterday; the device trusts A and not B */
  struct client_party cross =
      client_pki_issue(&pki.a, &(struct client_recipe){"root B", NULL, NULL, -100, -1});
  struct client_party leaf = client_pki_issue(
      &cross, &(struct client_recipe){CLIENT_HOST, "DNS:" CLIENT_HOST, "serverAuth", -10, 300});
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_present(&rig, &leaf, cross.certificate);
  meet(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_TLS_EXPIRED);
  client_rig_free(&rig);
  client_party_free(&leaf);
  client_party_free(&cross);
}

/* It sends no chain and makes no signature, whether or not the broker asks. */
static void a_device_without_a_certificate_is_let_in_where_none_is_wanted(void **state)
{
  (void) state;
  static const int asks[] = {SSL_VERIFY_NONE, SSL_VERIFY_PEER};
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (size_t i = 0; i < 2; i++) {
      struct client_rig rig;
      client_rig_make(&rig, &pki, tls, 5);
      rig.profile.no_certificate = true;
      client_rig_open(&rig, false);
      SSL_set_verify(rig.ssl, asks[i], NULL);
      client_rig_pump(&rig);
      (void) client_rig_hear(&rig, 0x10);
      assert_int_equal(rig.notes[DEVICE_NOTE_HANDSHAKE], 1);
      assert_int_equal(rig.last[DEVICE_NOTE_HANDSHAKE].own_size, 0);
      assert_null(SSL_get0_peer_certificate(rig.ssl));
      client_rig_free(&rig);
    }
}

static void a_broker_that_wants_a_certificate_and_gets_none_is_named(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.no_certificate = true;
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_TLS_ALERT_NO_CERT);
  client_rig_free(&rig);
}

/* A broker that knows this protocol and no other. */
static int want_protocol(SSL *ssl, const unsigned char **out, unsigned char *size,
                         const unsigned char *offered, unsigned int offered_size, void *wanted)
{
  (void) ssl;
  const unsigned char *known = wanted;
  bool common = SSL_select_next_proto((unsigned char **) (uintptr_t) out, size, known,
                                      (unsigned) known[0] + 1, offered,
                                      offered_size) == OPENSSL_NPN_NEGOTIATED;
  return common ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void offers_the_protocols_of_its_profile(void **state)
{
  (void) state;
  static const char *const offered[] = {"x-amzn-mqtt-ca", "mqtt", NULL};
  static unsigned char mqtt[] = "\4mqtt";
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (int asks = 0; asks <= 1; asks++) {
      struct client_rig rig;
      const unsigned char *chosen;
      unsigned int size;
      client_rig_make(&rig, &pki, tls, 5);
      rig.profile.alpn = offered;
      if (asks) SSL_CTX_set_alpn_select_cb(rig.server, want_protocol, mqtt);
      meet(&rig);
      (void) client_rig_hear(&rig, 0x10);
      SSL_get0_alpn_selected(rig.ssl, &chosen, &size);
      assert_int_equal(size, asks ? 4 : 0);
      if (asks) assert_memory_equal(chosen, "mqtt", 4);
      client_rig_free(&rig);
    }
}

/* RFC 7301, 3.2. */
static void a_broker_that_knows_none_of_them_is_named(void **state)
{
  (void) state;
  static const char *const offered[] = {"x-amzn-mqtt-ca", NULL};
  static unsigned char mqtt[] = "\4mqtt";
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    rig.profile.alpn = offered;
    SSL_CTX_set_alpn_select_cb(rig.server, want_protocol, mqtt);
    meet(&rig);
    client_rig_expect_end(&rig, DEVICE_FAIL_TLS_ALERT_HANDSHAKE);
    assert_int_equal(rig.last[DEVICE_NOTE_ENDED].alert, 120);
    client_rig_free(&rig);
  }
}

static void names_the_brokers_refusal_of_its_certificate(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    rig.client_ca = pki.b.certificate;
    client_rig_present(&rig, &pki.broker, pki.brokers.certificate);
    meet(&rig);
    client_rig_expect_end(&rig, DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA);
    assert_int_equal(rig.last[DEVICE_NOTE_ENDED].alert, 48);
    /* in TLS 1.3 the device's handshake is over before the broker has judged: only CONNACK means
       connected */
    assert_int_equal(rig.notes[DEVICE_NOTE_HANDSHAKE], tls == 13 ? 1 : 0);
    assert_int_equal(rig.notes[DEVICE_NOTE_ONLINE], 0);
    client_rig_free(&rig);
  }
}

static void resumes_with_a_ticket_unless_told_or_barred(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    uint8_t bundle[DEVICE_NVM_TRUST_MAX];
    client_rig_make(&rig, &pki, tls, 5);
    rig.profile.resume = DEVICE_RESUME_RAM;
    const bool full[] = {false, false, true, false, false};
    const bool resumed[] = {false, true, false, true, false};
    for (size_t i = 0; i < 5; i++) {
      client_rig_online(&rig, false, full[i]);
      if (rig.last[DEVICE_NOTE_HANDSHAKE].resumed != resumed[i])
        fail_msg("TLS %u, connection %zu: resumed %d, expected %d", tls, i,
                 rig.last[DEVICE_NOTE_HANDSHAKE].resumed, resumed[i]);
      /* what the ticket stands on is replaced: the next connection has to prove the new anchors */
      if (i == 3) {
        size_t size =
            client_pki_bundle(&pki, 2, pki.a.certificate, pki.b.certificate, bundle, sizeof bundle);
        client_rig_send(&rig, "private/00000a1f/trust", bundle, size, 1, 7);
        assert_int_equal(rig.last[DEVICE_NOTE_TRUST].code, DEVICE_UPDATE_COMMITTED);
      }
      client_rig_stop(&rig);
      client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_STOPPED);
    }
    client_rig_free(&rig);
  }
}

/* The server sends its tickets after the handshake: they find nothing left of it, and do no
   harm. */
static void carries_nothing_of_the_handshake_once_it_is_online(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (int resume = DEVICE_RESUME_NO; resume <= DEVICE_RESUME_RAM; resume++) {
      struct client_rig rig;
      client_rig_make(&rig, &pki, tls, 5);
      rig.profile.resume = (enum device_resume) resume;
      client_rig_online(&rig, false, false);
      const struct device_client *client = rig.storage;
      const mbedtls_ssl_context *ssl = &client->tls.ssl;
      /* with TLS 1.3 tickets the library wants the block once more: one for all where that is
         shared */
      bool wanted = tls == 13 && resume != DEVICE_RESUME_NO && !client->tls.shares;
      if ((ssl->handshake != NULL) != wanted)
        fail_msg("TLS %u, resume %d: handshake kept or lost", tls, resume);
      assert_null(ssl->transform_negotiate);
      assert_null(ssl->session_negotiate);
      assert_null(client->tls.handshake);
      assert_null(ssl->hostname);
      assert_int_equal(client->tls.ticket != NULL, resume != DEVICE_RESUME_NO);
      /* of a ticket there is one copy; what makes the next one of TLS 1.3 stays */
      assert_int_equal(ssl->session != NULL, tls == 13 && resume != DEVICE_RESUME_NO);
      if (ssl->session != NULL) assert_null(ssl->session->ticket);
      assert_true(client_rig_publish(&rig, "telemetry", "still here", 1, 5));
      client_rig_ack(&rig, 0x40, client_rig_hear(&rig, 0x32));
      assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 1);
      client_rig_stop(&rig);
      client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_STOPPED);
      client_rig_free(&rig);
    }
}

/* The wall clock may be set, and then be days off. */
static void a_ticket_in_ram_ages_by_the_clock_that_nobody_sets(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    rig.profile.resume = DEVICE_RESUME_RAM;
    SSL_CTX_set_timeout(rig.server, 7200);
    for (int round = 0; round < 3; round++) {
      if (round == 1) rig.unix_s += 8 * CLIENT_DAY;
      if (round == 2) rig.now_ms += 7200 * 1000;
      client_rig_online(&rig, false, false);
      if (rig.last[DEVICE_NOTE_HANDSHAKE].resumed != (round == 1))
        fail_msg("TLS %u, round %d: resumed %d", tls, round,
                 rig.last[DEVICE_NOTE_HANDSHAKE].resumed);
      client_rig_stop(&rig);
    }
    client_rig_free(&rig);
  }
}

static uint32_t ticket_writes(struct client_rig *rig)
{
  struct device_nvm_slot slot;
  assert_int_equal(device_nvm_find(&rig->host, DEVICE_NVM_TICKET, &slot), 0);
  return slot.sequence;
}

/* Online and back; whether the handshake was resumed. */
static bool connects_resumed(struct client_rig *rig)
{
  client_rig_online(rig, false, false);
  bool resumed = rig->last[DEVICE_NOTE_HANDSHAKE].resumed;
  client_rig_stop(rig);
  return resumed;
}

static void keeps_a_ticket_across_power_off_only_where_told(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    rig.profile.resume = DEVICE_RESUME_RAM;
    assert_false(connects_resumed(&rig));
    assert_int_equal(ticket_writes(&rig), 0);
    client_rig_power_cycle(&rig);
    assert_false(connects_resumed(&rig));

    rig.profile.resume = DEVICE_RESUME_NVM;
    client_rig_power_cycle(&rig);
    assert_false(connects_resumed(&rig));
    rig.unix_s += 3600;
    client_rig_power_cycle(&rig);
    assert_true(connects_resumed(&rig));
    assert_true(connects_resumed(&rig));
    client_rig_free(&rig);
  }
}

/* OpenSSL gives two tickets per TLS 1.3 connection and, in TLS 1.2, none when it took the old
   one. */
static void writes_a_ticket_once_per_connection_and_only_if_it_changed(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    rig.profile.resume = DEVICE_RESUME_NVM;
    const uint32_t writes[] = {1, tls == 13 ? 2 : 1, tls == 13 ? 3 : 1};
    for (size_t i = 0; i < 3; i++) {
      assert_int_equal(connects_resumed(&rig), i > 0);
      assert_int_equal(ticket_writes(&rig), writes[i]);
    }
    client_rig_free(&rig);
  }
}

/* A broker that refuses the device gives tickets too (TLS 1.3: before CONNACK). They are not worth
   a write. */
static void writes_no_ticket_before_connack(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.resume = DEVICE_RESUME_NVM;
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  assert_int_equal(rig.notes[DEVICE_NOTE_HANDSHAKE], 1);
  assert_int_equal(ticket_writes(&rig), 0);
  client_rig_free(&rig);
}

/* One change to the world between a power-off and the connection after it, and whether that
   resumes. */
enum change {
  NONE,
  EIGHT_DAYS,
  CLOCK_BACK,
  OTHER_ENDPOINT,
  ANYWHERE,
  NEW_ANCHORS,
  CUT_UPDATE,
  TORN,
  OLD_TLS,
  CHANGES
};

static void change(struct client_rig *rig, enum change what)
{
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  struct device_nvm_slot slot;
  size_t size =
      client_pki_bundle(&pki, 2, pki.a.certificate, pki.b.certificate, bundle, sizeof bundle);
  if (what == EIGHT_DAYS) rig->unix_s += 8 * 86400;
  if (what == CLOCK_BACK) rig->unix_s -= 60;
  if (what == OTHER_ENDPOINT || what == ANYWHERE) rig->endpoint = 1;
  /* the power went between the commit of new anchors and the erasing of the ticket */
  if (what == CUT_UPDATE)
    assert_int_equal(device_nvm_replace(&rig->host, DEVICE_NVM_TRUST, bundle, size), 0);
  if (what == TORN) {
    assert_int_equal(device_nvm_find(&rig->host, DEVICE_NVM_TICKET, &slot), 0);
    rig->page[slot.offset + 60] ^= 1;
  }
  if (what == OLD_TLS)
    rig->profile.tls_min = rig->profile.tls_max = rig->profile.tls_max == 13 ? 12 : 13;
}

static void offers_a_stored_ticket_only_where_it_stands(void **state)
{
  (void) state;
  static const bool resumes[CHANGES] = {[NONE] = true, [ANYWHERE] = true};
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (enum change what = NONE; what < CHANGES; what++) {
      struct client_rig rig;
      uint8_t bundle[DEVICE_NVM_TRUST_MAX];
      client_rig_make(&rig, &pki, tls, 5);
      rig.profile.resume = DEVICE_RESUME_NVM;
      rig.profile.resume_anywhere = what == ANYWHERE;
      client_rig_online(&rig, false, false);
      if (what == NEW_ANCHORS) {
        size_t size =
            client_pki_bundle(&pki, 2, pki.a.certificate, pki.b.certificate, bundle, sizeof bundle);
        client_rig_send(&rig, "private/00000a1f/trust", bundle, size, 1, 7);
        assert_int_equal(rig.last[DEVICE_NOTE_TRUST].code, DEVICE_UPDATE_COMMITTED);
        assert_int_equal(ticket_writes(&rig), 0); /* erased at once */
      }
      client_rig_stop(&rig);
      change(&rig, what);
      client_rig_power_cycle(&rig);
      bool resumed = connects_resumed(&rig);
      if (resumed != resumes[what])
        fail_msg("TLS %u, change %d: resumed %d", tls, (int) what, resumed);
      client_rig_free(&rig);
    }
}

/* Packets of QoS 0 with 2000 bytes, as many as make one record of exactly `size` bytes with one
   more to fill it up. */
static void say_in_one_record(struct client_rig *rig, size_t size)
{
  static uint8_t bytes[CRYPTO_RECORD_MAX];
  size_t at = 0;
  while (at < size) {
    size_t left = size - at, packet = left > 2400 ? 2000 : left;
    bytes[at] = 0x30;
    bytes[at + 1] = (uint8_t) (0x80 | ((packet - 3) & 0x7f));
    bytes[at + 2] = (uint8_t) ((packet - 3) >> 7);
    memset(bytes + at + 3, 0, packet - 3);
    memcpy(bytes + at + 3, (const uint8_t[]){0, 1, 't', 0}, 4);
    at += packet;
  }
  client_rig_say(rig, bytes, size);
}

/* aedes puts what it has for a client into one record. That is valid TLS, and a matter of the
   device's memory. */
static void takes_records_up_to_its_buffer_and_names_a_larger_one(void **state)
{
  (void) state;
  static const struct {
    size_t buffer, record;
    bool fits;
  } cases[] = {{4096, 4096, true},   {4096, 4097, false}, {4096, 4150, false}, {4096, 5000, false},
               {4096, 16384, false}, {8192, 5000, true},  {8192, 8192, true},  {8192, 8193, false},
               {16384, 16384, true}, {16384, 4097, true}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (uint8_t tls = 12; tls <= 13; tls++) {
      struct client_rig rig;
      crypto_set_record_bytes(cases[i].buffer);
      client_rig_make(&rig, &pki, tls, 5);
      client_rig_online(&rig, false, false);
      size_t messages = rig.notes[DEVICE_NOTE_MESSAGE];
      say_in_one_record(&rig, cases[i].record);
      if (!cases[i].fits)
        client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_RECORD);
      else if (rig.notes[DEVICE_NOTE_ENDED] > 0 ||
               rig.notes[DEVICE_NOTE_MESSAGE] - messages < cases[i].record / 2400)
        fail_msg("TLS %u, a record of %zu bytes for %zu: %zu messages, %zu ends", tls,
                 cases[i].record, cases[i].buffer, rig.notes[DEVICE_NOTE_MESSAGE] - messages,
                 rig.notes[DEVICE_NOTE_ENDED]);
      client_rig_free(&rig);
    }
  crypto_set_record_bytes(CRYPTO_RECORD_MIN);
}

/* A chain of many certificates is a message larger than the buffer, in one record or in several. */
static void names_a_chain_that_is_larger_than_its_buffer(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (int split = 0; split <= 1; split++) {
      struct client_rig rig;
      client_rig_make(&rig, &pki, tls, 5);
      for (int i = 0; i < 12; i++) {
        X509_up_ref(pki.brokers.certificate);
        SSL_CTX_add_extra_chain_cert(rig.server, pki.brokers.certificate);
      }
      if (split) SSL_CTX_set_max_send_fragment(rig.server, 1024);
      meet(&rig);
      client_rig_expect_end(&rig, DEVICE_FAIL_TLS_RECORD);
      client_rig_free(&rig);
    }
}

/* A length that no record may have is no matter of memory. */
static void a_record_that_tls_does_not_allow_is_no_large_one(void **state)
{
  (void) state;
  static const uint8_t header[] = {23, 3, 3, 0xff, 0xff};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  client_rig_inject(&rig, header, sizeof header);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_PROTOCOL);
  client_rig_free(&rig);
}

static void knows_that_what_answers_is_not_tls(void **state)
{
  (void) state;
  static const char *const greetings[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                          "SSH-2.0-OpenSSH_9.2\r\n"};
  for (size_t i = 0; i < 2; i++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    client_rig_open(&rig, false);
    client_rig_inject(&rig, (const uint8_t *) greetings[i], strlen(greetings[i]));
    client_rig_expect_end(&rig, DEVICE_FAIL_TLS_NOT_TLS);
    client_rig_free(&rig);
  }
}

static void reads_no_more_than_its_byte_budget_before_connack(void **state)
{
  (void) state;
  /* alert user_canceled: ignored by TLS, without limit */
  static const uint8_t warning[] = {21, 3, 3, 0, 2, 1, 90};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 12, 5);
  rig.profile.byte_budget = 7000;
  client_rig_open(&rig, false);
  for (int i = 0; i < 1000; i++) client_rig_inject(&rig, warning, sizeof warning);
  assert_int_equal(rig.notes[DEVICE_NOTE_ENDED], 0);
  client_rig_inject(&rig, warning, sizeof warning);
  client_rig_expect_end(&rig, DEVICE_FAIL_TLS_BYTE_BUDGET);
  client_rig_free(&rig);
}

/* A broker that has kept a session sends its messages right behind CONNACK: in one piece with it. */
static void the_budget_ends_with_connack_whatever_comes_in_one_piece_with_it(void **state)
{
  (void) state;
  static const uint8_t connack[] = {0x20, 3, 0, 0, 0},
                       message[] = {0x30, 6, 0, 1, 'a', 0, 'h', 'i'};
  uint8_t said[sizeof connack + 1500 * sizeof message];
  struct client_rig rig;
  memcpy(said, connack, sizeof connack);
  for (size_t i = 0; i < 1500; i++)
    memcpy(said + sizeof connack + i * sizeof message, message, sizeof message);
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.byte_budget = 7000; /* less than what is said, more than the handshake */
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  (void) client_rig_hear(&rig, 0x10);
  for (size_t at = 0; at < sizeof said; at += 2401) { /* records that the device has room for */
    int size = (int) (sizeof said - at < 2401 ? sizeof said - at : 2401);
    assert_int_equal(SSL_write(rig.ssl, said + at, size), size);
  }
  client_rig_pump(&rig);
  if (rig.notes[DEVICE_NOTE_ENDED] > 0) client_rig_expect_end(&rig, DEVICE_FAIL_NONE);
  assert_int_equal(rig.notes[DEVICE_NOTE_ONLINE], 1);
  assert_int_equal(rig.notes[DEVICE_NOTE_MESSAGE], 1500);
  client_rig_free(&rig);
}

static void gives_a_silent_broker_the_handshake_deadline_however_it_trickles(void **state)
{
  (void) state;
  static const uint8_t beginning[] = {22, 3, 3, 0, 80};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_open(&rig, false);
  uint64_t deadline = rig.now_ms + 2000;
  for (size_t i = 0; i < sizeof beginning; i++) {
    rig.now_ms += 300;
    client_rig_inject(&rig, beginning + i, 1);
    assert_int_equal(rig.deadline_ms, deadline);
  }
  client_rig_wait(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_TLS_TIMEOUT);
  client_rig_free(&rig);
}

static void tells_a_close_from_a_reset_during_the_handshake(void **state)
{
  (void) state;
  static const enum device_failure causes[][2] = {{DEVICE_FAIL_NONE, DEVICE_FAIL_TCP_CLOSED},
                                                  {DEVICE_FAIL_TCP_RESET, DEVICE_FAIL_TCP_RESET}};
  for (size_t i = 0; i < 2; i++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    client_rig_open(&rig, false);
    client_rig_close(&rig, causes[i][0]);
    client_rig_expect_end(&rig, causes[i][1]);
    client_rig_free(&rig);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(goes_online_with_both_versions_of_tls_and_mqtt),
      cmocka_unit_test(goes_online_when_every_byte_arrives_alone),
      cmocka_unit_test(falls_back_to_tls_12_only_when_its_profile_allows_it),
      cmocka_unit_test(refuses_a_broker_whose_certificate_it_cannot_believe),
      cmocka_unit_test(refuses_an_expired_cross_certificate_as_expired),
      cmocka_unit_test(a_device_without_a_certificate_is_let_in_where_none_is_wanted),
      cmocka_unit_test(a_broker_that_wants_a_certificate_and_gets_none_is_named),
      cmocka_unit_test(offers_the_protocols_of_its_profile),
      cmocka_unit_test(a_broker_that_knows_none_of_them_is_named),
      cmocka_unit_test(names_the_brokers_refusal_of_its_certificate),
      cmocka_unit_test(resumes_with_a_ticket_unless_told_or_barred),
      cmocka_unit_test(a_ticket_in_ram_ages_by_the_clock_that_nobody_sets),
      cmocka_unit_test(carries_nothing_of_the_handshake_once_it_is_online),
      cmocka_unit_test(keeps_a_ticket_across_power_off_only_where_told),
      cmocka_unit_test(writes_a_ticket_once_per_connection_and_only_if_it_changed),
      cmocka_unit_test(writes_no_ticket_before_connack),
      cmocka_unit_test(offers_a_stored_ticket_only_where_it_stands),
      cmocka_unit_test(takes_records_up_to_its_buffer_and_names_a_larger_one),
      cmocka_unit_test(names_a_chain_that_is_larger_than_its_buffer),
      cmocka_unit_test(a_record_that_tls_does_not_allow_is_no_large_one),
      cmocka_unit_test(knows_that_what_answers_is_not_tls),
      cmocka_unit_test(reads_no_more_than_its_byte_budget_before_connack),
      cmocka_unit_test(the_budget_ends_with_connack_whatever_comes_in_one_piece_with_it),
      cmocka_unit_test(gives_a_silent_broker_the_handshake_deadline_however_it_trickles),
      cmocka_unit_test(tells_a_close_from_a_reset_during_the_handshake),
  };
  return cmocka_run_group_tests(tests, make_pki, free_pki);
}
