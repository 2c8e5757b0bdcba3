/* What careless says over MQTT: CONNECT, perhaps SUBSCRIBE, one PUBLISH, perhaps PINGREQ, and
   DISCONNECT; and what it takes for an answer. */
#ifndef CARELESS_TALK_H
#define CARELESS_TALK_H

#include <stdbool.h>

#include "line.h"

#define TALK_ID_MAX 64

struct talk {
  struct line *line;
  const char *id;   /* TALK_ID_MAX characters at most */
  unsigned version; /* 4 or 5 */
  unsigned qos;     /* 0 or 1 */
  bool subscribes, pings;
  bool trusts_connack; /* goes on whatever comes in place of it */
};

enum line_end talk_through(struct talk *talk);

#endif
