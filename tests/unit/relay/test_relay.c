/* A relay between two plain sockets: a client and a server on loopback. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/relay.h"

enum { PATIENCE_MS = 10000, LARGE = 64 << 20 };

/* What is expected of `pass`, and what the owner was told. */
static struct {
  size_t allowed;   /* bytes that may pass still; SIZE_MAX: all */
  uint64_t seen[2]; /* by side, before the limit */
  unsigned ended, closed;
  enum relay_cause cause;
} told;

static uv_loop_t loop;
static struct relay relay;
static struct relay_line line;
static int client, server;

static bool pass(void *user, enum relay_side from, const uint8_t *data, size_t *size)
{
  assert_ptr_equal(user, &told);
  assert_non_null(data);
  told.seen[from] += *size;
  if (told.allowed == SIZE_MAX) return true;
  if (*size > told.allowed) *size = told.allowed;
  told.allowed -= *size;
  return told.allowed > 0;
}

static void on_ended(void *user, enum relay_cause cause)
{
  assert_ptr_equal(user, &told);
  told.ended++;
  told.cause = cause;
}

static void on_closed(void *user)
{
  assert_ptr_equal(user, &told);
  assert_int_equal(told.ended, 1);
  told.closed++;
}

static const struct relay_config as_a_line = {
    .pass = pass, .ended = on_ended, .closed = on_closed, .line = &line, .half_close = true};
static const struct relay_config as_a_gate = {.pass = pass, .ended = on_ended, .closed = on_closed};

static void turn_for(uint64_t ms)
{
  for (uint64_t end = uv_hrtime() + ms * 1000000; uv_hrtime() < end; usleep(200))
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void turn_until(const unsigned *counter)
{
  for (uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull; *counter == 0 && uv_hrtime() < end;)
    turn_for(1);
  if (*counter == 0) fail_msg("waited %d ms", PATIENCE_MS);
}

static int listen_on(struct sockaddr_in *address)
{
  socklen_t size = sizeof *address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(bind(fd, (struct sockaddr *) address, size), 0);
  assert_int_equal(listen(fd, 4), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *) address, &size), 0);
  return fd;
}

/* A client whose other end the relay has taken. */
static void come(const struct relay_config *config)
{
  struct sockaddr_in address;
  int door = listen_on(&address);
  client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(client, (struct sockaddr *) &address, sizeof address), 0);
  int fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  close(door);
  memset(&told, 0, sizeof told);
  memset(&line, 0, sizeof line);
  told.allowed = SIZE_MAX;
  relay_init(&relay, &loop, config, &told);
  assert_int_equal(relay_take(&relay, fd), 0);
}

static void open_relay(const struct relay_config *config)
{
  struct sockaddr_in address;
  int door = listen_on(&address);
  come(config);
  assert_int_equal(relay_connect(&relay, (struct sockaddr *) &address), 0);
  server = accept4(door, NULL, NULL, SOCK_CLOEXEC);
  assert_true(server >= 0);
  close(door);
  turn_for(5);
}

static int set_up(void **state)
{
  (void) state;
  signal(SIGPIPE, SIG_IGN);
  client = server = -1;
  return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
  (void) state;
  relay_drop(&relay, false);
  turn_until(&told.closed);
  assert_int_equal(told.ended, 1);
  assert_int_equal(told.closed, 1);
  if (client >= 0) close(client);
  if (server >= 0) close(server);
  return uv_loop_close(&loop);
}

static void say(int fd, const char *text)
{
  size_t size = strlen(text);
  assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), (ssize_t) size);
}

/* What a side has got once it has `expected`, or within the time; "EOF" and "RST" stand for how it
   ended. */
static const char *heard(int fd, const char *expected, uint64_t ms)
{
  static char text[256];
  size_t used = 0;
  memset(text, 0, sizeof text);
  for (uint64_t end = uv_hrtime() + ms * 1000000;
       uv_hrtime() < end && (expected == NULL || strcmp(text, expected) != 0); turn_for(1)) {
    ssize_t n = recv(fd, text + used, sizeof text - used - 4, MSG_DONTWAIT);
    if (n > 0) used += (size_t) n;
    if (n > 0 || (n < 0 && errno == EAGAIN)) continue;
    strcpy(text + used, n == 0 ? "EOF" : "RST");
    break;
  }
  return text;
}

static void expect(int fd, const char *text)
{
  assert_string_equal(heard(fd, text, PATIENCE_MS), text);
}

static void expect_nothing(int fd, uint64_t ms)
{
  assert_string_equal(heard(fd, NULL, ms), "");
}

static void passes_both_ways_and_shows_what_it_passes(void **state)
{
  (void) state;
  open_relay(&as_a_line);
  say(client, "question");
  expect(server, "question");
  say(server, "the answer");
  expect(client, "the answer");
  assert_int_equal(told.seen[RELAY_CLIENT], 8);
  assert_int_equal(told.seen[RELAY_SERVER], 10);
}

static void the_end_of_one_direction_leaves_the_other(void **state)
{
  (void) state;
  open_relay(&as_a_line);
  say(client, "question");
  shutdown(client, SHUT_WR);
  expect(server, "questionEOF");
  say(server, "the answer");
  expect(client, "the answer");
  shutdown(server, SHUT_WR);
  expect(client, "EOF");
  turn_until(&told.closed);
  assert_int_equal(told.cause, RELAY_CLOSED);
}

static void a_gate_ends_both_with_either(void **state)
{
  (void) state;
  open_relay(&as_a_gate);
  say(client, "bye");
  shutdown(client, SHUT_WR);
  expect(server, "byeEOF");
  expect(client, "EOF");
  assert_int_equal(told.ended, 1);
  assert_int_equal(told.cause, RELAY_CLOSED);
}

static void a_reset_is_passed_on_as_one(void **state)
{
  (void) state;
  struct linger none = {.l_onoff = 1};
  open_relay(&as_a_line);
  setsockopt(server, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(server);
  server = -1;
  expect(client, "RST");
  assert_int_equal(told.cause, RELAY_BROKEN);
}

static void a_server_that_is_not_there_is_refused(void **state)
{
  (void) state;
  struct sockaddr_in nowhere;
  close(listen_on(&nowhere));
  come(&as_a_line);
  assert_int_equal(relay_connect(&relay, (struct sockaddr *) &nowhere), 0);
  expect(client, "RST");
  assert_int_equal(told.cause, RELAY_REFUSED);
}

static void what_the_owner_cuts_still_arrives_up_to_there(void **state)
{
  (void) state;
  open_relay(&as_a_line);
  told.allowed = 5;
  say(client, "12345678");
  turn_until(&told.closed);
  assert_int_equal(told.cause, RELAY_CUT);
  assert_int_equal(told.seen[RELAY_CLIENT], 8);
  expect(server, "12345RST");
  expect(client, "RST");
}

static void latency_keeps_bytes_and_the_end_in_order(void **state)
{
  (void) state;
  open_relay(&as_a_line);
  line.latency_ms = 400;
  relay_line_changed(&relay);
  say(client, "late");
  shutdown(client, SHUT_WR);
  expect_nothing(server, 40);
  assert_in_range(relay_waiting(&relay), 4, 100);
  expect(server, "lateEOF");
  assert_int_equal(relay_waiting(&relay), 0);
}

static void a_line_without_latency_hurries_what_waits(void **state)
{
  (void) state;
  open_relay(&as_a_line);
  line.latency_ms = 60000;
  relay_line_changed(&relay);
  say(client, "late");
  expect_nothing(server, 20);
  line.latency_ms = 0;
  relay_line_changed(&relay);
  expect(server, "late");
}

static void a_stall_holds_bytes_and_ends_until_it_is_over(void **state)
{
  (void) state;
  open_relay(&as_a_line);
  line.stall = true;
  relay_line_changed(&relay);
  say(server, "held");
  shutdown(server, SHUT_WR);
  expect_nothing(client, 50);
  assert_int_equal(told.seen[RELAY_SERVER], 0);
  line.stall = false;
  relay_line_changed(&relay);
  expect(client, "heldEOF");
}

/* 40 KiB at 80 KiB/s, of which the bucket holds a tenth of a second's at the beginning. */
static void bandwidth_takes_its_time(void **state)
{
  (void) state;
  static char data[40 * 1024];
  size_t got = 0;
  open_relay(&as_a_line);
  line.bandwidth_per_s = 80 * 1024;
  relay_line_changed(&relay);
  uint64_t began = uv_hrtime();
  assert_int_equal(send(client, data, sizeof data, 0), (ssize_t) sizeof data);
  for (ssize_t n; got < sizeof data; turn_for(1))
    if ((n = recv(server, data, sizeof data, MSG_DONTWAIT)) > 0) got += (size_t) n;
  uint64_t ms = (uv_hrtime() - began) / 1000000;
  if (ms < 350) fail_msg("it took %u ms only", (unsigned) ms);
}

/* In both manners of waiting: a write that the socket has not taken, and the pipe. */
static void hold_back(uint32_t latency_ms)
{
  static char flood[1 << 20], in[1 << 20];
  size_t sent = 0, got = 0;
  open_relay(&as_a_line);
  line.latency_ms = latency_ms;
  relay_line_changed(&relay);
  for (int idle = 0; idle < 20 && sent < LARGE; turn_for(1)) {
    ssize_t n = send(server, flood, sizeof flood, MSG_DONTWAIT);
    if (n > 0) sent += (size_t) n;
    idle = n > 0 ? 0 : idle + 1;
    assert_true(relay_waiting(&relay) < RELAY_WAITING_MAX + 2 * RELAY_PIECE);
  }
  assert_true(sent < LARGE); /* the kernel's buffers, and what the relay may hold */
  for (uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull; got < sent && uv_hrtime() < end;
       uv_run(&loop, UV_RUN_NOWAIT)) {
    ssize_t n = recv(client, in, sizeof in, MSG_DONTWAIT);
    if (n > 0) got += (size_t) n;
  }
  assert_int_equal(got, sent);
  assert_int_equal(told.seen[RELAY_SERVER], sent);
}

static void a_side_that_takes_nothing_holds_the_other_back(void **state)
{
  (void) state;
  hold_back(0);
}

static void so_it_does_on_a_slow_line(void **state)
{
  (void) state;
  hold_back(1);
}

static void may_be_dropped_before_it_has_a_server(void **state)
{
  (void) state;
  come(&as_a_gate);
  relay_drop(&relay, false);
  assert_int_equal(told.ended, 1);
  assert_int_equal(told.closed, 0);
  expect(client, "EOF");
  assert_int_equal(told.cause, RELAY_DROPPED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(passes_both_ways_and_shows_what_it_passes),
      T(the_end_of_one_direction_leaves_the_other),
      T(a_gate_ends_both_with_either),
      T(a_reset_is_passed_on_as_one),
      T(a_server_that_is_not_there_is_refused),
      T(what_the_owner_cuts_still_arrives_up_to_there),
      T(latency_keeps_bytes_and_the_end_in_order),
      T(a_line_without_latency_hurries_what_waits),
      T(a_stall_holds_bytes_and_ends_until_it_is_over),
      T(bandwidth_takes_its_time),
      T(a_side_that_takes_nothing_holds_the_other_back),
      T(so_it_does_on_a_slow_line),
      T(may_be_dropped_before_it_has_a_server),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
