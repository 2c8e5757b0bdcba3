/* The local update server: a real nginx, as a child in its own folder, that serves files over TLS
 * on 127.0.0.1 only and never outlives this process (child/child.h, and nginx_close).
 *
 * Folder (0700): nginx.log, access.log (one line per request: time, peer, request, status, bytes of
 * the answer's body, range, seconds), and files/, what is served: files/x.bin is
 * https://HOST:PORT/x.bin. A file is put there by renaming it, so that nobody gets half of it
 * (files_write does). Folder for keys (0700): nginx.conf, server.crt and server.key (the caller writes
 * them, see pki_write_update_chain). Where rules.conf is there, nginx reads it into the block of its
 * server: for a test that wants it to misbehave.
 *
 * Operations are asynchronous on the loop; `done` comes once, never from inside the call, with NULL
 * or with an error that says what to do.
 */
#ifndef FLEETSIM_NGINX_H
#define FLEETSIM_NGINX_H

#include <stdint.h>

#include "base/error.h"
#include "base/files.h"

struct nginx;
struct uv_loop_s;

/* Copied by nginx_open; what it points to must outlive the server. */
struct nginx_config {
  const char *folder;
  const char *keys;    /* folder for what is secret; NULL: `folder` */
  const char *host;    /* a name that server.crt carries */
  const char *ca_path; /* what server.crt must lead to before the server counts as ready */
  uint16_t port;       /* 0: any that is free */
  size_t connections;  /* at once; 0: 1024 */
  /* Called when it ended without being asked to; the text says how. */
  void (*died)(void *ctx, const char *how);
  void *ctx;
};

typedef void (*nginx_done)(void *ctx, const struct error *error);

/* Finds nginx, makes the folder and files/, picks the port. */
int nginx_open(struct uv_loop_s *loop, const struct nginx_config *config, struct nginx **out,
               struct error *error);

/* Starts it and waits until it answers a request over TLS, with a certificate that ca_path leads to
 * (10 s). A port that was picked and has been taken since is picked anew: read nginx_port after
 * `done`. */
void nginx_start(struct nginx *nginx, nginx_done done, void *ctx);

/* SIGTERM, SIGKILL after 5 s; `done` when it is gone. A start under way ends with
   EXIT_CODE_INTERRUPTED. */
void nginx_stop(struct nginx *nginx, nginx_done done, void *ctx);

/* Kills what still runs and releases everything; `died` and `done` are not called any more. */
void nginx_close(struct nginx *nginx, void (*closed)(void *ctx), void *ctx);

/* The path of a file in its folder, and of one in its folder for keys. */
int nginx_path(const struct nginx *nginx, const char *name, char out[FILES_PATH_MAX]);
int nginx_key_path(const struct nginx *nginx, const char *name, char out[FILES_PATH_MAX]);
uint16_t nginx_port(const struct nginx *nginx);

/* "nginx 1.22.1", once it has been started; "nginx" before. */
const char *nginx_version(const struct nginx *nginx);

#endif
