/* Telemetry: when it is due, what is in a message, and what became of it. */
#ifndef FLEETSIM_FLEET_TELEMETRY_H
#define FLEETSIM_FLEET_TELEMETRY_H

#include "fleet/facts.h"

struct fleet;
struct fleet_telemetry;
struct member;

enum telemetry_outcome { TELEMETRY_TAKEN, TELEMETRY_DECLINED, TELEMETRY_NOT_TAKEN };

/* A message on its way into the device. */
struct telemetry_sending {
  struct device_event event; /* PUBLISH; its payload is valid until the next one is prepared */
  uint32_t declined;         /* messages that the device had declined before */
};

/* The next message is due at a random time of the first period. */
void telemetry_stagger(struct member *member);

/* The message of that planned moment, counted as sent. False: no memory to be answerable for it. */
bool telemetry_prepare(struct member *member, uint64_t planned_ms, const struct fleet_telemetry *of,
                       struct telemetry_sending *out);
/* After the device was fed with it. */
enum telemetry_outcome telemetry_settle(struct member *member,
                                        const struct telemetry_sending *sending);

void telemetry_acked(struct member *member, uint32_t tag, bool by_broker);
void telemetry_denied(struct member *member, uint32_t tag, bool declined);

/* Whether this session's refusal for that reason is to be told in the events: the first of them
   is. */
bool telemetry_tells(struct member *member, uint8_t reason);
void telemetry_began_session(struct member *member);

bool telemetry_is_quiet(const struct member *member); /* it is answerable for nothing */
void telemetry_forget(struct member *member);         /* its memory is empty */

/* As fleet_unacked and fleet_books. */
size_t telemetry_unacked(const struct member *member, uint32_t out[FLEET_UNACKED_MAX]);
void telemetry_books(const struct member *member, struct fleet_books *out);

void telemetry_free(struct fleet *fleet);

#endif
