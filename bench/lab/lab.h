/* What a bench of clients stands on: a temporary folder with a fleet's keys and certificates, and
 * one local mosquitto, configured as a scenario's. Nothing of it outlives lab_close, which also
 * follows SIGINT, SIGTERM and SIGHUP: they only make lab_check, and every wait for a client, fail.
 */
#ifndef FLEETSIM_BENCH_LAB_H
#define FLEETSIM_BENCH_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/files.h"
#include "broker/broker.h"

#define LAB_HOST "localhost" /* what the broker's certificate says */

struct lab {
  char folder[FILES_PATH_MAX]; /* 0700; "": there is none */
  /* as `fleetsim pki make` makes it: roots A and spare, both trusted */
  char fleet[FILES_PATH_MAX];
  char peers[FILES_PATH_MAX]; /* for other clients, PEM: ID.crt, ID.key, ca.crt with both roots */
  bool loop_open;
  uv_loop_t loop;
  struct broker *broker;
  char broker_died[256];
};

/* Makes the temporary folder alone, below $TMPDIR, and begins to heed signals. */
int lab_make_folder(struct lab *lab, struct error *error);

/* Makes everything: a fleet of `devices`, the first `peers` of them also as PEM, the broker
 * running, and descriptors for all of them in this process and those it starts. After a failure
 * too, lab_close must follow. */
int lab_open(struct lab *lab, size_t devices, size_t peers, struct error *error);

/* -1: the broker has ended, or a signal asked for the end. */
int lab_check(struct lab *lab, struct error *error);

/* -1: a signal asked for the end. */
int lab_interrupted(struct error *error);

/* Zeroed storage is fine. */
void lab_close(struct lab *lab);

#endif
