#define _GNU_SOURCE
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SEND_WITHIN_MS 10000

int m4_link_parse(struct sockaddr_in *peer, const char *text, struct error *error)
{
  char host[64];
  const char *colon = strrchr(text, ':');
  char *end = NULL;
  const unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
  if (colon == NULL || *end != '\0' || port < 1 || port > 65535 ||
      (size_t) (colon - text) >= sizeof host)
    return error_set(error, EXIT_CODE_USAGE,
                     "--connect takes HOST:PORT, such as 127.0.0.1:8883, not '%s'", text);
  snprintf(host, sizeof host, "%.*s", (int) (colon - text), text);
  if (strcmp(host, "localhost") == 0) snprintf(host, sizeof host, "127.0.0.1");

  *peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
  if (inet_pton(AF_INET, host, &peer->sin_addr) != 1 || ntohl(peer->sin_addr.s_addr) >> 24 != 127)
    return error_set(
        error, EXIT_CODE_USAGE,
        "--connect reaches this machine only: '%s' is not localhost or an address 127.x.y.z", host);
  return 0;
}

void m4_link_init(struct m4_link *link, const struct sockaddr_in *peer)
{
  *link = (struct m4_link){.peer = *peer, .fd = -1, .state = M4_LINK_CLOSED};
}

void m4_link_close(struct m4_link *link)
{
  if (link->fd >= 0) close(link->fd);
  link->fd = -1;
  link->state = M4_LINK_CLOSED;
}

int m4_link_open(struct m4_link *link, struct error *error)
{
  m4_link_close(link);
  if (link->peer.sin_port == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the image opens a connection: say where to, with --connect HOST:PORT");
  link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (link->fd < 0)
    return error_set(error, EXIT_CODE_SETUP, "no socket for the image: %s", strerror(errno));
  const int on = 1;
  setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  link->state = M4_LINK_OPENING;
  const int done = connect(link->fd, (const struct sockaddr *) &link->peer, sizeof link->peer);
  if (done == 0)
    link->state = M4_LINK_OPEN;
  else if (errno != EINPROGRESS)
    m4_link_close(link);
  return 0;
}

static bool ready(const struct m4_link *link, short events, int within_ms)
{
  struct pollfd p = {.fd = link->fd, .events = events};
  return poll(&p, 1, within_ms) > 0;
}

enum m4_link_state m4_link_look(struct m4_link *link)
{
  if (link->state != M4_LINK_OPENING || !ready(link, POLLOUT, 0)) return link->state;
  int problem = 0;
  socklen_t size = sizeof problem;
  getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
  if (problem != 0)
    m4_link_close(link);
  else
    link->state = M4_LINK_OPEN;
  return link->state;
}

void m4_link_send(struct m4_link *link, const uint8_t *data, size_t size)
{
  if (m4_link_look(link) != M4_LINK_OPEN) return;
  while (size > 0) {
    const ssize_t sent = send(link->fd, data, size, MSG_NOSIGNAL);
    if (sent > 0) {
      data += sent;
      size -= (size_t) sent;
    } else if (errno != EINTR && (errno != EAGAIN || !ready(link, POLLOUT, SEND_WITHIN_MS))) {
      m4_link_close(link);
      return;
    }
  }
}

size_t m4_link_receive(struct m4_link *link, uint8_t *data, size_t size)
{
  if (size == 0 || m4_link_look(link) != M4_LINK_OPEN) return 0;
  const ssize_t received = recv(link->fd, data, size, 0);
  if (received > 0) return (size_t) received;
  if (received == 0 || (errno != EAGAIN && errno != EINTR)) m4_link_close(link);
  return 0;
}

static double now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

double m4_link_wait_ms(struct m4_link *link, uint32_t ms)
{
  if (link->state == M4_LINK_CLOSED) return ms;
  const double began = now_ms();
  ready(link, link->state == M4_LINK_OPENING ? POLLOUT : POLLIN,
        ms > INT32_MAX ? INT32_MAX : (int) ms);
  m4_link_look(link);
  return now_ms() - began;
}
