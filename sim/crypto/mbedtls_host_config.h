/* What Mbed TLS needs on a host that runs thousands of devices in one process, on top of the
 * device's own config: room in PSA's key store (every live connection holds its traffic keys
 * there), and P-256, SHA-256 and AES-GCM by libcrypto. Nothing a device computes changes. */
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC

#ifdef __x86_64__
#define MBEDTLS_AESNI_C /* in assembly, where the processor has it: it asks at run time */
#endif

#ifdef FLEETSIM_P256_HOST /* CMakeLists.txt: where there is libcrypto */
/* The library calls p256_transparent_*: ours, in sim/crypto/p256_host.c, not the p256-m that comes
   with it. */
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
#define MBEDTLS_SHA256_PROCESS_ALT /* sim/crypto/sha256_host.c */
#define MBEDTLS_GCM_ALT            /* sim/crypto/gcm_host.c */

/* sim/crypto/records.h: what is a constant in firmware is a setting here. The preprocessor takes it
 * for 0, which is in the library's bounds. */
#include <stddef.h>
extern size_t crypto_record_limit;
#undef MBEDTLS_SSL_IN_CONTENT_LEN
#define MBEDTLS_SSL_IN_CONTENT_LEN crypto_record_limit

/* The library takes that for a complete driver and leaves its own P-256 out. Native mode needs it:
 * all that the driver takes away is put back, so that apart from the driver both builds have the
 * same features. */
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_C
#define MBEDTLS_PSA_BUILTIN_ALG_ECDH                       1
#define MBEDTLS_PSA_BUILTIN_ALG_ECDSA                      1
#define MBEDTLS_PSA_BUILTIN_KEY_TYPE_ECC_PUBLIC_KEY        1
#define MBEDTLS_PSA_BUILTIN_KEY_TYPE_ECC_KEY_PAIR_BASIC    1
#define MBEDTLS_PSA_BUILTIN_KEY_TYPE_ECC_KEY_PAIR_IMPORT   1
#define MBEDTLS_PSA_BUILTIN_KEY_TYPE_ECC_KEY_PAIR_EXPORT   1
#define MBEDTLS_PSA_BUILTIN_KEY_TYPE_ECC_KEY_PAIR_GENERATE 1
#endif
