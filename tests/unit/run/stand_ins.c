/* Small things that a run in virtual time does without: the host's P-256, a look at the
 * machine, and libcurl's idea of a URL. */
#include <stdio.h>
#include <string.h>

#include "crypto/p256_host.h"
#include "fleet/preflight.h"
#include "net/permit.h"

void p256_host_set_native(bool native)
{
  (void) native;
}

/* Every machine is large enough. */
int preflight(struct preflight_need *need, struct error *error)
{
  (void) need, (void) error;
  return 0;
}

int permit_url_host(const char *url, char host[PERMIT_HOST_MAX])
{
  const char *at = strstr(url, "://");
  if (at == NULL) return -1;
  snprintf(host, PERMIT_HOST_MAX, "%.*s", (int) strcspn(at + 3, ":/"), at + 3);
  return 0;
}
