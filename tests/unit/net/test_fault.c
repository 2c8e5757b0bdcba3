/* A faulted connection over the real backend, to a server on the same loop. Every test ends with no
   handle left. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/backend_uv.h"
#include "net/fault.h"

#define WATCHDOG_MS 10000
#define PEERS_MAX   8
#define TEXT_MAX    8192

/* What the server saw of one connection. */
struct peer {
  uv_tcp_t tcp;
  struct world *world;
  char text[TEXT_MAX];
  size_t size;
  uint64_t ended_ms;
  bool ended, reset;
};

struct world {
  uv_loop_t loop;
  uv_tcp_t server;
  uv_timer_t watchdog;
  struct sockaddr_storage address;
  struct backend *backend;
  void *storage;
  struct backend_conn *conn;
  struct fault_link *link;
  uint64_t random;
  struct peer peers[PEERS_MAX];
  size_t accepted, handles;
  bool released;
  /* what the owner was told */
  unsigned opened, closed, pieces, deadlines;
  uint64_t opened_ms, closed_ms, bytes_ms;
  enum device_failure cause;
  char text[TEXT_MAX];
  size_t size, largest;
  uint64_t counts[FAULT_DELAYED + 1];
  uint64_t began_ms;
  bool timed_out;
  void (*on_bytes)(struct world *w);
  void (*on_closed)(struct world *w);
};

static uint64_t now(struct world *w)
{
  return backend_now_ms(w->backend);
}

/* server */

static void give(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  static char shared[65536];
  (void) handle, (void) suggested;
  *buffer = uv_buf_init(shared, sizeof shared);
}

static void on_peer_closed(uv_handle_t *handle)
{
  ((struct peer *) handle->data)->world->handles--;
}

static void peer_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
  struct peer *peer = stream->data;
  if (count > 0) {
    size_t room = sizeof peer->text - 1 - peer->size,
           n = (size_t) count < room ? (size_t) count : room;
    memcpy(peer->text + peer->size, buffer->base, n);
    peer->size += n;
  } else if (count < 0) {
    peer->ended = true;
    peer->reset = count == UV_ECONNRESET;
    peer->ended_ms = uv_now(&peer->world->loop);
    uv_close((uv_handle_t *) stream, on_peer_closed);
  }
}

static void accept_one(uv_stream_t *server, int status)
{
  struct world *w = server->data;
  assert_int_equal(status, 0);
  assert_true(w->accepted < PEERS_MAX);
  struct peer *peer = &w->peers[w->accepted++];
  peer->world = w;
  uv_tcp_init(&w->loop, &peer->tcp);
  peer->tcp.data = peer;
  w->handles++;
  assert_int_equal(uv_accept(server, (uv_stream_t *) &peer->tcp), 0);
  uv_tcp_nodelay(&peer->tcp, 1);
  uv_read_start((uv_stream_t *) &peer->tcp, give, peer_read);
}

static void say(struct peer *peer, const char *text)
{
  uv_buf_t buffer = uv_buf_init((char *) text, (unsigned) strlen(text));
  assert_int_equal(uv_try_write((uv_stream_t *) &peer->tcp, &buffer, 1), (int) strlen(text));
}

/* owner */

static void opened(void *user)
{
  struct world *w = user;
  w->opened++;
  w->opened_ms = now(w);
}

static void bytes(void *user, const uint8_t *data, size_t size)
{
  struct world *w = user;
  assert_true(w->size + size < sizeof w->text);
  memcpy(w->text + w->size, data, size);
  w->size += size;
  w->pieces++;
  w->bytes_ms = now(w);
  if (size > w->largest) w->largest = size;
  if (w->on_bytes != NULL) w->on_bytes(w);
}

static void closed(void *user, enum device_failure cause)
{
  struct world *w = user;
  w->closed++;
  w->cause = cause;
  w->closed_ms = now(w);
  if (w->on_closed != NULL) w->on_closed(w);
}

static void deadline(void *user)
{
  ((struct world *) user)->deadlines++;
}

static void count(void *user, enum fault_count what, uint64_t n)
{
  ((struct world *) user)->counts[what] += n;
}

static const struct backend_handler handler = {opened, bytes, closed, deadline};

/* world */

static void bark(uv_timer_t *timer)
{
  struct world *w = timer->data;
  if (now(w) > w->began_ms + WATCHDOG_MS) w->timed_out = true;
}

static struct world *begin_without_link(void)
{
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  w->random = 7;
  assert_int_equal(uv_loop_init(&w->loop), 0);
  uv_tcp_init(&w->loop, &w->server);
  w->server.data = w;
  struct sockaddr_in any;
  uv_ip4_addr("127.0.0.1", 0, &any);
  assert_int_equal(uv_tcp_bind(&w->server, (const struct sockaddr *) &any, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *) &w->server, 16, accept_one), 0);
  int size = sizeof w->address;
  uv_tcp_getsockname(&w->server, (struct sockaddr *) &w->address, &size);
  uv_timer_init(&w->loop, &w->watchdog);
  w->watchdog.data = w;
  w->backend = backend_uv_create(&w->loop);
  w->began_ms = now(w);
  uv_timer_start(&w->watchdog, bark, 5, 5);
  w->storage = calloc(1, backend_conn_size());
  w->conn = backend_conn_init(w->backend, w->storage, &handler, w);
  return w;
}

static void take_over(struct world *w)
{
  struct fault_owner owner = {.handler = &handler, .user = w, .random = &w->random, .count = count};
  w->link = fault_create(w->backend, w->conn, &owner);
  assert_non_null(w->link);
}

static struct world *begin(const struct fault *fault)
{
  struct world *w = begin_without_link();
  take_over(w);
  fault_set(w->link, fault);
  return w;
}

#define turn_until(w, condition)                                                 \
  do {                                                                           \
    while (!(condition) && !(w)->timed_out) uv_run(&(w)->loop, UV_RUN_ONCE);     \
    if (!(condition)) fail_msg("not within %d ms: %s", WATCHDOG_MS, #condition); \
  } while (0)

static void turn_for(struct world *w, uint64_t ms)
{
  uint64_t end_ms = now(w) + ms;
  turn_until(w, now(w) >= end_ms);
}

static void connect_and_wait(struct world *w)
{
  size_t accepted = w->accepted;
  unsigned opened_before = w->opened;
  fault_connect(w->link, &w->address, NULL);
  turn_until(w, w->opened == opened_before + 1 && w->accepted == accepted + 1);
}

static struct world *connected(const struct fault *fault)
{
  struct world *w = begin(fault);
  connect_and_wait(w);
  return w;
}

static int send_text(struct world *w, const char *text)
{
  return fault_send(w->link, (const uint8_t *) text, strlen(text));
}

static void count_release(void *user)
{
  ((struct world *) user)->released = true;
}

static void end(struct world *w)
{
  fault_release(w->link, count_release, w);
  turn_until(w, w->released);
  w->released = false;
  backend_conn_release(w->conn, count_release);
  turn_until(w, w->released);
  backend_uv_destroy(w->backend);
  uv_close((uv_handle_t *) &w->watchdog, NULL);
  uv_close((uv_handle_t *) &w->server, NULL);
  for (size_t p = 0; p < w->accepted; p++)
    if (!uv_is_closing((uv_handle_t *) &w->peers[p].tcp))
      uv_close((uv_handle_t *) &w->peers[p].tcp, on_peer_closed);
  uv_run(&w->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&w->loop), 0);
  assert_int_equal(w->handles, 0);
  free(w->storage);
  free(w);
}

/* stories */

static const struct fault none;

static void a_line_without_a_fault_lets_everything_through_at_once(void **state)
{
  (void) state;
  struct world *w = connected(&none);
  assert_int_equal(send_text(w, "there"), 0);
  turn_until(w, w->peers[0].size == 5);
  say(&w->peers[0], "and back");
  turn_until(w, w->size == 8);
  assert_string_equal(w->text, "and back");
  for (size_t c = 0; c <= FAULT_DELAYED; c++) assert_int_equal(w->counts[c], 0);
  fault_close(w->link);
  turn_until(w, w->peers[0].ended);
  assert_false(w->peers[0].reset);
  assert_int_equal(w->closed, 0);
  end(w);
}

static void an_open_connection_can_be_taken_over(void **state)
{
  (void) state;
  struct world *w = begin_without_link();
  backend_connect(w->conn, &w->address, NULL);
  turn_until(w, w->opened == 1 && w->accepted == 1);
  take_over(w);
  fault_set(w->link, &(struct fault){.latency_ms = 60});
  uint64_t from_ms = now(w);
  say(&w->peers[0], "late");
  turn_until(w, w->size == 4);
  assert_in_range(w->bytes_ms - from_ms, 60, 1000);
  uint64_t at_ms = now(w) + 10;
  backend_deadline(w->conn, at_ms);
  turn_until(w, w->deadlines == 1);
  end(w);
}

static void latency_holds_each_way_and_for_a_round_trip_to_open(void **state)
{
  (void) state;
  struct world *w = begin(&(struct fault){.latency_ms = 50});
  uint64_t from_ms = now(w);
  connect_and_wait(w);
  assert_in_range(w->opened_ms - from_ms, 100, 1000);
  from_ms = now(w);
  send_text(w, "there");
  turn_until(w, w->peers[0].size == 5);
  assert_in_range(now(w) - from_ms, 50, 1000);
  from_ms = now(w);
  say(&w->peers[0], "back");
  turn_until(w, w->size == 4);
  assert_in_range(now(w) - from_ms, 50, 1000);
  assert_int_equal(w->counts[FAULT_DELAYED], 9);
  end(w);
}

static void jitter_keeps_the_order(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.latency_ms = 30, .jitter_ms = 30});
  char text[2] = "a", expected[27] = "abcdefghijklmnopqrstuvwxyz";
  for (; text[0] <= 'z'; text[0]++) {
    send_text(w, text);
    turn_for(w, 3);
  }
  turn_until(w, w->peers[0].size == 26);
  assert_string_equal(w->peers[0].text, expected);
  end(w);
}

static void what_was_sent_before_a_close_arrives_late_but_does(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.latency_ms = 50});
  uint64_t from_ms = now(w);
  send_text(w, "goodbye");
  fault_close(w->link);
  connect_and_wait(w);
  turn_until(w, w->peers[0].ended);
  assert_string_equal(w->peers[0].text, "goodbye");
  assert_false(w->peers[0].reset);
  assert_in_range(w->peers[0].ended_ms - from_ms, 50, 1000);
  assert_false(w->peers[1].ended);
  end(w);
}

static void the_peers_end_comes_after_its_last_bytes(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.latency_ms = 40});
  say(&w->peers[0], "last words");
  uv_close((uv_handle_t *) &w->peers[0].tcp, on_peer_closed);
  turn_until(w, w->closed == 1);
  assert_string_equal(w->text, "last words");
  assert_int_equal(w->cause, DEVICE_FAIL_NONE);
  end(w);
}

static void a_bandwidth_takes_its_time_in_both_directions(void **state)
{
  (void) state;
  static char much[2001];
  memset(much, 'x', 2000);
  struct world *w = connected(&(struct fault){.bandwidth_per_s = 4000});
  uint64_t from_ms = now(w);
  assert_int_equal(send_text(w, much), 0);
  say(&w->peers[0], much);
  turn_until(w, w->peers[0].size == 2000 && w->size == 2000);
  /* 2000 bytes less a tenth of a second's, at 4 bytes a millisecond */
  assert_in_range(now(w) - from_ms, 390, 2000);
  end(w);
}

static void slices_come_one_by_one(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.slice = 3});
  say(&w->peers[0], "abcdefgh");
  turn_until(w, w->size == 8);
  assert_string_equal(w->text, "abcdefgh");
  assert_int_equal(w->largest, 3);
  assert_true(w->pieces >= 3);
  end(w);
}

static void close_now(struct world *w)
{
  fault_close(w->link);
}

static void no_slice_follows_a_close_in_the_midst_of_them(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.slice = 1});
  w->on_bytes = close_now;
  say(&w->peers[0], "abcdefgh");
  turn_until(w, w->peers[0].ended);
  assert_int_equal(w->size, 1);
  assert_int_equal(w->closed, 0);
  end(w);
}

static void pause_now(struct world *w)
{
  fault_pause(w->link, true);
}

static void a_paused_owner_hears_nothing_until_it_goes_on(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.slice = 2});
  w->on_bytes = pause_now;
  say(&w->peers[0], "abcdefgh");
  turn_until(w, w->size == 2);
  uv_close((uv_handle_t *) &w->peers[0].tcp, on_peer_closed);
  turn_for(w, 30);
  assert_int_equal(w->size, 2);
  assert_int_equal(w->closed, 0);
  w->on_bytes = NULL;
  fault_pause(w->link, false);
  turn_until(w, w->closed == 1);
  assert_string_equal(w->text, "abcdefgh");
  end(w);
}

static void a_cut_resets_both_sides_after_its_bytes(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.cut_after = 10});
  send_text(w, "1234");
  turn_until(w, w->peers[0].size == 4);
  say(&w->peers[0], "567890 and more");
  turn_until(w, w->closed == 1 && w->peers[0].ended);
  assert_int_equal(w->cause, DEVICE_FAIL_TCP_RESET);
  assert_string_equal(w->text, "567890");
  assert_true(w->peers[0].reset);
  assert_int_equal(w->counts[FAULT_CUT], 1);
  connect_and_wait(w); /* the next one has its ten bytes, too */
  say(&w->peers[1], "123456789");
  turn_until(w, w->size == 6 + 9);
  assert_int_equal(w->closed, 1);
  end(w);
}

static void a_cut_counts_what_is_sent(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.cut_after = 5});
  send_text(w, "123456789");
  assert_int_equal(w->closed, 0); /* never from inside of a call */
  turn_until(w, w->closed == 1 && w->peers[0].ended);
  assert_int_equal(w->cause, DEVICE_FAIL_TCP_RESET);
  assert_true(w->peers[0].size <= 5);
  end(w);
}

static void a_share_of_connections_is_cut_somewhere(void **state)
{
  (void) state;
  size_t whole = 0;
  bool seen[5] = {false};
  struct world *w = begin(&(struct fault){.cut_share = 0.5, .cut_after = 4});
  while (w->accepted < PEERS_MAX) {
    w->closed = 0;
    w->size = 0;
    connect_and_wait(w);
    say(&w->peers[w->accepted - 1], "12345678");
    turn_until(w, w->size == 8 || w->closed == 1);
    if (w->closed == 0) {
      whole++;
      fault_close(w->link);
      continue;
    }
    assert_in_range(w->size, 1, 4);
    seen[w->size] = true;
  }
  assert_in_range(w->counts[FAULT_CUT], PEERS_MAX / 4, PEERS_MAX * 3 / 4);
  assert_int_equal(w->counts[FAULT_CUT] + whole, PEERS_MAX);
  assert_true(seen[1] + seen[2] + seen[3] + seen[4] >= 2);
  end(w);
}

static void a_reset_is_told_once_and_the_next_connection_opens(void **state)
{
  (void) state;
  struct world *w = connected(&none);
  fault_set(w->link, &(struct fault){.reset = true});
  assert_int_equal(w->closed, 0);
  turn_until(w, w->closed == 1 && w->peers[0].ended);
  assert_int_equal(w->cause, DEVICE_FAIL_TCP_RESET);
  assert_true(w->peers[0].reset);
  assert_int_equal(w->counts[FAULT_RESET], 1);
  connect_and_wait(w);
  send_text(w, "again");
  turn_until(w, w->peers[1].size == 5);
  assert_int_equal(w->closed, 1);
  end(w);
}

static void connect_thrice(struct world *w)
{
  if (w->closed < 3) fault_connect(w->link, &w->address, NULL);
}

static void a_refusal_never_reaches_the_server(void **state)
{
  (void) state;
  struct world *w = begin(&(struct fault){.refuse = true});
  w->on_closed = connect_thrice;
  fault_connect(w->link, &w->address, NULL);
  assert_int_equal(w->closed, 0);
  turn_until(w, w->closed == 3);
  assert_int_equal(w->cause, DEVICE_FAIL_TCP_REFUSED);
  assert_int_equal(w->accepted, 0);
  assert_int_equal(w->opened, 0);
  assert_int_equal(w->counts[FAULT_REFUSED], 3);
  fault_set(w->link, &none);
  connect_and_wait(w);
  end(w);
}

static void a_black_hole_holds_both_directions_and_lets_go_what_waits(void **state)
{
  (void) state;
  struct world *w = connected(&none);
  fault_set(w->link, &(struct fault){.black_hole = true});
  send_text(w, "there");
  say(&w->peers[0], "back");
  turn_for(w, 60);
  assert_int_equal(w->size + w->peers[0].size, 0);
  assert_int_equal(w->closed, 0);
  assert_false(w->peers[0].ended);
  fault_set(w->link, &none);
  turn_until(w, w->size == 4 && w->peers[0].size == 5);
  assert_int_equal(w->closed, 0);
  end(w);
}

static void the_end_is_not_learnt_in_a_black_hole(void **state)
{
  (void) state;
  struct world *w = connected(&none);
  fault_set(w->link, &(struct fault){.black_hole = true});
  uv_close((uv_handle_t *) &w->peers[0].tcp, on_peer_closed);
  turn_for(w, 50);
  assert_int_equal(w->closed, 0);
  fault_set(w->link, &none);
  turn_until(w, w->closed == 1);
  end(w);
}

static void a_connection_given_up_in_a_black_hole_stays_half_open_until_it_is_mended(void **state)
{
  (void) state;
  struct world *w = connected(&none);
  fault_set(w->link, &(struct fault){.black_hole = true});
  fault_close(w->link);
  fault_connect(w->link, &w->address, NULL);
  turn_for(w, 60);
  assert_false(w->peers[0].ended);
  assert_int_equal(w->accepted, 1);
  assert_int_equal(w->counts[FAULT_SWALLOWED], 1);
  fault_set(w->link, &none);
  turn_until(w, w->opened == 2 && w->accepted == 2 && w->peers[0].ended);
  assert_true(w->peers[0].reset);
  assert_false(w->peers[1].ended);
  end(w);
}

static void an_attempt_given_up_in_a_black_hole_is_never_dialled(void **state)
{
  (void) state;
  struct world *w = begin(&(struct fault){.black_hole = true});
  fault_connect(w->link, &w->address, NULL);
  turn_for(w, 20);
  fault_close(w->link);
  fault_set(w->link, &none);
  turn_for(w, 30);
  assert_int_equal(w->accepted, 0);
  assert_int_equal(w->opened + w->closed, 0);
  end(w);
}

static void an_attempt_in_a_black_hole_is_refused_when_that_is_what_it_becomes(void **state)
{
  (void) state;
  struct world *w = begin(&(struct fault){.black_hole = true});
  fault_connect(w->link, &w->address, NULL);
  fault_set(w->link, &(struct fault){.refuse = true});
  assert_int_equal(w->closed, 0);
  turn_until(w, w->closed == 1);
  assert_int_equal(w->cause, DEVICE_FAIL_TCP_REFUSED);
  assert_int_equal(w->accepted, 0);
  end(w);
}

static void each_side_learns_late_of_a_slow_close(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.slow_close_ms = 80});
  uint64_t from_ms = now(w);
  uv_close((uv_handle_t *) &w->peers[0].tcp, on_peer_closed);
  turn_until(w, w->closed == 1);
  assert_in_range(now(w) - from_ms, 80, 1000);
  connect_and_wait(w);
  from_ms = now(w);
  send_text(w, "goodbye");
  fault_close(w->link);
  turn_until(w, w->peers[1].ended);
  assert_in_range(now(w) - from_ms, 80, 1000);
  assert_string_equal(w->peers[1].text, "goodbye");
  assert_false(w->peers[1].reset);
  end(w);
}

static void no_more_waits_than_the_limit(void **state)
{
  (void) state;
  static uint8_t block[4096];
  struct world *w = connected(&none);
  fault_set(w->link, &(struct fault){.black_hole = true});
  size_t sent = 0;
  while (fault_send(w->link, block, sizeof block) == 0 && sent < 2 * FAULT_WAITING_MAX)
    sent += sizeof block;
  assert_in_range(sent, FAULT_WAITING_MAX / 2, FAULT_WAITING_MAX);
  assert_true(fault_backlog(w->link) <= FAULT_WAITING_MAX);
  end(w);
}

static void a_flood_on_a_slow_line_stays_with_the_network(void **state)
{
  (void) state;
  static char block[60000];
  struct world *w = connected(&(struct fault){.latency_ms = 2000});
  uv_buf_t buffer = uv_buf_init(block, sizeof block);
  size_t said = 0;
  uint64_t end_ms = now(w) + 300;
  while (now(w) < end_ms) {
    int n = uv_try_write((uv_stream_t *) &w->peers[0].tcp, &buffer, 1);
    if (n > 0) said += (size_t) n;
    uv_run(&w->loop, UV_RUN_NOWAIT);
  }
  assert_true(said > w->counts[FAULT_DELAYED]);
  /* the limit, and one read more */
  assert_true(w->counts[FAULT_DELAYED] <= 2 * (size_t) FAULT_WAITING_MAX);
  end(w);
}

static void the_end_of_the_world_leaves_nothing_behind(void **state)
{
  (void) state;
  struct world *w = connected(&(struct fault){.latency_ms = 500, .slow_close_ms = 5000});
  send_text(w, "never arrives");
  fault_close(w->link);
  fault_connect(w->link, &w->address, NULL);
  turn_for(w, 20);
  end(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_line_without_a_fault_lets_everything_through_at_once),
      cmocka_unit_test(an_open_connection_can_be_taken_over),
      cmocka_unit_test(latency_holds_each_way_and_for_a_round_trip_to_open),
      cmocka_unit_test(jitter_keeps_the_order),
      cmocka_unit_test(what_was_sent_before_a_close_arrives_late_but_does),
      cmocka_unit_test(the_peers_end_comes_after_its_last_bytes),
      cmocka_unit_test(a_bandwidth_takes_its_time_in_both_directions),
      cmocka_unit_test(slices_come_one_by_one),
      cmocka_unit_test(no_slice_follows_a_close_in_the_midst_of_them),
      cmocka_unit_test(a_paused_owner_hears_nothing_until_it_goes_on),
      cmocka_unit_test(a_cut_resets_both_sides_after_its_bytes),
      cmocka_unit_test(a_cut_counts_what_is_sent),
      cmocka_unit_test(a_share_of_connections_is_cut_somewhere),
      cmocka_unit_test(a_reset_is_told_once_and_the_next_connection_opens),
      cmocka_unit_test(a_refusal_never_reaches_the_server),
      cmocka_unit_test(a_black_hole_holds_both_directions_and_lets_go_what_waits),
      cmocka_unit_test(the_end_is_not_learnt_in_a_black_hole),
      cmocka_unit_test(a_connection_given_up_in_a_black_hole_stays_half_open_until_it_is_mended),
      cmocka_unit_test(an_attempt_given_up_in_a_black_hole_is_never_dialled),
      cmocka_unit_test(an_attempt_in_a_black_hole_is_refused_when_that_is_what_it_becomes),
      cmocka_unit_test(each_side_learns_late_of_a_slow_close),
      cmocka_unit_test(no_more_waits_than_the_limit),
      cmocka_unit_test(a_flood_on_a_slow_line_stays_with_the_network),
      cmocka_unit_test(the_end_of_the_world_leaves_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
