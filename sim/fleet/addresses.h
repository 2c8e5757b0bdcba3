/* Source addresses and file descriptors: what a machine must lend a fleet before the first device connects.
 *
 * One source address has about 28,000 ephemeral ports per target. Loopback offers 127.0.0.0/8, so a large fleet is
 * spread over 127.0.0.1, 127.0.0.2, ...: for loopback targets only.
 */
#ifndef FLEETSIM_ADDRESSES_H
#define FLEETSIM_ADDRESSES_H

#include <stddef.h>

#include "base/error.h"

#define ADDRESSES_CONNECTIONS_MAX 20000u /* per source address; leaves ports to those that are still closing */
#define ADDRESSES_MAX             250u   /* 127.0.0.1 .. 127.0.0.250 */

struct sockaddr_storage;

/* How many source addresses that many connections at a time need, at least 1. */
size_t addresses_needed(size_t connections);

/* Source address number `index` (from 0, below ADDRESSES_MAX) with port 0: the system picks the port. */
void addresses_source(size_t index, struct sockaddr_storage *out);

/* Makes sure that the process may open a descriptor per device and some for itself, by raising its soft limit if need
 * be. -1: the hard limit is too low; the sentence says what to change. */
int addresses_preflight(size_t devices, struct error *error);

#endif
