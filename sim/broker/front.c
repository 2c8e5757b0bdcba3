#define _POSIX_C_SOURCE 200809L
#include "broker/front.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>

enum { CHUNK = 4096, BACKLOG = 1024, RECORD_HEADER = 5, APPLICATION_DATA = 0x17 };

struct pair;

/* One end of a connection, and the bytes that are on their way from it to the other. */
struct end {
  struct pair *pair;
  uv_tcp_t tcp;
  uv_write_t write;
  char bytes[CHUNK];
};

struct pair {
  struct pair *next, **link;
  struct front *front;
  struct end client, broker;
  uv_connect_t connect;
  uv_timer_t deadline;
  unsigned open; /* handles */
  bool closing, shaken;
  uint8_t header[RECORD_HEADER]; /* of the client's record */
  size_t header_size, body_left;
};

struct listener {
  struct front *front;
  uv_tcp_t tcp;
  const uint16_t *target;
  uint16_t port;
};

struct front {
  uv_loop_t *loop;
  struct listener listeners[FRONT_LISTENERS];
  uint32_t timeout_ms;
  uint64_t timed_out;
  struct pair *pairs;
  size_t pair_count;
  unsigned open; /* listeners and pairs */
  bool closing;
  void (*closed)(void *ctx);
  void *ctx;
};

static void release(struct front *front)
{
  if (--front->open > 0 || !front->closing) return;
  if (front->closed != NULL) front->closed(front->ctx);
  free(front);
}

/* A connection ------------------------------------------------------------------------------------------------------*/

static void on_part_closed(uv_handle_t *handle)
{
  struct pair *pair = handle->data;
  if (--pair->open > 0) return;
  struct front *front = pair->front;
  free(pair);
  release(front);
}

static void pair_close(struct pair *pair)
{
  if (pair->closing) return;
  pair->closing = true;
  *pair->link = pair->next;
  if (pair->next != NULL) pair->next->link = pair->link;
  pair->front->pair_count--;
  uv_close((uv_handle_t *) &pair->client.tcp, on_part_closed);
  uv_close((uv_handle_t *) &pair->broker.tcp, on_part_closed);
  uv_close((uv_handle_t *) &pair->deadline, on_part_closed);
}

static void on_deadline(uv_timer_t *timer)
{
  struct pair *pair = timer->data;
  pair->front->timed_out++;
  pair_close(pair);
}

/* Looks at the headers of the client's records. */
static bool is_shaken(struct pair *pair, const uint8_t *bytes, size_t size)
{
  while (size > 0) {
    size_t skipped = size < pair->body_left ? size : pair->body_left;
    bytes += skipped;
    size -= skipped;
    pair->body_left -= skipped;
    if (size == 0) break;
    pair->header[pair->header_size++] = *bytes++;
    size--;
    if (pair->header_size < RECORD_HEADER) continue;
    if (pair->header[0] == APPLICATION_DATA) return true;
    pair->header_size = 0;
    pair->body_left = (size_t) pair->header[3] << 8 | pair->header[4];
  }
  return false;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
  (void) suggested;
  struct pair *pair = handle->data;
  struct end *from = handle == (uv_handle_t *) &pair->client.tcp ? &pair->client : &pair->broker;
  *out = uv_buf_init(from->bytes, sizeof from->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

static void on_written(uv_write_t *request, int status)
{
  struct end *from = request->data;
  if (from->pair->closing) return;
  if (status != 0 || uv_read_start((uv_stream_t *) &from->tcp, on_room, on_read) != 0) pair_close(from->pair);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct pair *pair = stream->data;
  bool by_client = stream == (uv_stream_t *) &pair->client.tcp;
  struct end *from = by_client ? &pair->client : &pair->broker, *to = by_client ? &pair->broker : &pair->client;
  if (size == 0) return;
  if (size < 0) {
    pair_close(pair);
    return;
  }
  if (by_client && !pair->shaken && is_shaken(pair, (const uint8_t *) buffer->base, (size_t) size)) {
    pair->shaken = true;
    uv_timer_stop(&pair->deadline);
  }
  uv_read_stop(stream);
  uv_buf_t out = uv_buf_init(from->bytes, (unsigned) size);
  if (uv_write(&from->write, (uv_stream_t *) &to->tcp, &out, 1, on_written) != 0) pair_close(pair);
}

static void on_connected(uv_connect_t *request, int status)
{
  struct pair *pair = request->data;
  if (pair->closing) return;
  if (status != 0 || uv_read_start((uv_stream_t *) &pair->client.tcp, on_room, on_read) != 0 ||
      uv_read_start((uv_stream_t *) &pair->broker.tcp, on_room, on_read) != 0)
    pair_close(pair);
}

static struct pair *pair_make(struct front *front)
{
  struct pair *pair = calloc(1, sizeof *pair);
  if (pair == NULL) abort();
  *pair = (struct pair){.next = front->pairs, .link = &front->pairs, .front = front, .open = 3};
  if (front->pairs != NULL) front->pairs->link = &pair->next;
  front->pairs = pair;
  front->pair_count++;
  front->open++;
  pair->client.pair = pair->broker.pair = pair;
  uv_tcp_init(front->loop, &pair->client.tcp);
  uv_tcp_init(front->loop, &pair->broker.tcp);
  uv_timer_init(front->loop, &pair->deadline);
  pair->client.tcp.data = pair->broker.tcp.data = pair->deadline.data = pair->connect.data = pair;
  pair->client.write.data = &pair->client;
  pair->broker.write.data = &pair->broker;
  return pair;
}

static struct sockaddr_in loopback(uint16_t port)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void on_connection(uv_stream_t *stream, int status)
{
  struct listener *listener = stream->data;
  struct front *front = listener->front;
  if (status != 0) return; /* nobody came; the next one is told anew */
  struct pair *pair = pair_make(front);
  struct sockaddr_in target = loopback(*listener->target);
  if (uv_accept(stream, (uv_stream_t *) &pair->client.tcp) != 0 || front->pair_count > FRONT_CONNECTIONS_MAX ||
      uv_timer_start(&pair->deadline, on_deadline, front->timeout_ms, 0) != 0 ||
      uv_tcp_connect(&pair->connect, &pair->broker.tcp, (const struct sockaddr *) &target, on_connected) != 0) {
    pair_close(pair);
    return;
  }
  uv_tcp_nodelay(&pair->client.tcp, 1);
  uv_tcp_nodelay(&pair->broker.tcp, 1);
}

/* The whole ---------------------------------------------------------------------------------------------------------*/

static int listen_before(struct listener *listener, struct error *error)
{
  struct sockaddr_in address = loopback(0);
  int size = sizeof address;
  int status = uv_tcp_bind(&listener->tcp, (const struct sockaddr *) &address, 0);
  if (status == 0) status = uv_listen((uv_stream_t *) &listener->tcp, BACKLOG, on_connection);
  if (status == 0) status = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *) &address, &size);
  listener->port = ntohs(address.sin_port);
  if (status == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the handshake time-out needs a port of its own on 127.0.0.1, and there is none: %s; remove "
                   "broker.handshake-timeout if that cannot be changed",
                   uv_strerror(status));
}

int front_open(uv_loop_t *loop, const uint16_t ports[FRONT_LISTENERS], uint32_t timeout_ms, struct front **out,
               struct error *error)
{
  struct front *front = calloc(1, sizeof *front);
  if (front == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  front->loop = loop;
  front->timeout_ms = timeout_ms;
  front->open = FRONT_LISTENERS;
  for (int i = 0; i < FRONT_LISTENERS; i++) {
    front->listeners[i] = (struct listener){.front = front, .target = &ports[i]};
    uv_tcp_init(loop, &front->listeners[i].tcp);
    front->listeners[i].tcp.data = &front->listeners[i];
  }
  for (int i = 0; i < FRONT_LISTENERS; i++) {
    if (listen_before(&front->listeners[i], error) == 0) continue;
    front_close(front, NULL, NULL);
    return -1;
  }
  *out = front;
  return 0;
}

uint16_t front_port(const struct front *front, int listener)
{
  return front->listeners[listener].port;
}

uint64_t front_timed_out(const struct front *front)
{
  return front->timed_out;
}

static void on_listener_closed(uv_handle_t *handle)
{
  struct listener *listener = handle->data;
  release(listener->front);
}

void front_close(struct front *front, void (*closed)(void *ctx), void *ctx)
{
  front->closing = true;
  front->closed = closed;
  front->ctx = ctx;
  while (front->pairs != NULL) pair_close(front->pairs);
  for (int i = 0; i < FRONT_LISTENERS; i++) uv_close((uv_handle_t *) &front->listeners[i].tcp, on_listener_closed);
}
