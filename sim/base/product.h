/* What is known of the brokers that teams have: `broker: {url, kind: rabbitmq}`, one file a product.
 *
 * It is data, each fact with where it was seen: what a scenario may ask of the broker, which command
 * does what a hook would, how long a new file may take, and what a figure of the report means there.
 * It is never evidence: what a run says of a broker is what that broker did.
 */
#ifndef FLEETSIM_PRODUCT_H
#define FLEETSIM_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hooks.h"

struct product_version {
  unsigned major, minor; /* {0, 0}: any */
};

#define PRODUCT_NEVER  (~0u) /* as `major`: in no version */
#define PRODUCT_SECOND 1000u

enum product_skill { PRODUCT_MQTT_5, PRODUCT_QOS_2, PRODUCT_SKILLS };

struct product_ability {
  struct product_version since;
  const char
      *before; /* what becomes of who asks for it of an older one: "it closes"; NULL: never so */
  const char *source; /* version, and the test or document that shows it */
};

/* A hook that needs nobody to write it: a shell command in which {} is the setting's value. */
struct product_hook {
  const char *command;           /* NULL: there is none that is right everywhere */
  struct product_version before; /* right in older ones only; {0, 0}: in all */
};

/* Told in the report of a run in which there was that: a metric above 0, or a failure. */
struct product_fact {
  const char *when; /* "trespass.closed" */
  const char *line;
  const char *source;
};

struct product {
  const char *word;            /* in the scenario: "rabbitmq" */
  const char *title;           /* "RabbitMQ" */
  struct product_version seen; /* what the facts are of; a scenario that names none means it */
  struct product_ability ability[PRODUCT_SKILLS];
  const char
      *setting; /* key of `broker:` by which its commands find the broker; NULL: it has none */
  struct product_hook hook[HOOK_COUNT];
  bool trusts_by_reload;    /* a new CA file of clients is read at a reload, too */
  bool lists_by_themselves; /* a new revocation list needs no reload */
  uint32_t sweep_ms;        /* without a reload it reads its files again within this; 0: never */
  uint32_t record_bytes;    /* the largest TLS record that it fills; 0: a packet in each */
  const char *file_source;  /* of these four */
  const struct product_fact *facts; /* ended by one without a line */
};

/* The first one, generic, is of nobody: nothing is known of it. */
size_t product_count(void);
const struct product *product_at(size_t i);

/* NULL: there is none of that name. */
const struct product *product_find(const char *word);

/* "3.10", "3.10.8". -1: it is no version. */
int product_version_read(const char *text, struct product_version *out);

bool product_can(const struct product *product, struct product_version version,
                 enum product_skill skill);

/* The command of a hook for the broker that `setting` names. False: it has none, or needs a setting and
   there is none (""), or it does not fit. */
bool product_hook_command(const struct product *product, struct product_version version,
                          enum hook_kind kind, const char *setting, char *out, size_t size);

/* --- The products: one file each ------------------------------------------------------------------ */

extern const struct product product_generic, product_mosquitto, product_rabbitmq, product_aedes;

#endif
