/* Where a run may send: nothing beyond loopback without the file's and the command line's word. */
#ifndef FLEETSIM_STAGE_ALLOWED_H
#define FLEETSIM_STAGE_ALLOWED_H

#include "stage/stage.h"

/* Looks at every host that the scenario names, those of its hooks too, before anything is sent.
 * 0, or -1 with stage->error. */
int stage_check_allowed(struct stage *stage);

/* The address of a host, if the run may send there. 0, or -1 with stage->error. */
int stage_resolve(struct stage *stage, const char *host, uint16_t port,
                  struct sockaddr_storage *out);

#endif
