/* Where this process may send: loopback, and beyond it only what both the scenario's file and the
 * command line name.
 *
 * It is asked twice. Before anything is sent by name: every host of the run is loopback by its
 * spelling or is listed. And per address, wherever a name has been resolved: a listed host may have
 * any address, every other one (there is "localhost" only) must lead to loopback, whatever the
 * resolver says.
 */
#ifndef FLEETSIM_PERMIT_H
#define FLEETSIM_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define PERMIT_HOST_MAX    256
#define PERMIT_ADDRESS_MAX 64

/* What it points to outlives it. NULL in place of one: loopback only. */
struct permit {
  const char *const *hosts; /* named by both */
  size_t count;
};

/* True for "localhost" in any case, 127.0.0.0/8 and ::1 as literals. No name is looked up. */
bool permit_is_loopback(const char *host);

/* Names are the same whatever their case. */
bool permit_same_host(const char *a, const char *b);

/* Named by both: it may have any address. */
bool permit_is_listed(const struct permit *permit, const char *host);

/* Loopback by its spelling, or listed. */
bool permit_host(const struct permit *permit, const char *host);

/* Whether a connection to `host` may go to this address of it. */
bool permit_address(const struct permit *permit, const char *host, const struct sockaddr *address);

/* Whether a connection to `host` may go to each of these addresses, which are all that it has.
 * False where one is elsewhere: `beyond` is that one then, as text. */
bool permit_addresses(const struct permit *permit, const char *host,
                      const struct sockaddr_storage *addresses, size_t count,
                      char beyond[PERMIT_ADDRESS_MAX]);

/* Looks up a name that is permitted because it should be loopback. False where it leads elsewhere
 * too: `beyond` is that address then. Names that cannot be found and literals are fine; blocks as
 * getaddrinfo does. */
bool permit_look_up(const struct permit *permit, const char *host, char beyond[PERMIT_ADDRESS_MAX]);

/* The host that libcurl would connect to for this http(s) URL, without brackets. -1: it is none
   that can be used. */
int permit_url_host(const char *url, char host[PERMIT_HOST_MAX]);

#endif
