/* Numbers modulo n, the order of P-256's group: what a signature is divided by.
 *
 * libcrypto has this division in assembly, behind no function that it exports. Its general exponentiation, by which one
 * can do the same, takes half as many instructions again as this; a connect needs two of them. Needs a compiler with
 * 128-bit integers, as those for 64-bit hosts are.
 */
#ifndef FLEETSIM_CRYPTO_ORDER_H
#define FLEETSIM_CRYPTO_ORDER_H

#include <stdint.h>

#define ORDER_SIZE 32

/* 1 / number mod n, both big-endian. `number` is below n; 0 gives 0. In a time that does not depend on the number;
 * the intermediate ones are wiped. */
void order_invert(const uint8_t number[ORDER_SIZE], uint8_t inverse[ORDER_SIZE]);

#endif
