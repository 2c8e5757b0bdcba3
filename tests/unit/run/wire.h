/* Connections in virtual time: the backend of the fleet (net/backend.h) at one end, brokers in
 * memory at the other. A way takes a millisecond, bytes keep their order, and nothing is lost but
 * by a connection's end. */
#ifndef FLEETSIM_TRACE_WIRE_H
#define FLEETSIM_TRACE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_US 1000u /* one way */

struct wire; /* the broker's end of a connection */

/* A port at which somebody listens. */
struct wire_port {
  uint16_t port;
  /* NULL: it is refused. What is returned is `session` of the others. */
  void *(*accept)(void *ctx, struct wire *wire);
  void (*bytes)(void *session, const uint8_t *data, size_t size);
  void (*closed)(void *session); /* by the device; the wire is gone */
  void *ctx;
  struct wire_port *next;
};

void wire_listen(struct wire_port *port);
void wire_ignore(const struct wire_port *port); /* nobody listens there any more */
void wire_forget_ports(void);

void wire_send(struct wire *wire, const uint8_t *data, size_t size);

/* The broker ends it: in order, after what it has sent, or by a reset. The wire is gone. */
void wire_end(struct wire *wire, bool reset);

struct backend *wire_backend(void);

#endif
