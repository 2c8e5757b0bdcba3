/* Connects, and hands bytes to OpenSSL and back. What went wrong is told by who said it: our judge,
   an alert of the server, or the line. */
#define _GNU_SOURCE
#include "line.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum line_end line_fail(struct line *line, enum line_end end, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line->said, sizeof line->said, format, arguments);
  va_end(arguments);
  return end;
}

static enum line_end reach(struct line *line)
{
  struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
  int error = getaddrinfo(line->address, line->port, &hints, &found);
  if (error != 0) return line_fail(line, LINE_FAILED, "no such address: %s", gai_strerror(error));
  for (struct addrinfo *one = found; one && line->socket < 0; one = one->ai_next) {
    line->socket = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->socket >= 0 && connect(line->socket, one->ai_addr, one->ai_addrlen) == 0) continue;
    error = errno;
    if (line->socket >= 0) close(line->socket);
    line->socket = -1;
  }
  freeaddrinfo(found);
  return line->socket >= 0 ? LINE_OK
                           : line_fail(line, LINE_FAILED, "cannot connect: %s", strerror(error));
}

static void hear_alert(const SSL *ssl, int where, int value)
{
  struct line *line = SSL_get_app_data(ssl);
  if (where == SSL_CB_READ_ALERT && (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
    line->alert = value & 0xff;
}

/* Why a call of OpenSSL did not succeed. */
static enum line_end explain(struct line *line, int result, const char *doing)
{
  if (*line->judge->said)
    return line_fail(line, LINE_REFUSES, "refused the certificate: %s", line->judge->said);
  if (line->alert >= 0)
    return line_fail(line, LINE_REFUSED, "%s: the server's alert: %s", doing,
                     SSL_alert_desc_string_long(line->alert));
  if (SSL_get_error(line->ssl, result) == SSL_ERROR_ZERO_RETURN)
    return line_fail(line, LINE_FAILED, "%s: the server has closed", doing);
  unsigned long error = ERR_peek_error();
  const char *reason = ERR_reason_error_string(error);
  if (ERR_GET_REASON(error) == SSL_R_BAD_SIGNATURE)
    return line_fail(line, LINE_REFUSES, "refused the server: its signature is not of that key");
  return line_fail(line, LINE_FAILED, "%s: %s", doing,
                   reason ? reason : "the connection has ended");
}

static bool set_up(struct line *line)
{
  line->ctx = judge_context(line->judge);
  if (!line->ctx) return false;
  if (line->certificate && (!SSL_CTX_use_certificate_chain_file(line->ctx, line->certificate) ||
                            !SSL_CTX_use_PrivateKey_file(line->ctx, line->key, SSL_FILETYPE_PEM)))
    return false;
  line->ssl = SSL_new(line->ctx);
  if (!line->ssl || judge_expect(line->judge, line->ssl) != 0) return false;
  SSL_set_app_data(line->ssl, line);
  SSL_set_info_callback(line->ssl, hear_alert);
  return SSL_set_fd(line->ssl, line->socket);
}

enum line_end line_open(struct line *line)
{
  line->socket = -1;
  line->alert = -1;
  enum line_end end = reach(line);
  if (end != LINE_OK) return end;
  if (!set_up(line))
    return line_fail(line, LINE_FAILED, "cannot begin TLS with the files that were given: %s",
                     ERR_reason_error_string(ERR_peek_error()));
  int result = SSL_connect(line->ssl);
  return result == 1 ? LINE_OK : explain(line, result, "handshake");
}

enum line_end line_write(struct line *line, const uint8_t *bytes, size_t size)
{
  uint8_t unread;
  int result = SSL_write(line->ssl, bytes, (int) size);
  if (result > 0) return LINE_OK;
  SSL_read(line->ssl, &unread, 1); /* an alert may lie there, which says more */
  return explain(line, result, "write");
}

enum line_end line_read(struct line *line, uint8_t *bytes, size_t size)
{
  for (size_t have = 0; have < size;) {
    int result = SSL_read(line->ssl, bytes + have, (int) (size - have));
    if (result <= 0) return explain(line, result, "read");
    have += (size_t) result;
  }
  return LINE_OK;
}

void line_close(struct line *line, enum line_end end)
{
  if (line->ssl && end == LINE_OK) SSL_shutdown(line->ssl);
  SSL_free(line->ssl);
  SSL_CTX_free(line->ctx);
  if (line->socket >= 0) close(line->socket);
}
