#define _GNU_SOURCE
/* Each test is a loop with a server and the backend's connections on it, and ends with no handle
   left. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/backend_uv.h"

#define CLIENTS_MAX 500
#define WATCHDOG_MS 10000

enum server_kind {
  SERVER_ECHO,
  SERVER_SINK,
  SERVER_MUTE /* never reads */,
  SERVER_HANG_UP /* closes at once */,
  SERVER_RESET
};

struct client {
  struct world *world;
  struct backend_conn *conn;
  unsigned opened, closed, deadlines;
  enum device_failure cause;
  size_t received;
  char last[64];
};

struct world {
  uv_loop_t loop;
  uv_tcp_t server;
  uv_timer_t watchdog;
  enum server_kind kind;
  struct sockaddr_storage address;
  struct backend *backend;
  size_t client_count, released, accepted, server_received, server_reads, server_closed;
  struct in_addr peers[CLIENTS_MAX];
  void *storage;
  struct client client[CLIENTS_MAX];
  uint64_t began_us;
  bool timed_out;
  void (*on_opened)(struct client *client);
  void (*on_closed)(struct client *client);
  void (*on_deadline)(struct client *client);
};

/* server */

static void free_handle(uv_handle_t *handle)
{
  free(handle);
}

static void give(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  static char shared[65536];
  (void) handle;
  (void) suggested;
  *buffer = uv_buf_init(shared, sizeof shared);
}

static void echo(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
  struct world *w = stream->data;
  if (count < 0) {
    w->server_closed++;
    uv_close((uv_handle_t *) stream, free_handle);
    return;
  }
  w->server_received += (size_t) count;
  w->server_reads++;
  uv_buf_t back = uv_buf_init(buffer->base, (unsigned) count);
  if (count > 0 && w->kind == SERVER_ECHO) (void) uv_try_write(stream, &back, 1);
}

static void accept_one(uv_stream_t *server, int status)
{
  struct world *w = server->data;
  assert_int_equal(status, 0);
  uv_tcp_t *peer = calloc(1, sizeof *peer);
  assert_int_equal(uv_tcp_init(&w->loop, peer), 0);
  peer->data = w;
  assert_int_equal(uv_accept(server, (uv_stream_t *) peer), 0);
  struct sockaddr_in from;
  int size = sizeof from;
  assert_int_equal(uv_tcp_getpeername(peer, (struct sockaddr *) &from, &size), 0);
  w->peers[w->accepted++ % CLIENTS_MAX] = from.sin_addr;
  if (w->kind == SERVER_ECHO)
    uv_read_start((uv_stream_t *) peer, give, echo);
  else if (w->kind == SERVER_HANG_UP)
    uv_close((uv_handle_t *) peer, free_handle);
  else if (w->kind == SERVER_RESET)
    uv_tcp_close_reset(peer, free_handle);
}

/* clients */

static void opened(void *user)
{
  struct client *c = user;
  c->opened++;
  if (c->world->on_opened != NULL) c->world->on_opened(c);
}

static void bytes(void *user, const uint8_t *data, size_t size)
{
  struct client *c = user;
  c->received += size;
  snprintf(c->last, sizeof c->last, "%.*s", (int) size, (const char *) data);
}

static void closed(void *user, enum device_failure cause)
{
  struct client *c = user;
  c->closed++;
  c->cause = cause;
  if (c->world->on_closed != NULL) c->world->on_closed(c);
}

static void deadline(void *user)
{
  struct client *c = user;
  c->deadlines++;
  if (c->world->on_deadline != NULL) c->world->on_deadline(c);
}

static const struct backend_handler handler = {opened, bytes, closed, deadline};

static void count_released(void *user)
{
  ((struct client *) user)->world->released++;
}

/* world */

/* Ticks, so that a turn of the loop never blocks for long. */
static void bark(uv_timer_t *timer)
{
  struct world *w = timer->data;
  if (backend_now_us(w->backend) > w->began_us + WATCHDOG_MS * 1000u) w->timed_out = true;
}

static struct world *begin(enum server_kind kind, size_t clients)
{
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  w->kind = kind;
  w->client_count = clients;
  assert_int_equal(uv_loop_init(&w->loop), 0);
  uv_tcp_init(&w->loop, &w->server);
  w->server.data = w;
  struct sockaddr_in any;
  uv_ip4_addr("127.0.0.1", 0, &any);
  assert_int_equal(uv_tcp_bind(&w->server, (const struct sockaddr *) &any, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *) &w->server, 1024, accept_one), 0);
  int size = sizeof w->address;
  uv_tcp_getsockname(&w->server, (struct sockaddr *) &w->address, &size);
  uv_timer_init(&w->loop, &w->watchdog);
  w->watchdog.data = w;
  w->backend = backend_uv_create(&w->loop);
  w->began_us = backend_now_us(w->backend);
  uv_timer_start(&w->watchdog, bark, 5, 5);
  size_t each = (backend_conn_size() + 15) / 16 * 16;
  w->storage = calloc(clients, each);
  for (size_t i = 0; i < clients; i++) {
    w->client[i].world = w;
    w->client[i].conn =
        backend_conn_init(w->backend, (char *) w->storage + i * each, &handler, &w->client[i]);
  }
  return w;
}

#define turn_until(w, condition)                                                 \
  do {                                                                           \
    while (!(condition) && !(w)->timed_out) uv_run(&(w)->loop, UV_RUN_ONCE);     \
    if (!(condition)) fail_msg("not within %d ms: %s", WATCHDOG_MS, #condition); \
  } while (0)

static void turn_for(struct world *w, uint64_t ms)
{
  uint64_t end = uv_hrtime() / 1000000 + ms;
  while (uv_hrtime() / 1000000 < end) {
    uv_run(&w->loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
}

static void close_peer(uv_handle_t *handle, void *arg)
{
  struct world *w = arg;
  bool is_peer = handle->type == UV_TCP && handle->data == w;
  if (is_peer && !uv_is_closing(handle))
    uv_close(handle, handle == (uv_handle_t *) &w->server ? NULL : free_handle);
}

static void end(struct world *w)
{
  for (size_t i = 0; i < w->client_count; i++)
    backend_conn_release(w->client[i].conn, count_released);
  turn_until(w, w->released == w->client_count);
  backend_uv_destroy(w->backend);
  uv_close((uv_handle_t *) &w->watchdog, NULL);
  uv_walk(&w->loop, close_peer, w);
  uv_run(&w->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&w->loop), 0);
  free(w->storage);
  free(w);
}

static int send_text(struct client *c, const char *text)
{
  return backend_send(c->conn, (const uint8_t *) text, strlen(text));
}

static struct sockaddr_storage source(const char *text)
{
  struct sockaddr_storage out = {0};
  assert_int_equal(uv_ip4_addr(text, 0, (struct sockaddr_in *) &out), 0);
  return out;
}

/* stories */

static void opens_sends_and_hears_the_echo(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  assert_int_equal(c->opened, 0);
  turn_until(w, c->opened == 1);
  assert_int_equal(send_text(c, "hello"), 0);
  turn_until(w, c->received == 5);
  assert_string_equal(c->last, "hello");
  backend_close(c->conn);
  turn_until(w, w->server_closed == 1);
  assert_int_equal(c->closed, 0);
  end(w);
}

static void keeps_what_is_sent_before_it_is_open(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  assert_int_equal(send_text(c, "early"), 0);
  assert_int_equal(backend_backlog(c->conn), 5);
  turn_until(w, c->received == 5);
  assert_string_equal(c->last, "early");
  assert_int_equal(backend_backlog(c->conn), 0);
  end(w);
}

static void reports_a_port_where_nobody_listens_as_refused(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  struct client *c = &w->client[0];
  struct sockaddr_storage nobody = source("127.0.0.1");
  ((struct sockaddr_in *) &nobody)->sin_port = htons(1);
  backend_connect(c->conn, &nobody, NULL);
  assert_int_equal(c->closed, 0);
  turn_until(w, c->closed == 1);
  assert_int_equal(c->cause, DEVICE_FAIL_TCP_REFUSED);
  assert_int_equal(c->opened, 0);
  end(w);
}

static void tells_an_orderly_end_from_a_reset(void **state)
{
  (void) state;
  static const struct {
    enum server_kind kind;
    enum device_failure cause;
  } cases[] = {{SERVER_HANG_UP, DEVICE_FAIL_NONE}, {SERVER_RESET, DEVICE_FAIL_TCP_RESET}};
  for (size_t i = 0; i < 2; i++) {
    struct world *w = begin(cases[i].kind, 1);
    struct client *c = &w->client[0];
    backend_connect(c->conn, &w->address, NULL);
    turn_until(w, c->closed == 1);
    assert_int_equal(c->cause, cases[i].cause);
    end(w);
  }
}

static void a_close_during_connect_is_silent_and_the_next_attempt_opens(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  backend_close(c->conn);
  backend_connect(c->conn, &w->address, NULL);
  turn_until(w, c->opened == 1);
  turn_for(w, 20);
  assert_int_equal(c->opened, 1);
  assert_int_equal(c->closed, 0);
  end(w);
}

static void try_again_thrice(struct client *c)
{
  if (c->closed < 3) backend_connect(c->conn, &c->world->address, NULL);
}

static void may_connect_again_from_inside_closed(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_HANG_UP, 1);
  w->on_closed = try_again_thrice;
  backend_connect(w->client[0].conn, &w->address, NULL);
  turn_until(w, w->client[0].closed == 3);
  assert_int_equal(w->client[0].opened, 3);
  end(w);
}

/* Sends until the socket takes no more, that is, more than the latest block waits; returns how much
   it was. */
static size_t fill(struct client *c)
{
  static uint8_t block[16384];
  size_t sent = 0;
  while (backend_backlog(c->conn) <= sizeof block) {
    assert_int_equal(backend_send(c->conn, block, sizeof block), 0);
    sent += sizeof block;
  }
  return sent;
}

static void count_client_socket(uv_handle_t *handle, void *count)
{
  if (handle->type == UV_TCP && !uv_is_closing(handle)) ++*(size_t *) count;
}

/* Sockets of the loop without the server and its `peers`. */
static size_t client_sockets(struct world *w, size_t peers)
{
  size_t count = 0;
  uv_walk(&w->loop, count_client_socket, &count);
  return count - 1 - peers;
}

static void reset_peer(uv_handle_t *handle, void *arg)
{
  struct world *w = arg;
  if (handle->type == UV_TCP && handle->data == w && handle != (uv_handle_t *) &w->server)
    uv_tcp_close_reset((uv_tcp_t *) handle, free_handle);
}

static void flood(struct client *c)
{
  static uint8_t block[4096];
  backend_send(c->conn, block, sizeof block);
}

static void writing_to_a_peer_that_reset_ends_the_attempt_and_not_the_process(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_MUTE, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  turn_until(w, c->opened == 1 && w->accepted == 1);
  uv_walk(&w->loop, reset_peer, w);
  for (int i = 0; i < 4; i++) flood(c);
  assert_true(c->closed == 0 || c->cause == DEVICE_FAIL_TCP_RESET);
  turn_until(w, c->closed == 1);
  assert_int_equal(c->cause, DEVICE_FAIL_TCP_RESET);
  end(w);
}

static void refuses_more_than_the_backlog_limit(void **state)
{
  (void) state;
  static uint8_t much[BACKEND_BACKLOG_MAX];
  struct world *w = begin(SERVER_MUTE, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  turn_until(w, c->opened == 1);
  fill(c);
  size_t before = backend_backlog(c->conn);
  assert_int_equal(backend_send(c->conn, much, sizeof much), -1);
  assert_int_equal(backend_backlog(c->conn), before);
  end(w);
}

static void read_all(uv_handle_t *handle, void *arg)
{
  struct world *w = arg;
  if (handle->type == UV_TCP && handle->data == w && handle != (uv_handle_t *) &w->server)
    uv_read_start((uv_stream_t *) handle, give, echo);
}

/* TCP would merge what waits, so the peer counts reads: it has nothing to read before the client's
   first write. */
static void what_one_callback_sends_arrives_together(void **state)
{
  (void) state;
  static const char text[] = "one of ten small messages";
  struct world *w = begin(SERVER_MUTE, 2);
  for (size_t i = 0; i < 2; i++) backend_connect(w->client[i].conn, &w->address, NULL);
  turn_until(w, w->client[0].opened == 1 && w->client[1].opened == 1 && w->accepted == 2);
  w->kind = SERVER_SINK;
  uv_walk(&w->loop, read_all, w);
  for (int n = 0; n < 10; n++) send_text(&w->client[0], text);
  assert_int_equal(backend_backlog(w->client[0].conn), 10 * strlen(text));
  send_text(&w->client[1], "another's");
  assert_int_equal(backend_backlog(w->client[0].conn), 0);
  assert_int_equal(backend_backlog(w->client[1].conn), strlen("another's"));
  turn_until(w, w->server_received == 10 * strlen(text) + strlen("another's"));
  assert_int_equal(w->server_reads, 2);
  assert_int_equal(backend_backlog(w->client[1].conn), 0);
  end(w);
}

static void a_close_delivers_the_backlog_to_a_slow_reader(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_MUTE, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  turn_until(w, c->opened == 1 && w->accepted == 1);
  size_t sent = fill(c);
  backend_close(c->conn);
  assert_int_equal(backend_backlog(c->conn), 0);
  w->kind = SERVER_SINK;
  uv_walk(&w->loop, read_all, w);
  turn_until(w, w->server_received >= sent || w->server_closed > 0);
  assert_int_equal(w->server_received, sent);
  assert_int_equal(c->closed, 0);
  end(w);
}

static void a_close_gives_up_on_its_backlog_after_a_second(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_MUTE, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  turn_until(w, c->opened == 1 && w->accepted == 1);
  fill(c);
  uint64_t from_ms = backend_now_ms(w->backend);
  backend_close(c->conn);
  assert_int_equal(client_sockets(w, 1), 1);
  turn_until(w, client_sockets(w, 1) == 0);
  assert_in_range(backend_now_ms(w->backend) - from_ms, 1000, 5000);
  assert_int_equal(c->closed, 0);
  end(w);
}

static void a_device_reconnects_while_its_old_socket_still_flushes(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_MUTE, 1);
  struct client *c = &w->client[0];
  backend_connect(c->conn, &w->address, NULL);
  turn_until(w, c->opened == 1 && w->accepted == 1);
  fill(c);
  backend_close(c->conn);
  w->kind = SERVER_ECHO;
  backend_connect(c->conn, &w->address, NULL);
  turn_until(w, c->opened == 2);
  assert_int_equal(client_sockets(w, w->accepted), 2);
  send_text(c, "new");
  turn_until(w, c->received == 3);
  assert_string_equal(c->last, "new");
  end(w);
}

static void an_address_that_is_not_ours_is_told_later_and_a_close_forgets_it(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 2);
  struct sockaddr_storage foreign = source("192.0.2.1"); /* RFC 5737: nobody's */
  backend_connect(w->client[0].conn, &w->address, &foreign);
  backend_connect(w->client[1].conn, &w->address, &foreign);
  backend_close(w->client[1].conn);
  assert_int_equal(w->client[0].closed, 0);
  turn_until(w, w->client[0].closed == 1);
  turn_for(w, 20);
  assert_int_equal(w->client[0].cause, DEVICE_FAIL_TCP_NO_PORT);
  assert_int_equal(w->client[1].closed, 0);
  end(w);
}

static void runs_out_of_descriptors_without_starving_the_loop(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  struct rlimit before, low;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  int first_free = dup(0);
  assert_true(first_free > 0);
  close(first_free);
  low = (struct rlimit){.rlim_cur = (rlim_t) first_free, .rlim_max = before.rlim_max};
  uv_run(&w->loop, UV_RUN_NOWAIT);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  w->on_closed = try_again_thrice;
  backend_connect(w->client[0].conn, &w->address, NULL);
  uv_run(&w->loop, UV_RUN_ONCE);
  assert_true(w->client[0].closed <= 1);
  turn_until(w, w->client[0].closed == 3);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(w->client[0].cause, DEVICE_FAIL_TCP_NO_PORT);
  end(w);
}

static void connects_from_the_source_addresses_that_it_was_told(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 2);
  struct sockaddr_storage from[] = {source("127.0.0.7"), source("127.0.0.8")};
  for (size_t i = 0; i < 2; i++) {
    backend_connect(w->client[i].conn, &w->address, &from[i]);
    turn_until(w, w->client[i].opened == 1 && w->accepted == i + 1);
    char seen[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &w->peers[i], seen, sizeof seen);
    assert_string_equal(seen, i == 0 ? "127.0.0.7" : "127.0.0.8");
  }
  end(w);
}

static void a_deadline_comes_once_and_not_before_its_time(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  struct client *c = &w->client[0];
  uint64_t at_ms = backend_now_ms(w->backend) + 20;
  backend_deadline(c->conn, at_ms);
  turn_until(w, c->deadlines == 1);
  assert_true(backend_now_ms(w->backend) >= at_ms);
  turn_for(w, 40);
  assert_int_equal(c->deadlines, 1);
  end(w);
}

static void a_deadline_can_be_replaced_and_cancelled(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 2);
  uint64_t now_ms = backend_now_ms(w->backend);
  for (size_t i = 0; i < 2; i++) backend_deadline(w->client[i].conn, now_ms + 5000);
  backend_deadline(w->client[0].conn, now_ms + 10);
  backend_deadline(w->client[1].conn, now_ms + 10);
  backend_deadline(w->client[1].conn, UINT64_MAX);
  turn_until(w, w->client[0].deadlines == 1);
  turn_for(w, 30);
  assert_int_equal(w->client[0].deadlines, 1);
  assert_int_equal(w->client[1].deadlines, 0);
  end(w);
}

static void again_at_once(struct client *c)
{
  if (c->deadlines < 2) backend_deadline(c->conn, 0);
}

static void a_deadline_in_the_past_comes_on_the_next_turn_even_from_inside_one(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  w->on_deadline = again_at_once;
  backend_deadline(w->client[0].conn, 0);
  assert_int_equal(w->client[0].deadlines, 0);
  turn_until(w, w->client[0].deadlines == 2);
  end(w);
}

static void a_failure_that_is_told_later_leaves_the_deadline_in_force(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  struct sockaddr_storage foreign = source("192.0.2.1");
  backend_deadline(w->client[0].conn, backend_now_ms(w->backend) + 20);
  backend_connect(w->client[0].conn, &w->address, &foreign);
  turn_until(w, w->client[0].deadlines == 1);
  assert_int_equal(w->client[0].closed, 1);
  end(w);
}

static void say_hello(struct client *c)
{
  send_text(c, "hello");
}

static size_t echoed(const struct world *w)
{
  size_t count = 0;
  for (size_t i = 0; i < w->client_count; i++) count += w->client[i].received == 5;
  return count;
}

static void five_hundred_devices_talk_at_once(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, CLIENTS_MAX);
  w->on_opened = say_hello;
  for (size_t i = 0; i < CLIENTS_MAX; i++) backend_connect(w->client[i].conn, &w->address, NULL);
  turn_until(w, echoed(w) == CLIENTS_MAX);
  for (size_t i = 0; i < CLIENTS_MAX; i++) assert_int_equal(w->client[i].closed, 0);
  end(w);
}

static void a_release_during_a_session_closes_it(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  backend_connect(w->client[0].conn, &w->address, NULL);
  turn_until(w, w->client[0].opened == 1 && w->accepted == 1);
  backend_conn_release(w->client[0].conn, count_released);
  turn_until(w, w->released == 1 && w->server_closed == 1);
  assert_int_equal(w->client[0].closed, 0);
  w->released = w->client_count = 0;
  end(w);
}

static void random_bytes_differ_in_every_draw(void **state)
{
  (void) state;
  struct world *w = begin(SERVER_ECHO, 1);
  static uint8_t seen[1000][16], large[10000];
  for (size_t i = 0; i < 1000; i++) assert_int_equal(backend_random(w->backend, seen[i], 16), 0);
  for (size_t i = 0; i < 1000; i++)
    for (size_t j = i + 1; j < 1000; j++) assert_memory_not_equal(seen[i], seen[j], 16);
  assert_int_equal(backend_random(w->backend, large, sizeof large), 0);
  assert_memory_not_equal(large, large + 5000, 5000);
  end(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opens_sends_and_hears_the_echo),
      cmocka_unit_test(keeps_what_is_sent_before_it_is_open),
      cmocka_unit_test(reports_a_port_where_nobody_listens_as_refused),
      cmocka_unit_test(tells_an_orderly_end_from_a_reset),
      cmocka_unit_test(a_close_during_connect_is_silent_and_the_next_attempt_opens),
      cmocka_unit_test(may_connect_again_from_inside_closed),
      cmocka_unit_test(writing_to_a_peer_that_reset_ends_the_attempt_and_not_the_process),
      cmocka_unit_test(what_one_callback_sends_arrives_together),
      cmocka_unit_test(refuses_more_than_the_backlog_limit),
      cmocka_unit_test(a_close_delivers_the_backlog_to_a_slow_reader),
      cmocka_unit_test(a_close_gives_up_on_its_backlog_after_a_second),
      cmocka_unit_test(a_device_reconnects_while_its_old_socket_still_flushes),
      cmocka_unit_test(an_address_that_is_not_ours_is_told_later_and_a_close_forgets_it),
      cmocka_unit_test(runs_out_of_descriptors_without_starving_the_loop),
      cmocka_unit_test(connects_from_the_source_addresses_that_it_was_told),
      cmocka_unit_test(a_deadline_comes_once_and_not_before_its_time),
      cmocka_unit_test(a_deadline_can_be_replaced_and_cancelled),
      cmocka_unit_test(a_deadline_in_the_past_comes_on_the_next_turn_even_from_inside_one),
      cmocka_unit_test(a_failure_that_is_told_later_leaves_the_deadline_in_force),
      cmocka_unit_test(five_hundred_devices_talk_at_once),
      cmocka_unit_test(a_release_during_a_session_closes_it),
      cmocka_unit_test(random_bytes_differ_in_every_draw),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
