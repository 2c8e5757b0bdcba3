/* What a broker says of itself in CONNACK: more of it than a device acts on, and taken from what is
 * on the wire, however a device would judge it. */
#ifndef FLEETSIM_SURVEY_CONNACK_H
#define FLEETSIM_SURVEY_CONNACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SURVEY_PACKET_MAX 2048u /* of a CONNACK that is looked at */
#define SURVEY_TEXT_MAX   160u

/* Values where the broker names none are those of OASIS MQTT 5, 3.2.2.3. */
struct survey_connack {
  uint8_t code; /* 0: taken */
  uint16_t receive_maximum;
  uint32_t packet_maximum; /* 0: none is named */
  uint8_t maximum_qos;
  uint16_t topic_aliases;
  bool has_keep_alive, has_session_expiry; /* the broker has set them */
  uint16_t keep_alive_s;
  uint32_t session_expiry_s;
  bool no_retain, no_wildcards, no_shared, no_identifiers;
  /* printable, cut to fit; empty: none */
  char assigned_id[SURVEY_TEXT_MAX], reason[SURVEY_TEXT_MAX], moved[SURVEY_TEXT_MAX];
};

/* Reads a CONNACK of MQTT `version` (4 or 5). 1: done; 0: more bytes are needed; -1: it is none, or
 * its properties break the standard. A refusal in the other version's form is taken: some brokers
 * answer MQTT 5 with a CONNACK of 3.1.1. */
int survey_connack_read(const uint8_t *data, size_t size, uint8_t version,
                        struct survey_connack *out);

#endif
