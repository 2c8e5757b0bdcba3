/* A port is asked for by binding to it and letting go: who takes it in between is met where the
 * server starts (supervisor.c). None free is an error that says where to set one.
 */
#define _POSIX_C_SOURCE 200809L
#include "child/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { PORT_FIRST = 20000, PORT_COUNT = 12000, TRIES = 200 };

bool ports_in_use(uint16_t port)
{
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return false;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool busy = bind(fd, (struct sockaddr *) &address, sizeof address) != 0 && errno == EADDRINUSE;
  close(fd);
  return busy;
}

static bool among(const uint16_t *taken, size_t count, uint16_t port)
{
  for (size_t i = 0; i < count; i++)
    if (taken[i] == port) return true;
  return false;
}

int ports_pick(const uint16_t *taken, size_t count, uint16_t *port, struct error *error)
{
  uint32_t start = 0;
  uv_random(NULL, NULL, &start, sizeof start, 0, NULL);
  for (uint32_t i = 0; i < TRIES; i++) {
    uint16_t candidate = (uint16_t) (PORT_FIRST + (start % PORT_COUNT + i) % PORT_COUNT);
    if (among(taken, count, candidate) || ports_in_use(candidate)) continue;
    *port = candidate;
    return 0;
  }
  return error_set(error, EXIT_CODE_SETUP,
                   "no free port was found between %d and %d: set port: in the scenario",
                   PORT_FIRST, PORT_FIRST + PORT_COUNT - 1);
}
