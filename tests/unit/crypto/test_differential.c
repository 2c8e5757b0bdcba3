/* Random inputs, to the library's own code and to ours: equal answers, and each accepts what the
   other signs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/p256_host.h"

#include "rig.h"

#ifdef __SANITIZE_ADDRESS__
#define INPUTS 1000 /* native P-256 is several times slower there */
#else
#define INPUTS 10000
#endif
#define SEED UINT64_C(20240611)

static uint32_t below(uint32_t limit)
{
  uint32_t drawn;
  rig_random((uint8_t *) &drawn, sizeof drawn);
  return drawn % limit;
}

/* A hash of any length up to 64, and a pair. */
struct input {
  uint8_t private_key[32], public_key[65], hash[64], signature[64];
  size_t hash_size;
};

static void draw(struct input *in)
{
  p256_host_set_native(false);
  rig_random(in->private_key, sizeof in->private_key);
  rig_random(in->hash, sizeof in->hash);
  in->hash_size = below(2) == 0 ? 32 : 1 + below(64);
  assert_int_equal(rig_public(in->private_key, in->public_key), PSA_SUCCESS);
}

static psa_status_t verify(bool native, const struct input *in)
{
  p256_host_set_native(native);
  return rig_verify(in->public_key, in->hash, in->hash_size, in->signature, sizeof in->signature);
}

static void sign(bool native, struct input *in)
{
  p256_host_set_native(native);
  assert_int_equal(rig_sign(in->private_key, in->hash, in->hash_size, in->signature), PSA_SUCCESS);
}

/* Signed by one, accepted by the other. */
static void compare_signing(int i)
{
  struct input in;
  draw(&in);
  bool signer = i % 2;
  sign(signer, &in);
  psa_status_t status = verify(!signer, &in);
  if (status != PSA_SUCCESS)
    fail_msg("seed %ju, input %d: native signed: %d, status %d", (uintmax_t) SEED, i, signer,
             (int) status);
}

/* A valid signature with one thing wrong, or one thing that only looks wrong. */
static void spoil(struct input *in)
{
  switch (below(6)) {
  case 0: in->signature[below(64)] ^= (uint8_t) (1u << below(8)); break;
  case 1: in->hash[below((uint32_t) in->hash_size)] ^= (uint8_t) (1u << below(8)); break;
  case 2: in->public_key[1 + below(64)] ^= (uint8_t) (1u << below(8)); break;
  case 3: memset(in->signature + 32 * below(2), below(2) == 0 ? 0x00 : 0xff, 32); break;
  case 4: rig_random(in->signature, sizeof in->signature); break;
  case 5: in->hash_size = 1 + below(64); break; /* from 32 bytes on only the first 32 count */
  }
}

static void compare_verifying(int i, int accepted[2])
{
  struct input in;
  draw(&in);
  sign(false, &in);
  if (i % 8 != 0) spoil(&in);
  psa_status_t native = verify(true, &in), ours = verify(false, &in);
  if (native != ours)
    fail_msg("seed %ju, input %d: native %d, ours %d", (uintmax_t) SEED, i, (int) native,
             (int) ours);
  accepted[native == PSA_SUCCESS]++;
}

static void compare_agreeing(int i)
{
  struct input in, peer;
  draw(&in);
  draw(&peer);
  uint8_t shared[2][32];
  for (int native = 0; native < 2; native++) {
    p256_host_set_native(native);
    assert_int_equal(rig_shared(in.private_key, peer.public_key, 65, shared[native]), PSA_SUCCESS);
  }
  if (memcmp(shared[0], shared[1], 32) != 0)
    fail_msg("seed %ju, input %d: secrets differ", (uintmax_t) SEED, i);
}

static void compare_public_keys(int i)
{
  struct input in;
  draw(&in);
  uint8_t native[65];
  p256_host_set_native(true);
  assert_int_equal(rig_public(in.private_key, native), PSA_SUCCESS);
  if (memcmp(native, in.public_key, 65) != 0)
    fail_msg("seed %ju, input %d: public keys differ", (uintmax_t) SEED, i);
}

static void both_modes_answer_alike(void **state)
{
  (void) state;
  int accepted[2] = {0, 0};
  rig_seed(SEED);
  for (int i = 0; i < INPUTS; i++) {
    switch (i % 5) {
    case 0: compare_signing(i / 5); break;
    case 1:
    case 2: compare_verifying(i, accepted); break;
    case 3: compare_agreeing(i); break;
    case 4: compare_public_keys(i); break;
    }
  }
  printf("%d inputs; of %d signatures that were put to both, both accepted %d and refused %d\n",
         INPUTS, accepted[0] + accepted[1], accepted[1], accepted[0]);
  assert_true(accepted[0] > INPUTS / 10 && accepted[1] > INPUTS / 50);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(both_modes_answer_alike)};
  return cmocka_run_group_tests(tests, rig_open, rig_close);
}
