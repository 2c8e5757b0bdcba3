/* A server's Finished that is wrong, in a record that is sound: who checks records only does not
 * notice. The keys come from OpenSSL's key log; of suites with AES-GCM and ChaCha20-Poly1305 (TLS
 * 1.2: AES-GCM only). */
#ifndef FLEETSIM_GAUNTLET_TAMPER_H
#define FLEETSIM_GAUNTLET_TAMPER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tamper;

/* For a connection of this version; NULL: out of memory. */
struct tamper *tamper_new(uint8_t tls);

/* A line of the key log. */
void tamper_learn(struct tamper *tamper, const char *line);

/* A record that the server is about to send, in the order of sending; the one that holds Finished is
 * changed in place. */
void tamper_record(struct tamper *tamper, SSL *ssl, uint8_t *record, size_t size);
/* Whether one was. */
bool tamper_has_changed(const struct tamper *tamper);
void tamper_free(struct tamper *tamper);

#endif
