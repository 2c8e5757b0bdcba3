/* What include/fleetsim/device.h asks of a device client, as a body that any client can be put
 * through: a plain one, without a fleet, in virtual time.
 *
 *     conformance_run(&(struct conformance){.ops = &my_client, ...});
 *
 * It goes by the names it is given; it goes online and leaves, with whole events and a byte at a time; is closed, stopped and left
 * waiting wherever an attempt can be; gets events that do not fit; loses its power in every write;
 * restarts, fetches and borrows, if it is one that does. The first thing that is not as the header says
 * fails the test with a sentence.
 */
#ifndef FLEETSIM_TEST_CONFORMANCE_H
#define FLEETSIM_TEST_CONFORMANCE_H

#include "fleetsim/device.h"

/* The other end of the line: a broker that lets the device in. */
struct conformance_peer {
  void *(*open)(void *ctx);
  /* Takes `size` bytes of the device, and writes its answer; returns the answer's size. */
  size_t (*talk)(void *link, const uint8_t *in, size_t size, uint8_t *out, size_t capacity);
  void (*close)(void *link);
  /* Whether the device said that text on this link; NULL: it is no peer of MQTT. */
  bool (*heard)(void *link, const char *text);
};

struct conformance {
  const struct device_ops *ops;
  const struct device_profile *profile;
  const struct device_endpoint *endpoints;
  uint8_t endpoint_count;
  const uint8_t *page; /* as it leaves the factory */
  size_t page_size;
  int64_t unix_s;
  struct conformance_peer peer;
  void *ctx;     /* of peer.open */
  bool restarts; /* left alone without a transport it asks for `reboot` some time */
  bool fetches;  /* and for `fetch` */
};

void conformance_run(const struct conformance *it);

#endif
