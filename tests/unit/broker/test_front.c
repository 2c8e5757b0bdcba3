/* The gate before a local broker, between two plain sockets: a client and what stands for the broker. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "broker/front.h"

enum { TIMEOUT_MS = 300, PATIENCE_MS = 10000, LARGE = 1 << 20 };

static uv_loop_t loop;
static struct front *front;
static uint16_t ports[FRONT_LISTENERS];
static int broker, client, accepted;
static unsigned closed;

static struct sockaddr_in loopback(uint16_t port)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void turn(void)
{
  uv_run(&loop, UV_RUN_NOWAIT);
  usleep(200);
}

static void turn_for(uint64_t ms)
{
  for (uint64_t end = uv_hrtime() + ms * 1000000; uv_hrtime() < end;) turn();
}

static void on_closed(void *ctx)
{
  ++*(unsigned *) ctx;
}

static int begin(void **state)
{
  (void) state;
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  struct error error = {0};
  signal(SIGPIPE, SIG_IGN);
  closed = 0;
  client = accepted = -1;
  broker = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(broker, (struct sockaddr *) &address, size), 0);
  assert_int_equal(listen(broker, 8), 0);
  assert_int_equal(getsockname(broker, (struct sockaddr *) &address, &size), 0);
  ports[0] = ports[1] = ntohs(address.sin_port);
  uv_loop_init(&loop);
  if (front_open(&loop, ports, TIMEOUT_MS, &front, &error) != 0) fail_msg("%s", error.text);
  return 0;
}

static int finish(void **state)
{
  (void) state;
  front_close(front, on_closed, &closed);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(closed, 1);
  assert_int_equal(uv_loop_close(&loop), 0);
  if (broker >= 0) close(broker);
  if (client >= 0) close(client);
  if (accepted >= 0) close(accepted);
  return 0;
}

static void dial(int listener)
{
  struct sockaddr_in address = loopback(front_port(front, listener));
  client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(client, (struct sockaddr *) &address, sizeof address), 0);
}

static void meet(int listener)
{
  dial(listener);
  for (uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull; accepted < 0 && uv_hrtime() < end; turn())
    accepted = accept4(broker, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) fail_msg("nobody came to the broker");
}

static void say(const char *bytes, size_t size)
{
  assert_int_equal(send(client, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL), size);
}

/* What the client learns within the time: 'o' still open, 'c' closed. */
static char fate(uint64_t ms)
{
  char byte;
  turn_for(ms);
  ssize_t n = recv(client, &byte, 1, MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN) ? 'c' : 'o';
}

static void who_says_nothing_is_cut_off_and_counted(void **state)
{
  (void) state;
  meet(0);
  assert_int_equal(fate(TIMEOUT_MS / 2), 'o');
  assert_int_equal(fate(TIMEOUT_MS), 'c');
  assert_int_equal(front_timed_out(front), 1);
}

static void who_has_only_begun_is_cut_off(void **state)
{
  (void) state;
  meet(0);
  /* one handshake record whose body looks like application data, and the change of cipher that TLS 1.3 plays */
  say("\x16\x03\x01\x00\x05\x17\x03\x03\x00\x01\x14\x03\x03\x00\x01\x01", 16);
  assert_int_equal(fate(2 * TIMEOUT_MS), 'c');
  assert_int_equal(front_timed_out(front), 1);
}

static void who_has_finished_may_stay_however_the_bytes_come(void **state)
{
  (void) state;
  static const char flight[] = "\x16\x03\x01\x00\x02hi\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x04";
  meet(1);
  for (size_t i = 0; i + 1 < sizeof flight; i++) {
    say(flight + i, 1);
    turn_for(2);
  }
  assert_int_equal(fate(2 * TIMEOUT_MS), 'o');
  assert_int_equal(front_timed_out(front), 0);
}

static void a_megabyte_arrives_whole_although_the_broker_reads_late(void **state)
{
  (void) state;
  static char out[LARGE], in[LARGE];
  size_t sent = 0, got = 0;
  meet(0);
  for (size_t i = 0; i < LARGE; i++) out[i] = (char) (i * 7 + i / 251);
  memcpy(out, "\x17\x03\x03\x40\x00", 5);
  for (uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull; got < LARGE && uv_hrtime() < end; turn()) {
    ssize_t n = sent < LARGE ? send(client, out + sent, LARGE - sent, MSG_DONTWAIT) : 0;
    if (n > 0) sent += (size_t) n;
    if (n > 0) continue; /* not before the client can say no more */
    n = recv(accepted, in + got, LARGE - got, MSG_DONTWAIT);
    if (n > 0) got += (size_t) n;
  }
  assert_int_equal(got, LARGE);
  assert_memory_equal(in, out, LARGE);
}

static void what_the_broker_says_arrives_and_so_does_its_end(void **state)
{
  (void) state;
  char text[8] = "";
  meet(0);
  assert_int_equal(send(accepted, "hello", 5, 0), 5);
  turn_for(50);
  assert_int_equal(recv(client, text, sizeof text, MSG_DONTWAIT), 5);
  assert_string_equal(text, "hello");
  close(accepted);
  accepted = -1;
  assert_int_equal(fate(50), 'c');
  assert_int_equal(front_timed_out(front), 0);
}

static void the_clients_end_reaches_the_broker(void **state)
{
  (void) state;
  char byte;
  meet(0);
  close(client);
  client = -1;
  turn_for(50);
  assert_int_equal(recv(accepted, &byte, 1, MSG_DONTWAIT), 0);
}

static void without_a_broker_a_connection_is_closed(void **state)
{
  (void) state;
  close(broker);
  broker = -1;
  dial(0);
  assert_int_equal(fate(100), 'c');
  assert_int_equal(front_timed_out(front), 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, finish)
  const struct CMUnitTest tests[] = {
      test(who_says_nothing_is_cut_off_and_counted),
      test(who_has_only_begun_is_cut_off),
      test(who_has_finished_may_stay_however_the_bytes_come),
      test(a_megabyte_arrives_whole_although_the_broker_reads_late),
      test(what_the_broker_says_arrives_and_so_does_its_end),
      test(the_clients_end_reaches_the_broker),
      test(without_a_broker_a_connection_is_closed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
