/* Handshakes that stand on the same roots share them; those that do not are never mixed up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mbedtls/platform.h>

#include "certificate.h"
#include "device/anchors.h"

static struct device_trust_bundle ab, ac, damaged;
static struct bytes bytes_ab, bytes_ac;
static struct certificate root[3];
static int blocks; /* of the library's heap */

static void *counting_calloc(size_t count, size_t size)
{
  void *block = calloc(count, size);
  blocks += block != NULL;
  return block;
}

static void counting_free(void *block)
{
  blocks -= block != NULL;
  free(block);
}

static int make_bundles(void **state)
{
  (void) state;
  if (keys_begin() != 0) return -1;
  struct key key = key_make("update key");
  for (size_t i = 0; i < 3; i++) root[i] = root_make((char[]){"ABC"[i], 0});
  bytes_ab = bundle_make(&key, 1, 2, root);
  bytes_ac = bundle_make(&key, 2, 2, (struct certificate[]){root[0], root[2]});
  if (device_trust_parse(bytes_ab.data, bytes_ab.size, &ab) != DEVICE_UPDATE_COMMITTED ||
      device_trust_parse(bytes_ac.data, bytes_ac.size, &ac) != DEVICE_UPDATE_COMMITTED)
    return -1;
  damaged = ab;
  damaged.anchor[1].size--;
  return mbedtls_platform_set_calloc_free(counting_calloc, counting_free);
}

struct user {
  mbedtls_x509_crt own, *anchors;
};

static int get(struct user *user, const struct device_trust_bundle *bundle)
{
  mbedtls_x509_crt_init(&user->own);
  return device_anchors_get(bundle, &user->own, &user->anchors);
}

static void put(struct user *user)
{
  device_anchors_put(user->anchors, &user->own);
}

static void two_handshakes_on_one_bundle_share_its_anchors(void **state)
{
  (void) state;
  struct user first, second;
  int before = blocks;
  assert_int_equal(get(&first, &ab), 0);
  int parsed = blocks;
  assert_int_equal(get(&second, &ab), 0);
  assert_ptr_equal(first.anchors, second.anchors);
  assert_int_equal(blocks, parsed);
  assert_memory_equal(second.anchors->next->raw.p, root[1].der, root[1].size);
  put(&first);
  put(&second);
  assert_int_equal(blocks, before);
}

static void another_bundle_meanwhile_has_its_own(void **state)
{
  (void) state;
  struct user first, second, third;
  int before = blocks;
  assert_int_equal(get(&first, &ab), 0);
  assert_int_equal(get(&second, &ac), 0);
  assert_ptr_not_equal(first.anchors, second.anchors);
  assert_memory_equal(first.anchors->next->raw.p, root[1].der, root[1].size);
  assert_memory_equal(second.anchors->next->raw.p, root[2].der, root[2].size);
  put(&first);
  assert_int_equal(get(&third, &ac), 0);
  put(&second);
  assert_memory_equal(third.anchors->next->raw.p, root[2].der, root[2].size);
  put(&third);
  assert_int_equal(blocks, before);
}

static void nothing_is_kept_once_the_last_client_is_off(void **state)
{
  (void) state;
  struct user user;
  int before = blocks;
  device_anchors_attach();
  device_anchors_attach();
  for (int handshake = 0; handshake < 2; handshake++) {
    assert_int_equal(get(&user, handshake == 0 ? &ab : &ac), 0);
    assert_memory_equal(user.anchors->next->raw.p, root[1 + handshake].der,
                        root[1 + handshake].size);
    put(&user);
  }
  device_anchors_detach();
  device_anchors_detach();
  assert_int_equal(blocks, before);
}

static void an_anchor_that_cannot_be_parsed_leaves_nothing_behind(void **state)
{
  (void) state;
  struct user user;
  int before = blocks;
  assert_int_not_equal(get(&user, &damaged), 0);
  put(&user);
  assert_int_equal(blocks, before);
  assert_int_equal(get(&user, &ab), 0);
  put(&user);
  assert_int_equal(blocks, before);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_handshakes_on_one_bundle_share_its_anchors),
      cmocka_unit_test(another_bundle_meanwhile_has_its_own),
      cmocka_unit_test(nothing_is_kept_once_the_last_client_is_off),
      cmocka_unit_test(an_anchor_that_cannot_be_parsed_leaves_nothing_behind),
  };
  return cmocka_run_group_tests(tests, make_bundles, NULL);
}
