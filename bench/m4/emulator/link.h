/* The host's end of the image's one TCP connection. Loopback only: what an image says must not
   leave this machine. */
#ifndef FLEETSIM_M4_LINK_H
#define FLEETSIM_M4_LINK_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum m4_link_state { M4_LINK_CLOSED = 0, M4_LINK_OPENING = 1, M4_LINK_OPEN = 2 };

struct m4_link {
  struct sockaddr_in peer; /* port 0: none was named */
  int fd;                  /* -1 while closed */
  enum m4_link_state state;
};

/* Of "127.x.y.z:PORT" or "localhost:PORT"; 0, or -1 with a sentence. */
int m4_link_parse(struct sockaddr_in *peer, const char *text, struct error *error);

void m4_link_init(struct m4_link *link, const struct sockaddr_in *peer);
/* -1: there is nowhere to connect to */
int m4_link_open(struct m4_link *link, struct error *error);
void m4_link_close(struct m4_link *link);

/* As the image sees it; a connection that failed or was closed by the peer is closed. */
enum m4_link_state m4_link_look(struct m4_link *link);

/* Sends all of it, within ten seconds; what cannot be sent closes the link. */
void m4_link_send(struct m4_link *link, const uint8_t *data, size_t size);

/* Bytes received, 0 if there are none for now. */
size_t m4_link_receive(struct m4_link *link, uint8_t *data, size_t size);

/* Sleeps until the link has something to tell, at most `ms`; the milliseconds that the image has
 * waited. A closed link has nothing to tell: then all of `ms` is told to have passed, at once. */
double m4_link_wait_ms(struct m4_link *link, uint32_t ms);

#endif
