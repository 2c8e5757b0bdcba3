/* The address of a broker in a scenario: mqtts://HOST:PORT. */
#ifndef FLEETSIM_SCENARIO_URL_H
#define FLEETSIM_SCENARIO_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_MAX 256

/* Splits it. -1: `why` says what is wrong with it and what to write instead; the text itself, which
 * may hold a password, is not repeated. */
int url_split(const char *url, char host[URL_HOST_MAX], uint16_t *port, char *why, size_t why_size);

/* The same for a host alone: a name of letters, digits, - and ., or an address; IPv6 without
   brackets. */
int url_check_host(const char *host, char *why, size_t why_size);

#endif
