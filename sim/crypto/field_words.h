/* What the two files of field.h share: p, a word at a time, and a type for products of two words. */
#ifndef FLEETSIM_CRYPTO_FIELD_WORDS_H
#define FLEETSIM_CRYPTO_FIELD_WORDS_H

#include "crypto/field.h"

#define FIELD_P0 0xffffffffffffffffu
#define FIELD_P1 0x00000000ffffffffu
#define FIELD_P2 0u
#define FIELD_P3 0xffffffff00000001u

__extension__ typedef unsigned __int128 field_wide;

/* Subtracts p once where over * 2^256 + number is p or more; that is less than 2 p. */
void field_reduce_once(struct field *number, uint64_t over);

#endif
