/* The live page from its address to its end. The token is drawn here and goes nowhere but into the
 * address that the terminal is told. */
#define _DEFAULT_SOURCE
#include "live/live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/host_port.h"
#include "base/secret.h"
#include "base/text.h"
#include "live/internal.h"

#define BACKLOG   16
#define LINGER_MS 1000u
/* Of each connection's way out: states that lie here are old by the time that a slow reader takes them. Linux
   doubles it. */
#define SEND_BYTES (16 * 1024)

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

static socklen_t address_of(const struct live_place *place, union address *out)
{
  memset(out, 0, sizeof *out);
  if (inet_pton(AF_INET, place->host, &out->four.sin_addr) == 1) {
    out->four.sin_family = AF_INET;
    out->four.sin_port = htons(place->port);
    return sizeof out->four;
  }
  (void) inet_pton(AF_INET6, place->host, &out->six.sin6_addr);
  out->six.sin6_family = AF_INET6;
  out->six.sin6_port = htons(place->port);
  return sizeof out->six;
}

static int cannot_listen(const struct live_place *place, int fd, struct error *error)
{
  char shown[HOST_PORT_MAX];
  int why = errno;
  if (fd >= 0) close(fd);
  return error_set(error, EXIT_CODE_SETUP,
                   "the live page cannot be served at %s: %s%s; choose another ADDR:PORT, or "
                   "--live alone",
                   host_port(place->host, place->port, shown), strerror(why), error_remedy(why));
}

/* A port that a run before this one has just left may be had again. */
static int listen_at(struct live_place *place, struct error *error)
{
  union address address;
  int on = 1, room = SEND_BYTES;
  socklen_t size = address_of(place, &address);
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) != 0 ||
      bind(fd, &address.any, size) != 0 || listen(fd, BACKLOG) != 0 ||
      getsockname(fd, &address.any, &size) != 0)
    return cannot_listen(place, fd, error);
  place->port =
      ntohs(address.any.sa_family == AF_INET ? address.four.sin_port : address.six.sin6_port);
  return fd;
}

static int draw_token(struct live *live, struct error *error)
{
  unsigned char bytes[REQUEST_TOKEN_SIZE / 2];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t) sizeof bytes)
    return error_set(error, EXIT_CODE_SETUP, "no random numbers for the live page's token: %s",
                     strerror(errno));
  text_hex(bytes, sizeof bytes, live->token);
  secret_wipe(bytes, sizeof bytes);
  return 0;
}

static int begin(struct live *live, struct error *error)
{
  char shown[HOST_PORT_MAX];
  if (draw_token(live, error) != 0) return -1;
  int fd = listen_at(&live->place, error);
  if (fd < 0 || live_serve(live, fd, error) != 0) return -1;
  snprintf(live->url, sizeof live->url, "http://%.100s/",
           host_port(live->place.host, live->place.port, shown));
  return 0;
}

int live_open(const struct live_place *place, struct live **out, struct error *error)
{
  struct live *live = calloc(1, sizeof *live);
  if (live == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  live->place = *place;
  board_begin(&live->board);
  live_begin_looking(live);
  if (begin(live, error) == 0) {
    *out = live;
    return 0;
  }
  board_end(&live->board);
  free(live);
  return -1;
}

const char *live_url(const struct live *live)
{
  return live->url;
}

const char *live_token(const struct live *live)
{
  return live->token;
}

void live_close(struct live *live)
{
  if (live == NULL) return;
  board_close(&live->board, live->board.ended ? LINGER_MS : 0);
  live_stop_serving(live);
  live_end_looking(live);
  board_end(&live->board);
  secret_wipe(live->token, sizeof live->token);
  free(live);
}
