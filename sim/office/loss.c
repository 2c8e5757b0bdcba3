/* Why a connection of the operator has ended, told by what went before it: the broker has no word for
 * most of it. */
#include <stdio.h>

#include "office/internal.h"

enum { BRIEF_MS = 5000, BRIEF_AGAIN = 2, BRIEF = 4, CUT_SHORT = 3 };

/* A connection has ended with a message on its way, or before paho, which sends such messages
 * again by itself, had an answer to it. Says so where that is not the first time; a plain loss
 * else. */
void loss_describe(struct office *op, const char *cause, char text[LOSS_TEXT_MAX])
{
  size_t largest = outbox_largest(op);
  if (largest > 0) op->cut_size = largest;
  op->cut_short += op->cut_size > 0;
  if (op->cut_short >= CUT_SHORT)
    snprintf(text, LOSS_TEXT_MAX,
             "the broker ended the operator's connection %u times in a row at a message of %zu "
             "bytes: let its packets be larger",
             op->cut_short, op->cut_size);
  else
    snprintf(text, LOSS_TEXT_MAX, "%s",
             cause != NULL && *cause != '\0' ? cause : "the connection to the broker was lost");
}

/* Two of one client id throw each other out for ever (MQTT 3.1.1, 3.1.4-2), each a second after the
 * other: MQTT 3.1.1 has no word for it. A broker that ends a connection at a message, or has been
 * away, is something else. Asked as soon as it may be; believed once it is no accident any more. */
uint8_t loss_takeover(struct office *op, char text[LOSS_TEXT_MAX])
{
  op->brief = link_now_ms() - op->since_ms < BRIEF_MS ? op->brief + 1 : 1;
  if (op->brief < BRIEF_AGAIN || op->cut_size > 0) return 0;
  char times[32] = "";
  if (op->brief > BRIEF_AGAIN) snprintf(times, sizeof times, " %u times in a row", op->brief - 1);
  snprintf(text, LOSS_TEXT_MAX,
           "ended%s soon after CONNACK: does another run come as '%.24s'? Give each its own, "
           "operator: {client-id: NAME}",
           times, op->config.client_id);
  return op->brief >= BRIEF ? OFFICE_TAKEN_OVER : OFFICE_MAY_BE_TAKEN_OVER;
}

void loss_unsubscribed(const struct office *op, char text[LOSS_TEXT_MAX])
{
  char all[NAMES_COVER_TEXT];
  snprintf(text, LOSS_TEXT_MAX,
           "the broker let the operator in and ended the connection at its subscriptions, as its "
           "log may say: let the operator's CN read %s, and packets be larger",
           names_cover_text(op->config.names, all));
}

void loss_refused(const struct office *op, unsigned filter, int code, char text[LOSS_TEXT_MAX])
{
  char all[NAMES_COVER_TEXT];
  if (code >= 0x80 && code <= 0xff)
    snprintf(text, LOSS_TEXT_MAX,
             "the broker refuses the operator's subscription to %s (SUBACK 0x%02x): let the "
             "operator's CN read %s",
             op->filters[filter].topics, (unsigned) code, names_cover_text(op->config.names, all));
  else
    snprintf(text, LOSS_TEXT_MAX,
             "the broker's answer to the operator's subscription to %s is no SUBACK for it: the "
             "broker breaks MQTT",
             op->filters[filter].topics);
}
