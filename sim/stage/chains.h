/* Which certificate a device holds and shows. */
#ifndef FLEETSIM_STAGE_CHAINS_H
#define FLEETSIM_STAGE_CHAINS_H

#include "stage/stage.h"

/* A number by which a chain is told from others; and of the one in force on the device, 0: there
 * is none. */
uint64_t stage_chain_mark(const uint8_t *chain, size_t size);
uint64_t stage_chain_in_force(struct stage *stage, size_t index);

/* When the certificate in force on the device ends, in Unix seconds; 0: it holds none. */
int64_t stage_chain_ends(struct stage *stage, size_t index);

/* Whether its leaf is the one that is in force on the device, which is under `root` already: then
 * other intermediates would change nothing that a broker judges. */
bool stage_holds_leaf(struct stage *stage, size_t index, const char *root, const uint8_t *chain,
                      size_t size);

/* The device with the certificate that it holds at present; and with another that it was issued. */
struct stage_stand_in stage_stand_in(struct stage *stage, size_t device);
struct stage_stand_in stage_stand_in_with(size_t device, const uint8_t *chain, size_t size);

/* It still holds that certificate. */
bool stage_stands_in(struct stage *stage, const struct stage_stand_in *stand_in);

/* Bit r: the chain in force on the device is under root r; 0: it holds none. */
uint16_t stage_roots_in_force(struct stage *stage, size_t index);

/* Bit r: the broker should trust devices by root r; and whether it should trust this one. */
uint16_t stage_roots_trusted(const struct stage *stage);
bool stage_is_trusted(const struct stage *stage, const struct stage_stand_in *stand_in);

/* The fleet's hook roots_of; ctx is the stage. */
uint16_t stage_roots_of(void *ctx, size_t index, const uint8_t *chain, size_t size);

#endif
