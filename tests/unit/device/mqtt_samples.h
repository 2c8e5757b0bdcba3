/* MQTT packets as a server sends them, written by hand from the specification: good ones, and bad
 * ones with the reason.
 */
#ifndef FLEETSIM_TEST_MQTT_SAMPLES_H
#define FLEETSIM_TEST_MQTT_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define MQTT_SAMPLE_MAX 256u

struct mqtt_sample {
  const char *what; /* a good packet's contents, or what is wrong with a bad one */
  uint8_t version;  /* 4, 5, or 0 for both */
  const char *hex;  /* one whole packet; blanks do not count */
};

extern const struct mqtt_sample mqtt_good[];
extern const size_t mqtt_good_count;
extern const struct mqtt_sample mqtt_bad[];
extern const size_t mqtt_bad_count;

/* Returns the number of bytes; stops the test if `hex` is no hex or too long. */
size_t mqtt_from_hex(const char *hex, uint8_t out[MQTT_SAMPLE_MAX]);

#endif
