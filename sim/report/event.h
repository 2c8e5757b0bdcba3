/* What is told of a run while it is under way: a struct per event, with the fields of its kind.
 *
 * EVENTS is the one list of kinds. events.ndjson has their names and fields as they stand here, in
 * this order: they are only added to. A new kind is a line of EVENTS and a list of fields; what is
 * told then gets to every sink (events.h).
 *
 * A device is online from its line `online` at `main` to its next line `offline` or `failed`: as
 * many are so as the gauge fleet.online says, at any time.
 */
#ifndef FLEETSIM_EVENT_H
#define FLEETSIM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "fleetsim/device.h"
#include "fleetsim/ota.h"

/* clang-format off */
#define EVENTS(X) /* symbol, member of struct event, name, its fields */ \
  X(RUN,         run,         "run",         EVENT_RUN_FIELDS) \
  X(PHASE,       phase,       "phase",       EVENT_PHASE_FIELDS) \
  X(STEP,        step,        "step",        EVENT_STEP_FIELDS) \
  X(SHORT,       fell_short,  "short",       EVENT_SHORT_FIELDS) \
  X(BRAKE,       brake,       "brake",       EVENT_BRAKE_FIELDS) \
  X(CONTROL,     control,     "control",     EVENT_CONTROL_FIELDS) \
  X(PAUSED,      paused,      "paused",      EVENT_PAUSED_FIELDS) \
  X(OFFICE,      office,      "operator",    EVENT_OFFICE_FIELDS) \
  X(FAILED,      failed,      "failed",      EVENT_FAILED_FIELDS) \
  X(REFUSED,     refused,     "refused",     EVENT_FAILED_FIELDS) \
  X(ONLINE,      online,      "online",      EVENT_ONLINE_FIELDS) \
  X(OFFLINE,     offline,     "offline",     EVENT_OFFLINE_FIELDS) \
  X(TRUST,       trust,       "trust",       EVENT_UPDATE_FIELDS) \
  X(CERTIFICATE, certificate, "certificate", EVENT_UPDATE_FIELDS) \
  X(OTA,         ota,         "ota",         EVENT_OTA_FIELDS) \
  X(BOOTED,      booted,      "booted",      EVENT_BOOTED_FIELDS) \
  X(POWER_CUT,   power_cut,   "power_cut",   EVENT_POWER_CUT_FIELDS) \
  X(TOKEN,       token,       "token",       EVENT_TOKEN_FIELDS) \
  X(MITM,        mitm,        "mitm",        EVENT_MITM_FIELDS) \
  X(SECOND,      second,      "second",      EVENT_SECOND_FIELDS) \
  X(UNWRITTEN,   unwritten,   "unwritten",   EVENT_UNWRITTEN_FIELDS) \
  X(END,         end,         "end",         EVENT_END_FIELDS)

/* Of each field: type (EVENT_TYPES), name, and what it says, in which unit. */
#define EVENT_RUN_FIELDS(F, m) \
  F(m, TEXT, run_id, "32 hex digits, of this run alone") \
  F(m, TEXT, scenario, "its name") \
  F(m, COUNT, devices, "in the fleet") \
  F(m, TEXT, started, "RFC 3339")
#define EVENT_PHASE_FIELDS(F, m) \
  F(m, TEXT, phase, "name of the phase that begins")
#define EVENT_STEP_FIELDS(F, m) \
  F(m, TEXT, step, "kind of the step that begins, as scenarios write it")
#define EVENT_SHORT_FIELDS(F, m) /* of the step that began last */ \
  F(m, COUNT, devices, "how many did not do what it says") \
  F(m, TEXT, first, "names of the first eight at most, with a blank between") \
  F(m, TEXT, why, "sentence")
#define EVENT_BRAKE_FIELDS(F, m) \
  F(m, FLAG, on, "the safety brake came on; else it was let go")
#define EVENT_CONTROL_FIELDS(F, m) /* of the live page: by hand */ \
  F(m, TEXT, asked, "of the run: pause, go-on, abort")
#define EVENT_PAUSED_FIELDS(F, m) \
  F(m, FLAG, on, "the run waits between two phases; else it goes on")
#define EVENT_OFFICE_FIELDS(F, m) \
  F(m, TEXT, state, "of the back office: connected, lost, failed") \
  F(m, TEXT, why, "sentence; empty: connected")
#define EVENT_FAILED_FIELDS(F, m) /* of an attempt or session; and of a request that was refused */ \
  F(m, FAILURE, failure, "name of the failure") \
  F(m, TEXT, detail, "what the device saw, in words")
#define EVENT_ONLINE_FIELDS(F, m) \
  F(m, TEXT, endpoint, "main, prove") \
  F(m, INT, node, "number of the broker, -1: none") \
  F(m, FLAG, resumed, "the handshake was resumed from a ticket") \
  F(m, FLAG, session_present, "the broker had kept the session")
#define EVENT_OFFLINE_FIELDS(F, m) /* of a session at `main` that the plan ended; others are `failed` */ \
  F(m, INT, node, "number of the broker, -1: none")
#define EVENT_UPDATE_FIELDS(F, m) /* of a trust bundle, a certificate */ \
  F(m, UPDATE, status, "the device's answer") \
  F(m, COUNT, version, "number of the bundle")
#define EVENT_OTA_FIELDS(F, m) \
  F(m, OTA, status, "of a firmware update") \
  F(m, COUNT, serial, "number of its manifest") \
  F(m, VERSION, version, "of its image")
#define EVENT_BOOTED_FIELDS(F, m) \
  F(m, VERSION, version, "of the image that runs") \
  F(m, OTA, status, "what the boot loader made of it")
#define EVENT_POWER_CUT_FIELDS(F, m) \
  F(m, COUNT, operation, "operations on flash and NVM so far") \
  F(m, COUNT, cut, "power cuts of this device so far")
#define EVENT_TOKEN_FIELDS(F, m) /* which itself is nowhere */ \
  F(m, TEXT, why, "a new one was wanted: due, refused") \
  F(m, FLAG, renewed, "there was one; else the old one stays") \
  F(m, COUNT, end_unix_s, "when the one in hand is over; 0: it does not say")
#define EVENT_MITM_FIELDS(F, m) /* a connection to a hostile server has ended */ \
  F(m, TEXT, shown, "id of the case that the server shows") \
  F(m, TEXT, result, "of the device: refused, believed, unserved, unclear") \
  F(m, TEXT, why, "what the server saw, in words")
#define EVENT_SECOND_FIELDS(F, m) /* has gone by: what a run that is killed came to */ \
  F(m, COUNT, online, "devices at `main`")
#define EVENT_UNWRITTEN_FIELDS(F, m) /* in place of `end`: the run is over and has no verdict */ \
  F(m, TEXT, why, "sentence: which file of its results could not be written, and why")
#define EVENT_END_FIELDS(F, m) \
  F(m, TEXT, run_id, "as in the first line") \
  F(m, TEXT, verdict, "pass, fail, error, interrupted") \
  F(m, INT, exit_code, "of the program") \
  F(m, COUNT, events, "lines before this one") \
  F(m, TEXT, events_sha256, "of these lines as the run wrote them, 64 hex digits") \
  F(m, COUNT, phases, "in results.json") \
  F(m, COUNT, expectations, "in results.json, of the whole run") \
  F(m, TEXT, results_sha256, "of results.json as the run wrote it") \
  F(m, TEXT, junit_sha256, "of junit.xml as the run wrote it")
/* clang-format on */

#define EVENT_FIELDS_MAX 9

/* symbol, type in C. FAILURE to VERSION are written by name. */
#define EVENT_TYPES(X)                                               \
  X(TEXT, const char *) /* UTF-8; read before events_emit returns */ \
  X(FLAG, bool)                                                      \
  X(INT, int)                                                        \
  X(COUNT, uint64_t)                                                 \
  X(FAILURE, enum device_failure)                                    \
  X(UPDATE, enum device_update)                                      \
  X(OTA, enum device_ota_status)                                     \
  X(VERSION, uint32_t)

#define X(symbol, type) typedef type event_##symbol;
EVENT_TYPES(X)
#undef X

enum event_type {
#define X(symbol, type) EVENT_TYPE_##symbol,
  EVENT_TYPES(X)
#undef X
};

enum event_kind {
#define X(symbol, member, name, fields) EVENT_##symbol,
  EVENTS(X)
#undef X
      EVENT_KIND_COUNT
};

#define F(member, type, name, says) event_##type name;
#define X(symbol, member, name, fields) \
  struct event_##member {               \
    fields(F, member)                   \
  };
EVENTS(X)
#undef X
#undef F

struct event {
  enum event_kind kind;
  double t_s;      /* since the run began */
  uint32_t device; /* its number, 0: of none */
  union {
#define X(symbol, member, name, fields) struct event_##member member;
    EVENTS(X)
#undef X
  };
};

struct event_field {
  const char *name, *says;
  enum event_type type;
  size_t offset; /* in struct event */
};

const char *event_name(enum event_kind kind);

/* The fields of this kind, *count of them. */
const struct event_field *event_fields(enum event_kind kind, size_t *count);

#define EVENT_LINE_MAX 2048u

/* Writes {"t": 1.500000, "device": "0000000a", "event": "booted", ...fields} and a newline; the
 * device is as names_text has it, and left out where it is 0, and all fields where they do not fit. Texts get JSON's escapes;
 * what is no UTF-8 becomes U+FFFD. Returns its size; the line is terminated. */
size_t event_line(const struct event *event, const struct names *names, char line[EVENT_LINE_MAX]);

#endif
