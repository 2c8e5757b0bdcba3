/* A host and its port in one text, which always fits: a host name has at most 255 letters. */
#include "base/host_port.h"

#include <stdio.h>
#include <string.h>

const char *host_port(const char *host, uint16_t port, char out[HOST_PORT_MAX])
{
  snprintf(out, HOST_PORT_MAX, strchr(host, ':') != NULL ? "[%.255s]:%u" : "%.255s:%u", host, port);
  return out;
}
