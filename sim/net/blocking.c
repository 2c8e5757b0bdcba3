/* getaddrinfo, connect and poll; what fails keeps the system's own words. */
#define _GNU_SOURCE
#include "net/blocking.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/failure.h"

enum { PLAIN_MS = 1000 };

uint64_t blocking_now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

bool blocking_await(int fd, short events, uint64_t until_ms)
{
  for (;;) {
    uint64_t now = blocking_now_ms();
    struct pollfd ready = {.fd = fd, .events = events};
    int n = poll(&ready, 1, now < until_ms ? (int) (until_ms - now) : 0);
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

int blocking_dial(const struct sockaddr *at, socklen_t size, uint64_t until_ms)
{
  int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int error = connect(fd, at, size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    socklen_t length = sizeof error;
    error = ETIMEDOUT;
    if (blocking_await(fd, POLLOUT, until_ms) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
      error = errno;
  }
  if (error == 0) return fd;
  close(fd);
  errno = error;
  return -1;
}

enum device_failure blocking_connect(const char *host, uint16_t port, const struct permit *permit,
                                     uint64_t until_ms, int *fd, struct blocking_place *place)
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
  char service[8];
  int error = EPERM;
  *fd = -1;
  snprintf(service, sizeof service, "%u", port);
  int status = getaddrinfo(host, service, &hints, &found);
  if (status != 0) {
    snprintf(place->detail, sizeof place->detail, "%.120s: %s", host, gai_strerror(status));
    return DEVICE_FAIL_NAME_NOT_FOUND;
  }
  for (const struct addrinfo *a = found; a != NULL && *fd < 0; a = a->ai_next) {
    if (!permit_address(permit, host, a->ai_addr)) continue;
    *fd = blocking_dial(a->ai_addr, a->ai_addrlen, until_ms);
    error = errno;
    memcpy(&place->at, a->ai_addr, a->ai_addrlen);
    place->size = a->ai_addrlen;
  }
  freeaddrinfo(found);
  if (*fd >= 0) return DEVICE_FAIL_NONE;
  snprintf(place->detail, sizeof place->detail, "%s", strerror(error));
  return net_failure(error);
}

bool blocking_speaks_plain_mqtt(const struct blocking_place *place)
{
  static const uint8_t packet[] = {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x02, 0, 20, 0, 0};
  uint64_t until_ms = blocking_now_ms() + PLAIN_MS;
  uint8_t answer = 0;
  int fd = blocking_dial((const struct sockaddr *) &place->at, place->size, until_ms);
  if (fd < 0) return false;
  bool sent = send(fd, packet, sizeof packet, MSG_NOSIGNAL) == (ssize_t) sizeof packet;
  bool answered = sent && blocking_await(fd, POLLIN, until_ms) && recv(fd, &answer, 1, 0) == 1;
  close(fd);
  return answered && answer == 0x20;
}
