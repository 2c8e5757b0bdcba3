#define _GNU_SOURCE
#include "lab/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 1024
/* of what a client without telemetry says; longer: it is no client of a bench */
#define PACKET_MAX  512
#define RECORD_HEAD 5

enum mqtt { MQTT_CONNECT = 1, MQTT_SUBSCRIBE = 8, MQTT_PINGREQ = 12, MQTT_DISCONNECT = 14 };

struct gate {
  SSL_CTX *tls;
  uv_loop_t loop;
  uv_poll_t listener;
  uv_async_t end;
  uv_thread_t thread;
  uv_mutex_t lock; /* around the handshakes */
  struct gate_handshake *seen;
  size_t seen_count, seen_room;
  struct link *links;
  int fd;
  uint16_t port;
};

/* One connection; frees itself when libuv gives its handle back. */
struct link {
  uv_poll_t poll;
  struct gate *gate;
  struct link *next, **from;
  SSL *ssl;
  int fd;
  uint64_t hello_ns; /* 0: nothing has come yet */
  struct gate_handshake handshake;
  bool secured;
  size_t in_size;
  uint8_t in[PACKET_MAX];
};

static uint64_t thread_cpu_ns(void)
{
  struct timespec spent;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return (uint64_t) spent.tv_sec * 1000000000u + (uint64_t) spent.tv_nsec;
}

/* --- Connections ------------------------------------------------------------------------------ */

static void on_link_closed(uv_handle_t *handle)
{
  free(handle->data);
}

static void end_link(struct link *link)
{
  *link->from = link->next;
  if (link->next != NULL) link->next->from = link->from;
  uv_close((uv_handle_t *) &link->poll, on_link_closed);
  SSL_free(link->ssl);
  close(link->fd);
}

/* Memory that lacks costs the bench a handshake, which it then misses. */
static void keep(struct gate *gate, const struct gate_handshake *handshake)
{
  uv_mutex_lock(&gate->lock);
  if (gate->seen_count == gate->seen_room) {
    size_t room = 2 * gate->seen_room + 64;
    struct gate_handshake *grown = realloc(gate->seen, room * sizeof *grown);
    if (grown != NULL) gate->seen = grown, gate->seen_room = room;
  }
  if (gate->seen_count < gate->seen_room) gate->seen[gate->seen_count++] = *handshake;
  uv_mutex_unlock(&gate->lock);
}

/* The length of the first record, header included, as it stands in the socket. */
static void stamp_hello(struct link *link)
{
  uint8_t head[RECORD_HEAD];
  link->hello_ns = uv_hrtime();
  if (recv(link->fd, head, sizeof head, MSG_PEEK) == (ssize_t) sizeof head)
    link->handshake.hello_bytes = RECORD_HEAD + (uint32_t) (head[3] << 8 | head[4]);
}

/* False: the connection has no future. */
static bool shake_hands(struct link *link)
{
  if (link->hello_ns == 0) stamp_hello(link);
  uint64_t cpu_ns = thread_cpu_ns();
  ERR_clear_error();
  int result = SSL_accept(link->ssl);
  link->handshake.cpu_ns += thread_cpu_ns() - cpu_ns;
  if (result != 1) return SSL_get_error(link->ssl, result) == SSL_ERROR_WANT_READ;
  link->handshake.wall_ns = uv_hrtime() - link->hello_ns;
  link->secured = true;
  keep(link->gate, &link->handshake);
  return true;
}

/* Answers are a few bytes to a client that waits for them: a socket that is full has nobody behind
   it. */
static bool reply(struct link *link, const uint8_t *packet, int size)
{
  return SSL_write(link->ssl, packet, size) == size;
}

/* One return code, granted QoS 1, per topic filter. */
static bool reply_suback(struct link *link, const uint8_t *body, size_t size)
{
  uint8_t out[64] = {0x90, 2, size >= 2 ? body[0] : 0, size >= 2 ? body[1] : 0};
  for (size_t at = 2; at + 2 <= size && out[1] + 2u < sizeof out;
       at += 3u + (size_t) (body[at] << 8 | body[at + 1]))
    out[2 + out[1]++] = 1;
  return reply(link, out, out[1] + 2);
}

static bool answer(struct link *link, uint8_t kind, const uint8_t *body, size_t size)
{
  static const uint8_t connack[] = {0x20, 2, 0, 0}, pingresp[] = {0xd0, 0};
  switch (kind) {
  case MQTT_CONNECT: return reply(link, connack, sizeof connack);
  case MQTT_SUBSCRIBE: return reply_suback(link, body, size);
  case MQTT_PINGREQ: return reply(link, pingresp, sizeof pingresp);
  default: return kind != MQTT_DISCONNECT;
  }
}

/* Takes one whole packet off the input; 0: there is none yet, -1: the connection is to end. */
static int take_packet(struct link *link)
{
  size_t head = 2, body;
  if (link->in_size < 2) return 0;
  body = link->in[1] & 0x7fu;
  if (link->in[1] & 0x80u) {
    if (link->in_size < 3) return 0;
    body |= (size_t) link->in[2] << 7;
    head = 3;
  }
  if (head + body > sizeof link->in) return -1;
  if (link->in_size < head + body) return 0;
  if (!answer(link, link->in[0] >> 4, link->in + head, body)) return -1;
  link->in_size -= head + body;
  memmove(link->in, link->in + head + body, link->in_size);
  return 1;
}

static bool talk(struct link *link)
{
  for (;;) {
    ERR_clear_error();
    int size =
        SSL_read(link->ssl, link->in + link->in_size, (int) (sizeof link->in - link->in_size));
    if (size <= 0) return SSL_get_error(link->ssl, size) == SSL_ERROR_WANT_READ;
    link->in_size += (size_t) size;
    int taken = 1;
    while (taken == 1) taken = take_packet(link);
    if (taken < 0) return false;
  }
}

static void on_link(uv_poll_t *poll, int status, int events)
{
  struct link *link = poll->data;
  (void) events;
  bool alive = status == 0;
  if (alive && !link->secured) alive = shake_hands(link);
  if (alive && link->secured) alive = talk(link);
  if (!alive) end_link(link);
}

static void begin_link(struct gate *gate, int fd)
{
  struct link *link = calloc(1, sizeof *link);
  SSL *ssl = SSL_new(gate->tls);
  if (link == NULL || ssl == NULL || SSL_set_fd(ssl, fd) != 1 ||
      uv_poll_init(&gate->loop, &link->poll, fd) != 0) {
    SSL_free(ssl);
    free(link);
    close(fd);
    return;
  }
  link->gate = gate;
  link->ssl = ssl;
  link->fd = fd;
  link->poll.data = link;
  link->next = gate->links;
  link->from = &gate->links;
  if (link->next != NULL) link->next->from = &link->next;
  gate->links = link;
  uv_poll_start(&link->poll, UV_READABLE, on_link);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
  struct gate *gate = poll->data;
  (void) events;
  if (status != 0) return;
  for (int fd; (fd = accept4(gate->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
    begin_link(gate, fd);
}

/* --- Its life --------------------------------------------------------------------------------- */

/* In the thread: what is left of the loop ends by itself once every handle is closed. */
static void on_end(uv_async_t *end)
{
  struct gate *gate = end->data;
  while (gate->links != NULL) end_link(gate->links);
  uv_close((uv_handle_t *) &gate->listener, NULL);
  uv_close((uv_handle_t *) end, NULL);
}

/* Signals are the main thread's: there they end a wait. */
static void run(void *gate)
{
  sigset_t every;
  sigfillset(&every);
  pthread_sigmask(SIG_BLOCK, &every, NULL);
  uv_run(&((struct gate *) gate)->loop, UV_RUN_DEFAULT);
}

static int open_tls(struct gate *gate, const struct lab *lab, struct error *error)
{
  struct broker_pair chain = broker_chain_place(lab->broker, BROKER_MAIN);
  char clients[FILES_PATH_MAX];
  broker_place(lab->broker, BROKER_CLIENT_CA, clients);
  gate->tls = SSL_CTX_new(TLS_server_method());
  bool made = gate->tls != NULL && SSL_CTX_set_min_proto_version(gate->tls, TLS1_3_VERSION) == 1 &&
              SSL_CTX_use_certificate_chain_file(gate->tls, chain.certificate) == 1 &&
              SSL_CTX_use_PrivateKey_file(gate->tls, chain.key, SSL_FILETYPE_PEM) == 1 &&
              SSL_CTX_load_verify_locations(gate->tls, clients, NULL) == 1;
  if (!made)
    return error_set(error, EXIT_CODE_SETUP,
                     "the measuring broker cannot use %s, its key and %s: is OpenSSL whole?",
                     chain.certificate, clients);
  /* in CertificateRequest, as mosquitto's */
  SSL_CTX_set_client_CA_list(gate->tls, SSL_load_client_CA_file(clients));
  SSL_CTX_set_verify(gate->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  return 0;
}

static int open_socket(struct gate *gate, struct error *error)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  gate->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (gate->fd < 0 || bind(gate->fd, (struct sockaddr *) &address, size) != 0 ||
      listen(gate->fd, BACKLOG) != 0 ||
      getsockname(gate->fd, (struct sockaddr *) &address, &size) != 0)
    return error_set(error, EXIT_CODE_SETUP, "the measuring broker cannot listen on loopback: %s",
                     strerror(errno));
  gate->port = ntohs(address.sin_port);
  return 0;
}

static int start_thread(struct gate *gate, struct error *error)
{
  if (uv_loop_init(&gate->loop) != 0 || uv_mutex_init(&gate->lock) != 0 ||
      uv_async_init(&gate->loop, &gate->end, on_end) != 0 ||
      uv_poll_init(&gate->loop, &gate->listener, gate->fd) != 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot make an event loop");
  gate->listener.data = gate->end.data = gate;
  uv_poll_start(&gate->listener, UV_READABLE, on_connection);
  if (uv_thread_create(&gate->thread, run, gate) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP, "cannot start a thread");
}

static void free_gate(struct gate *gate)
{
  if (gate->fd >= 0) close(gate->fd);
  SSL_CTX_free(gate->tls);
  free(gate->seen);
  free(gate);
}

int gate_open(const struct lab *lab, struct gate **out, struct error *error)
{
  struct gate *gate = calloc(1, sizeof *gate);
  if (gate == NULL)
    return error_set(error, EXIT_CODE_SETUP, "not enough memory for the measuring broker");
  gate->fd = -1;
  if (open_tls(gate, lab, error) != 0 || open_socket(gate, error) != 0 ||
      start_thread(gate, error) != 0) {
    free_gate(gate);
    return -1;
  }
  *out = gate;
  return 0;
}

uint16_t gate_port(const struct gate *gate)
{
  return gate->port;
}

size_t gate_take(struct gate *gate, struct gate_handshake *out, size_t most)
{
  uv_mutex_lock(&gate->lock);
  size_t count = gate->seen_count;
  if (count > 0 && most > 0) memcpy(out, gate->seen, (count < most ? count : most) * sizeof *out);
  gate->seen_count = 0;
  uv_mutex_unlock(&gate->lock);
  return count;
}

void gate_close(struct gate *gate)
{
  if (gate == NULL) return;
  uv_async_send(&gate->end);
  uv_thread_join(&gate->thread);
  uv_loop_close(&gate->loop);
  uv_mutex_destroy(&gate->lock);
  free_gate(gate);
}
