/* A TLS connection of careless. Every call blocks: the deadline is an alarm clock, in careless.c. */
#ifndef CARELESS_LINE_H
#define CARELESS_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "judge.h"

/* The program's exit codes. */
enum line_end {
  LINE_OK = 0,
  LINE_REFUSES = 1, /* the server is not who it should be: said by us */
  LINE_FAILED = 3,  /* no connection, no TLS, too late, or not what a broker says */
  LINE_REFUSED = 4  /* the server does not want us */
};

struct line {
  struct judge *judge;
  const char *address, *port;
  const char *certificate, *key; /* PEM files, or NULL */
  int socket;
  SSL_CTX *ctx;
  SSL *ssl;
  int alert; /* the last one that came, -1: none */
  char said[512];
};

/* All return LINE_OK, or how it ended, with the reason in `said`. */
enum line_end line_open(struct line *line);
enum line_end line_write(struct line *line, const uint8_t *bytes, size_t size);
enum line_end line_read(struct line *line, uint8_t *bytes, size_t size); /* exactly so many */
enum line_end line_fail(struct line *line, enum line_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says close_notify if all went well. */
void line_close(struct line *line, enum line_end end);

#endif
