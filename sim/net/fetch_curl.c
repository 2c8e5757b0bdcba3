/* fetch.h on libcurl's multi interface.
 *
 * libcurl must not be called from inside its own callbacks, and this interface may be: so whatever
 * begins, resumes or ends from inside `bytes` is put on the list of `due` transfers and done at the
 * loop's next turn.
 *
 *     fetch_begin -> waiting (list) -> turn -> running (list, has an easy handle) -> on_done ->
 *     ended
 */
#define _GNU_SOURCE
#include "net/fetch.h"

#include <assert.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/peak.h"
#include "net/curl_uv.h"

/* one TLS record: a smaller one costs a callback more for each */
#define BUFFER_BYTES       16384L
#define BYTES_PER_TRANSFER (84u * 1024u) /* measured by bench ota: kib_per_transfer */

struct list {
  struct fetch_transfer *first, *last;
  size_t count;
};

struct fetch_transfer {
  struct fetch *fetch;
  struct list *in;
  struct fetch_transfer *previous, *next; /* in `in` */
  struct fetch_transfer *next_due;
  CURL *easy; /* NULL: it waits */
  const struct fetch_handler *handler;
  void *user;
  uint64_t given; /* bytes handed over */
  int64_t unix_s;
  uint32_t offset, size_max;
  enum device_ota_status verdict; /* ours, before libcurl has one; NONE: none */
  bool due, paused, held, judged, aborted;
  struct sockaddr_storage from; /* AF_UNSPEC: any */
  char url[DEVICE_OTA_URL_MAX];
};

struct fetch {
  uv_loop_t *loop;
  struct curl_uv *curl;
  uv_timer_t turn;
  struct fetch_config config; /* its strings: not used after fetch_open */
  struct curl_slist *resolve;
  X509_STORE *trusted; /* parsed once; every transfer's TLS context holds a reference */
  struct list waiting, running;
  struct fetch_transfer *due;
  bool inside; /* a callback of libcurl is under way */
  bool closing;
  unsigned open; /* the timer and libcurl */
  struct fetch_totals totals;
  struct peak requests, bytes;
  void (*closed)(void *ctx);
  void *closed_ctx;
};

static void on_turn(uv_timer_t *timer);

static void list_append(struct list *list, struct fetch_transfer *t)
{
  t->in = list;
  t->previous = list->last;
  t->next = NULL;
  if (list->last != NULL)
    list->last->next = t;
  else
    list->first = t;
  list->last = t;
  list->count++;
}

static void list_remove(struct fetch_transfer *t)
{
  struct list *list = t->in;
  if (t->previous != NULL)
    t->previous->next = t->next;
  else
    list->first = t->next;
  if (t->next != NULL)
    t->next->previous = t->previous;
  else
    list->last = t->previous;
  list->count--;
  t->in = NULL;
}

static struct fetch_transfer *list_pop(struct list *list)
{
  struct fetch_transfer *t = list->first;
  list->first = t->next;
  if (list->first != NULL)
    list->first->previous = NULL;
  else
    list->last = NULL;
  list->count--;
  t->in = NULL;
  return t;
}

static void arm_turn(struct fetch *fetch)
{
  uv_timer_start(&fetch->turn, on_turn, 0, 0);
}

static void make_due(struct fetch_transfer *t)
{
  if (t->due) return;
  t->due = true;
  t->next_due = t->fetch->due;
  t->fetch->due = t;
  arm_turn(t->fetch);
}

static void take_from_due(struct fetch_transfer *t)
{
  struct fetch_transfer **at = &t->fetch->due;
  if (!t->due) return;
  while (*at != t) at = &(*at)->next_due;
  *at = t->next_due;
  t->due = false;
}

/* The handle has left libcurl's multi handle, or never was in it. */
static void dispose(struct fetch_transfer *t)
{
  struct fetch *fetch = t->fetch;
  take_from_due(t);
  list_remove(t);
  curl_easy_cleanup(t->easy);
  free(t);
  if (fetch->waiting.first != NULL) arm_turn(fetch);
}

static void end(struct fetch_transfer *t, enum device_ota_status cause)
{
  const struct fetch_handler *handler = t->handler;
  void *user = t->user;
  t->fetch->totals.ended++;
  dispose(t);
  handler->ended(user, cause);
}

/* --- What libcurl asks and tells -------------------------------------------------------------- */

/* The first byte of "bytes 4096-262143/262144"; -1: that is no such range. */
static int64_t range_start(const char *text)
{
  static const char unit[] = "bytes ";
  if (strncasecmp(text, unit, sizeof unit - 1) != 0) return -1;
  text += sizeof unit - 1;
  char *rest = NULL;
  if (*text < '0' || *text > '9') return -1;
  unsigned long long start = strtoull(text, &rest, 10);
  return *rest == '-' && start <= UINT32_MAX ? (int64_t) start : -1;
}

static enum device_ota_status judge_range(struct fetch_transfer *t)
{
  struct curl_header *header = NULL;
  if (curl_easy_header(t->easy, "Content-Range", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
    return DEVICE_OTA_SERVER_RANGE;
  return range_start(header->value) == (int64_t) t->offset ? DEVICE_OTA_NONE
                                                           : DEVICE_OTA_SERVER_RANGE;
}

/* Of the answer that was not redirected any more, before its first byte is handed over. */
static enum device_ota_status judge_answer(struct fetch_transfer *t)
{
  long status = 0;
  t->judged = true;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status == 206 && t->offset > 0) return judge_range(t);
  if (status == 200 && t->offset == 0) return DEVICE_OTA_NONE;
  return status == 200 || status == 206 ? DEVICE_OTA_SERVER_RANGE : DEVICE_OTA_SERVER_STATUS;
}

/* Hands over what is wanted, and of what is not the first byte. */
static void hand_over(struct fetch_transfer *t, const uint8_t *data, size_t size)
{
  struct fetch *fetch = t->fetch;
  uint64_t room = (uint64_t) t->size_max + 1 - t->given;
  size_t given = size < room ? size : (size_t) room;
  t->given += given;
  fetch->totals.bytes += given;
  peak_add(&fetch->bytes, uv_now(fetch->loop), given);
  fetch->inside = true;
  if (given > 0) t->handler->bytes(t->user, data, given);
  fetch->inside = false;
  if (t->given > t->size_max) t->verdict = DEVICE_OTA_ENDLESS;
}

static size_t on_body(char *data, size_t one, size_t size, void *ctx)
{
  struct fetch_transfer *t = ctx;
  (void) one; /* always 1 */
  if (t->aborted) return CURL_WRITEFUNC_ERROR;
  if (!t->judged && (t->verdict = judge_answer(t)) != DEVICE_OTA_NONE) return CURL_WRITEFUNC_ERROR;
  t->held = t->paused;
  if (t->paused) return CURL_WRITEFUNC_PAUSE;
  hand_over(t, (const uint8_t *) data, size);
  return t->aborted || t->verdict != DEVICE_OTA_NONE ? CURL_WRITEFUNC_ERROR : size;
}

static int on_request(void *ctx, char *remote, char *local, int remote_port, int local_port)
{
  struct fetch *fetch = ((struct fetch_transfer *) ctx)->fetch;
  (void) remote, (void) local, (void) remote_port, (void) local_port;
  fetch->totals.requests++;
  peak_add(&fetch->requests, uv_now(fetch->loop), 1);
  return CURL_PREREQFUNC_OK;
}

/* The device's own address: it is bound without a port, so that the port is free again with the
   pair of addresses. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
  const struct fetch_transfer *t = ctx;
  (void) purpose;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  const int on = 1;
  if (t->from.ss_family != (sa_family_t) address->family) return fd;
  socklen_t size =
      t->from.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
      bind(fd, (const struct sockaddr *) &t->from, size) == 0)
    return fd;
  close(fd);
  return CURL_SOCKET_BAD;
}

/* libcurl makes a TLS context for each connection. It gets the CAs that were parsed once, the time
 * that the device's clock shows, and gives back its buffers whenever they are empty. */
static CURLcode on_tls_context(CURL *easy, void *context, void *ctx)
{
  const struct fetch_transfer *t = ctx;
  SSL_CTX *tls = context;
  (void) easy;
  SSL_CTX_set1_cert_store(tls, t->fetch->trusted);
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(tls), (time_t) t->unix_s);
  return CURLE_OK;
}

/* --- How it ended ----------------------------------------------------------------------------- */

static enum device_ota_status cause_of(CURLcode result)
{
  switch (result) {
  case CURLE_OK: return DEVICE_OTA_NONE;
  case CURLE_PEER_FAILED_VERIFICATION: return DEVICE_OTA_SERVER_NOT_TRUSTED;
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL: return DEVICE_OTA_SERVER_UNREACHABLE;
  case CURLE_TOO_MANY_REDIRECTS: return DEVICE_OTA_SERVER_REDIRECTS;
  case CURLE_OPERATION_TIMEDOUT: return DEVICE_OTA_SERVER_TIMEOUT;
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_BAD_CONTENT_ENCODING: return DEVICE_OTA_SERVER_STATUS;
  default: return DEVICE_OTA_SERVER_CUT;
  }
}

/* No https URL: the manifest's leads nowhere, but one that the server redirected to is its
   doing. */
static enum device_ota_status judge_end(struct fetch_transfer *t, CURLcode result)
{
  long redirects = 0, port = 0;
  if (t->verdict != DEVICE_OTA_NONE) return t->verdict;
  if (result == CURLE_OK) return t->judged ? DEVICE_OTA_NONE : judge_answer(t);
  enum device_ota_status cause = cause_of(result);
  curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_COUNT, &redirects);
  /* of a connection that stood; CONNECT_TIME waits for TLS */
  curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &port);
  if (cause == DEVICE_OTA_SERVER_TIMEOUT && port == 0) return DEVICE_OTA_SERVER_UNREACHABLE;
  if (redirects > 0 && (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_URL_MALFORMAT))
    return DEVICE_OTA_SERVER_REDIRECTS;
  /* libcurl has the same code for a body without a status line */
  if (result == CURLE_UNSUPPORTED_PROTOCOL && port != 0) return DEVICE_OTA_SERVER_STATUS;
  return cause;
}

static void on_done(void *ctx, CURL *easy, CURLcode result)
{
  struct fetch_transfer *t = ctx;
  (void) easy;
  if (t->aborted)
    dispose(t);
  else
    end(t, judge_end(t, result));
}

/* --- Beginning -------------------------------------------------------------------------------- */

/* Options that are the same for every transfer. CURLE_OK, or what libcurl lacks or has no memory
   for. */
static CURLcode set_common(const struct fetch *fetch, CURL *easy)
{
  const struct fetch_config *config = &fetch->config;
  const struct {
    CURLoption option;
    long value;
  } numbers[] = {
      {CURLOPT_SSL_VERIFYPEER, 1},
      {CURLOPT_SSL_VERIFYHOST, 2},
      {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
      {CURLOPT_SSL_SESSIONID_CACHE, 0},
      {CURLOPT_SSL_ENABLE_ALPN, 0},
      {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
      {CURLOPT_FRESH_CONNECT, 1},
      {CURLOPT_FORBID_REUSE, 1},
      {CURLOPT_FOLLOWLOCATION, 1},
      {CURLOPT_MAXREDIRS, FETCH_REDIRECTS_MAX},
      {CURLOPT_BUFFERSIZE, BUFFER_BYTES},
      {CURLOPT_CONNECTTIMEOUT_MS, (long) config->connect_ms},
      {CURLOPT_TIMEOUT_MS, (long) config->total_ms},
      {CURLOPT_LOW_SPEED_LIMIT, (long) config->slow_bytes_per_s},
      {CURLOPT_LOW_SPEED_TIME, (long) config->slow_s},
  };
  CURLcode code = CURLE_OK;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers && code == CURLE_OK; i++)
    code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
  const struct {
    CURLoption option;
    const char *value;
  } texts[] = {{CURLOPT_PROTOCOLS_STR, "https"},
               {CURLOPT_REDIR_PROTOCOLS_STR, "https"},
               {CURLOPT_PROXY, ""},
               {CURLOPT_USERAGENT, "fleetsim"},
               {CURLOPT_CAINFO, NULL},
               {CURLOPT_CAPATH, NULL}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts && code == CURLE_OK; i++)
    code = curl_easy_setopt(easy, texts[i].option, texts[i].value);
  return code;
}

static CURLcode set_own(struct fetch_transfer *t, CURL *easy)
{
  char range[16];
  CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, t->url);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_RESOLVE, t->fetch->resolve);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
  if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, t);
  if (code != CURLE_OK || t->offset == 0) return code;
  snprintf(range, sizeof range, "%u-", (unsigned) t->offset);
  return curl_easy_setopt(easy, CURLOPT_RANGE, range);
}

static void start_first(struct fetch *fetch)
{
  struct fetch_transfer *t = list_pop(&fetch->waiting);
  list_append(&fetch->running, t);
  t->easy = curl_easy_init();
  if (t->easy != NULL && set_common(fetch, t->easy) == CURLE_OK &&
      set_own(t, t->easy) == CURLE_OK && curl_uv_start(fetch->curl, t->easy, on_done, t) == 0)
    return;
  end(t, DEVICE_OTA_SERVER_UNREACHABLE);
}

static void abort_now(struct fetch_transfer *t)
{
  if (t->easy != NULL) curl_uv_abort(t->fetch->curl, t->easy);
  dispose(t);
}

/* What libcurl held back comes from inside curl_easy_pause; what that refuses, it would not tell
   anybody else. */
static void resume(struct fetch_transfer *t)
{
  t->held = false;
  CURLcode code = curl_easy_pause(t->easy, CURLPAUSE_CONT);
  if (code == CURLE_OK && !t->aborted) return;
  curl_uv_abort(t->fetch->curl, t->easy);
  on_done(t, t->easy, code);
}

static void on_handle_closed(struct fetch *fetch)
{
  if (--fetch->open > 0) return;
  void (*closed)(void *) = fetch->closed;
  void *ctx = fetch->closed_ctx;
  curl_slist_free_all(fetch->resolve);
  X509_STORE_free(fetch->trusted);
  free(fetch);
  if (closed != NULL) closed(ctx); /* NULL: it could not be opened */
}

static void on_turn_closed(uv_handle_t *handle)
{
  on_handle_closed(handle->data);
}

static void on_curl_closed(void *ctx)
{
  on_handle_closed(ctx);
}

static void abort_all(const struct list *list)
{
  for (struct fetch_transfer *t = list->first, *next; t != NULL; t = next) {
    next = t->next;
    abort_now(t);
  }
}

static void close_now(struct fetch *fetch)
{
  abort_all(&fetch->waiting);
  abort_all(&fetch->running);
  curl_uv_close(fetch->curl, on_curl_closed, fetch);
  uv_close((uv_handle_t *) &fetch->turn, on_turn_closed);
}

static void on_turn(uv_timer_t *timer)
{
  struct fetch *fetch = timer->data;
  while (!fetch->closing && fetch->due != NULL) {
    struct fetch_transfer *t = fetch->due;
    fetch->due = t->next_due;
    t->due = false;
    if (t->aborted)
      abort_now(t);
    else if (t->held && !t->paused)
      resume(t);
  }
  while (!fetch->closing && fetch->waiting.first != NULL &&
         fetch->running.count < fetch->config.at_once)
    start_first(fetch);
  if (fetch->closing) close_now(fetch);
}

/* --- The interface ---------------------------------------------------------------------------- */

struct fetch_transfer *fetch_begin(struct fetch *fetch, const struct fetch_request *request,
                                   const struct fetch_handler *handler, void *user)
{
  assert(!fetch->closing && strlen(request->url) < DEVICE_OTA_URL_MAX);
  struct fetch_transfer *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->fetch = fetch;
  t->handler = handler;
  t->user = user;
  t->offset = request->offset;
  t->size_max = request->size_max;
  t->unix_s = request->unix_s;
  if (request->from != NULL) t->from = *request->from;
  strcpy(t->url, request->url);
  list_append(&fetch->waiting, t);
  fetch->totals.begun++;
  arm_turn(fetch);
  return t;
}

void fetch_pause(struct fetch_transfer *transfer, bool paused)
{
  transfer->paused = paused;
  if (transfer->held && !paused) make_due(transfer);
}

void fetch_abort(struct fetch_transfer *transfer)
{
  assert(!transfer->aborted);
  transfer->aborted = true;
  transfer->fetch->totals.aborted++;
  if (transfer->fetch->inside)
    make_due(transfer);
  else
    abort_now(transfer);
}

void fetch_totals(const struct fetch *fetch, struct fetch_totals *out)
{
  *out = fetch->totals;
  out->requests_peak_per_s = fetch->requests.most;
  out->bytes_peak_per_s = fetch->bytes.most;
  out->under_way = fetch->running.count;
  out->waiting = fetch->waiting.count;
}

void fetch_close(struct fetch *fetch, void (*closed)(void *ctx), void *ctx)
{
  assert(!fetch->closing);
  fetch->closing = true;
  fetch->closed = closed;
  fetch->closed_ctx = ctx;
  arm_turn(fetch);
}

size_t fetch_bytes_per_transfer(void)
{
  return BYTES_PER_TRANSFER;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void set_defaults(struct fetch_config *config)
{
  if (config->connect_ms == 0) config->connect_ms = 30000;
  if (config->total_ms == 0) config->total_ms = 600000;
  if (config->slow_bytes_per_s == 0) config->slow_bytes_per_s = 64;
  if (config->slow_s == 0) config->slow_s = 20;
  if (config->at_once == 0) config->at_once = 4096;
}

static int load_trusted(struct fetch *fetch, const char *path, struct error *error)
{
  fetch->trusted = X509_STORE_new();
  if (fetch->trusted != NULL && X509_STORE_load_file(fetch->trusted, path) == 1) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "%s holds no CA certificate in PEM that update servers could be judged by: name "
                   "the file of their CA",
                   path);
}

static int copy_resolve(struct fetch *fetch, const char *const *entries, struct error *error)
{
  for (; entries != NULL && *entries != NULL; entries++) {
    struct curl_slist *longer = curl_slist_append(fetch->resolve, *entries);
    if (longer == NULL) return error_set(error, EXIT_CODE_SETUP, "no memory for downloads");
    fetch->resolve = longer;
  }
  return 0;
}

/* Whether this libcurl can do all that is asked of it: it may stand on another TLS library than
   OpenSSL. */
static int check_libcurl(struct fetch *fetch, struct error *error)
{
  CURL *easy = curl_easy_init();
  struct fetch_transfer trial = {.fetch = fetch, .offset = 1, .url = "https://localhost/"};
  CURLcode code = easy == NULL ? CURLE_OUT_OF_MEMORY : set_common(fetch, easy);
  if (code == CURLE_OK) code = set_own(&trial, easy);
  curl_easy_cleanup(easy);
  if (code == CURLE_OK) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "%s cannot do what downloads need (%s): use libcurl 7.85 or newer with OpenSSL",
                   curl_version(), curl_easy_strerror(code));
}

struct fetch *fetch_open(const struct fetch_config *config, struct error *error)
{
  struct fetch *fetch = calloc(1, sizeof *fetch);
  if (fetch == NULL || (fetch->curl = curl_uv_open(config->loop)) == NULL) {
    free(fetch);
    error_set(error, EXIT_CODE_SETUP, "no memory for downloads");
    return NULL;
  }
  fetch->loop = config->loop;
  fetch->config = *config;
  set_defaults(&fetch->config);
  fetch->open = 2;
  uv_timer_init(config->loop, &fetch->turn);
  fetch->turn.data = fetch;
  if (load_trusted(fetch, config->ca_path, error) == 0 &&
      copy_resolve(fetch, config->resolve, error) == 0 && check_libcurl(fetch, error) == 0)
    return fetch;
  fetch_close(fetch, NULL, NULL);
  return NULL;
}
