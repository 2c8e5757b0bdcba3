/* Numbers modulo n, the order of P-256's group: what a signature is divided by. libcrypto exports
 * no fast division by them: GMP's takes an eighth of the time of its BN_mod_inverse.
 */
#ifndef FLEETSIM_CRYPTO_ORDER_H
#define FLEETSIM_CRYPTO_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define ORDER_SIZE 32

/* 1 / number mod n, both big-endian, which may be one buffer; false for 0 and n, which have none.
 * Takes a time that depends on the number, and leaves copies of it: for a public one, or one that
 * was blinded. */
bool order_invert(const uint8_t number[ORDER_SIZE], uint8_t inverse[ORDER_SIZE]);

#endif
