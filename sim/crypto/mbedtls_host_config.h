/* What Mbed TLS needs on a host that runs thousands of devices in one process, on top of the device's own config:
 * room in PSA's key store (every live connection holds its traffic keys there). Nothing a device computes changes. */
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC
