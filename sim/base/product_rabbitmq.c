/* kind: rabbitmq, asked through rabbitmqctl, which finds a node by its name and the cookie of whoever
 * runs it. Certificates and CAs are read again at once when the cache of PEM files is cleared; lists
 * are looked up in their folder at every handshake. */
#include "base/product.h"

#define STAGING "3.10.8: tests/scenarios/staging_rabbitmq.sh"
#define TABLE   "3.10.8: scenarios/BROKERS.md"
#define CTL     "rabbitmqctl -q -n '{}' eval "

static const struct product_fact facts[] = {
    {"trespass.closed",
     "RabbitMQ answers a forbidden publish or subscription by ending the connection, without a "
     "word",
     TABLE},
    {"connect.tls.refused_certificate",
     "RabbitMQ says 'bad certificate' where a list is over or missing: it wants one of each CA of "
     "the device's chain, as HASH.rN in its folder of lists",
     STAGING},
    {"revoke.uncut",
     "RabbitMQ leaves the open sessions of a revoked certificate alone: 'kick' ends them", TABLE},
    {"connect.mqtt.refused_not_authorised",
     "RabbitMQ takes the whole subject for the user name unless ssl_cert_login_from is "
     "common_name, "
     "and lets in only users that it knows",
     STAGING},
    {0}};

const struct product product_rabbitmq = {
    .word = "rabbitmq",
    .title = "RabbitMQ",
    .seen = {3, 10},
    .ability = {[PRODUCT_MQTT_5] = {.since = {3, 13},
                                    .before = "it closes the connection without CONNACK",
                                    .source = "the release notes of 3.13; " TABLE},
                [PRODUCT_QOS_2] = {.since = {PRODUCT_NEVER, 0},
                                   .before =
                                       "it answers a message of QoS 2 with the PUBACK of QoS 1",
                                   .source = TABLE}},
    .setting = "node",
    .hook = {[HOOK_RELOAD] = {.command = CTL "'ssl:clear_pem_cache().'"},
             [HOOK_RESTART] = {.command =
                                   CTL "'rabbit:stop(), ssl:clear_pem_cache(), rabbit:start().'"},
             [HOOK_KICK] = {.command = CTL
                            "'[rabbit_mqtt_reader:close_connection(Pid, \"kicked\") || {Id, Pid} "
                            "<- rabbit_mqtt_collector:list(), Id =:= \"'\"$FLEETSIM_DEVICE\"'\"].'",
                            .before = {3, 12}}},
    .trusts_by_reload = true,
    .lists_by_themselves = true,
    .sweep_ms = 120 * PRODUCT_SECOND,
    .file_source = STAGING,
    .facts = facts,
};
