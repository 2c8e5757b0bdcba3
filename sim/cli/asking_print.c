/* An answer, a line for each thing that was asked: what was taken and what was seen, and at the foot
 * whether a client such as was asked for gets in, or what is to be done. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/host_port.h"
#include "cli/asking.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "report/advice.h"

#define LABEL "  %-12s "
#define DAY_S 86400
#define NAMES 4 /* of a certificate that are shown */

/* --- TLS -------------------------------------------------------------------------------------- */

static void print_failure(enum device_failure failure, const char *detail, FILE *out)
{
  fprintf(out, "%s%s%s%s", device_failure_name(failure), *detail != '\0' ? " (" : "", detail,
          *detail != '\0' ? ")" : "");
}

static void print_version(const char *name, const struct survey_look *look, bool shown, FILE *out)
{
  fprintf(out, LABEL, name);
  if (look->shaken) {
    fprintf(out, "yes: %s, %s%s%s, handshake %.0f ms\n", look->suite, look->group,
            look->alpn[0] != '\0' ? ", ALPN " : "", look->alpn, look->tls_ms);
    return;
  }
  fprintf(out, look->chain != NULL ? "begun, and ended: " : "no: ");
  print_failure(look->failure, look->detail, out);
  fprintf(out, "%s\n", look->asked && !shown ? ", when no client certificate came" : "");
}

static void print_names(X509 *certificate, FILE *out)
{
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  int count = sk_GENERAL_NAME_num(names), shown = 0;
  for (int i = 0; i < count && shown < NAMES; i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    char address[INET6_ADDRSTRLEN] = "";
    if (name->type == GEN_IPADD)
      inet_ntop(ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6,
                ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address);
    else if (name->type != GEN_DNS)
      continue;
    fprintf(out, "%s", shown++ == 0 ? "; for " : ", ");
    if (name->type == GEN_DNS)
      fprintf(out, "%.*s", ASN1_STRING_length(name->d.dNSName),
              (const char *) ASN1_STRING_get0_data(name->d.dNSName));
    else
      fprintf(out, "%s", address);
  }
  if (count > shown && shown > 0) fprintf(out, " and %d more", count - shown);
  GENERAL_NAMES_free(names);
}

static void print_until(X509 *certificate, FILE *out)
{
  struct tm utc = {0};
  char date[24] = "?";
  int64_t left_s = pki_cert_unix(X509_get0_notAfter(certificate)) - (int64_t) time(NULL);
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) == 1)
    strftime(date, sizeof date, "%Y-%m-%d", &utc);
  if (left_s < 0)
    fprintf(out, "EXPIRED on %s", date);
  else
    fprintf(out, "until %s (%lld days)", date, (long long) (left_s / DAY_S));
}

/* Also whether devices know its key and signature at all. */
static void print_kind(X509 *certificate, FILE *out)
{
  char title[80] = "P-256";
  const EVP_PKEY *key = X509_get0_pubkey(certificate);
  int signature = X509_get_signature_nid(certificate);
  bool p256 = pki_key_is_p256(key), sha256 = signature == NID_ecdsa_with_SHA256;
  if (!p256) pki_key_title(key, title, sizeof title);
  fprintf(out, "%s, %s%s", title, OBJ_nid2ln(signature),
          p256 && sha256 ? "" : " (devices know P-256 and ecdsa-with-SHA256 only)");
}

static void print_chain(const struct survey_look *look, FILE *out)
{
  fprintf(out, LABEL "%d certificate%s\n", "chain", sk_X509_num(look->chain),
          sk_X509_num(look->chain) == 1 ? "" : "s");
  for (int i = 0; i < sk_X509_num(look->chain); i++) {
    X509 *certificate = sk_X509_value(look->chain, i);
    char subject[PKI_CERT_TITLE], issuer[PKI_CERT_TITLE];
    pki_cert_title(X509_get_subject_name(certificate), subject);
    pki_cert_title(X509_get_issuer_name(certificate), issuer);
    fprintf(out, "    %d  '%s', issued by '%s'; ", i + 1, subject, issuer);
    print_kind(certificate, out);
    fprintf(out, "; ");
    print_until(certificate, out);
    print_names(certificate, out);
    fprintf(out, "\n");
  }
}

/* --- Clients ---------------------------------------------------------------------------------- */

static void print_without(const struct survey_look *look, FILE *out)
{
  fprintf(out, "; without one: ");
  if (look->failure == DEVICE_FAIL_NONE)
    fprintf(out, "let in");
  else
    print_failure(look->failure, look->detail, out);
}

static void print_certificate(const struct asking *asking, const struct survey *survey,
                              const struct survey_look *seen, FILE *out)
{
  bool shown = asking->question.visitor.key != NULL;
  fprintf(out, LABEL, "client cert");
  if (!seen->asked) {
    fprintf(out, "not asked for\n");
    return;
  }
  fprintf(out, "asked for");
  if (seen->issuers > 0)
    fprintf(out, ", of %u CA%s: %s%s", seen->issuers, seen->issuers == 1 ? "" : "s",
            seen->first_issuer, seen->issuers > 1 ? " .." : "");
  if (!shown) print_without(seen, out);
  if (shown && survey->has_bare) print_without(&survey->bare, out);
  fprintf(out, "\n");
}

static void print_tickets(const struct survey *survey, const struct survey_look *best, FILE *out)
{
  fprintf(out, LABEL, "tickets");
  if (best->tickets == 0) {
    fprintf(out, "none\n");
    return;
  }
  fprintf(out, "%u in a handshake, for %lu s", best->tickets, best->ticket_lifetime_s);
  if (survey->has_again && survey->again.shaken)
    fprintf(out, "; at the next connect one is %s",
            survey->again.resumed ? "taken" : "not taken: a full handshake");
  else if (survey->has_again) {
    fprintf(out, "; the next connect, with one, ends: ");
    print_failure(survey->again.failure, survey->again.detail, out);
  }
  fprintf(out, "\n");
}

/* --- MQTT ------------------------------------------------------------------------------------- */

static void print_limits(const struct survey_connack *connack, FILE *out)
{
  fprintf(out, "QoS up to %u", connack->maximum_qos);
  fprintf(out, "; receive maximum %u", connack->receive_maximum);
  if (connack->packet_maximum != 0)
    fprintf(out, "; packets up to %u bytes", connack->packet_maximum);
  if (connack->has_keep_alive) fprintf(out, "; sets keep alive to %u s", connack->keep_alive_s);
  if (connack->has_session_expiry)
    fprintf(out, "; sets session expiry to %u s", connack->session_expiry_s);
  if (connack->topic_aliases != 0) fprintf(out, "; %u topic aliases", connack->topic_aliases);
  if (connack->assigned_id[0] != '\0') fprintf(out, "; assigns the id %s", connack->assigned_id);
  if (connack->no_retain) fprintf(out, "; no retained messages");
  if (connack->no_wildcards) fprintf(out, "; no wildcards");
  if (connack->no_shared) fprintf(out, "; no shared subscriptions");
  if (connack->no_identifiers) fprintf(out, "; no subscription identifiers");
}

static bool is_of_version(enum device_failure failure)
{
  return failure == DEVICE_FAIL_MQTT_REFUSED_VERSION || failure == DEVICE_FAIL_MQTT_PROTOCOL;
}

/* No CONNACK has come in either version, for one and the same reason: which is not the version. */
static bool ends_alike(const struct survey *survey, const struct survey_look *look)
{
  const struct survey_look *best = survey_best(survey);
  return !look->answered && look->failure != DEVICE_FAIL_NONE && best != NULL && survey->has_old &&
         best->failure == survey->old.failure;
}

static void print_mqtt(const char *name, uint8_t version, const struct survey *survey,
                       const struct survey_look *look, FILE *out)
{
  fprintf(out, LABEL, name);
  if (look->failure != DEVICE_FAIL_NONE) {
    bool spoken = look->answered && !is_of_version(look->failure);
    fprintf(out, "%s: ", ends_alike(survey, look) ? "not seen" : spoken ? "yes, refused" : "no");
    print_failure(look->failure, look->detail, out);
    if (look->connack.moved[0] != '\0') fprintf(out, ", at %s", look->connack.moved);
  } else {
    fprintf(out, "yes");
    if (version == 5) fprintf(out, ": ");
    if (version == 5) print_limits(&look->connack, out);
  }
  fprintf(out, "\n");
}

/* --- A device --------------------------------------------------------------------------------- */

static void print_anchor(const struct asking *asking, const uint8_t sha256[32], FILE *out)
{
  char title[PKI_CERT_TITLE];
  uint8_t own[32];
  for (int i = 0; i < sk_X509_num(asking->anchors); i++) {
    X509 *anchor = sk_X509_value(asking->anchors, i);
    if (pki_cert_sha256(anchor, own) != 0 || memcmp(own, sha256, sizeof own) != 0) continue;
    pki_cert_title(X509_get_subject_name(anchor), title);
    fprintf(out, " under '%s'", title);
  }
}

static void print_trial(const struct asking *asking, const struct survey_trial *trial, FILE *out)
{
  fprintf(out, LABEL "TLS 1.%u, MQTT %s: ", "a device", trial->tls - 10,
          trial->mqtt == 5 ? "5" : "3.1.1");
  if (trial->secured) {
    fprintf(out, "takes the chain");
    print_anchor(asking, trial->anchor, out);
    fprintf(out, ", and ");
  }
  if (trial->failure == DEVICE_FAIL_NONE)
    fprintf(out, "is let in");
  else
    print_failure(trial->failure, trial->detail, out);
  fprintf(out, "\n");
}

/* A broker may want a device's own name for an id, and say so or close. */
static void print_hint_of_id(const struct asking *asking, enum device_failure why, FILE *out)
{
  const struct survey_visitor *visitor = &asking->question.visitor;
  char name[80] = "ID";
  bool of_id = why == DEVICE_FAIL_MQTT_REFUSED_ID || why == DEVICE_FAIL_MQTT_REFUSED_AUTH ||
               why == DEVICE_FAIL_TLS_CLOSED;
  if (!of_id || strcmp(visitor->client_id, ASKING_CLIENT_ID) != 0) return;
  if (sk_X509_num(visitor->chain) > 0)
    pki_cert_common_name(X509_get_subject_name(sk_X509_value(visitor->chain, 0)), name,
                         sizeof name);
  fprintf(out,
          "; it came as " ASKING_CLIENT_ID
          ": if the broker wants a device's own id, try --client-id '%s' (a session that it has "
          "under that id ends)",
          name[0] != '\0' ? name : "ID");
}

static void print_refusal(const struct asking *asking, const struct survey *survey,
                          enum device_failure why, FILE *out)
{
  const struct survey_look *best = survey_best(survey);
  bool closed = why == DEVICE_FAIL_TLS_CLOSED && best != NULL && ends_alike(survey, best);
  fprintf(out, "refused: %s: %s\nwhat to do: %s", device_failure_name(why),
          closed
              ? "the broker closed after the TLS handshake and before CONNACK, without an alert, "
                "in MQTT 5 as in 3.1.1: it refused the certificate, the client id or the user"
              : device_failure_sentence(why),
          closed ? "look at the broker's log, at the CA and at the list" : advice_of(why));
  print_hint_of_id(asking, why, out);
  fprintf(out, "\n");
}

static void print_foot(const struct asking *asking, const struct survey *survey, FILE *out)
{
  enum device_failure why;
  const char *detail;
  if (survey_lets_in(survey, &why, &detail))
    fprintf(out, "%s\n",
            survey->has_trial
                ? "a device like that gets in"
                : "a client like that gets in; whether devices would take its chain is seen with "
                  "--ca FILE");
  else
    print_refusal(asking, survey, why, out);
}

void asking_print(const struct asking *asking, const struct survey *survey, FILE *out)
{
  const struct survey_place *place = &asking->question.place;
  const struct survey_look *best = survey_best(survey), *served = survey_served(survey);
  char at[HOST_PORT_MAX];
  const char *address = survey->tls[SURVEY_TLS_13].address;
  fprintf(out, "mqtts://%s%s%s%s\n", host_port(place->host, place->port, at),
          address[0] != '\0' ? " (" : "", address, address[0] != '\0' ? ")" : "");
  if (survey->reached) {
    bool shown = asking->question.visitor.key != NULL;
    print_version("TLS 1.3", &survey->tls[SURVEY_TLS_13], shown, out);
    print_version("TLS 1.2", &survey->tls[SURVEY_TLS_12], shown, out);
    if (survey->has_wide) print_version("other offers", &survey->wide, shown, out);
    if (served != NULL) print_chain(served, out);
    if (served != NULL) print_certificate(asking, survey, served, out);
  }
  if (best != NULL) {
    print_tickets(survey, best, out);
    print_mqtt("MQTT 5", 5, survey, best, out);
    if (survey->has_old) print_mqtt("MQTT 3.1.1", 4, survey, &survey->old, out);
  }
  if (survey->has_trial) print_trial(asking, &survey->trial, out);
  print_foot(asking, survey, out);
}
