/* Time and entropy for Mbed TLS: those of the device that is being stepped.
 *
 * Mbed TLS asks for the time and for random bytes through process-wide hooks without a context. So
 * the client says which device it acts for before it calls the library, and takes that back
 * afterwards. The library is therefore used by one thread at a time.
 */
#ifndef FLEETSIM_DEVICE_PLATFORM_H
#define FLEETSIM_DEVICE_PLATFORM_H

#include "fleetsim/device.h"

struct device_platform {
  const struct device_host *host;
  uint64_t now_ms;
  int64_t unix_s;
};

/* From here to device_platform_leave, the library's time and entropy are those of `platform`. */
void device_platform_enter(const struct device_platform *platform);
void device_platform_leave(void);

#endif
