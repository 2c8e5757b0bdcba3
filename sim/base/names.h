/* What the devices of a fleet are called: a name, a client id, the root of the topics between the
 * device and the back office (ROOTtrust, ROOTtrust/ack ..., struct device_naming in
 * fleetsim/device.h), and the topic of its telemetry. Each is expanded once from a template; the
 * other way, a topic leads to its device. */
#ifndef FLEETSIM_NAMES_H
#define FLEETSIM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/template.h"

#define NAMES_TOPIC_MAX     128u /* bytes of a topic or a filter with its zero */
#define NAMES_ROOT_MAX      113u
#define NAMES_CLIENT_ID_MAX 129u
#define NAMES_TEXT          65u /* bytes of a name with its zero */

/* ROOT ends with '/'. */
struct names_templates {
  const char *client_id, *root, *telemetry;
};

/* "{id}", "private/{id}/", "private/{id}/telemetry". */
extern const struct names_templates names_usual;

enum names_part { NAMES_NAME, NAMES_CLIENT_ID, NAMES_CONTROL, NAMES_TELEMETRY, NAMES_PARTS };

/* `cn` is the common name of its certificate. */
struct names_device {
  const char *name, *cn, *client_id, *root, *telemetry;
};

struct names_topic {
  size_t index;      /* of the device */
  bool telemetry;    /* it is the one of its telemetry */
  const char *below; /* what comes behind ROOT, in the topic; "": it is not behind ROOT */
};

struct names;

/* Whether a text is such a template, for all that can be seen before a device is known. USAGE. */
int names_check_client_id(const char *text, struct error *error);
int names_check_control(const char *text, struct error *error);
int names_check_telemetry(const char *text, struct error *error);

/* `describe` says what is known of a device; its texts are copied. USAGE, by the template and the
 * device, for what is no template, no topic, too long, has no value, or is the same for two devices,
 * and where telemetry cannot be told from the rest; `*wrong` (may be NULL) is the part that is at
 * fault. The templates' texts must outlive the names. */
int names_create(const struct names_templates *templates, size_t count,
                 void (*describe)(void *ctx, size_t index, struct template_values *out), void *ctx,
                 struct names **out, enum names_part *wrong, struct error *error);
void names_free(struct names *names);
size_t names_count(const struct names *names);

/* Texts live as long as the names. */
struct names_device names_of(const struct names *names, size_t index);

/* What people read of the device with this number, in sentences, events and results alike: its name,
 * or eight hex digits where nobody here has the number (NULL: there are no names). Returns `out`. */
const char *names_text(const struct names *names, uint32_t number, char out[NAMES_TEXT]);

/* The device of that name; one of eight hex digits may be in upper case. False: there is none. */
bool names_find_name(const struct names *names, const char *name, size_t *index);

/* False: it is no topic of a device of the fleet. */
bool names_find(const struct names *names, const char *topic, struct names_topic *out);

/* The filter of ROOT`below` for all devices, of any fleet with these templates; of telemetry. */
void names_filter(const struct names *names, const char *below, char out[NAMES_TOPIC_MAX]);
void names_telemetry_filter(const struct names *names, char out[NAMES_TOPIC_MAX]);

/* Whether the topic, of `size` bytes, is one of telemetry, be it of this fleet or of another with
   these templates. */
bool names_is_telemetry(const struct names *names, const char *topic, size_t size);

/* The filters, number 0 and maybe 1, of all that is said by and to the devices: "private/#", by the
 * levels that ROOT begins with in all of them, and that of telemetry where it lies elsewhere. False:
 * there is none of that number. names NULL: by names_usual. */
bool names_cover(const struct names *names, size_t number, char out[NAMES_TOPIC_MAX]);

/* The same in a sentence: "private/#", or "a/# and b/+/up". Returns `out`. */
#define NAMES_COVER_TEXT (2 * NAMES_TOPIC_MAX + 8)
const char *names_cover_text(const struct names *names, char out[NAMES_COVER_TEXT]);

#endif
