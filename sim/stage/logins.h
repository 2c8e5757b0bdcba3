/* Who the devices of a run say they are in CONNECT: user name and password of each
 * (fleet.credentials), as the scenario, a file or the fleet folder has them. Passwords are in memory
 * from the start of a run to its end, in one place, and are wiped there; nothing else keeps one. */
#ifndef FLEETSIM_STAGE_LOGINS_H
#define FLEETSIM_STAGE_LOGINS_H

#include "stage/stage.h"

/* Reads what files there are: devices need not be known yet. Then, when they are, gives each its own.
 * 0, or -1 with stage->error, by the place in the scenario and the device. */
int stage_read_secrets(struct stage *stage);
int stage_give_logins(struct stage *stage);
void stage_forget_logins(struct stage *stage);

/* Of device `index`; the texts live as long as the run. */
struct login stage_login(const struct stage *stage, size_t index);

/* A device's token: fleet.credentials.token-file. */
struct stage_token {
  const char *path;
  int64_t end_s;      /* of the one in hand, Unix seconds; 0: it does not say */
  int64_t said_end_s; /* of the one that the device said last, in CONNECT */
  bool said_newest;   /* which was the one in hand */
  /* the one in hand can stand in for the one before: token_renews, and it is no other device's */
  bool renews;
};
struct stage_token stage_token(const struct stage *stage, size_t index);

/* Reads the device's file again: 1 if it holds another token, which is the one in hand from now on;
 * 0 if it does not; -1 with the error. */
int stage_renew_token(struct stage *stage, size_t index, struct error *error);

/* How a fleet asks; outlives it. */
struct fleet_logins stage_fleet_logins(struct stage_whose *whose);

/* Of the back office: {NULL, NULL} where it has none. A broker of the run's own knows it by a password
 * that is drawn before that starts, where it knows devices by theirs. */
int stage_draw_operator(struct stage *stage);
struct login stage_operator_login(const struct stage *stage);

/* Everybody who may come into a broker of the run's own; count 0: whoever shows a certificate. */
struct broker_accounts stage_accounts(struct stage *stage);

#endif
