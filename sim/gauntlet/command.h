/* Any client that a command starts, once per trial. */
#ifndef FLEETSIM_GAUNTLET_COMMAND_H
#define FLEETSIM_GAUNTLET_COMMAND_H

#include "base/files.h"
#include "gauntlet/trial.h"

/* trial_setting.client_setting of command_client. */
struct command_setting {
  const char
      *text; /* with {host} {port} {ca} {cert} {key} {id} {url} {out} {address}; "{{" is a "{" */
  const char *folder; /* for what it is given: the caller's, 0700 */
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX]; /* by command_prepare */
};

/* Writes what all of them are given. Refuses a command that would not reach a server (USAGE), and a folder
 * whose name a shell would take apart (SETUP). */
int command_prepare(struct command_setting *command, const struct credentials *credentials,
                    struct error *error);

extern const struct trial_client command_client;

#endif
