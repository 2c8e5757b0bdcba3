/* A real nginx with a certificate of a real update CA, on the test's loop; and beside it an
 * upstream that answers what no HTTP server would, which nginx passes on over its TLS.
 */
#ifndef FLEETSIM_TEST_SERVER_H
#define FLEETSIM_TEST_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <cmocka.h>

#include "pki/pki.h"
#include "updates/nginx.h"

#define SERVER_HOST   "updates.test"
#define SERVER_FILE   (256u * 1024u) /* bytes of /image.bin */
#define SERVER_WAIT_S 20

struct server {
  uv_loop_t loop;
  char folder[128], pki_folder[160], nginx_folder[160], ca_path[FILES_PATH_MAX];
  struct pki *pki;
  struct nginx *nginx;
  uint8_t *image;
  /* the upstream, at /raw: what it answers to anything, and then closes; or begins to repeat
     without end */
  uv_tcp_t upstream;
  uint16_t upstream_port;
  const char *answer;
  bool endless, silent;
  unsigned peers;
};

/* For cmocka's group set-up and tear-down: the tests of a program share one. `state` becomes a
   struct server. */
int server_up(void **state);
int server_down(void **state);

/* Runs the loop until *counter has reached `least`; fails the test after SERVER_WAIT_S. */
void server_wait(struct server *server, const unsigned *counter, unsigned least);

/* Runs the loop for so long. */
void server_run_ms(struct server *server, uint64_t ms);

#endif
