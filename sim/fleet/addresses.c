#define _DEFAULT_SOURCE
#include "fleet/addresses.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Event loop, NVM file, registry, logs, operator, and connections that are still closing. */
#define OWN_DESCRIPTORS 256u

size_t addresses_needed(size_t connections)
{
  size_t needed = (connections + ADDRESSES_CONNECTIONS_MAX - 1) / ADDRESSES_CONNECTIONS_MAX;
  return needed > 0 ? needed : 1;
}

void addresses_source(size_t index, struct sockaddr_storage *out)
{
  assert(index < ADDRESSES_MAX);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t) index);
  memset(out, 0, sizeof *out);
  memcpy(out, &address, sizeof address);
}

static int too_few(size_t devices, rlim_t needed, rlim_t limit, struct error *error)
{
  size_t possible = limit > OWN_DESCRIPTORS ? (size_t) (limit - OWN_DESCRIPTORS) : 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "%zu devices need %llu file descriptors, but this process may open %llu at most; raise the hard "
                   "limit (\"ulimit -Hn %llu\" as root, or LimitNOFILE= of the service) or use --devices %zu or fewer",
                   devices, (unsigned long long) needed, (unsigned long long) limit, (unsigned long long) needed,
                   possible);
}

int addresses_preflight(size_t devices, struct error *error)
{
  struct rlimit limit;
  rlim_t needed = (rlim_t) devices + OWN_DESCRIPTORS;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "the limit of file descriptors cannot be read: is getrlimit forbidden here?");
  if (limit.rlim_cur >= needed) return 0;
  if (limit.rlim_max < needed) return too_few(devices, needed, limit.rlim_max, error);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the soft limit of file descriptors cannot be raised to %llu; try \"ulimit -Sn %llu\"",
                   (unsigned long long) limit.rlim_max, (unsigned long long) limit.rlim_max);
}
