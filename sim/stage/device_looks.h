/* Looks at brokers as one of the devices: with its certificate and key and under an id that is no
 * device's. They tell whether who has that key would be let in now, by every machine that may stand
 * behind an address, and they are nobody's attempts: the fleet does not know of them. */
#ifndef FLEETSIM_STAGE_DEVICE_LOOKS_H
#define FLEETSIM_STAGE_DEVICE_LOOKS_H

#include "stage/controls.h"
#include "stage/rounds.h"

/* What the looks at one address had for an answer. */
struct stage_entry {
  bool open;   /* at least one was let in: CONNACK 0, or as by_tls */
  bool closed; /* each was kept out, by TLS or as not authorised, by somebody with a certificate */
  bool out;    /* at least one was kept out so */
  bool shut;   /* at least one was turned away: it was not let in, nor ended for want of time */
  bool by_connack; /* at least one was kept out by CONNACK, so that TLS took it */
  bool welcome;    /* at least one had CONNACK 0 */
  bool no_word;    /* at least one was neither: it says nothing of the certificate */
  bool ended;      /* the session of the device ended as it was looked at and let in */
  bool told;       /* each was told that its certificate is revoked */
  /* of the first that was let in, and of the first that was turned away: where from ("": the system
     chose), and what a device would call it */
  char open_from[STAGE_LOOK_FROM], shut_from[STAGE_LOOK_FROM];
  enum device_failure failure;
  /* of the first that was let in by TLS only: how CONNACK refused its id or MQTT version; NONE: no
     such look */
  enum device_failure by_tls;
  /* of the first without a word; NONE: there was no answer */
  enum device_failure unsaid;
  /* with a control: every look of its got further than those that were kept out; else how the first
     that did not was refused, NONE: there was no answer */
  bool apart;
  enum device_failure alike;
  bool none_further; /* no look of the control's got further */
  bool same;         /* each of both ended as the first that was turned away did */
  unsigned further;  /* so many of the control's looks got further, where they all did */
};

/* As whom one address is looked at. */
struct stage_device_look {
  size_t node;
  struct stage_stand_in as;
  struct stage_control control; /* who is looked at beside it, if there is one */
  unsigned looks, beside;   /* so many as it, and as the control; 0: as many as prove something */
  uint64_t timeout_ms;      /* of each: stage_look_ms, or what is left of it: stage_look_until */
  struct stage_entry entry; /* what comes of it */
};
#define STAGE_DEVICE_LOOKS_MAX (STAGE_VISITORS_MAX / 2)

/* Looks as each of them, all at once and at the addresses of a node's name in turn: one from the
 * device's own source address, and from the fleet's as many as else prove something there, if no
 * number is given; and so as the control, from the same places. Those that are let in are counted
 * (stage_identity). The keys are in files (0600) of the broker's folder meanwhile. DONE, or ABORTED. */
enum step_outcome stage_look_as_devices(struct stage *stage,
                                        struct stage_device_look *const looks[], size_t count);

/* "localhost port 8883", and of several addresses the name of this one before it. */
#define STAGE_ADDRESS_MAX 160
const char *stage_address(const struct stage *stage, size_t node, char out[STAGE_ADDRESS_MAX]);

#endif
