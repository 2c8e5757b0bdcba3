#include "firmware.h"

#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put(struct firmware *f, const void *data, size_t size)
{
  if (size > sizeof f->data - f->size) {
    fprintf(stderr, "firmware: an image for a test is too large\n");
    abort();
  }
  memcpy(f->data + f->size, data, size);
  f->size += (uint32_t) size;
}

static void put16(struct firmware *f, uint32_t v)
{
  put(f, (uint8_t[]){(uint8_t) v, (uint8_t) (v >> 8)}, 2);
}

static void put32(struct firmware *f, uint32_t v)
{
  put16(f, v);
  put16(f, v >> 16);
}

/* Returns where its value is, 0 when it is left out. */
static uint32_t put_entry(struct firmware *f, const struct firmware_recipe *r, uint16_t type,
                          const void *value, size_t size)
{
  uint32_t at = 0;
  if (type == r->left_out) return 0;
  for (int i = type == r->twice ? 2 : 1; i > 0; i--) {
    put16(f, type);
    put16(f, (uint32_t) size + (type == r->longer));
    at = f->size;
    put(f, value, size);
    if (type == r->longer) put(f, "", 1);
  }
  return at;
}

static void put_header(struct firmware *f, const struct firmware_recipe *r)
{
  uint16_t header_size = r->header_size != 0 ? r->header_size : 32;
  put32(f, 0x96f3b83d);
  put32(f, 0);
  put16(f, header_size);
  put16(f, 0); /* protected size, known later */
  put32(f, r->body_size);
  put32(f, 0);
  put(f, (uint8_t[]){(uint8_t) (r->version >> 24), (uint8_t) (r->version >> 16)}, 2);
  put16(f, r->version & 0xffff);
  put32(f, 0);
  put32(f, 0);
  for (uint32_t i = 32; i < header_size; i++) put(f, "\xff", 1);
  for (uint32_t i = 0; i < r->body_size; i++) put(f, &(uint8_t){(uint8_t) i}, 1);
}

static void close_list(struct firmware *f, uint32_t at)
{
  uint32_t size = f->size - at;
  f->data[at + 2] = (uint8_t) size;
  f->data[at + 3] = (uint8_t) (size >> 8);
}

static void put_protected(struct firmware *f, const struct firmware_recipe *r)
{
  const uint8_t counter[] = {(uint8_t) r->counter, (uint8_t) (r->counter >> 8),
                             (uint8_t) (r->counter >> 16), (uint8_t) (r->counter >> 24)};
  const uint8_t class[] = {(uint8_t) r->device_class, (uint8_t) (r->device_class >> 8),
                           (uint8_t) (r->device_class >> 16), (uint8_t) (r->device_class >> 24)};
  f->protected_at = f->size;
  put32(f, 0x6908);
  put_entry(f, r, 0x50, counter, sizeof counter);
  put_entry(f, r, 0xa0, class, sizeof class);
  if (r->trust.size > 0) put_entry(f, r, 0xa1, r->trust.data, r->trust.size);
  if (r->signed_type != 0) put_entry(f, r, r->signed_type, "four", 4);
  close_list(f, f->protected_at);
  f->data[10] = f->data[f->protected_at + 2];
  f->data[11] = f->data[f->protected_at + 3];
}

/* SubjectPublicKeyInfo of a P-256 key, RFC 5480. */
static void key_hash(const struct key *key, uint8_t hash[32])
{
  struct bytes der = {.size = 0};
  static const char head[] =
      "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01"
      "\x07\x03\x42\x00";
  memcpy(der.data, head, sizeof head - 1);
  memcpy(der.data + sizeof head - 1, key->point, 65);
  size_t n;
  assert_int_equal(psa_hash_compute(PSA_ALG_SHA_256, der.data, sizeof head - 1 + 65, hash, 32, &n),
                   PSA_SUCCESS);
}

struct firmware firmware_make(const struct firmware_recipe *r)
{
  struct firmware f = {.size = 0};
  uint8_t hash[32], raw[64], der[80];
  size_t n;
  put_header(&f, r);
  put_protected(&f, r);
  assert_int_equal(psa_hash_compute(PSA_ALG_SHA_256, f.data, f.size, f.hash, 32, &n), PSA_SUCCESS);
  key_sign(r->key, f.data, f.size, raw);
  assert_int_equal(mbedtls_ecdsa_raw_to_der(256, raw, sizeof raw, der, sizeof der, &n), 0);
  key_hash(r->key, hash);
  f.list_at = f.size;
  put32(&f, 0x6907);
  f.hash_at = put_entry(&f, r, 0x10, f.hash, 32);
  f.key_hash_at = put_entry(&f, r, 0x01, hash, 32);
  f.signature_at = put_entry(&f, r, 0x22, der, n);
  if (r->extra_type != 0) put_entry(&f, r, r->extra_type, "four", 4);
  close_list(&f, f.list_at);
  return f;
}

static int read_firmware(void *ctx, uint32_t offset, void *out, size_t size)
{
  const struct firmware *f = ctx;
  assert_true(offset <= f->size && size <= f->size - offset);
  memcpy(out, f->data + offset, size);
  return 0;
}

struct device_image_source firmware_source(const struct firmware *firmware)
{
  return (struct device_image_source){(void *) firmware, read_firmware, firmware->size};
}

struct bytes manifest_make(const struct key *signer, const struct device_manifest *manifest)
{
  struct bytes out;
  out.size = device_manifest_encode(manifest, out.data, sizeof out.data - 64);
  if (out.size == 0) return out;
  key_sign(signer, out.data, out.size, out.data + out.size);
  out.size += 64;
  return out;
}
