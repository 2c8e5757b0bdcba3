/* Two device clients that are not the built-in one, each in a few lines: no TLS, a protocol of
 * lines ("hello" is answered by "welcome"), no update profile. Between them they leave every
 * effect of include/fleetsim/device.h: they restart themselves, fetch files, and want to be woken
 * while they have no transport.
 *
 * Both count their starts in NVM. A line "restart" makes either of them restart.
 */
#ifndef FLEETSIM_TEST_SMALL_H
#define FLEETSIM_TEST_SMALL_H

#include "fleetsim/device.h"

#define SMALL_PAGE        64u
#define SMALL_WATCHDOG_MS 5000u /* without a session for so long it restarts */
#define SMALL_FETCH_MS    200u  /* after its start, and after a fetch that failed */
#define SMALL_FILE_SIZE   40u
#define SMALL_URL         "https://files.test/settings"

extern const struct device_ops small_watchdog, small_fetcher;

/* What such a page says: starts so far, bytes that were fetched, and whether that was all. */
struct small_memory {
  uint32_t starts, fetched;
  bool whole;
};

/* An erased page is one of a device that has never run. */
struct small_memory small_memory(const uint8_t page[SMALL_PAGE]);

#endif
