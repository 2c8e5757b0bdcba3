/* One visit on a loop of the test, and its peer on a socket beside it: raw bytes, or OpenSSL's client.
 * Both turn in one thread, so that nothing depends on who is faster.
 */
#ifndef FLEETSIM_TEST_RIG_H
#define FLEETSIM_TEST_RIG_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "gauntlet/visit.h"

/* The cases of that text, which is sound. */
struct cases *rig_cases(const char *text);

/* What every case of a test inherits. */
#define RIG_DEFAULTS                                                                          \
  "defaults\n  cert root: ca=yes ku=keyCertSign\n  cert other: ca=no\n"                       \
  "  cert leaf: issuer=root ca=no eku=serverAuth ku=digitalSignature san=DNS:broker.test\n"   \
  "  trusts: root\n  sends: leaf\n  host: broker.test\n  clock: 2026-06-01\n  tls: 1.2 1.3\n" \
  "  why: it is a test\n  expect: accept\n"

#define RIG_ROOM (1u << 21)

struct rig {
  uv_loop_t loop;
  struct cases *cases;
  struct act act;
  struct visit *visit;     /* NULL: it is over */
  struct observation seen; /* when it is */
  int fd;                  /* of the peer; -1 */
  bool reads;              /* whether the peer takes what comes */
  uint8_t *got;            /* of RIG_ROOM: the first bytes that came */
  size_t size;             /* how many came */
  size_t taken;            /* of them, by TLS */
  bool ended, reset;       /* the server has closed, in that manner */
  uint64_t came_ms;        /* when the last byte did */

  SSL_CTX *context;
  SSL *ssl;
  bool shaken;
  unsigned alert; /* that the client has sent; 0: none */
  uint8_t app[65536 + 1024];
  size_t app_size;
};

/* The lines of one case, such as "wire: hello; close", in that version of TLS. */
void rig_open(struct rig *rig, const char *lines, uint8_t tls);
/* The same server, another peer and, unless NULL, other lines: certificates and keys stay. */
void rig_again(struct rig *rig, const char *lines);
void rig_close(struct rig *rig);

/* For so long, or until it holds; -> whether it does. */
void rig_turn(struct rig *rig, unsigned ms);
bool rig_until(struct rig *rig, bool (*holds)(const struct rig *rig), unsigned ms);
bool rig_is_over(const struct rig *rig);
bool rig_has_ended(const struct rig *rig);

/* The peer's bytes, all of them. */
void rig_send(struct rig *rig, const void *data, size_t size);
/* A whole ClientHello, of OpenSSL's client. */
void rig_send_hello(struct rig *rig);
void rig_hang_up(struct rig *rig);

/* OpenSSL's client, which trusts the root and knows the name; NULL suites: its own. Returns whether the
 * handshake was complete. */
bool rig_secure(struct rig *rig, const char *suites);
void rig_say(struct rig *rig, const void *data, size_t size);
/* Until so many bytes have come inside TLS. */
void rig_expect(struct rig *rig, const void *data, size_t size, const char *what);

#endif
