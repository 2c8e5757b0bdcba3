/* An update over MQTT through TLS, against a scripted back office behind OpenSSL, in virtual
   time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "client_rig.h"
#include "device/bytes.h"
#include "device/image.h"
#include "device/manifest.h"

#define SLOT_SIZE   16384u
#define CLASS       42u
#define TOPIC(name) "private/00000a1f/ota/" name
#define SERIAL      3u

static struct client_pki pki;
static EVP_PKEY *image_key;
static struct client_rig rig;
static uint8_t slots[DEVICE_FLASH_SLOTS][SLOT_SIZE];
static struct device_ota_profile updates;

static int begin(void **state)
{
  (void) state;
  client_pki_make(&pki);
  image_key = EVP_EC_gen("P-256");
  return image_key != NULL ? 0 : -1;
}

static int finish(void **state)
{
  (void) state;
  EVP_PKEY_free(image_key);
  client_pki_free(&pki);
  mbedtls_psa_crypto_free();
  return 0;
}

/* Flash. */

static int flash_read(void *ctx, uint8_t slot, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  if (slot >= DEVICE_FLASH_SLOTS || size > SLOT_SIZE || offset > SLOT_SIZE - size) return -1;
  memcpy(out, slots[slot] + offset, size);
  return 0;
}

static int flash_erase(void *ctx, uint8_t slot, uint32_t offset)
{
  (void) ctx;
  if (slot >= DEVICE_FLASH_SLOTS || offset > SLOT_SIZE - DEVICE_FLASH_SECTOR) return -1;
  memset(slots[slot] + offset, 0xff, DEVICE_FLASH_SECTOR);
  return 0;
}

static int flash_program(void *ctx, uint8_t slot, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  if (slot >= DEVICE_FLASH_SLOTS || size > SLOT_SIZE || offset > SLOT_SIZE - size) return -1;
  for (size_t i = 0; i < size; i++) slots[slot][offset + i] &= ((const uint8_t *) data)[i];
  return 0;
}

/* Images and manifests, signed by libcrypto. */

static void sign(EVP_PKEY *key, const uint8_t *data, size_t size, uint8_t *der, size_t *der_size)
{
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
  assert_int_equal(EVP_DigestSign(ctx, der, der_size, data, size), 1);
  EVP_MD_CTX_free(ctx);
}

static uint8_t *entry(uint8_t *at, uint16_t type, size_t size)
{
  device_put16_le(at, type);
  device_put16_le(at + 2, (uint16_t) size);
  return at + 4;
}

/* Version NUMBER.0.0; with a trust bundle if its size is not 0. */
static uint32_t make_image(uint8_t number, uint32_t body, const uint8_t *trust, size_t trust_size,
                           uint8_t *out, uint8_t hash[32])
{
  size_t protected_size = 20 + (trust_size > 0 ? 4 + trust_size : 0);
  uint8_t der[DEVICE_IMAGE_SIGNATURE_MAX];
  size_t der_size = sizeof der;
  memset(out, 0, DEVICE_IMAGE_HEADER_SIZE);
  device_put32_le(out, DEVICE_IMAGE_MAGIC);
  device_put16_le(out + 8, DEVICE_IMAGE_HEADER_SIZE);
  device_put16_le(out + 10, (uint16_t) protected_size);
  device_put32_le(out + 12, body);
  out[20] = number;
  uint8_t *at = out + DEVICE_IMAGE_HEADER_SIZE;
  for (uint32_t i = 0; i < body; i++) *at++ = (uint8_t) (i * number);
  at = entry(at, DEVICE_IMAGE_PROTECTED_MAGIC, protected_size);
  at = entry(at, DEVICE_IMAGE_TLV_COUNTER, 4);
  device_put32_le(at, number);
  at = entry(at + 4, DEVICE_IMAGE_TLV_CLASS, 4);
  device_put32_le(at, CLASS);
  at += 4;
  if (trust_size > 0) {
    at = entry(at, DEVICE_IMAGE_TLV_TRUST, trust_size);
    memcpy(at, trust, trust_size);
    at += trust_size;
  }
  size_t signed_size = (size_t) (at - out);
  sign(image_key, out, signed_size, der, &der_size);
  assert_int_equal(EVP_Digest(out, signed_size, hash, NULL, EVP_sha256(), NULL), 1);
  at = entry(at, DEVICE_IMAGE_LIST_MAGIC, 4 + 36 + 36 + 4 + der_size);
  at = entry(at, DEVICE_IMAGE_TLV_SHA256, 32);
  memcpy(at, hash, 32);
  at = entry(at + 32, DEVICE_IMAGE_TLV_KEYHASH, 32);
  assert_int_equal(device_image_key_hash(updates.image_key, at), 0);
  at = entry(at + 32, DEVICE_IMAGE_TLV_ECDSA, der_size);
  memcpy(at, der, der_size);
  return (uint32_t) (at + der_size - out);
}

static size_t make_manifest(const struct device_manifest *manifest,
                            uint8_t out[DEVICE_MANIFEST_MAX])
{
  uint8_t der[DEVICE_IMAGE_SIGNATURE_MAX];
  size_t der_size = sizeof der, size = device_manifest_encode(manifest, out, DEVICE_MANIFEST_MAX);
  sign(pki.update_key, out, size, der, &der_size);
  const unsigned char *at = der;
  ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long) der_size);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), out + size, 32), 32);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), out + size + 32, 32), 32);
  ECDSA_SIG_free(parsed);
  return size + DEVICE_SIGNATURE_SIZE;
}

/* The device. */

static void make_device(uint8_t mqtt)
{
  uint8_t hash[32];
  size_t size = 0;
  updates = (struct device_ota_profile){.device_class = CLASS,
                                        .slot_size = SLOT_SIZE,
                                        .window = 4,
                                        .attempts = 3,
                                        .block_timeout_ms = 1000,
                                        .trial_timeout_ms = 5000};
  assert_int_equal(EVP_PKEY_get_octet_string_param(image_key, OSSL_PKEY_PARAM_PUB_KEY,
                                                   updates.image_key, 65, &size),
                   1);
  client_rig_make(&rig, &pki, 13, mqtt);
  device_builtin.destroy(rig.storage);
  memset(slots, 0xff, sizeof slots);
  (void) make_image(1, 100, NULL, 0, slots[0], hash);
  rig.profile.ota = &updates;
  rig.host.flash_read = flash_read;
  rig.host.flash_erase = flash_erase;
  rig.host.flash_program = flash_program;
  rig.storage = realloc(rig.storage, device_builtin.storage_size(&rig.profile));
  client_rig_power_on(&rig);
}

static void go_online(void)
{
  uint8_t connack[5] = {0x20, rig.profile.mqtt_version == 5 ? 3 : 2, 0, 0, 0};
  static const char *const topics[] = {"trust", "cert", "ota/manifest", "ota/block"};
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  (void) client_rig_hear(&rig, 0x10);
  size_t at = 2 + 2 + (rig.profile.mqtt_version == 5 ? 1 : 0);
  for (size_t i = 0; i < 4; i++) { /* the SUBSCRIBE, before it is taken */
    size_t size = device_get16(rig.inbox + at);
    assert_int_equal(size, 17 + strlen(topics[i]));
    assert_memory_equal(rig.inbox + at + 2 + 17, topics[i], size - 17);
    assert_int_equal(rig.inbox[at + 2 + size], i == 3 ? 0 : 1);
    at += 2 + size + 1;
  }
  uint16_t id = client_rig_hear(&rig, 0x82);
  size_t notes = rig.notes[DEVICE_NOTE_OTA];
  client_rig_say(&rig, connack, 2u + connack[1]);
  /* a trial ends when the device can be told something */
  assert_int_equal(rig.notes[DEVICE_NOTE_OTA], notes);
  const uint8_t v5 = rig.profile.mqtt_version == 5;
  uint8_t suback[9] = {0x90, (uint8_t) (6 + v5), (uint8_t) (id >> 8), (uint8_t) id};
  /* in MQTT 5 after an empty list of properties */
  memcpy(suback + 4 + v5, (const uint8_t[]){1, 1, 1, 0}, 4);
  client_rig_say(&rig, suback, 8u + v5);
}

/* The payload of the device's next message, which must be on this topic. */
static size_t hear_message(uint8_t first, const char *topic, uint8_t *out, uint16_t *id)
{
  struct device_mqtt_packet packet;
  int size = device_mqtt_decode(rig.inbox, rig.inbox_size, rig.profile.mqtt_version, 4096, &packet);
  if (size <= 0) fail_msg("the device said nothing on %s", topic);
  assert_int_equal(packet.publish.topic_size, strlen(topic));
  assert_memory_equal(packet.publish.topic, topic, strlen(topic));
  size_t payload_size = packet.publish.payload_size;
  memcpy(out, packet.publish.payload, payload_size);
  *id = client_rig_hear(&rig, first);
  return payload_size;
}

static void hear_report(const char *expected)
{
  uint8_t text[256];
  uint16_t id = 0;
  size_t size = hear_message(0x32, TOPIC("status"), text, &id);
  assert_int_equal(size, strlen(expected));
  assert_memory_equal(text, expected, size);
  client_rig_ack(&rig, 0x40, id);
}

/* Answers one request; how many blocks it sent. */
static unsigned answer(const uint8_t *image, uint32_t image_size)
{
  uint8_t get[256], block[8 + 256];
  uint16_t none;
  unsigned sent = 0;
  assert_int_equal(hear_message(0x30, TOPIC("get"), get, &none), 12);
  assert_int_equal(device_get32(get), SERIAL);
  for (uint32_t i = 0; i < 32; i++) {
    if ((device_get32(get + 8) >> i & 1) == 0) continue;
    uint32_t number = device_get32(get + 4) + i, from = number * 256;
    uint32_t size = image_size - from < 256 ? image_size - from : 256;
    device_put32(block, SERIAL);
    device_put32(block + 4, number);
    memcpy(block + 8, image + from, size);
    client_rig_send(&rig, TOPIC("block"), block, 8 + size, 0, 0);
    sent++;
  }
  return sent;
}

static void pass_time(void)
{
  if (rig.deadline_ms > rig.now_ms) rig.now_ms = rig.deadline_ms;
  client_rig_step(&rig, &(struct device_event){.kind = DEVICE_TICK});
  if (rig.ssl != NULL) client_rig_pump(&rig);
}

static void expect_boot(enum device_ota_status code, uint32_t version)
{
  assert_int_equal(rig.last[DEVICE_NOTE_BOOTED].code, code);
  assert_int_equal(rig.last[DEVICE_NOTE_BOOTED].version, version);
}

static void takes_an_update(uint8_t mqtt)
{
  static uint8_t image[8192];
  uint8_t bytes[DEVICE_MANIFEST_MAX];
  make_device(mqtt);
  struct device_manifest manifest = {.serial = SERIAL,
                                     .version = DEVICE_VERSION(2, 0, 0),
                                     .counter = 2,
                                     .device_class = CLASS,
                                     .block_size = 256};
  manifest.size = make_image(2, 5000, NULL, 0, image, manifest.hash);
  go_online();
  expect_boot(DEVICE_OTA_CONFIRMED, DEVICE_VERSION(1, 0, 0));
  client_rig_send(&rig, TOPIC("manifest"), bytes, make_manifest(&manifest, bytes), 1, 7);
  assert_int_equal(client_rig_hear(&rig, 0x40), 7);
  hear_report(
      "{\"status\":\"downloading\",\"serial\":3,\"version\":\"2.0.0\",\"running\":\"1.0.0\"}");
  for (unsigned blocks = 0; blocks < (manifest.size + 255) / 256;) {
    while (client_rig_silent(&rig)) pass_time();
    blocks += answer(image, manifest.size);
  }
  while (client_rig_silent(&rig)) pass_time();
  assert_false(rig.closed);
  hear_report("{\"status\":\"staged\",\"serial\":3,\"version\":\"2.0.0\",\"running\":\"1.0.0\"}");
  assert_true(rig.reboot && rig.closed);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_STOPPED);
  (void) client_rig_hear(&rig, 0xe0);
  assert_int_equal(rig.notes[DEVICE_NOTE_MESSAGE], 0);

  client_rig_power_cycle(&rig);
  expect_boot(DEVICE_OTA_TRIAL, DEVICE_VERSION(2, 0, 0));
  go_online();
  hear_report(
      "{\"status\":\"confirmed\",\"serial\":3,\"version\":\"2.0.0\",\"running\":\"2.0.0\"}");
  client_rig_power_cycle(&rig);
  expect_boot(DEVICE_OTA_CONFIRMED, DEVICE_VERSION(2, 0, 0));
  go_online();
  assert_true(client_rig_silent(&rig)); /* it was confirmed that the back office knows */
  client_rig_free(&rig);
}

static void takes_an_update_over_mqtt_5(void **state)
{
  (void) state;
  takes_an_update(5);
}

static void takes_an_update_over_mqtt_3(void **state)
{
  (void) state;
  takes_an_update(4);
}

/* In force before it connects, or a device whose roots are gone would never get to hear of new
   ones. */
static void new_firmware_brings_the_roots_by_which_it_connects(void **state)
{
  (void) state;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX], hash[32];
  make_device(5);
  size_t size =
      client_pki_bundle(&pki, 2, pki.b.certificate, pki.spare.certificate, bundle, sizeof bundle);
  client_rig_reflash(&rig, bundle, size);
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_TLS_NOT_TRUSTED);
  size =
      client_pki_bundle(&pki, 3, pki.a.certificate, pki.spare.certificate, bundle, sizeof bundle);
  (void) make_image(2, 100, bundle, size, slots[0], hash);
  client_rig_power_cycle(&rig);
  assert_int_equal(rig.notes[DEVICE_NOTE_TRUST], 1);
  assert_int_equal(device_builtin.trust_version(rig.storage), 3);
  go_online();
  assert_int_equal(rig.notes[DEVICE_NOTE_READY], 1);
  client_rig_power_cycle(&rig);
  assert_int_equal(rig.notes[DEVICE_NOTE_TRUST], 1); /* once */
  client_rig_free(&rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_an_update_over_mqtt_5),
      cmocka_unit_test(takes_an_update_over_mqtt_3),
      cmocka_unit_test(new_firmware_brings_the_roots_by_which_it_connects),
  };
  return cmocka_run_group_tests(tests, begin, finish);
}
