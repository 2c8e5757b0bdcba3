/* The same answer for programs. Keys are only ever added. */
#include <jansson.h>
#include <string.h>

#include "base/memory.h"
#include "cli/asking.h"
#include "pki/certificate.h"
#include "pki/key.h"

static void put(json_t *object, const char *key, json_t *value)
{
  if (value == NULL || json_object_set_new(object, key, value) != 0) memory_gone("an answer");
}

/* A certificate's names may be in any encoding. */
static json_t *text_of(const char *text)
{
  json_t *value = json_string(text);
  return value != NULL ? value : json_string("?");
}

static json_t *outcome_of(enum device_failure failure, const char *detail)
{
  json_t *out = json_object();
  put(out, "ok", json_boolean(failure == DEVICE_FAIL_NONE));
  put(out, "failure",
      failure == DEVICE_FAIL_NONE ? json_null() : json_string(device_failure_name(failure)));
  put(out, "detail", text_of(detail));
  return out;
}

static json_t *connack_of(const struct survey_connack *connack)
{
  json_t *out = json_object();
  put(out, "code", json_integer(connack->code));
  put(out, "maximum_qos", json_integer(connack->maximum_qos));
  put(out, "receive_maximum", json_integer(connack->receive_maximum));
  put(out, "packet_maximum",
      connack->packet_maximum != 0 ? json_integer(connack->packet_maximum) : json_null());
  put(out, "keep_alive_s",
      connack->has_keep_alive ? json_integer(connack->keep_alive_s) : json_null());
  put(out, "session_expiry_s",
      connack->has_session_expiry ? json_integer(connack->session_expiry_s) : json_null());
  put(out, "topic_alias_maximum", json_integer(connack->topic_aliases));
  put(out, "retain", json_boolean(!connack->no_retain));
  put(out, "wildcards", json_boolean(!connack->no_wildcards));
  put(out, "shared_subscriptions", json_boolean(!connack->no_shared));
  put(out, "assigned_client_id",
      connack->assigned_id[0] != '\0' ? text_of(connack->assigned_id) : json_null());
  return out;
}

static json_t *look_of(const struct survey_look *look)
{
  json_t *out = outcome_of(look->failure, look->detail);
  put(out, "handshake", json_boolean(look->shaken));
  if (look->shaken) put(out, "suite", json_string(look->suite));
  if (look->shaken) put(out, "group", json_string(look->group));
  if (look->shaken) put(out, "handshake_ms", json_real(look->tls_ms));
  put(out, "asks_for_certificate", json_boolean(look->asked));
  put(out, "tickets", json_integer(look->tickets));
  put(out, "resumed", json_boolean(look->resumed));
  put(out, "connack", look->answered ? connack_of(&look->connack) : json_null());
  return out;
}

static json_t *certificate_of(X509 *certificate)
{
  char subject[PKI_CERT_TITLE], issuer[PKI_CERT_TITLE];
  json_t *out = json_object();
  pki_cert_title(X509_get_subject_name(certificate), subject);
  pki_cert_title(X509_get_issuer_name(certificate), issuer);
  put(out, "subject", text_of(subject));
  put(out, "issuer", text_of(issuer));
  put(out, "not_before_unix", json_integer(pki_cert_unix(X509_get0_notBefore(certificate))));
  put(out, "not_after_unix", json_integer(pki_cert_unix(X509_get0_notAfter(certificate))));
  put(out, "p256", json_boolean(pki_key_is_p256(X509_get0_pubkey(certificate))));
  put(out, "signature", json_string(OBJ_nid2ln(X509_get_signature_nid(certificate))));
  return out;
}

static json_t *chain_of(const struct survey_look *served)
{
  json_t *out = json_array();
  for (int i = 0; served != NULL && i < sk_X509_num(served->chain); i++)
    if (json_array_append_new(out, certificate_of(sk_X509_value(served->chain, i))) != 0)
      memory_gone("an answer");
  return out;
}

static json_t *trial_of(const struct survey_trial *trial)
{
  json_t *out = outcome_of(trial->failure, trial->detail);
  put(out, "tls", json_integer(trial->tls));
  put(out, "mqtt", json_integer(trial->mqtt));
  put(out, "takes_chain", json_boolean(trial->secured));
  return out;
}

void asking_print_json(const struct asking *asking, const struct survey *survey, FILE *out)
{
  json_t *all = json_object();
  enum device_failure why;
  const char *detail;
  bool in = survey_lets_in(survey, &why, &detail);
  put(all, "schema", json_string("fleetsim-probe/1"));
  put(all, "host", json_string(asking->question.place.host));
  put(all, "port", json_integer(asking->question.place.port));
  put(all, "address", json_string(survey->tls[SURVEY_TLS_13].address));
  put(all, "lets_in", json_boolean(in));
  put(all, "failure", in ? json_null() : json_string(device_failure_name(why)));
  put(all, "tls13", look_of(&survey->tls[SURVEY_TLS_13]));
  put(all, "tls12", survey->reached ? look_of(&survey->tls[SURVEY_TLS_12]) : json_null());
  put(all, "mqtt311", survey->has_old ? look_of(&survey->old) : json_null());
  put(all, "without_certificate", survey->has_bare ? look_of(&survey->bare) : json_null());
  put(all, "other_offers", survey->has_wide ? look_of(&survey->wide) : json_null());
  put(all, "with_ticket", survey->has_again ? look_of(&survey->again) : json_null());
  put(all, "chain", chain_of(survey_served(survey)));
  put(all, "device", survey->has_trial ? trial_of(&survey->trial) : json_null());
  if (json_dumpf(all, out, JSON_INDENT(2)) != 0) memory_gone("an answer");
  fputc('\n', out);
  json_decref(all);
}
