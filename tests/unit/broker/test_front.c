/* The gate before a local broker, between two plain sockets: a client and what stands for the
   broker. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "broker/front.h"

enum { TIMEOUT_MS = 300, PATIENCE_MS = 10000, LARGE = 1 << 20 };

static uv_loop_t loop;
static struct front *front;
static uint16_t ports[FRONT_LISTENERS];
static int broker, client, accepted;
static unsigned closed, died;

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

static void on_died(void *ctx)
{
  ++*(unsigned *) ctx;
}

/* A gate that waits for nobody, takes up `rate` a second, and has a process more for every few
   connections. */
static int begin_with(double rate, size_t connections)
{
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  struct error error = {0};
  signal(SIGPIPE, SIG_IGN);
  closed = died = 0;
  client = accepted = -1;
  broker = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(broker, (struct sockaddr *) &address, size), 0);
  assert_int_equal(listen(broker, 128), 0);
  assert_int_equal(getsockname(broker, (struct sockaddr *) &address, &size), 0);
  ports[0] = ports[1] = ntohs(address.sin_port);
  uv_loop_init(&loop);
  struct front_config config = {.timeout_ms = TIMEOUT_MS,
                                .rate = rate,
                                .connections = connections,
                                .died = on_died,
                                .ctx = &died};
  if (front_open(&loop, &config, ports, &front, &error) != 0) fail_msg("%s", error.text);
  return 0;
}

static int begin(void **state)
{
  (void) state;
  return begin_with(0, 100);
}

static int begin_slow(void **state)
{
  (void) state;
  return begin_with(20, 100);
}

static int begin_many(void **state)
{
  (void) state;
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  return begin_with(0, (size_t) limit.rlim_max);
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
  for (uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull; accepted < 0 && uv_hrtime() < end;
       turn())
    accepted = accept4(broker, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) fail_msg("nobody came to the broker");
}

static void say(const char *bytes, size_t size)
{
  assert_int_equal(send(client, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL), size);
}

/* What the client learns within the time, or as soon as it does: 'o' still open, 'c' closed. */
static char fate(uint64_t ms)
{
  char byte;
  ssize_t n = -1;
  uint64_t end = uv_hrtime() + ms * 1000000;
  do {
    turn();
    n = recv(client, &byte, 1, MSG_DONTWAIT);
  } while (n < 0 && errno == EAGAIN && uv_hrtime() < end);
  return n == 0 || (n < 0 && errno != EAGAIN) ? 'c' : 'o';
}

static void who_says_nothing_is_cut_off_and_counted(void **state)
{
  (void) state;
  meet(0);
  assert_int_equal(fate(TIMEOUT_MS / 2), 'o');
  assert_int_equal(fate(PATIENCE_MS), 'c');
  assert_int_equal(front_timed_out(front), 1);
}

static void who_has_only_begun_is_cut_off(void **state)
{
  (void) state;
  meet(0);
  /* one handshake record whose body looks like application data, and the change of cipher that TLS
     1.3 plays */
  say("\x16\x03\x01\x00\x05\x17\x03\x03\x00\x01\x14\x03\x03\x00\x01\x01", 16);
  assert_int_equal(fate(PATIENCE_MS), 'c');
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
  for (uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull; got < LARGE && uv_hrtime() < end;
       turn()) {
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
  assert_int_equal(fate(PATIENCE_MS), 'c');
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
  assert_int_equal(fate(PATIENCE_MS), 'c');
  assert_int_equal(front_timed_out(front), 0);
}

/* Opens `count` connections through the gate, each of which says its number. */
static void crowd(int *fds, int count)
{
  for (int i = 0; i < count; i++) {
    dial(0);
    char number = (char) i;
    say(&number, 1);
    fds[i] = client;
  }
  client = -1;
}

static void close_all(int *fds, int count)
{
  for (int i = 0; i < count; i++)
    if (fds[i] >= 0) close(fds[i]);
}

/* The number that the next one says who comes to the broker within the time; -1: nobody came. */
static int next_guest(uint64_t ms)
{
  int fd = -1;
  char number = -1;
  for (uint64_t end = uv_hrtime() + ms * 1000000; fd < 0 && uv_hrtime() < end; turn())
    fd = accept4(broker, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return -1;
  for (uint64_t end = uv_hrtime() + 1000 * 1000000ull; uv_hrtime() < end; turn())
    if (recv(fd, &number, 1, MSG_DONTWAIT) >= 0) break; /* said, or left */
  close(fd);
  return number;
}

/* 20 a second, by a clock: twelve need 11 turns of 50 ms. */
static void who_comes_has_his_turn_in_order_and_at_the_rate(void **state)
{
  (void) state;
  enum { COUNT = 12 };
  int fds[COUNT];
  uint64_t begun = uv_hrtime();
  crowd(fds, COUNT);
  for (int i = 0; i < COUNT; i++) assert_int_equal(next_guest(PATIENCE_MS), i);
  uint64_t ms = (uv_hrtime() - begun) / 1000000;
  if (ms < 11 * 50 - 30) fail_msg("12 connections were taken up within %d ms", (int) ms);
  close_all(fds, COUNT);
}

static void who_has_left_has_his_turn_all_the_same(void **state)
{
  (void) state;
  int fds[4];
  crowd(fds, 4);
  assert_int_equal(next_guest(PATIENCE_MS), 0);
  close(fds[1]);
  fds[1] = -1;
  for (int i = 1; i < 4; i++) assert_int_equal(next_guest(PATIENCE_MS), i);
  close_all(fds, 4);
}

static void turns_that_nobody_wanted_are_not_saved_up(void **state)
{
  (void) state;
  int fds[6];
  turn_for(400); /* eight turns */
  uint64_t begun = uv_hrtime();
  crowd(fds, 6);
  for (int i = 0; i < 6; i++) assert_int_equal(next_guest(PATIENCE_MS), i);
  uint64_t ms = (uv_hrtime() - begun) / 1000000;
  if (ms < 5 * 50 - 30) fail_msg("six connections were taken up within %d ms", (int) ms);
  close_all(fds, 6);
}

/* The time-out is the broker's, which has not seen him yet. */
static void who_waits_is_not_timed(void **state)
{
  (void) state;
  enum { COUNT = 12 };
  int fds[COUNT];
  crowd(fds, COUNT);
  turn_for(TIMEOUT_MS + 50);
  assert_in_range(front_waiting(front), 1, COUNT - 6);
  client = fds[COUNT - 1];
  assert_int_equal(fate(0), 'o');
  client = -1;
  close_all(fds, COUNT);
}

static void a_broker_that_ends_forgets_who_waits(void **state)
{
  (void) state;
  int fds[8];
  crowd(fds, 8);
  assert_int_equal(next_guest(PATIENCE_MS), 0);
  front_drop(front);
  for (int i = 0; i < 8; i++) {
    client = fds[i];
    assert_int_equal(fate(PATIENCE_MS), 'c');
  }
  client = -1;
  assert_int_equal(front_waiting(front), 0);
  close_all(fds, 8);
}

static int try_dial(void)
{
  struct sockaddr_in address = loopback(front_port(front, 0));
  client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int status = connect(client, (struct sockaddr *) &address, sizeof address) == 0 ? 0 : errno;
  if (status != 0) close(client);
  if (status != 0) client = -1;
  return status;
}

static void while_the_broker_is_away_its_port_refuses(void **state)
{
  (void) state;
  uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull;
  front_drop(front);
  while (try_dial() != ECONNREFUSED && uv_hrtime() < end) {
    if (client >= 0) close(client); /* it came before the order did */
    turn();
  }
  assert_int_equal(try_dial(), ECONNREFUSED);
  front_resume(front);
  while (try_dial() != 0 && uv_hrtime() < end) turn();
  say("x", 1);
  int guest;
  do guest = next_guest(PATIENCE_MS);
  /* one who came before the order may be there, and says nothing */
  while (guest == -1 && uv_hrtime() < end);
  assert_int_equal(guest, 'x');
}

static void the_broker_can_move(void **state)
{
  (void) state;
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  close(broker);
  broker = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(broker, (struct sockaddr *) &address, size), 0);
  assert_int_equal(listen(broker, 8), 0);
  assert_int_equal(getsockname(broker, (struct sockaddr *) &address, &size), 0);
  front_move(front, (uint16_t[]){ntohs(address.sin_port), ntohs(address.sin_port)});
  meet(0);
}

/* More connections than one process can have descriptors for: several gates listen on one port. */
static void several_gates_have_one_port(void **state)
{
  (void) state;
  enum { COUNT = 40 };
  int fds[COUNT];
  bool met[COUNT] = {false};
  crowd(fds, COUNT);
  for (int i = 0; i < COUNT; i++) {
    int number = next_guest(PATIENCE_MS);
    assert_in_range(number, 0, COUNT - 1);
    assert_false(met[number]);
    met[number] = true;
  }
  close_all(fds, COUNT);
}

static pid_t child_of(pid_t parent)
{
  char path[64], text[16] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int) parent, (int) parent);
  FILE *file = fopen(path, "r");
  if (file == NULL) return -1;
  char *got = fgets(text, sizeof text, file);
  fclose(file);
  return got == NULL ? -1 : (pid_t) strtol(text, NULL, 10);
}

static void a_gate_that_ends_by_itself_is_told(void **state)
{
  (void) state;
  pid_t gate = child_of(getpid());
  if (gate < 0) skip(); /* this kernel does not tell */
  turn_for(50);
  assert_int_equal(died, 0);
  kill(gate, SIGKILL);
  for (uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ull; died == 0 && uv_hrtime() < end;)
    turn();
  assert_int_equal(died, 1);
}

int main(void)
{
#define test(name)      cmocka_unit_test_setup_teardown(name, begin, finish)
#define slow_test(name) cmocka_unit_test_setup_teardown(name, begin_slow, finish)
  const struct CMUnitTest tests[] = {
      test(who_says_nothing_is_cut_off_and_counted),
      test(who_has_only_begun_is_cut_off),
      test(who_has_finished_may_stay_however_the_bytes_come),
      test(a_megabyte_arrives_whole_although_the_broker_reads_late),
      test(what_the_broker_says_arrives_and_so_does_its_end),
      test(the_clients_end_reaches_the_broker),
      test(without_a_broker_a_connection_is_closed),
      test(the_broker_can_move),
      test(while_the_broker_is_away_its_port_refuses),
      test(a_gate_that_ends_by_itself_is_told),
      slow_test(who_comes_has_his_turn_in_order_and_at_the_rate),
      slow_test(who_has_left_has_his_turn_all_the_same),
      slow_test(turns_that_nobody_wanted_are_not_saved_up),
      slow_test(who_waits_is_not_timed),
      slow_test(a_broker_that_ends_forgets_who_waits),
      cmocka_unit_test_setup_teardown(several_gates_have_one_port, begin_many, finish),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
