/* Hellos for tests: made by hand, field by field, or by clients that people have. */
#ifndef HELLO_CRAFT_H
#define HELLO_CRAFT_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#define CRAFT_MAX 40000u /* bytes on the wire */

struct craft_extension {
  uint16_t number, size;
  uint8_t data[2048];
};

struct craft {
  uint16_t record_version, legacy_version;
  uint8_t session_id_size;
  uint16_t suites[600];
  size_t suite_count;
  uint8_t compressions[32];
  size_t compression_count;
  struct craft_extension extension[300];
  size_t extension_count; /* 0: the block is left out */
};

/* What a careful client of today sends: TLS 1.2 and 1.3, nothing that stands out. */
void craft_modern(struct craft *craft);

/* What a hello of TLS 1.0 with one old suite and no extensions is. */
void craft_ancient(struct craft *craft);

void craft_suites(struct craft *craft, size_t count, const uint16_t *suites);
void craft_add_suite(struct craft *craft, uint16_t suite);

/* Replaces it, or adds it at the end; `size` bytes. */
void craft_set(struct craft *craft, uint16_t number, const void *data, size_t size);
void craft_drop(struct craft *craft, uint16_t number);

/* A list of numbers of two bytes behind a length of `length_bytes`. */
void craft_set_numbers(struct craft *craft, uint16_t number, size_t length_bytes, size_t count,
                       const uint16_t *values);
void craft_set_name(struct craft *craft, const char *name);

/* Its bytes in records of at most `piece` bytes of payload. Returns how many. */
size_t craft_wire(const struct craft *craft, size_t piece, uint8_t out[CRAFT_MAX]);

/* The message of a whole hello in other pieces. */
size_t craft_cut(const uint8_t *wire, size_t size, size_t piece, uint8_t out[CRAFT_MAX]);

/* What OpenSSL's client sends first. NULL or 0: as it does by itself. */
struct craft_openssl {
  int min, max; /* TLS1_2_VERSION .. */
  const char *ciphers, *suites, *groups, *schemes, *name;
  const char *protocols; /* with a length before each, as RFC 7301 has them */
  const char *psk; /* an identity: a pre-shared key of TLS 1.3 is offered, early data with it */
};

size_t craft_by_openssl(const struct craft_openssl *wish, uint8_t out[CRAFT_MAX]);

/* What a device of this program sends first to broker.test; versions are 12 or 13. */
size_t craft_by_device(uint8_t tls_min, uint8_t tls_max, uint8_t out[CRAFT_MAX]);

#endif
