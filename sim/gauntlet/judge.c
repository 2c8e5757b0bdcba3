/* A client is fooled when it has given an application byte to a server that it should have refused,
 * or has gone on with a handshake whose proof was wrong. Nothing is held for it that was not seen: who
 * never came, or left before the lie was told, has passed nothing. */
#define _GNU_SOURCE
#include "gauntlet/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 }; /* what a shell says of a command */

#define FLAW(symbol) (1u << CASE_FLAW_##symbol)

/* --- Adding up -------------------------------------------------------------------------------- */

static unsigned distance(const struct observation *seen)
{
  if (seen->application_bytes > 0) return 6;
  if (seen->shaken) return 5;
  if (seen->said && seen->has_hello) return 4;
  if (seen->begun && seen->has_hello) return 3;
  return seen->has_hello ? 2 : seen->said;
}

void judge_add(struct observation *trial, const struct observation *connection)
{
  struct observation all = *trial;
  bool further = all.connections == 0 || distance(connection) > distance(trial);
  if (further) *trial = *connection;
  trial->connections = all.connections + 1;
  trial->mute = all.mute + !connection->has_hello;
  trial->first_ms = all.first_ms >= 0 ? all.first_ms : connection->first_ms;
  trial->last_ms = connection->first_ms;
  memcpy(trial->retry_ms, all.retry_ms, sizeof all.retry_ms);
  trial->retries = all.retries;
  trial->clear_bytes = all.clear_bytes + connection->clear_bytes;
  trial->application_bytes = all.application_bytes + connection->application_bytes;
  trial->went_on = all.went_on || connection->went_on;
  trial->publishes = all.publishes + connection->publishes;
  trial->publishes_after_refusal =
      all.publishes_after_refusal + connection->publishes_after_refusal;
  trial->requests = all.requests + connection->requests;
  trial->plain_requests = all.plain_requests + connection->plain_requests;
  trial->watched = all.watched;
  trial->cut_short = all.cut_short;
  trial->ended = all.ended;
  trial->file = all.file;
  trial->left = all.left;
  trial->status = all.status;
  trial->signal = all.signal;
  trial->took_ms = all.took_ms;
  trial->sanitizer = all.sanitizer;
  trial->flags = all.flags;
  memcpy(trial->said_last, all.said_last, sizeof all.said_last);
  memcpy(trial->failure, all.failure, sizeof all.failure);
}

bool judge_has_enough(const struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  return seen->application_bytes > 0 || seen->clear_bytes > 0 || seen->unserved || seen->alerted ||
         seen->said || (seen->begun && judge_conduct(result) == CONDUCT_REFUSED);
}

/* --- Conduct ---------------------------------------------------------------------------------- */

/* Gone by itself; what happened to its connection or, of a client that is watched, to it. */
static bool is_gone(const struct observation *seen)
{
  return seen->end != OBSERVATION_OPEN || seen->alerted || seen->ended;
}

static bool has_gone_on_with_handshake(const struct trial_result *result)
{
  unsigned proofs = FLAW(POSSESSION) | FLAW(INTEGRITY) | FLAW(ORDER);
  unsigned chain = FLAW(SIGNATURE); /* which some judge when the handshake is over */
  return result->seen.went_on && (result->c->flaws & proofs) != 0 &&
         (result->c->flaws & chain) == 0;
}

/* The lie is one record of a handshake that is sound until then. */
static bool waits_for_record(const struct gauntlet_case *c)
{
  for (size_t i = 0; c->has_wire && i < c->wire.count; i++) {
    enum script_filter filter = c->wire.step[i].filter;
    if (filter != SCRIPT_WHOLE && filter != SCRIPT_CUT) return true;
  }
  return false;
}

static enum conduct conduct_in_tls(const struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  if (seen->unserved) return CONDUCT_UNSERVED; /* what it gave, it gave to a sound server */
  if (seen->application_bytes > 0 || has_gone_on_with_handshake(result)) return CONDUCT_ACCEPTED;
  bool begun = seen->begun && !waits_for_record(result->c);
  if (!seen->said && !seen->alerted && !begun) return CONDUCT_UNCLEAR;
  return is_gone(seen) ? CONDUCT_REFUSED : CONDUCT_HUNG;
}

/* A broker that only owes an answer: the client goes on until it misses it. */
static bool only_owes(const struct gauntlet_case *c)
{
  const struct script_step *last = c->talk.count > 0 ? &c->talk.step[c->talk.count - 1] : NULL;
  return last != NULL && last->verb == SCRIPT_POLITE && last->without != 0;
}

static enum conduct conduct_in_mqtt(const struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  if (seen->unserved) return CONDUCT_UNSERVED;
  if (!seen->asked || (!seen->said && !seen->begun)) return CONDUCT_UNCLEAR;
  if (only_owes(result->c)) {
    bool content = seen->said_goodbye && seen->goodbye == 0;
    if (!is_gone(seen)) return CONDUCT_HUNG;
    return content ? CONDUCT_UNCLEAR : CONDUCT_REFUSED;
  }
  if (seen->publishes_after_refusal > 0 || seen->went_on) return CONDUCT_ACCEPTED;
  /* who says all that he has to say upon a good CONNACK may never have read what came behind it */
  bool content = seen->said_goodbye && seen->goodbye == 0;
  if (content && script_begins_well(&result->c->talk)) return CONDUCT_UNCLEAR;
  return is_gone(seen) ? CONDUCT_REFUSED : CONDUCT_HUNG;
}

/* Where the head of an answer ends in what is sent; NULL: not in there. */
static const uint8_t *end_of_head(const struct script_bytes *bytes)
{
  for (size_t i = 4; i <= bytes->size; i++)
    if (memcmp(bytes->data + i - 4, "\r\n\r\n", 4) == 0) return bytes->data + i;
  return NULL;
}

/* Whether anything is served that a client could take for an image: one byte behind the head of an
 * answer is enough, whatever that head says, and so is what is no HTTP at all. */
static bool delivers(const struct script *script)
{
  bool body = false, begun = false;
  for (size_t i = 0; i < script->count; i++) {
    const struct script_step *step = &script->step[i];
    const struct script_bytes *bytes = &step->bytes;
    if (step->verb == SCRIPT_IMAGE || step->verb == SCRIPT_POLITE) return true;
    if (step->verb == SCRIPT_REQUEST) body = begun = false;
    if ((step->verb != SCRIPT_SEND && step->verb != SCRIPT_FLOOD) || bytes->size == 0) continue;
    bool http = begun || (bytes->size >= 5 && memcmp(bytes->data, "HTTP/", 5) == 0);
    const uint8_t *end = body ? bytes->data : http ? end_of_head(bytes) : bytes->data;
    if (end != NULL && end < bytes->data + bytes->size) return true;
    begun = true;
    body |= end != NULL;
  }
  return false;
}

/* What exit code 0 means. A file that the command was told to write says whether it took an image. Where
 * there is none to look at, 0 is content if it was sent anything that could be one: to believe the client
 * that it checked what it got would hide just the failure that is looked for. Where it was sent nothing,
 * 0 is no proof of either: curl ends so at a redirect that it does not follow. */
static enum conduct conduct_of_success(const struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  bool served = delivers(&result->c->talk);
  switch (seen->file) {
  case OBSERVATION_NOTHING: return CONDUCT_REFUSED;
  case OBSERVATION_IMAGE: return CONDUCT_ACCEPTED;
  case OBSERVATION_OTHER: return served ? CONDUCT_ACCEPTED : CONDUCT_REFUSED;
  default: return served || seen->failure[0] != '\0' ? CONDUCT_ACCEPTED : CONDUCT_UNCLEAR;
  }
}

static enum conduct conduct_in_https(const struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  if (seen->unserved) return CONDUCT_UNSERVED;
  if (seen->plain_requests > 0) return CONDUCT_ACCEPTED;
  if (seen->requests == 0) return CONDUCT_UNCLEAR;
  if (!seen->watched && seen->end != OBSERVATION_OPEN) return CONDUCT_UNCLEAR;
  if (!seen->ended) return CONDUCT_HUNG;
  return seen->status == 0 && seen->signal == 0 ? conduct_of_success(result) : CONDUCT_REFUSED;
}

/* Whether the case lets a client say hello before it is treated badly. */
static bool needs_hello(const struct gauntlet_case *c)
{
  if (!c->has_wire) return true;
  for (size_t i = 0; i < c->wire.count; i++)
    if (c->wire.step[i].verb == SCRIPT_HELLO || c->wire.step[i].verb == SCRIPT_TLS) return true;
  return false;
}

enum conduct judge_conduct(const struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  if (seen->clear_bytes > 0 && seen->plain_requests == 0) return CONDUCT_ACCEPTED;
  if (seen->connections == 0 || (needs_hello(result->c) && !seen->has_hello)) return CONDUCT_NONE;
  switch (result->c->layer) {
  case CASE_MQTT: return conduct_in_mqtt(result);
  case CASE_HTTPS: return conduct_in_https(result);
  default: return conduct_in_tls(result);
  }
}

/* --- Verdict ---------------------------------------------------------------------------------- */

static void say_why(struct trial_result *result, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say_why(struct trial_result *result, enum verdict verdict, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  vsnprintf(result->why, sizeof result->why, format, args);
  va_end(args);
  result->verdict = verdict;
}

static void describe_refusal(const struct observation *seen, char *out, size_t size)
{
  double waited = seen->ended_ms >= 0 && seen->said_ms >= 0 ? seen->ended_ms - seen->said_ms : -1;
  bool empty = seen->requests > 0 && seen->ended && seen->status == 0 && seen->signal == 0 &&
               (seen->file == OBSERVATION_NOTHING || seen->file == OBSERVATION_OTHER);
  int n = empty ? snprintf(out, size, "it took no image, though it ended with exit code 0")
          : seen->alerted ? snprintf(out, size, "it refused with alert %u", seen->alert)
          : seen->end == OBSERVATION_SERVER
              ? snprintf(out, size, "it sent nothing until the server ended the connection")
          : seen->end == OBSERVATION_RESET ? snprintf(out, size, "it reset the connection")
          : seen->end == OBSERVATION_CLIENT
              ? snprintf(out, size, "it closed the connection without an alert")
              : snprintf(out, size, "it ended");
  if (waited >= 1000 && n > 0 && (size_t) n < size)
    n += snprintf(out + n, size - (size_t) n, ", after %.1f s", waited / 1000);
  if (seen->shaken && n > 0 && (size_t) n < size)
    snprintf(out + n, size - (size_t) n, "; its TLS had been content, the application was not");
}

static void describe_leak(enum case_layer layer, const struct observation *seen, char *out,
                          size_t size)
{
  if (seen->plain_requests > 0)
    snprintf(out, size, "it asked for the image without TLS");
  else if (seen->clear_bytes > 0 && seen->application_bytes == 0)
    snprintf(out, size, "it sent %zu bytes without TLS, for everybody to read", seen->clear_bytes);
  else if (layer == CASE_HTTPS)
    snprintf(out, size, "it was content with what it got, and ended with exit code %d",
             seen->status);
  else if (layer == CASE_MQTT)
    snprintf(out, size,
             "it went on as with a good broker: %u message%s, %u of them after a refusal",
             seen->publishes, seen->publishes == 1 ? "" : "s", seen->publishes_after_refusal);
  else if (seen->mqtt != 0)
    snprintf(out, size, "it gave its CONNECT%s and %u message%s to this server (%zu bytes)",
             seen->has_password ? ", with its password," : "", seen->publishes,
             seen->publishes == 1 ? "" : "s", seen->application_bytes);
  else if (seen->application_bytes > 0)
    snprintf(out, size, "it gave %zu bytes to this server", seen->application_bytes);
  else
    snprintf(out, size, "it went on with the handshake");
}

static void judge_refusal(struct trial_result *result)
{
  char seen[200];
  unsigned waits = FLAW(DEADLINE) | FLAW(FLOOD);
  switch (result->conduct) {
  case CONDUCT_REFUSED:
    describe_refusal(&result->seen, seen, sizeof seen);
    say_why(result, VERDICT_PASS, "%s%s", seen,
            result->seen.watched && !result->seen.ended
                ? "; it was still running when its time was up"
                : "");
    break;
  case CONDUCT_ACCEPTED:
    describe_leak(result->c->layer, &result->seen, seen, sizeof seen);
    say_why(result, VERDICT_FAIL, "%s", seen);
    break;
  case CONDUCT_HUNG: /* a lie of another kind would have been believed at once */
    if ((result->c->flaws & waits) != 0)
      say_why(result, VERDICT_FAIL, "it had not given up when the time was up");
    else if (result->c->layer == CASE_TLS)
      say_why(result, VERDICT_PASS, "it gave nothing away, and had not gone when the time was up");
    else
      say_why(result, VERDICT_NOT_SHOWN,
              "it had not gone when the time was up: give it more (--patience)");
    break;
  default: break;
  }
}

static void judge_acceptance(struct trial_result *result)
{
  char seen[200];
  if (result->conduct == CONDUCT_ACCEPTED) {
    say_why(result, VERDICT_PASS, "it was content");
    return;
  }
  if (result->conduct == CONDUCT_REFUSED) {
    describe_refusal(&result->seen, seen, sizeof seen);
    say_why(result, VERDICT_FAIL, "%s, and this server is a good one", seen);
  }
  if (result->conduct == CONDUCT_HUNG)
    say_why(result, VERDICT_FAIL, "it sent nothing, and this server is a good one");
}

static void judge_either(struct trial_result *result)
{
  char seen[200];
  if (result->conduct == CONDUCT_HUNG) {
    say_why(result, VERDICT_NOT_SHOWN, "it had not gone when the time was up");
    return;
  }
  describe_refusal(&result->seen, seen, sizeof seen);
  say_why(result, VERDICT_PASS, "%s",
          result->conduct == CONDUCT_ACCEPTED ? "it was content: both are right" : seen);
}

/* Who never came: what a command said on its end is the best that there is. */
static void judge_absence(struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  bool quoted = seen->said_last[0] != '\0';
  const char *what =
      seen->connections == 0 ? "it never connected" : "it connected, and sent no ClientHello";
  if (seen->ended && (seen->status == NOT_FOUND || seen->status == NOT_EXECUTABLE))
    say_why(result, VERDICT_NOT_SHOWN, "the command cannot be run: %s",
            quoted ? seen->said_last : "the shell finds no such program");
  else if (seen->ended && quoted)
    say_why(result, VERDICT_NOT_SHOWN, "%s: it ended with exit code %d and said '%s'", what,
            seen->status, seen->said_last);
  else if (seen->ended && seen->failure[0] == '\0')
    say_why(result, VERDICT_NOT_SHOWN, "%s: it ended with exit code %d", what, seen->status);
  else
    say_why(result, VERDICT_NOT_SHOWN, "%s", what);
}

/* Where it did not come to what the case is about. */
static bool judge_nothing(struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  switch (result->conduct) {
  case CONDUCT_NONE: judge_absence(result); return true;
  case CONDUCT_UNSERVED:
    say_why(result, VERDICT_NOT_OFFERED, "it offers nothing that this server could take (%s)",
            seen->unserved_why);
    return true;
  case CONDUCT_UNCLEAR:
    say_why(
        result, VERDICT_NOT_SHOWN, "%s",
        result->c->layer == CASE_TLS ? "it was gone before the server had said all"
        : seen->requests > 0 && seen->ended
            ? "it ended with exit code 0, and was sent nothing that could be an image: with {out} "
              "in the command its file would tell"
        : seen->requests > 0             ? "what it made of the answer cannot be seen from here"
        : result->c->layer == CASE_HTTPS ? "it never sent a request"
        : !seen->asked                   ? "it never sent CONNECT"
                                         : "it had left before the lie was told");
    return true;
  default: return false;
  }
}

/* A lie in MQTT 5 cannot be told in MQTT 3.1.1. */
static bool judge_version(struct trial_result *result)
{
  unsigned wanted = result->c->mqtt_version, spoken = result->seen.mqtt;
  if (wanted == 0 || spoken == 0 || wanted == spoken) return false;
  say_why(result, VERDICT_NOT_OFFERED, "it speaks MQTT %s, and the case is of MQTT %s",
          spoken == 5 ? "5" : "3.1.1", wanted == 5 ? "5" : "3.1.1");
  return true;
}

/* Who had time left has not failed to use it. */
static bool judge_cut_short(struct trial_result *result, bool to_the_letter)
{
  const struct observation *seen = &result->seen;
  if (!seen->cut_short || (result->conduct != CONDUCT_HUNG && !(to_the_letter && !seen->ended)))
    return false;
  say_why(result, VERDICT_NOT_SHOWN, "the gauntlet was ended in the middle of it");
  return true;
}

/* --- Our own device --------------------------------------------------------------------------- */

static const char *expectation(const struct trial_result *result)
{
  const struct gauntlet_case *c = result->c;
  return result->tls == 12 && c->expect12[0] != '\0' ? c->expect12 : c->expect;
}

static bool ended_as_expected(const struct trial_result *result)
{
  const struct gauntlet_case *c = result->c;
  bool flags = c->has_flags && expectation(result) == c->expect;
  return strcmp(result->seen.failure, expectation(result)) == 0 &&
         (!flags || result->seen.flags == c->flags);
}

/* What it says of itself is held against what the server saw. */
static void judge_own(struct trial_result *result)
{
  const struct observation *seen = &result->seen;
  const char *expected = expectation(result);
  bool accepts = strcmp(expected, "accept") == 0;
  char leak[200];
  describe_leak(result->c->layer, seen, leak, sizeof leak);
  if (!seen->ended)
    say_why(result, VERDICT_FAIL, "it had not ended when the time was up");
  else if (!ended_as_expected(result))
    say_why(result, VERDICT_FAIL, "it ended with %s flags=0x%x, not with %s flags=0x%x",
            seen->failure, (unsigned) seen->flags, expected, (unsigned) result->c->flags);
  else if (result->c->layer == CASE_TLS && !accepts && result->conduct == CONDUCT_ACCEPTED)
    say_why(result, VERDICT_FAIL, "it says %s, and yet %s", expected, leak);
  else if (result->c->layer == CASE_TLS && accepts && !seen->asked)
    say_why(result, VERDICT_FAIL, "it says that it was content, and the server saw no CONNECT");
  else if (result->c->policy[0] != '\0' && result->c->clients == CASE_REFUSE && accepts)
    say_why(result, VERDICT_WARN, "%.300s", result->c->policy);
  else
    say_why(result, VERDICT_PASS, "%s", expected);
}

/* What they would have done later was not seen. */
static void note_left(struct trial_result *result)
{
  size_t used = strlen(result->why);
  unsigned left = result->seen.left;
  if (left > 0)
    snprintf(result->why + used, sizeof result->why - used,
             "; %u process%s that it left behind %s ended", left, left == 1 ? "" : "es",
             left == 1 ? "was" : "were");
}

static void judge_seen(struct trial_result *result, bool to_the_letter)
{
  if (result->seen.sanitizer) {
    say_why(result, VERDICT_FAIL, "it crashed: %s", result->seen.said_last);
    return;
  }
  if (judge_version(result) || judge_cut_short(result, to_the_letter)) return;
  if (to_the_letter) {
    judge_own(result);
    return;
  }
  if (judge_nothing(result)) return;
  switch (result->c->clients) {
  case CASE_REFUSE: judge_refusal(result); break;
  case CASE_ACCEPT: judge_acceptance(result); break;
  case CASE_EITHER: judge_either(result); break;
  }
}

void judge_trial(struct trial_result *result, bool to_the_letter)
{
  result->conduct = judge_conduct(result);
  if (result->verdict == VERDICT_SKIPPED) return;
  judge_seen(result, to_the_letter);
  note_left(result);
}
