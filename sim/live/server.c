/* HTTP by libmicrohttpd, on one thread of its own. Its manual (flow control) asks that a reader
 * which has nothing to send is suspended, as one that gives nothing keeps the thread turning, and that
 * all are resumed before the end. Requests are judged by request.c as soon as their head is there;
 * what a connection may take up is bounded by the options of the daemon. */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "live/internal.h"
#include "report/prometheus.h"
#include "report/running.h"

#define CONNECTIONS_MAX 16u
#define MEMORY_MAX      (16u * 1024) /* of one: its head, and what is on its way */
#define WATCHERS_MAX    12u          /* of these, readers of /events: the rest is for /metrics */
#define IDLE_S          10u          /* and a reader that takes nothing for so long is let go */
#define BLOCK           (8u * 1024)

static const struct {
  const char *name, *value;
} always[] = {{"Cache-Control", "no-store"},
              {"Content-Security-Policy", "frame-ancestors 'none'"},
              {"Cross-Origin-Resource-Policy", "same-origin"},
              {"Referrer-Policy", "no-referrer"},
              {"X-Content-Type-Options", "nosniff"},
              {"X-Frame-Options", "DENY"}};

/* One request. */
struct exchange {
  struct live *live;
  struct MHD_Connection *connection;
  struct guest *guest;
  bool reads; /* it is on the board */
  bool asks;  /* a control, whose body comes */
  char body[REQUEST_BODY_MAX + 1];
  size_t body_size;
  struct board_reader reader;
};

/* --- Answers ---------------------------------------------------------------------------------- */

static void add_headers(struct MHD_Response *response, const char *type)
{
  (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  for (size_t h = 0; h < sizeof always / sizeof *always; h++)
    (void) MHD_add_response_header(response, always[h].name, always[h].value);
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
  struct MHD_Response *response = MHD_create_response_from_buffer(
      strlen(text), (void *) (uintptr_t) text, MHD_RESPMEM_PERSISTENT);
  if (response == NULL) return MHD_NO;
  add_headers(response, "text/plain; charset=utf-8");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
    (void) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                   strstr(text, "POST") != NULL ? "POST" : "GET");
  enum MHD_Result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

static void halt(void *ctx)
{
  MHD_suspend_connection(((struct exchange *) ctx)->connection);
}

static void resume(void *ctx)
{
  MHD_resume_connection(((struct exchange *) ctx)->connection);
}

static ssize_t give(void *ctx, uint64_t at, char *to, size_t room)
{
  (void) at;
  struct exchange *exchange = ctx;
  ssize_t size = board_read(&exchange->live->board, &exchange->reader, to, room);
  return size < 0 ? MHD_CONTENT_READER_END_OF_STREAM : size;
}

/* From the board: its texts as they come, or the one that comes next. */
static enum MHD_Result answer_from_board(struct exchange *exchange, enum board_kind kind,
                                         const char *type)
{
  exchange->reader = (struct board_reader){.kind = kind,
                                           .goes_on = kind == BOARD_DOCUMENT,
                                           .halt = halt,
                                           .resume = resume,
                                           .ctx = exchange};
  struct MHD_Response *response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, give, exchange, NULL);
  if (response == NULL) return MHD_NO;
  add_headers(response, type);
  board_join(&exchange->live->board, &exchange->reader);
  exchange->reads = true;
  enum MHD_Result queued = MHD_queue_response(exchange->connection, MHD_HTTP_OK, response);
  MHD_destroy_response(response);
  return queued;
}

static enum MHD_Result answer_page(struct exchange *exchange)
{
  struct MHD_Response *page = exchange->live->page;
  if (page != NULL) return MHD_queue_response(exchange->connection, MHD_HTTP_OK, page);
  return answer(exchange->connection, MHD_HTTP_NOT_FOUND,
                "this fleetsim was built without the page: its charts come by npm, which was not "
                "there; /metrics is served\n");
}

static enum MHD_Result answer_events(struct exchange *exchange)
{
  if (guests_looking_on(&exchange->live->guests) >= WATCHERS_MAX)
    return answer(exchange->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                  "as many as may look on at once do so already: close another page of this run\n");
  exchange->guest->looks_on = true;
  return answer_from_board(exchange, BOARD_DOCUMENT, "text/event-stream");
}

static enum MHD_Result answer_route(struct exchange *exchange, enum request_route route)
{
  switch (route) {
  case REQUEST_PAGE: return answer_page(exchange);
  case REQUEST_EVENTS: return answer_events(exchange);
  case REQUEST_METRICS: return answer_from_board(exchange, BOARD_METRICS, PROMETHEUS_TYPE);
  case REQUEST_CONTROL: exchange->asks = true; break;
  }
  return MHD_YES;
}

/* --- Requests --------------------------------------------------------------------------------- */

static const char *header(struct MHD_Connection *connection, const char *name)
{
  return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct guest *guest_of(struct MHD_Connection *connection)
{
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Where this connection has come to: of several addresses that are served, the one it used. */
static bool find_place(struct MHD_Connection *connection, char address[INET6_ADDRSTRLEN],
                       struct request_place *out)
{
  struct sockaddr_storage here;
  socklen_t size = sizeof here;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == NULL || getsockname(info->connect_fd, (struct sockaddr *) &here, &size) != 0)
    return false;
  if (here.ss_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *) &here;
    out->port = ntohs(four->sin_port);
    out->loopback = ntohl(four->sin_addr.s_addr) >> 24 == 127;
    out->address = inet_ntop(AF_INET, &four->sin_addr, address, INET6_ADDRSTRLEN);
  } else {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) &here;
    out->port = ntohs(six->sin6_port);
    out->loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    out->address = inet_ntop(AF_INET6, &six->sin6_addr, address, INET6_ADDRSTRLEN);
  }
  return out->address != NULL;
}

static enum MHD_Result take_head(struct exchange *exchange, const char *method, const char *path)
{
  struct MHD_Connection *connection = exchange->connection;
  char address[INET6_ADDRSTRLEN];
  const char *why;
  enum request_route route;
  struct request_place place;
  const struct request request = {.method = method,
                                  .path = path,
                                  .host = header(connection, MHD_HTTP_HEADER_HOST),
                                  .origin = header(connection, MHD_HTTP_HEADER_ORIGIN),
                                  .fetch_site = header(connection, "Sec-Fetch-Site"),
                                  .token = header(connection, REQUEST_TOKEN_HEADER)};
  if (!find_place(connection, address, &place)) return MHD_NO;
  unsigned status = request_judge(&request, &place, exchange->live->token, &route, &why);
  if (status != MHD_HTTP_OK) return answer(connection, status, why);
  return answer_route(exchange, route);
}

/* Beyond its room a body is no control, however it goes on. */
static void take_body(struct exchange *exchange, const char *body, size_t size)
{
  size_t room = sizeof exchange->body - exchange->body_size;
  if (size > room) size = room;
  memcpy(exchange->body + exchange->body_size, body, size);
  exchange->body_size += size;
}

static enum MHD_Result take_control(struct exchange *exchange)
{
  unsigned asks = request_control(exchange->body, exchange->body_size);
  if (asks == 0)
    return answer(exchange->connection, MHD_HTTP_BAD_REQUEST,
                  "say pause, go-on or abort, and nothing else\n");
  live_ask(exchange->live, (enum onlooker_asks) asks);
  return answer(exchange->connection, MHD_HTTP_ACCEPTED, "the run is asked\n");
}

/* libmicrohttpd calls it for the head, for each piece of a body, and when all is there. */
static enum MHD_Result take(void *ctx, struct MHD_Connection *connection, const char *path,
                            const char *method, const char *version, const char *body,
                            size_t *body_size, void **of_request)
{
  (void) version;
  struct exchange *under_way = *of_request;
  if (under_way != NULL && !under_way->asks) return MHD_NO; /* answered by its head */
  if (under_way != NULL && *body_size == 0) return take_control(under_way);
  if (under_way != NULL) {
    take_body(under_way, body, *body_size);
    *body_size = 0;
    return MHD_YES;
  }
  struct guest *guest = guest_of(connection);
  struct exchange *exchange = guest != NULL ? calloc(1, sizeof *exchange) : NULL;
  if (exchange == NULL) return MHD_NO;
  exchange->guest = guest;
  guest->asked = true;
  exchange->live = ctx;
  exchange->connection = connection;
  *of_request = exchange;
  return take_head(exchange, method, path);
}

static void finish(void *ctx, struct MHD_Connection *connection, void **of_request,
                   enum MHD_RequestTerminationCode how)
{
  (void) ctx, (void) connection, (void) how;
  struct exchange *exchange = *of_request;
  if (exchange == NULL) return;
  if (exchange->reads) board_leave(&exchange->live->board, &exchange->reader);
  exchange->guest->asked = exchange->guest->looks_on = false;
  free(exchange);
  *of_request = NULL;
}

/* The last place is not given away before another one is made free. */
static void make_place(struct guests *guests)
{
  struct guest *guest = guests->count < CONNECTIONS_MAX ? NULL : guests_dispensable(guests);
  if (guest == NULL) return;
  guest->leaving = true;
  (void) shutdown(guest->fd, SHUT_RDWR); /* libmicrohttpd sees its end, and closes it */
}

static void come_or_go(void *ctx, struct MHD_Connection *connection, void **of_connection,
                       enum MHD_ConnectionNotificationCode how)
{
  struct live *live = ctx;
  struct guest *guest = *of_connection;
  if (how == MHD_CONNECTION_NOTIFY_STARTED) {
    guest = calloc(1, sizeof *guest);
    *of_connection = guest;
    if (guest == NULL) return; /* its request is refused */
    guest->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    guests_arrive(&live->guests, guest);
    make_place(&live->guests);
  } else if (guest != NULL) {
    guests_leave(&live->guests, guest);
    free(guest);
  }
}

/* --- The daemon ------------------------------------------------------------------------------- */

static struct MHD_Daemon *start(struct live *live, int fd)
{
  bool six = strchr(live->place.host, ':') != NULL;
  unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
  if (six) flags |= MHD_USE_IPv6;
  return MHD_start_daemon(
      flags, live->place.port, NULL, NULL, take, live, MHD_OPTION_LISTEN_SOCKET, fd,
      MHD_OPTION_NOTIFY_COMPLETED, finish, NULL, MHD_OPTION_NOTIFY_CONNECTION, come_or_go, live,
      MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t) MEMORY_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_END);
}

/* One for all who ask for it. Without memory for it, or in a build that has none, there is none. */
static struct MHD_Response *page_for_all(void)
{
  size_t size = 0;
  char *page = running_page(&size);
  if (page == NULL) return NULL;
  struct MHD_Response *response =
      MHD_create_response_from_buffer(size, page, MHD_RESPMEM_MUST_FREE);
  if (response != NULL)
    add_headers(response, "text/html; charset=utf-8");
  else
    free(page);
  return response;
}

/* Signals are the run's: none is taken on this thread. */
int live_serve(struct live *live, int fd, struct error *error)
{
  sigset_t all, before;
  live->page = page_for_all();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  live->daemon = start(live, fd);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (live->daemon != NULL) return 0;
  close(fd);
  return error_set(error, EXIT_CODE_SETUP,
                   "the live page's server cannot be started: are there threads, descriptors and "
                   "memory left?");
}

void live_stop_serving(struct live *live)
{
  MHD_stop_daemon(live->daemon); /* and its socket */
  if (live->page != NULL) MHD_destroy_response(live->page);
}
