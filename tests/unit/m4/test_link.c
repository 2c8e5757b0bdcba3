#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "m4/emulator/link.h"

static void connects_to_this_machine_only(void **state)
{
  (void) state;
  static const char *const taken[] = {"127.0.0.1:8883", "localhost:1", "127.1.2.3:65535"};
  static const char *const refused[] = {
      "10.0.0.1:8883",   "example.com:8883", "127.0.0.1", "127.0.0.1:0",
      "127.0.0.1:65536", "127.0.0.1:88x",    ":8883",     ""};
  struct sockaddr_in peer;
  struct error error;
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
    if (m4_link_parse(&peer, taken[i], &error) != 0) fail_msg("%s: %s", taken[i], error.text);
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    if (m4_link_parse(&peer, refused[i], &error) == 0) fail_msg("'%s' was taken", refused[i]);
}

/* A listener on a port of its own; `peer` says which. */
static int listener(struct sockaddr_in *peer)
{
  socklen_t size = sizeof *peer;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  *peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(bind(fd, (const struct sockaddr *) peer, size), 0);
  assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *) peer, &size), 0);
  return fd;
}

static void bytes_go_there_and_back_until_the_peer_closes(void **state)
{
  (void) state;
  struct sockaddr_in peer;
  struct m4_link link;
  struct error error;
  uint8_t bytes[16];
  const int server = listener(&peer);
  m4_link_init(&link, &peer);
  if (m4_link_open(&link, &error) != 0) fail_msg("%s", error.text);
  m4_link_wait_ms(&link, 5000);
  assert_int_equal(m4_link_look(&link), M4_LINK_OPEN);
  const int other = accept(server, NULL, NULL);

  m4_link_send(&link, (const uint8_t *) "there", 5);
  assert_int_equal(recv(other, bytes, 5, MSG_WAITALL), 5);
  assert_memory_equal(bytes, "there", 5);
  assert_int_equal(m4_link_receive(&link, bytes, sizeof bytes), 0);
  assert_int_equal(send(other, "back", 4, 0), 4);
  m4_link_wait_ms(&link, 5000);
  assert_int_equal(m4_link_receive(&link, bytes, sizeof bytes), 4);
  assert_memory_equal(bytes, "back", 4);

  close(other);
  m4_link_wait_ms(&link, 5000);
  assert_int_equal(m4_link_receive(&link, bytes, sizeof bytes), 0);
  assert_int_equal(m4_link_look(&link), M4_LINK_CLOSED);
  close(server);
}

static void a_refused_connection_is_closed(void **state)
{
  (void) state;
  struct sockaddr_in peer;
  struct m4_link link;
  struct error error;
  close(listener(&peer));
  m4_link_init(&link, &peer);
  assert_int_equal(m4_link_open(&link, &error), 0);
  m4_link_wait_ms(&link, 5000);
  assert_int_equal(m4_link_look(&link), M4_LINK_CLOSED);
}

static void a_closed_link_lets_the_wait_pass_at_once(void **state)
{
  (void) state;
  const struct sockaddr_in nowhere = {.sin_port = 0};
  struct m4_link link;
  struct error error;
  m4_link_init(&link, &nowhere);
  assert_true(m4_link_wait_ms(&link, 86400000) >= 86400000.0); /* a day */
  assert_int_equal(m4_link_open(&link, &error), -1);
  assert_non_null(strstr(error.text, "--connect HOST:PORT"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(connects_to_this_machine_only),
      cmocka_unit_test(bytes_go_there_and_back_until_the_peer_closes),
      cmocka_unit_test(a_refused_connection_is_closed),
      cmocka_unit_test(a_closed_link_lets_the_wait_pass_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
