/* One table for devices, which hear of libuv, and for the back office's own look, which asks the
 * system: the same end has the same name. */
#include "net/failure.h"

#include <errno.h>

enum device_failure net_failure(int error)
{
  switch (error) {
  case ECONNREFUSED: return DEVICE_FAIL_TCP_REFUSED;
  case ECONNRESET:
  case ECONNABORTED:
  case EPIPE: return DEVICE_FAIL_TCP_RESET;
  case ETIMEDOUT: return DEVICE_FAIL_TCP_TIMEOUT;
  case ENETUNREACH:
  case ENETDOWN:
  case EHOSTUNREACH: return DEVICE_FAIL_TCP_UNREACHABLE;
  case EADDRINUSE:
  case EADDRNOTAVAIL:
  case EMFILE:
  case ENFILE: return DEVICE_FAIL_TCP_NO_PORT;
  default: return DEVICE_FAIL_TCP_OTHER;
  }
}
