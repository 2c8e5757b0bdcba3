/* Numbers in byte strings: big-endian, as NVM, trust bundles, manifests and certificate chains hold
 * them, and little-endian, as images do. */
#ifndef FLEETSIM_DEVICE_BYTES_H
#define FLEETSIM_DEVICE_BYTES_H

#include <stdint.h>

static inline uint16_t device_get16(const uint8_t *p)
{
  return (uint16_t) (p[0] << 8 | p[1]);
}

static inline uint32_t device_get32(const uint8_t *p)
{
  return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static inline void device_put16(uint8_t *p, uint16_t v)
{
  p[0] = (uint8_t) (v >> 8);
  p[1] = (uint8_t) v;
}

static inline void device_put32(uint8_t *p, uint32_t v)
{
  device_put16(p, (uint16_t) (v >> 16));
  device_put16(p + 2, (uint16_t) v);
}

static inline uint16_t device_get16_le(const uint8_t *p)
{
  return (uint16_t) (p[1] << 8 | p[0]);
}

static inline uint32_t device_get32_le(const uint8_t *p)
{
  return (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
}

static inline void device_put16_le(uint8_t *p, uint16_t v)
{
  p[0] = (uint8_t) v;
  p[1] = (uint8_t) (v >> 8);
}

static inline void device_put32_le(uint8_t *p, uint32_t v)
{
  device_put16_le(p, (uint16_t) v);
  device_put16_le(p + 2, (uint16_t) (v >> 16));
}

#endif
