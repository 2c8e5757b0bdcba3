/* One pair of record buffers for the program, lent for a step at a time.
 *
 * It stays at one address while anybody uses it, so that the library's pointers into it are right
 * from one step to the next: only the bytes come and go. The first eight are the number of the next
 * record from the broker (that of records to it is in the context); behind them lies a record that
 * has come in part, the part of a handshake message that earlier records brought, or data that was
 * decrypted and not read. All of it is one piece from the buffer's start. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* the library has no getters for its buffers */
#include "tls_records.h"

#include <assert.h>
#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>

#ifdef DEVICE_SHARE_RECORDS
#define SHARE true
#else
#define SHARE false
#endif

/* All clients of a program belong to one thread (device_builtin). */
static struct {
  unsigned char *in, *out;
  /* what TLS 1.3 wants for a ticket: an address to write to */
  mbedtls_ssl_handshake_params *handshake;
  const struct device_tls *user; /* of the step under way */
  size_t content; /* bytes of content that the library had in mind when it made them */
  unsigned connections;
} shared;

/* Bytes from the buffer's start that the connection needs again. */
static size_t unread(const mbedtls_ssl_context *ssl)
{
  const unsigned char *end = ssl->in_hdr + ssl->in_left;
  const unsigned char *content = ssl->in_offt != NULL ? ssl->in_offt : ssl->in_msg;
  if (ssl->in_msglen > 0 && content + ssl->in_msglen > end) end = content + ssl->in_msglen;
  return (size_t) (end - ssl->in_buf);
}

static unsigned char *moved(const unsigned char *at, const unsigned char *from, unsigned char *to)
{
  return at != NULL ? to + (at - from) : NULL;
}

static void move_to_shared(mbedtls_ssl_context *ssl)
{
  const unsigned char *in = ssl->in_buf, *out = ssl->out_buf;
  memcpy(shared.in, in, unread(ssl));
  ssl->in_ctr = moved(ssl->in_ctr, in, shared.in);
  ssl->in_hdr = moved(ssl->in_hdr, in, shared.in);
  ssl->in_len = moved(ssl->in_len, in, shared.in);
  ssl->in_iv = moved(ssl->in_iv, in, shared.in);
  ssl->in_msg = moved(ssl->in_msg, in, shared.in);
  ssl->in_offt = moved(ssl->in_offt, in, shared.in);
  ssl->out_ctr = moved(ssl->out_ctr, out, shared.out);
  ssl->out_hdr = moved(ssl->out_hdr, out, shared.out);
  ssl->out_len = moved(ssl->out_len, out, shared.out);
  ssl->out_iv = moved(ssl->out_iv, out, shared.out);
  ssl->out_msg = moved(ssl->out_msg, out, shared.out);
  ssl->in_buf = shared.in;
  ssl->out_buf = shared.out;
}

/* The library knows how long a pair is, and wipes it. */
static void free_pair(unsigned char *in, unsigned char *out)
{
  mbedtls_ssl_context of_none;
  mbedtls_ssl_init(&of_none);
  of_none.in_buf = in;
  of_none.out_buf = out;
  mbedtls_ssl_free(&of_none);
}

static void free_kept(struct device_tls *tls)
{
  if (tls->kept == NULL) return;
  mbedtls_platform_zeroize(tls->kept, tls->kept_size);
  mbedtls_free(tls->kept);
  tls->kept = NULL;
  tls->kept_size = 0;
}

static void share_handshake(mbedtls_ssl_context *ssl)
{
  if (shared.handshake == NULL)
    shared.handshake = ssl->handshake;
  else
    mbedtls_free(ssl->handshake);
  ssl->handshake = shared.handshake;
}

void device_tls_records_share(struct device_tls *tls)
{
  bool fits = shared.connections == 0 || shared.content == MBEDTLS_SSL_IN_CONTENT_LEN;
  if (!SHARE || !fits || tls->ssl.out_left != 0) return;
  mbedtls_ssl_context *ssl = &tls->ssl;
  assert(!tls->shares && shared.user == NULL);
  if (shared.connections++ == 0) {
    shared.in = ssl->in_buf;
    shared.out = ssl->out_buf;
    shared.content = MBEDTLS_SSL_IN_CONTENT_LEN;
  } else {
    unsigned char *in = ssl->in_buf, *out = ssl->out_buf;
    move_to_shared(ssl);
    free_pair(in, out);
  }
  tls->shares = true;
  tls->wants_block = ssl->handshake != NULL;
  if (tls->wants_block) share_handshake(ssl);
  shared.user = tls;
}

void device_tls_records_wake(struct device_tls *tls)
{
  if (!SHARE || !tls->shares) return;
  assert(shared.user == NULL);
  shared.user = tls;
  memcpy(shared.in, tls->counter, sizeof tls->counter);
  if (tls->wants_block) tls->ssl.handshake = shared.handshake;
  if (tls->kept == NULL) return;
  memcpy(shared.in + sizeof tls->counter, tls->kept, tls->kept_size);
  free_kept(tls);
}

int device_tls_records_rest(struct device_tls *tls)
{
  if (!SHARE || !tls->shares) return 0;
  assert(shared.user == tls);
  size_t size = unread(&tls->ssl) - sizeof tls->counter;
  shared.user = NULL;
  tls->ssl.handshake = NULL;
  memcpy(tls->counter, shared.in, sizeof tls->counter);
  if (tls->ssl.out_left != 0) return DEVICE_TLS_FULL;
  if (size == 0) return 0;
  tls->kept = mbedtls_calloc(1, size);
  if (tls->kept == NULL) return MBEDTLS_ERR_SSL_ALLOC_FAILED;
  tls->kept_size = size;
  memcpy(tls->kept, shared.in + sizeof tls->counter, size);
  return 0;
}

void device_tls_records_leave(struct device_tls *tls)
{
  if (!SHARE || !tls->shares) return;
  free_kept(tls);
  tls->shares = false;
  tls->ssl.in_buf = tls->ssl.out_buf = NULL;
  tls->ssl.handshake = NULL;
  if (shared.user == tls) shared.user = NULL;
  if (--shared.connections > 0) return;
  free_pair(shared.in, shared.out);
  mbedtls_free(shared.handshake);
  memset(&shared, 0, sizeof shared);
}
