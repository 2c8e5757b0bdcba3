/* A device in RAM that tries the broker: the firmware's own client with a page of non-volatile
 * memory made for it, so that what is said of a chain is what devices will say of it. */
#ifndef FLEETSIM_SURVEY_SPECIMEN_H
#define FLEETSIM_SURVEY_SPECIMEN_H

#include "base/error.h"
#include "survey/look.h"

struct survey_trial {
  enum device_failure failure; /* NONE: CONNACK 0 */
  uint8_t tls, mqtt;           /* as the device was built: 12 or 13, 4 or 5 */
  bool secured;                /* its TLS handshake was over, so it took the chain */
  uint8_t certificates;        /* that the broker sent */
  uint8_t alert, code;         /* TLS alert; CONNACK's code */
  uint8_t anchor[32];          /* secured: SHA-256 of the DER of the root that the chain ends at */
  char detail[200];            /* what the system said; empty */
  unsigned bytes_in;           /* until then */
};

/* Lets a device that trusts `anchors` (1 to 7 of them) connect once, as the visitor, with his
 * version of TLS and of MQTT. Blocks. -1: no such device can be made; the sentence says why
 * (USAGE), or INTERNAL. */
int survey_try(const struct survey_place *place, const struct survey_visitor *visitor,
               STACK_OF(X509) * anchors, struct survey_trial *out, struct error *error);

#endif
