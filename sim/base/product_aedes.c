/* kind: aedes, a library: what puts files in force and who may do what is its owner's code, so that no
 * command is right for all of them. */
#include "base/product.h"

#define STAGING "1.2.0 on node 20: tests/scenarios/staging_aedes.sh"
#define TABLE   "1.2.0 on node 20: scenarios/BROKERS.md"

static const struct product_fact facts[] = {
    {"connect.tls.closed_after_handshake",
     "node refuses a certificate by closing after the handshake, without an alert: a revoked, an "
     "expired and an unknown one look the same",
     STAGING},
    {"trespass.closed",
     "aedes answers a forbidden publish by ending the connection; a forbidden subscription is "
     "refused "
     "by SUBACK",
     TABLE},
    {"telemetry.lost_acked",
     "aedes acknowledges before it stores, and keeps sessions in memory unless it is given another "
     "persistence: what it acknowledged while the back office was away is gone with a restart",
     STAGING},
    {"revoke.uncut", "aedes leaves the open sessions of a revoked certificate alone", TABLE},
    {"session.record_too_large",
     "aedes puts several packets into one TLS record, up to 16 KiB: 'device: {record: 16KiB}'",
     STAGING},
    {0}};

const struct product product_aedes = {
    .word = "aedes",
    .title = "aedes",
    .seen = {1, 2},
    .ability = {[PRODUCT_MQTT_5] = {.since = {PRODUCT_NEVER, 0},
                                    .before = "it answers CONNECT with 'wrong version'",
                                    .source = TABLE}},
    .trusts_by_reload = true,
    .record_bytes = 16384,
    .file_source = STAGING,
    .facts = facts,
};
