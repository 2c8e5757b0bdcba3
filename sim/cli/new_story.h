/* The text of a first scenario: it connects the devices as they are and lets nobody else come; what
 * a rotation needs beyond that stands below it, behind marks that one command takes away. */
#ifndef FLEETSIM_CLI_NEW_STORY_H
#define FLEETSIM_CLI_NEW_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NEW_ROOTS 3 /* in use, to move to, kept */

/* All texts can stand in a comment and between quotes. */
struct new_story {
  const char *file, *fleet, *csv;
  const char *url, *host;
  uint16_t port;
  const char *server_name, *alpn, *topic, *password_file; /* NULL: as it is by itself */
  const char *kind;                                       /* of broker; NULL: nobody said */
  const char *root[NEW_ROOTS];                            /* paths; NULL: there is none yet */
  /* of devices that show no certificate, all of them then: how they log in; one of the two is NULL */
  const char *user, *password_column, *token_file;
  const char *seen; /* of the broker, lines; NULL: nobody looked */
  size_t devices;
  bool names; /* the list says what the devices are called */
  bool tls_12, mqtt_4, lets_in;
};

void new_story_write(const struct new_story *story, FILE *out);

/* The commands that come next. */
void new_story_tell(const struct new_story *story, FILE *out);

#endif
