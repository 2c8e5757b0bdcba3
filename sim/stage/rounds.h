/* A round of looks: at each broker as many as prove something there, all open at once and to all
 * addresses of its name, so that a balancer that goes by the load or by the source of its clients
 * sends them to every machine. */
#ifndef FLEETSIM_STAGE_ROUNDS_H
#define FLEETSIM_STAGE_ROUNDS_H

#include "stage/looks.h"

#define STAGE_ROUND_MAX    (STAGE_LOOKS_MAX + 1u)
#define STAGE_VISITORS_MAX ((4u * STAGE_LISTED_MAX + 2u * STAGE_SAMPLED_MAX) * SCENARIO_NODES_MAX)

/* Who looks: a client of this certificate and key, or nobody in particular, who looks at what the
 * listener serves. */
struct stage_visitor {
  size_t node;                     /* at which he looks */
  const struct broker_pair *files; /* NULL: nobody in particular */
  bool bare;                       /* it shows no certificate */
  struct login login;
  enum broker_listener listener; /* for nobody in particular */
  const char *ca;                /* the broker is verified by it; NULL: it is not */
  bool by_own_name; /* the first look has PKI_PROBE_NAME for an id: some brokers want the
                       certificate's */
  unsigned looks;   /* so many; 0: as many as prove something there */
  bool
      as_device; /* the first look comes from where this device does; it is one more, if all are made */
  size_t device;
  uint64_t timeout_ms; /* stage_look_ms, or what is left of it: stage_look_until */
};

/* What one look has seen. */
struct stage_seen {
  bool answered;    /* by the broker, whatever it said */
  bool by_own_name; /* its client id was the probe's name, without a number */
  char from[STAGE_LOOK_FROM];
  struct broker_seen broker; /* without an answer `why` says so, and `failure`, if that is known */
};

/* The client id of a look: by its own name PKI_PROBE_NAME; else with a part of the run's id, as two
 * runs that look at one broker would end each other's sessions, and take that for its doing, and
 * with a number that no look had before, as a broker may count how often an id comes. It has no
 * more than the 23 characters that every broker takes (MQTT 3.1.1, 3.1.3-5); after 46,655 of them
 * the numbers begin anew. */
#define STAGE_PROBE_ID 32
void stage_probe_id(struct stage *stage, bool by_own_name, char id[STAGE_PROBE_ID]);

struct stage_round {
  unsigned count;
  struct stage_seen look[STAGE_ROUND_MAX];
};

/* Looks as each of the visitors, and waits for all of them. out[v] is what visitor v saw. DONE, or
 * ABORTED. */
enum step_outcome stage_round(struct stage *stage, const struct stage_visitor *visitors,
                              size_t count, struct stage_round *out);

/* How many looks of the round it holds for; *but: the first that it does not hold for, NULL: there
   is none. */
typedef bool stage_is_right(const struct stage_seen *seen, const void *ctx);
unsigned stage_round_right(const struct stage_round *round, stage_is_right *is, const void *ctx,
                           const struct stage_seen **but);

/* " from 127.0.0.3", or "". */
const char *stage_from(const char *from, char out[64]);

#endif
