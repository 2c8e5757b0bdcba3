/* The order of the looks: the two offers of a device first, then what they leave open. Where nobody
 * answers at all nothing more is asked. */
#include "survey/survey.h"

#include <string.h>

static struct survey_visitor visitor_of(const struct survey_question *question, uint8_t tls,
                                        uint8_t mqtt)
{
  struct survey_visitor visitor = question->visitor;
  visitor.tls = tls;
  visitor.mqtt = mqtt;
  visitor.session = NULL;
  return visitor;
}

const struct survey_look *survey_best(const struct survey *survey)
{
  const struct survey_look *best = NULL;
  for (size_t v = 0; v < SURVEY_VERSIONS; v++) {
    const struct survey_look *look = &survey->tls[v];
    bool further = best == NULL || (look->answered && !best->answered) ||
                   (look->failure == DEVICE_FAIL_NONE && best->failure != DEVICE_FAIL_NONE);
    if (look->shaken && further) best = look;
  }
  return best;
}

const struct survey_look *survey_served(const struct survey *survey)
{
  const struct survey_look *best = survey_best(survey);
  if (best != NULL && best->chain != NULL) return best;
  for (size_t v = 0; v < SURVEY_VERSIONS; v++)
    if (survey->tls[v].chain != NULL) return &survey->tls[v];
  return survey->has_wide && survey->wide.chain != NULL ? &survey->wide : NULL;
}

/* That it takes none of a device's offers may be for the certificate that it asks for: in TLS 1.2
   that is judged within the handshake. */
static bool has_refused_offers(const struct survey *survey)
{
  for (size_t v = 0; v < SURVEY_VERSIONS; v++)
    if (survey->tls[v].shaken || survey->tls[v].chain != NULL) return false;
  return true;
}

static void look_as(const struct survey_question *question, uint8_t tls, uint8_t mqtt,
                    struct survey_look *out)
{
  const struct survey_visitor visitor = visitor_of(question, tls, mqtt);
  survey_look(&question->place, &visitor, out);
}

static void look_without_certificate(const struct survey_question *question, uint8_t tls,
                                     struct survey *out)
{
  struct survey_visitor visitor = visitor_of(question, tls, 5);
  visitor.key = NULL;
  visitor.chain = NULL;
  survey_look(&question->place, &visitor, &out->bare);
  out->has_bare = true;
}

static void look_again(const struct survey_question *question, uint8_t tls, SSL_SESSION *session,
                       struct survey *out)
{
  struct survey_visitor visitor = visitor_of(question, tls, 5);
  visitor.session = session;
  survey_look(&question->place, &visitor, &out->again);
  out->has_again = true;
}

static int let_device_try(const struct survey_question *question, struct survey *out,
                          struct error *error)
{
  const struct survey_look *best = survey_best(out);
  bool older = out->has_old && out->old.failure == DEVICE_FAIL_NONE && best != NULL &&
               best->failure != DEVICE_FAIL_NONE;
  bool tls_12 = best == &out->tls[SURVEY_TLS_12];
  const struct survey_visitor visitor = visitor_of(question, tls_12 ? 12 : 13, older ? 4 : 5);
  out->has_trial = true;
  return survey_try(&question->place, &visitor, question->anchors, &out->trial, error);
}

int survey_ask(const struct survey_question *question, struct survey *out, struct error *error)
{
  memset(out, 0, sizeof *out);
  look_as(question, 13, 5, &out->tls[SURVEY_TLS_13]);
  out->reached = out->tls[SURVEY_TLS_13].address[0] != '\0' &&
                 out->tls[SURVEY_TLS_13].failure != DEVICE_FAIL_TLS_NOT_TLS;
  if (!out->reached) return 0;
  look_as(question, 12, 5, &out->tls[SURVEY_TLS_12]);
  const struct survey_look *best = survey_best(out);
  uint8_t tls = best == &out->tls[SURVEY_TLS_12] ? 12 : 13;
  if (best != NULL) {
    look_as(question, tls, 4, &out->old);
    out->has_old = true;
    if (question->visitor.key != NULL) look_without_certificate(question, tls, out);
    if (best->session != NULL) look_again(question, tls, best->session, out);
  } else if (has_refused_offers(out)) {
    look_as(question, 0, 5, &out->wide);
    out->has_wide = true;
  }
  return question->anchors == NULL ? 0 : let_device_try(question, out, error);
}

bool survey_lets_in(const struct survey *survey, enum device_failure *why, const char **detail)
{
  const struct survey_look *best = survey_best(survey);
  if (best == NULL) best = &survey->tls[SURVEY_TLS_13];
  if (best->failure != DEVICE_FAIL_NONE && survey->has_old &&
      survey->old.failure == DEVICE_FAIL_NONE)
    best = &survey->old;
  *why = survey->has_trial ? survey->trial.failure : best->failure;
  *detail = survey->has_trial ? survey->trial.detail : best->detail;
  return *why == DEVICE_FAIL_NONE;
}

void survey_release(struct survey *survey)
{
  for (size_t v = 0; v < SURVEY_VERSIONS; v++) survey_look_release(&survey->tls[v]);
  survey_look_release(&survey->old);
  survey_look_release(&survey->bare);
  survey_look_release(&survey->wide);
  survey_look_release(&survey->again);
}
