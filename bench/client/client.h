/* A kind of MQTT client under test: many connections in one process, mutual TLS 1.3, each with its
 * own certificate.
 *
 * A process runs one kind (main.c has the commands that drive it), so that its CPU time and memory
 * are that kind's alone. Every kind verifies the broker's chain, name and time, says CONNECT with a
 * 60 s keep-alive and a clean start, and counts as online when CONNACK arrived. Each does per
 * connection what its library makes a program do: what a device holds in flash (its certificate and
 * key) is read into memory by `open`, before anything is measured; parsing it belongs to the
 * connection.
 */
#ifndef FLEETSIM_BENCH_CLIENT_H
#define FLEETSIM_BENCH_CLIENT_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"

#define CLIENT_KEEP_ALIVE_S 60
#define CLIENT_PAYLOAD      64 /* bytes of a published message */
/* QoS 1: messages of one connection that await their PUBACK, at most */
#define CLIENT_WINDOW 14

/* Names the timing profile of `fleetsim_paced`, as timing_load takes it; unset: the default one. */
#define CLIENT_TIMING         "FLEETSIM_BENCH_TIMING"
#define CLIENT_TIMING_DEFAULT "mbedtls-3.6.7-Os"

struct client_config {
  uv_loop_t *loop;
  const char *fleet; /* folder of `fleetsim pki make` */
  /* folder with ID.crt (chain), ID.key and ca.crt, PEM: for kinds that cannot read `fleet` */
  const char *peers;
  const char *host;               /* name that the broker's certificate must carry */
  struct sockaddr_storage broker; /* on loopback */
  /* index i has the MQTT client id and certificate CN i + 1, eight hex digits */
  size_t devices;
};

struct client_counts {
  size_t online; /* CONNACK accepted and connection alive */
  size_t failed; /* attempts that ended without CONNACK */
  size_t lost;   /* connections that ended after CONNACK */
  /* messages: QoS 0 handed to the socket (or its queue), QoS 1 acknowledged by PUBACK */
  uint64_t confirmed;
};

/* One thread calls these; the loop runs between the calls. */
struct client_kind {
  const char *name;
  const char *(*version)(void); /* of the library, as in "OpenSSL 3.0.17" */
  int (*open)(const struct client_config *config, struct error *error);
  /* makes the devices; measured as memory, not as time; may be NULL */
  int (*prepare)(struct error *error);
  void (*connect)(size_t index); /* begins; never blocks for the peer */
  /* One message of CLIENT_PAYLOAD bytes to private/ID/telemetry; false: not now (window full,
     socket full). */
  bool (*publish)(size_t index, int qos);
  void (*counts)(struct client_counts *out);
  void (*describe)(json_t *out); /* adds what only this kind can tell; may be NULL */
};

extern const struct client_kind client_fleetsim, client_fleetsim_native, client_fleetsim_tickets,
    client_fleetsim_paced, client_openssl, client_openssl_lean, client_libmosquitto, client_paho;

#endif
