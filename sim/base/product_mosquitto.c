/* kind: mosquitto, at a place that its process id is written to. A reload is SIGHUP; a restart is its
 * service manager's, and the end of one session nobody's. */
#include "base/product.h"

#define STAGING "2.0.11: tests/scenarios/staging_mosquitto.sh"
#define TABLE   "2.0.11: scenarios/BROKERS.md"

static const struct product_fact facts[] = {
    {"revoke.uncut",
     "mosquitto leaves the open sessions of a revoked certificate alone: 'kick' or a restart ends "
     "them",
     TABLE},
    {"trespass.attempts",
     "to MQTT 3.1.1 mosquitto acknowledges a forbidden publish like any other and drops it; to "
     "MQTT "
     "5 it says 0x87. A subscription is refused by SUBACK",
     TABLE},
    {"telemetry.lost_acked",
     "mosquitto keeps sessions and messages over a restart only with 'persistence true', and of "
     "MQTT "
     "5 none that began with Clean Start, as each device's first of a run does",
     "mosquitto.conf(5); 2.0.11: "
     "findings/mosquitto-forgets-sessions-of-clean-start-at-a-restart.sh"},
    {0}};

const struct product product_mosquitto = {
    .word = "mosquitto",
    .title = "mosquitto",
    .seen = {2, 0},
    .ability = {[PRODUCT_MQTT_5] = {.since = {1, 6},
                                    .before = "it answers CONNECT with 'wrong version'",
                                    .source = "its change log; " TABLE}},
    .setting = "pid-file",
    .hook =
        {[HOOK_RELOAD] =
             {.command =
                  "p=$(cat '{}') && grep -qx mosquitto \"/proc/$p/comm\" && kill -HUP \"$p\" || { "
                  "echo 'no mosquitto has the process id in pid-file'; exit 1; }"}},
    .file_source = STAGING,
    .facts = facts,
};
