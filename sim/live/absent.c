/* The live page of a build without libmicrohttpd: it says so. Built in place of server.c. */
#include <unistd.h>

#include "live/internal.h"

int live_serve(struct live *live, int socket, struct error *error)
{
  (void) live;
  close(socket);
  return error_set(error, EXIT_CODE_SETUP,
                   "this fleetsim was built without the live page: install libmicrohttpd "
                   "(libmicrohttpd-dev), remove the build folder and build it anew");
}

void live_stop_serving(struct live *live)
{
  (void) live;
}
