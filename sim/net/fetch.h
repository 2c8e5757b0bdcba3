/* Downloads by devices over HTTPS: the seam between the fleet and whoever speaks HTTP. fetch_curl.c
 * is libcurl on the uv loop.
 *
 * Each transfer is one device's: a connection and a TLS handshake of its own, never another one's
 * connection, session or cookie. The server's certificate is checked always: chain (the given CA
 * file is all that is trusted, the machine's own CAs are not), name, and validity by the clock of
 * the device that asks. TLS 1.2 or newer, HTTP/1.1, no proxy.
 *
 *     fetch_begin -> bytes, bytes, ... -> ended, or fetch_abort
 *
 * How it ends:
 *     NONE                the file's end was reached
 *     ENDLESS             more than size_max came; the byte beyond was handed over
 *     SERVER_NOT_TRUSTED  chain, name or validity of the certificate
 *     SERVER_UNREACHABLE  no TCP connection, no such name, no https URL
 *     SERVER_CUT          the connection broke, in the TLS handshake or after
 *     SERVER_TIMEOUT      the handshake, the answer or all of it took too long, or too little came
 *                         for too long
 *     SERVER_STATUS       an HTTP status that is no success, or no HTTP
 *     SERVER_RANGE        a range was asked for and not served from its first byte (RFC 9110,
 *                         14.4): 200, or 206 with another Content-Range; or 206 without having been
 *                         asked
 *     SERVER_REDIRECTS    more redirects than allowed, or one away from HTTPS
 */
#ifndef FLEETSIM_FETCH_H
#define FLEETSIM_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fleetsim/ota.h"

struct fetch;
struct fetch_transfer;
struct sockaddr_storage;
struct uv_loop_s;

#define FETCH_REDIRECTS_MAX 3u

/* Copied by fetch_open, its strings too. Times and counts of 0 stand for what is said. */
struct fetch_config {
  struct uv_loop_s *loop; /* outlives the fetch */
  const char *ca_path;    /* PEM: the CAs of update servers */
  /* "host:port:address": where names lead instead of where DNS says; then NULL. Or NULL */
  const char *const *resolve;
  /* TCP and TLS together; 0: 30 s, for a thousand that begin at once share two cores */
  uint32_t connect_ms;
  uint32_t total_ms;         /* of one transfer; 0: 10 min */
  uint32_t slow_bytes_per_s; /* less than that on average, ... ; 0: 64 */
  uint32_t slow_s;           /* ... for so long, ends a transfer; 0: 20 s */
  /* transfers under way; more of them wait for their turn, in order; 0: 4096 */
  uint32_t at_once;
};

/* Copied by fetch_begin. */
struct fetch_request {
  const char *url; /* https; shorter than DEVICE_OTA_URL_MAX */
  /* from this byte on: a range; 0: the whole file, without one */
  uint32_t offset;
  /* bytes wanted; one more is handed over when there are more, no second one */
  uint32_t size_max;
  int64_t unix_s;                      /* what the device's clock shows: validity is judged by it */
  const struct sockaddr_storage *from; /* source address; NULL: any */
};

/* Called on the loop's thread, never from inside a call of this header. Bytes are valid during the
   call. */
struct fetch_handler {
  void (*bytes)(void *user, const uint8_t *data, size_t size);
  /* the transfer is gone when this is called */
  void (*ended)(void *user, enum device_ota_status cause);
};

/* What all transfers have done so far; bytes are those of files, without HTTP and TLS. */
struct fetch_totals {
  uint64_t begun, ended, aborted;
  uint64_t requests; /* HTTP requests sent, redirected ones too: what the server sees and counts */
  uint64_t bytes;
  uint64_t requests_peak_per_s, bytes_peak_per_s;
  size_t under_way, waiting;
};

/* NULL with a sentence: the CA file holds no certificate, memory is short, libcurl lacks what this
   needs. */
struct fetch *fetch_open(const struct fetch_config *config, struct error *error);

/* NULL: out of memory. */
struct fetch_transfer *fetch_begin(struct fetch *fetch, const struct fetch_request *request,
                                   const struct fetch_handler *handler, void *user);

/* Paused: no `bytes` and, for want of them, no `ended` but SERVER_TIMEOUT; what arrives stays with
 * the network but for one buffer. Time goes on to count. */
void fetch_pause(struct fetch_transfer *transfer, bool paused);

/* Ends it at once, whatever it does: no callback follows, and the transfer is gone. From inside
   `bytes` too. */
void fetch_abort(struct fetch_transfer *transfer);

void fetch_totals(const struct fetch *fetch, struct fetch_totals *out);

/* Aborts what is under way. `closed` comes from the loop when all of it is gone. From inside a
   callback too. */
void fetch_close(struct fetch *fetch, void (*closed)(void *ctx), void *ctx);

/* Most memory that a transfer under way takes, TLS included: what a run must have to spare for
   each. */
size_t fetch_bytes_per_transfer(void);

#endif
