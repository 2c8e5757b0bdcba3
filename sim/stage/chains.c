/* Which certificate a device holds and shows. The evidence is the bytes: of its memory, and of a
   handshake. */
#define _POSIX_C_SOURCE 200809L
#include "stage/chains.h"

#include "fleetsim/nvm.h"
#include "pki/nvm_store.h"

/* FNV-1a. Nobody chooses the chains of a fleet to be alike. */
uint64_t stage_chain_mark(const uint8_t *chain, size_t size)
{
  uint64_t mark = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) mark = (mark ^ chain[i]) * 0x100000001b3u;
  return mark != 0 ? mark : 1;
}

uint64_t stage_chain_in_force(struct stage *stage, size_t index)
{
  uint8_t *page = pki_device_page(stage->pki, index);
  const struct device_host host = pki_nvm_host(page);
  struct device_nvm_slot slot;
  if (device_nvm_find(&host, DEVICE_NVM_CERTIFICATE, &slot) != 0 || slot.size == 0) return 0;
  return stage_chain_mark(page + slot.offset, slot.size);
}

/* A chain is followed once: two signatures cost as much as half a handshake, and devices come back
   again and again. */
uint16_t stage_roots_of(void *ctx, size_t index, const uint8_t *chain, size_t size)
{
  struct stage *stage = ctx;
  struct stage_identity *identity = &stage->identity[index];
  uint64_t mark = stage_chain_mark(chain, size);
  if (identity->seen != mark) identity->roots = pki_chain_roots(stage->pki, chain, size);
  identity->seen = mark;
  return identity->roots;
}
