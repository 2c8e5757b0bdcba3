/* The command line that all benches share; each takes the options that it has a default for. */
#ifndef FLEETSIM_BENCH_OPTIONS_H
#define FLEETSIM_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_GO_ON (-1)

/* Given with the defaults; 0 or NULL: this bench has no such option. */
struct options {
  const char *bench;   /* as in ./fleetsim bench NAME */
  const char *purpose; /* one line for --help */
  size_t rounds, devices;
  double rate;       /* connects a second */
  double seconds;    /* how long each measurement lasts */
  const char *kinds; /* of clients, by commas */
  const char *json;  /* where the results go; NULL: nowhere */
};

/* OPTIONS_GO_ON, or the exit code to end with: help was asked for, or the command line is wrong,
   and it was said. */
int options_parse(struct options *options, int argc, char **argv);

/* Whether the client kind `name` takes part. */
bool options_has_kind(const struct options *options, const char *name);

#endif
