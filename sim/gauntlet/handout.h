/* What a device is given once, before it comes to a listener. */
#ifndef FLEETSIM_GAUNTLET_HANDOUT_H
#define FLEETSIM_GAUNTLET_HANDOUT_H

#include <netinet/in.h>

#include "gauntlet/credentials.h"

/* Writes into that folder: each root as NAME.pem and NAME.der, all of them as roots.pem and as C
 * arrays in roots.h, a client certificate with its key (0600), nvm.bin, the memory of a device that
 * runs our own client, with all of that in it (0600), and broker.txt, which says name, address and
 * port. Files that are there are replaced. */
int handout_write(const char *folder, const struct credentials *credentials,
                  const struct sockaddr_in *address, struct error *error);

#endif
