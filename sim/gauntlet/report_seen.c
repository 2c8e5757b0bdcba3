/* What was seen of a client in one trial, as JSON. What it may want kept for itself is left out:
 * that it has a password is told, and neither that nor its size. */
#include "gauntlet/report_json.h"

#include <openssl/ssl.h>

#include "base/mask.h"

static json_t *times_json(const struct observation *seen)
{
  json_t *retries = json_array();
  size_t most = sizeof seen->retry_ms / sizeof *seen->retry_ms;
  for (size_t i = 0; i < seen->retries && i < most; i++)
    retries = report_json_and(retries, report_json_ms(seen->retry_ms[i]));
  return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "connections",
                   (json_int_t) seen->connections, "mute", (json_int_t) seen->mute, "first_ms",
                   report_json_ms(seen->first_ms), "last_ms", report_json_ms(seen->last_ms),
                   "retry_ms", retries, "hello_ms", report_json_ms(seen->hello_ms), "said_ms",
                   report_json_ms(seen->said_ms), "ended_ms", report_json_ms(seen->ended_ms),
                   "gave_up_ms", report_json_ms(report_gave_up_ms(seen)), "shaken_ms",
                   report_json_ms(seen->shaken_ms), "connack_ms", report_json_ms(seen->connack_ms),
                   "owed_ms", report_json_ms(seen->owed_ms));
}

static json_t *seen_alert(const struct observation *seen)
{
  if (!seen->alerted) return json_null();
  return json_pack("{s:i, s:s}", "number", (int) seen->alert, "name",
                   SSL_alert_desc_string_long(seen->alert));
}

static json_t *seen_tls(const struct observation *seen, json_int_t hello)
{
  return json_pack("{s:o, s:b, s:o, s:b, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "hello",
                   hello >= 0 ? json_integer(hello) : json_null(), "said", seen->said, "unserved",
                   seen->unserved ? report_json_string(seen->unserved_why) : json_null(), "shaken",
                   seen->shaken, "tls", report_json_tls(seen->tls), "suite",
                   report_json_string(seen->suite), "group", report_json_string(seen->group),
                   "resumed", seen->resumed, "client_certificate", seen->client_certificate,
                   "client_cn", report_json_string(seen->client_cn), "alert", seen_alert(seen));
}

static json_t *seen_application(const struct observation *seen)
{
  return json_pack(
      "{s:I, s:I, s:b, s:i, s:o, s:b, s:b, s:i, s:I, s:I, s:b, s:o, s:I, s:I}", "clear_bytes",
      (json_int_t) seen->clear_bytes, "application_bytes", (json_int_t) seen->application_bytes,
      "asked", seen->asked, "mqtt", (int) seen->mqtt, "client_id",
      report_json_string(seen->client_id), "has_user", seen->has_user, "has_password",
      seen->has_password, "keep_alive_s", (int) seen->keep_alive_s, "publishes",
      (json_int_t) seen->publishes, "publishes_after_refusal",
      (json_int_t) seen->publishes_after_refusal, "went_on", seen->went_on, "goodbye",
      seen->said_goodbye ? json_integer(seen->goodbye) : json_null(), "requests",
      (json_int_t) seen->requests, "plain_requests", (json_int_t) seen->plain_requests);
}

static json_t *seen_end(const struct observation *seen)
{
  static const char *const ends[] = {[OBSERVATION_OPEN] = "open",
                                     [OBSERVATION_CLIENT] = "client",
                                     [OBSERVATION_RESET] = "reset",
                                     [OBSERVATION_SERVER] = "server"};
  char said[OBSERVATION_TEXT];
  return json_pack("{s:s, s:b, s:b, s:b, s:i, s:i, s:o, s:o, s:b, s:o, s:I}", "end",
                   ends[seen->end], "begun", seen->begun, "cut_short", seen->cut_short, "ended",
                   seen->ended, "status", seen->status, "signal", seen->signal, "took_ms",
                   report_json_ms(seen->took_ms), "said_last",
                   report_json_string(mask_value(seen->said_last, said, sizeof said)), "sanitizer",
                   seen->sanitizer, "failure", report_json_string(seen->failure), "flags",
                   (json_int_t) seen->flags);
}

/* Takes `part` over. */
static json_t *joined(json_t *object, json_t *part)
{
  bool whole = object != NULL && part != NULL && json_object_update(object, part) == 0;
  json_decref(part);
  if (whole) return object;
  json_decref(object);
  return NULL;
}

json_t *report_seen_json(const struct observation *seen, json_int_t hello)
{
  json_t *all = joined(times_json(seen), seen_tls(seen, hello));
  all = joined(all, seen_application(seen));
  return joined(all, seen_end(seen));
}

double report_gave_up_ms(const struct observation *seen)
{
  double from = seen->said_ms >= 0    ? seen->said_ms
                : seen->hello_ms >= 0 ? seen->hello_ms
                                      : seen->first_ms;
  bool its_own = seen->end == OBSERVATION_CLIENT || seen->end == OBSERVATION_RESET;
  return its_own && from >= 0 && seen->ended_ms >= from ? seen->ended_ms - from : -1;
}
