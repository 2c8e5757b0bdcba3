/* The local mosquitto, as its two files share it: mosquitto.c is the kind and its command,
 * mosquitto_files.c what it is told and what it says.
 */
#ifndef FLEETSIM_MOSQUITTO_H
#define FLEETSIM_MOSQUITTO_H

#include <stdio.h>

#include "broker/hosted.h"

#define MOSQUITTO_ARGUMENTS 18

#define MOSQUITTO_CONF      "mosquitto.conf"
#define MOSQUITTO_LOG       "mosquitto.log"
#define MOSQUITTO_ACL       "acl"
#define MOSQUITTO_IDS       "ids" /* TERMINATOR_ROSTER of terminator/terminator.h */
#define MOSQUITTO_PASSWORDS "passwords"
#define TERMINATOR_LOG      "terminator.log"

struct mosquitto {
  struct hosted hosted;
  char path[FILES_PATH_MAX], conf[FILES_PATH_MAX], port[BROKER_LISTENERS][8];
  char *argument[MOSQUITTO_ARGUMENTS];
  bool has_passwords; /* the file is there */
};

struct mosquitto *mosquitto_of(const struct broker *broker);

/* The executable and its release. */
int mosquitto_find(struct broker *broker, struct error *error);

/* acl. */
int mosquitto_write_acl(const struct broker *broker, struct error *error);

/* Whether a device connects under another client id than its certificate's CN; then a list of them
   for the terminator. */
bool mosquitto_has_ids(const struct broker *broker);
int mosquitto_write_ids(const struct broker *broker, struct error *error);

/* mosquitto.conf and acl. */
int mosquitto_write_files(const struct broker *broker, struct error *error);

/* mosquitto_accounts.c: what config.accounts may do, for acl, and their passwords as mosquitto keeps
 * them, in a file of their own, which is written once. */
void mosquitto_grant_accounts(const struct broker *broker, FILE *acl);
int mosquitto_write_passwords(const struct broker *broker, struct error *error);

/* The last lines that mosquitto begins with "Error: ", of what was logged after `start`, joined by
 * "; "; where there is none the last line of all, if it begins with "Warning: ", as a lack of
 * descriptors does; "" else. Its lines "OpenSSL Error" are left out: most come from clients that
 * were refused. */
void mosquitto_log_tail(const struct broker *broker, long start, char *out, size_t capacity);

/* mosquitto tells of a reload before it reads its files, and takes no connection until it has: true
 * of 2.0 and 2.1, which do both between two turns of one thread. The terminator tells of it when it
 * has read them, or has not. */
const char *mosquitto_reload_log(const struct broker *broker);
bool mosquitto_says_reloaded(const struct broker *broker, const char *line);

#endif
