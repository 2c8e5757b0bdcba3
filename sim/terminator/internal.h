/* What the files of this room share: the process and its clients. */
#ifndef FLEETSIM_TERMINATOR_INTERNAL_H
#define FLEETSIM_TERMINATOR_INTERNAL_H

#include <openssl/ssl.h>
#include <stdio.h>
#include <uv.h>

#include "child/supervisor.h"
#include "relay/listener.h"

#include "terminator/connect.h"
#include "terminator/roster.h"
#include "terminator/terminator.h"

struct client;

struct terminator {
  const struct terminator_config *config;
  uv_loop_t loop;
  uv_signal_t hangup, end;
  struct supervisor_server kind;
  struct supervisor mosquitto;
  uv_timer_t poll; /* until mosquitto answers, by `probe` */
  uv_pipe_t probe;
  uv_connect_t probing;
  bool probed, unanswered; /* no more probes; because the last one was too late */
  uint64_t give_up_ms;
  char *command[4];
  struct terminator_listener {
    struct terminator *terminator;
    struct listener listener;
  } listener[TERMINATOR_LISTENERS];
  SSL_CTX *context[TERMINATOR_LISTENERS];
  struct roster *roster; /* NULL: a client's id is its certificate's CN */
  struct client *clients;
  size_t client_count;
  FILE *log;
  bool ending, listening;
  int exit_code;
};

/* One line with the time in terminator.log. */
void terminator_log(struct terminator *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* client.c: takes over this descriptor of a connection that came to this listener. */
void client_accept(struct terminator *t, int listener, int fd);
void client_close_all(struct terminator *t);

extern const char *const terminator_stem[TERMINATOR_LISTENERS];

#endif
