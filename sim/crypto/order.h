/* Numbers modulo n, the order of P-256's group: what a signature is divided by. libcrypto exports
 * no fast division by them: GMP's takes an eighth of the time of its BN_mod_inverse.
 *
 * All are 32 bytes, big-endian. Each call takes a time that depends on its numbers, and leaves
 * copies of them: for public ones, or those that were blinded. An output may be an input.
 */
#ifndef FLEETSIM_CRYPTO_ORDER_H
#define FLEETSIM_CRYPTO_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define ORDER_SIZE 32

/* Whether it is one of 1 to n - 1. */
bool order_has(const uint8_t number[ORDER_SIZE]);

/* 1 / number mod n; false for 0 and n, which have none. */
bool order_invert(const uint8_t number[ORDER_SIZE], uint8_t inverse[ORDER_SIZE]);

/* a * b mod n, of any two numbers. */
void order_multiply(const uint8_t a[ORDER_SIZE], const uint8_t b[ORDER_SIZE],
                    uint8_t product[ORDER_SIZE]);

/* number + n; false where that has more than 32 bytes. */
bool order_add_n(const uint8_t number[ORDER_SIZE], uint8_t sum[ORDER_SIZE]);

/* Of 2^255 or more: n - number, and true. Of less: the number itself, and false. The number is less
   than n. */
bool order_negate_large(const uint8_t number[ORDER_SIZE], uint8_t out[ORDER_SIZE]);

#endif
