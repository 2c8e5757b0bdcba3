/* A broker that misbehaves as it is told, in a thread of its own: TLS and as much MQTT as the
 * operator needs to be let in. To be included by one file of a test only. */
#ifndef FLEETSIM_TEST_PEER_H
#define FLEETSIM_TEST_PEER_H

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum peer_manner {
  PEER_MQTT, /* CONNACK with `connack`, then SUBACKs */
  /* the same without TLS: whoever begins with something else than CONNECT is cut off */
  PEER_PLAIN,
  PEER_HTTP,           /* answers whatever comes like a web server without TLS */
  PEER_SILENT,         /* takes the connection and says nothing */
  PEER_CUTS_HELLO,     /* ends the connection at the ClientHello */
  PEER_CUTS_CONNECT,   /* TLS, and then its orderly end in place of CONNACK */
  PEER_DROPS_CONNECT,  /* the same without close_notify */
  PEER_RESETS_CONNECT, /* the same by a reset */
  PEER_NEVER_ANSWERS,  /* TLS, and then silence */
  PEER_CUTS_SUBSCRIBE,
};

struct peer {
  enum peer_manner manner;
  const char *certificate, *key;
  const char *client_ca; /* NULL: clients need no certificate */
  uint8_t connack[16];   /* what is sent in its place */
  size_t connack_size;   /* 0: a proper one with code 0 */
  const uint8_t *codes;  /* of every SUBACK; NULL: none is sent at all */
  size_t code_count;
  bool ipv6;     /* at ::1 */
  uint16_t port; /* out */
  atomic_uint connections;
  int listener;
  atomic_bool stopping;
  pthread_t thread;
};

struct peer_line {
  int fd;
  SSL *ssl; /* NULL: plain */
};

static int peer_read(struct peer *peer, struct peer_line *line, void *data, int size)
{
  while (!atomic_load(&peer->stopping)) {
    struct pollfd ready = {.fd = line->fd, .events = POLLIN};
    if ((line->ssl == NULL || SSL_pending(line->ssl) == 0) && poll(&ready, 1, 50) == 0) continue;
    int n = line->ssl != NULL ? SSL_read(line->ssl, data, size)
                              : (int) recv(line->fd, data, (size_t) size, 0);
    if (n <= 0 && line->ssl != NULL && SSL_get_error(line->ssl, n) == SSL_ERROR_WANT_READ) continue;
    return n;
  }
  return -1;
}

static bool peer_write(struct peer_line *line, const void *data, size_t size)
{
  return line->ssl != NULL ? SSL_write(line->ssl, data, (int) size) == (int) size
                           : send(line->fd, data, size, MSG_NOSIGNAL) == (ssize_t) size;
}

/* One packet of up to 127 bytes after its header; its first byte, -1 at the end. */
static int peer_packet(struct peer *peer, struct peer_line *line, uint8_t body[128])
{
  uint8_t head[2];
  int at = 0;
  for (int i = 0; i < 2; i++)
    if (peer_read(peer, line, head + i, 1) != 1) return -1;
  while (at < (head[1] & 0x7f)) {
    int n = peer_read(peer, line, body + at, (head[1] & 0x7f) - at);
    if (n <= 0) return -1;
    at += n;
  }
  return head[0];
}

static void peer_suback(struct peer *peer, struct peer_line *line, const uint8_t body[2])
{
  uint8_t packet[64] = {0x90, (uint8_t) (2 + peer->code_count), body[0], body[1]};
  if (peer->codes == NULL) return;
  memcpy(packet + 4, peer->codes, peer->code_count);
  peer_write(line, packet, 4 + peer->code_count);
}

static bool peer_ends_connect(enum peer_manner manner)
{
  return manner == PEER_CUTS_CONNECT || manner == PEER_DROPS_CONNECT ||
         manner == PEER_RESETS_CONNECT;
}

static void peer_speak(struct peer *peer, struct peer_line *line)
{
  static const uint8_t welcome[] = {0x20, 2, 0, 0};
  uint8_t body[128];
  for (int kind; (kind = peer_packet(peer, line, body)) >= 0;) {
    bool connects = kind == 0x10, subscribes = kind == 0x82;
    if (peer->manner == PEER_NEVER_ANSWERS) continue;
    if ((connects && peer_ends_connect(peer->manner)) ||
        (subscribes && peer->manner == PEER_CUTS_SUBSCRIBE))
      return;
    if (!connects && !subscribes) return;
    if (subscribes)
      peer_suback(peer, line, body);
    else if (!peer_write(line, peer->connack_size > 0 ? peer->connack : welcome,
                         peer->connack_size > 0 ? peer->connack_size : sizeof welcome))
      return;
  }
}

static void peer_speak_tls(struct peer *peer, int fd)
{
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate_chain_file(context, peer->certificate);
  SSL_CTX_use_PrivateKey_file(context, peer->key, SSL_FILETYPE_PEM);
  if (peer->client_ca != NULL) {
    SSL_CTX_load_verify_file(context, peer->client_ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
  struct peer_line line = {.fd = fd, .ssl = SSL_new(context)};
  SSL_set_fd(line.ssl, fd);
  if (SSL_accept(line.ssl) == 1) {
    peer_speak(peer, &line);
    if (peer->manner != PEER_DROPS_CONNECT && peer->manner != PEER_RESETS_CONNECT)
      SSL_shutdown(line.ssl);
  }
  if (peer->manner == PEER_RESETS_CONNECT) {
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  SSL_free(line.ssl);
  SSL_CTX_free(context);
}

static void peer_serve(struct peer *peer, int fd)
{
  static const char http[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
  struct peer_line plain = {.fd = fd};
  uint8_t first = 0, hello[4096];
  switch (peer->manner) {
  case PEER_PLAIN:
    if (recv(fd, &first, 1, MSG_PEEK) == 1 && first == 0x10) peer_speak(peer, &plain);
    break;
  case PEER_HTTP:
    if (peer_read(peer, &plain, &first, 1) == 1) peer_write(&plain, http, sizeof http - 1);
    break;
  case PEER_SILENT:
    while (peer_read(peer, &plain, &first, 1) == 1) continue;
    break;
  /* all of it: no reset */
  case PEER_CUTS_HELLO: peer_read(peer, &plain, hello, sizeof hello); break;
  default: peer_speak_tls(peer, fd);
  }
}

static void *peer_run(void *ctx)
{
  struct peer *peer = ctx;
  while (!atomic_load(&peer->stopping)) {
    struct pollfd ready = {.fd = peer->listener, .events = POLLIN};
    if (poll(&ready, 1, 50) != 1) continue;
    int fd = accept(peer->listener, NULL, NULL);
    if (fd < 0) continue;
    atomic_fetch_add(&peer->connections, 1);
    peer_serve(peer, fd);
    close(fd);
  }
  return NULL;
}

static void peer_start(struct peer *peer)
{
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  socklen_t size = peer->ipv6 ? sizeof address : sizeof v4;
  if (!peer->ipv6) memcpy(&address, &v4, sizeof v4);
  peer->listener = socket(peer->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(peer->listener, (struct sockaddr *) &address, size), 0);
  assert_int_equal(listen(peer->listener, 8), 0);
  getsockname(peer->listener, (struct sockaddr *) &address, &size);
  peer->port = ntohs(address.sin6_port); /* both kinds have it at one place */
  assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static void peer_stop(struct peer *peer)
{
  atomic_store(&peer->stopping, true);
  pthread_join(peer->thread, NULL);
  close(peer->listener);
}

#endif
