/* EC_KEY is deprecated in favour of EVP_PKEY, which costs more; the floor is the cheaper one. */
#define OPENSSL_SUPPRESS_DEPRECATED
#define _POSIX_C_SOURCE 200809L

#include "lab/floor.h"

#include <math.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdh.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <stdbool.h>
#include <time.h>

#define REPEATS 500

/* At a low rate so many would take minutes. */
#define PACED_S           2
#define PACED_REPEATS_MIN 20

struct curve {
  EC_GROUP *group;
  EC_KEY *device, *broker;
  unsigned char hash[32];
  ECDSA_SIG *signature; /* the broker's */
};

static EC_KEY *make_key(const EC_GROUP *group)
{
  EC_KEY *key = EC_KEY_new();
  if (key != NULL && EC_KEY_set_group(key, group) == 1 && EC_KEY_generate_key(key) == 1) return key;
  EC_KEY_free(key);
  return NULL;
}

static bool prepare(struct curve *curve)
{
  *curve = (struct curve){.group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1),
                          .hash = "what is signed"};
  if (curve->group == NULL) return false;
  curve->device = make_key(curve->group);
  curve->broker = make_key(curve->group);
  if (curve->device == NULL || curve->broker == NULL) return false;
  curve->signature = ECDSA_do_sign(curve->hash, sizeof curve->hash, curve->broker);
  return curve->signature != NULL;
}

static void release(struct curve *curve)
{
  ECDSA_SIG_free(curve->signature);
  EC_KEY_free(curve->broker);
  EC_KEY_free(curve->device);
  EC_GROUP_free(curve->group);
}

static bool one_connect(const struct curve *curve)
{
  unsigned char secret[32];
  EC_KEY *share = make_key(curve->group);
  if (share == NULL) return false;
  bool good =
      ECDH_compute_key(secret, sizeof secret, EC_KEY_get0_public_key(curve->broker), share, NULL) ==
          32 &&
      ECDSA_do_verify(curve->hash, sizeof curve->hash, curve->signature, curve->broker) == 1;
  ECDSA_SIG *signature = ECDSA_do_sign(curve->hash, sizeof curve->hash, curve->device);
  good = good && signature != NULL;
  ECDSA_SIG_free(signature);
  EC_KEY_free(share);
  return good;
}

static void sleep_s(double seconds)
{
  struct timespec left = {.tv_sec = (time_t) seconds, .tv_nsec = (long) (fmod(seconds, 1) * 1e9)};
  while (nanosleep(&left, &left) != 0) continue;
}

static double cpu_ms_now(void)
{
  struct timespec spent;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return (double) spent.tv_sec * 1e3 + (double) spent.tv_nsec / 1e6;
}

static int repeats_at(double rate)
{
  if (rate <= 0 || rate * PACED_S >= REPEATS) return REPEATS;
  return rate * PACED_S > PACED_REPEATS_MIN ? (int) (rate * PACED_S) : PACED_REPEATS_MIN;
}

int floor_measure(double rate, double *cpu_ms, struct error *error)
{
  struct curve curve;
  bool good = prepare(&curve);
  int repeats = repeats_at(rate);
  double began = cpu_ms_now();
  for (int i = 0; i < repeats && good; i++) {
    if (rate > 0) sleep_s(1 / rate);
    good = one_connect(&curve);
  }
  *cpu_ms = (cpu_ms_now() - began) / repeats;
  release(&curve);
  return good ? 0 : error_set(error, EXIT_CODE_INTERNAL, "libcrypto fails at P-256: is it whole?");
}

const char *floor_version(void)
{
  return OpenSSL_version(OPENSSL_VERSION);
}
