#define _GNU_SOURCE
#include "hostile.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HALF_A_RECORD 40u /* bytes of the ServerHello's record, which has more than 90 */
#define OUT_MAX       8192u

enum mqtt { MQTT_CONNECT = 1, MQTT_PUBLISH = 3, MQTT_SUBSCRIBE = 8, MQTT_PINGREQ = 12 };

struct link {
  uv_tcp_t tcp;
  uv_timer_t trickle;
  struct hostile *server;
  struct link *next;
  enum hostile_manner manner;
  struct hostile_seen *seen;
  SSL *ssl;
  bool mute;      /* has said all that it will */
  bool trickling; /* MQTT */
  size_t at;      /* in what trickles */
  uint8_t out[OUT_MAX];
  size_t out_size;
  uint8_t in[2048]; /* decrypted */
  size_t in_size;
  unsigned handles;
};

struct hostile {
  uv_loop_t *loop;
  uv_tcp_t tcp;
  SSL_CTX *tls;
  struct link *links;
  enum hostile_manner manner[HOSTILE_SOURCES];
  struct hostile_seen seen[HOSTILE_SOURCES];
  uint64_t trickle_ms;
};

const char *hostile_name(enum hostile_manner manner)
{
  static const char *const names[] = {
#define X(symbol, name) name,
      HOSTILE_MANNERS(X)
#undef X
  };
  return names[manner];
}

static uint64_t now(const struct link *link)
{
  return uv_now(link->server->loop);
}

/* --- Bytes out -------------------------------------------------------------------------------- */

static void send_raw(struct link *link, const uint8_t *data, size_t size)
{
  uv_buf_t buffer = uv_buf_init((char *) data, (unsigned) size);
  /* a client that is gone is no failure of the test */
  (void) uv_try_write((uv_stream_t *) &link->tcp, &buffer, 1);
}

/* What TLS has made goes out as the manner has it. */
static void flush(struct link *link)
{
  uint8_t data[OUT_MAX];
  int n;
  while ((n = BIO_read(SSL_get_wbio(link->ssl), data, sizeof data)) > 0) {
    size_t size = (size_t) n;
    if (link->mute) continue;
    if (link->manner == HOSTILE_TRICKLED_RECORD) {
      assert_true(link->out_size + size <= sizeof link->out);
      memcpy(link->out + link->out_size, data, size);
      link->out_size += size;
    } else if (link->manner == HOSTILE_HALF_RECORD) {
      send_raw(link, data, size < HALF_A_RECORD ? size : HALF_A_RECORD);
      link->mute = true;
    } else {
      send_raw(link, data, size);
    }
  }
}

static void say(struct link *link, const uint8_t *packet, int size)
{
  assert_int_equal(SSL_write(link->ssl, packet, size), size);
  flush(link);
}

/* CONNACK with a user property of 51 x, and a PUBLISH of QoS 0 to "t", each one byte at a time. */
static uint8_t trickled_byte(const struct link *link)
{
  static const uint8_t connack[] = {0x20, 60, 0, 0, 57, 0x26, 0, 1, 'a', 0, 51};
  static const uint8_t publish[] = {0x30, 100, 0, 1, 't', 0};
  bool connects = link->manner == HOSTILE_TRICKLED_CONNACK;
  size_t at = link->at % 102;
  if (connects) return link->at < sizeof connack ? connack[link->at] : 'x';
  return at < sizeof publish ? publish[at] : 'x';
}

static void on_trickle(uv_timer_t *timer)
{
  struct link *link = timer->data;
  if (link->manner == HOSTILE_TRICKLED_RECORD && link->at < link->out_size)
    send_raw(link, &link->out[link->at++], 1);
  if (!link->trickling) return;
  uint8_t byte = trickled_byte(link);
  link->at++;
  say(link, &byte, 1);
}

/* --- MQTT ------------------------------------------------------------------------------------- */

static void stamp(struct link *link, uint64_t *at_ms)
{
  if (*at_ms == 0) *at_ms = now(link);
}

static void on_connect(struct link *link)
{
  static const uint8_t connack[] = {0x20, 3, 0, 0, 0};
  link->trickling = link->manner == HOSTILE_TRICKLED_CONNACK;
  if (link->manner == HOSTILE_NO_CONNACK || link->trickling) return;
  if (link->manner == HOSTILE_HALF_CONNACK) {
    say(link, connack, 2);
    return;
  }
  stamp(link, &link->seen->connack_ms);
  say(link, connack, sizeof connack);
}

static void answer_ping(struct link *link)
{
  link->seen->pings++;
  say(link, (const uint8_t[]){0xd0, 0}, 2);
}

static void on_packet(struct link *link, const uint8_t *body)
{
  uint8_t type = link->in[0] >> 4;
  switch (type) {
  case MQTT_CONNECT: on_connect(link); break;
  case MQTT_SUBSCRIBE:
    if (link->seen->connack_ms == 0 || link->manner == HOSTILE_NO_SUBACK) break;
    say(link, (const uint8_t[]){0x90, 5, body[0], body[1], 0, 1, 1}, 7);
    link->trickling = link->manner == HOSTILE_TRICKLED_PUBLISH;
    break;
  case MQTT_PUBLISH: {
    size_t topic = (size_t) (body[0] << 8 | body[1]);
    if ((link->in[0] & 6) == 0) break; /* QoS 0 */
    if (link->manner == HOSTILE_NO_PUBACK)
      stamp(link, &link->seen->owed_ms);
    else
      say(link, (const uint8_t[]){0x40, 2, body[2 + topic], body[3 + topic]}, 4);
    break;
  }
  case MQTT_PINGREQ:
    if (link->manner >= HOSTILE_NO_PINGRESP)
      stamp(link, &link->seen->owed_ms);
    else
      answer_ping(link);
    break;
  default: break;
  }
}

/* The size of the first packet and where its body begins; 0: not whole yet. */
static size_t first_packet(const struct link *link, size_t *body)
{
  size_t length = 0, at = 1;
  for (unsigned shift = 0; at < link->in_size && shift <= 21; shift += 7) {
    length |= (size_t) (link->in[at] & 127) << shift;
    if ((link->in[at++] & 128) == 0) {
      *body = at;
      return at + length <= link->in_size ? at + length : 0;
    }
  }
  return 0;
}

static void take_packets(struct link *link)
{
  size_t body = 0, size;
  while ((size = first_packet(link, &body)) > 0) {
    on_packet(link, link->in + body);
    memmove(link->in, link->in + size, link->in_size - size);
    link->in_size -= size;
  }
}

static void go_on(struct link *link)
{
  if (!SSL_is_init_finished(link->ssl)) {
    (void) SSL_accept(link->ssl);
    flush(link);
  }
  if (!SSL_is_init_finished(link->ssl)) return;
  stamp(link, &link->seen->secured_ms);
  int n;
  while ((n = SSL_read(link->ssl, link->in + link->in_size,
                       (int) (sizeof link->in - link->in_size))) > 0) {
    link->in_size += (size_t) n;
    take_packets(link);
  }
}

/* --- Connections ------------------------------------------------------------------------------ */

static void on_link_closed(uv_handle_t *handle)
{
  struct link *link = handle->data;
  if (--link->handles > 0) return;
  SSL_free(link->ssl);
  free(link);
}

static void end_link(struct link *link)
{
  struct link **from = &link->server->links;
  while (*from != link) from = &(*from)->next;
  *from = link->next;
  uv_close((uv_handle_t *) &link->tcp, on_link_closed);
  uv_close((uv_handle_t *) &link->trickle, on_link_closed);
}

static void give(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  static char shared[65536];
  (void) handle, (void) suggested;
  *buffer = uv_buf_init(shared, sizeof shared);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
  struct link *link = stream->data;
  if (count < 0) {
    link->seen->ended_ms = now(link);
    end_link(link);
  } else if (count > 0 && link->manner != HOSTILE_SILENT) {
    (void) BIO_write(SSL_get_rbio(link->ssl), buffer->base, (int) count);
    go_on(link);
  }
}

static size_t source_of(const uv_tcp_t *tcp)
{
  struct sockaddr_in from;
  int size = sizeof from;
  assert_int_equal(uv_tcp_getpeername(tcp, (struct sockaddr *) &from, &size), 0);
  size_t source = (ntohl(from.sin_addr.s_addr) & 255u) - 1;
  assert_true(source < HOSTILE_SOURCES);
  return source;
}

static void on_connection(uv_stream_t *stream, int status)
{
  struct hostile *server = stream->data;
  assert_int_equal(status, 0);
  struct link *link = calloc(1, sizeof *link);
  assert_non_null(link);
  uv_tcp_init(server->loop, &link->tcp);
  uv_timer_init(server->loop, &link->trickle);
  link->handles = 2;
  link->tcp.data = link->trickle.data = link;
  link->server = server;
  link->next = server->links;
  server->links = link;
  assert_int_equal(uv_accept(stream, (uv_stream_t *) &link->tcp), 0);
  uv_tcp_nodelay(&link->tcp, 1);
  size_t source = source_of(&link->tcp);
  link->manner = server->manner[source];
  link->seen = &server->seen[source];
  *link->seen =
      (struct hostile_seen){.connections = link->seen->connections + 1, .accepted_ms = now(link)};
  link->ssl = SSL_new(server->tls);
  SSL_set_bio(link->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(link->ssl);
  uv_timer_start(&link->trickle, on_trickle, server->trickle_ms, server->trickle_ms);
  uv_read_start((uv_stream_t *) &link->tcp, give, on_read);
}

/* --- Server ----------------------------------------------------------------------------------- */

static SSL_CTX *make_tls(const char *certificate, const char *key, const char *clients)
{
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  assert_non_null(tls);
  SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(tls, 0);
  assert_int_equal(SSL_CTX_use_certificate_chain_file(tls, certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM), 1);
  assert_int_equal(SSL_CTX_load_verify_locations(tls, clients, NULL), 1);
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  return tls;
}

struct hostile *hostile_open(uv_loop_t *loop, const char *certificate, const char *key,
                             const char *clients, const enum hostile_manner manner[HOSTILE_SOURCES],
                             uint64_t trickle_ms)
{
  struct hostile *server = calloc(1, sizeof *server);
  assert_non_null(server);
  server->loop = loop;
  server->trickle_ms = trickle_ms;
  server->tls = make_tls(certificate, key, clients);
  memcpy(server->manner, manner, sizeof server->manner);
  struct sockaddr_in any;
  uv_ip4_addr("127.0.0.1", 0, &any);
  uv_tcp_init(loop, &server->tcp);
  server->tcp.data = server;
  assert_int_equal(uv_tcp_bind(&server->tcp, (const struct sockaddr *) &any, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *) &server->tcp, 256, on_connection), 0);
  return server;
}

uint16_t hostile_port(const struct hostile *server)
{
  struct sockaddr_in address;
  int size = sizeof address;
  assert_int_equal(uv_tcp_getsockname(&server->tcp, (struct sockaddr *) &address, &size), 0);
  return ntohs(address.sin_port);
}

const struct hostile_seen *hostile_seen(const struct hostile *server, size_t source)
{
  return &server->seen[source];
}

void hostile_close(struct hostile *server)
{
  while (server->links != NULL) end_link(server->links);
  uv_close((uv_handle_t *) &server->tcp, NULL);
}

void hostile_free(struct hostile *server)
{
  SSL_CTX_free(server->tls);
  free(server);
}
