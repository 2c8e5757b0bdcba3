/* One connection after the other: a trial is over when one of them has shown what there is to see, or
 * when several have shown nothing. Trials in versions of TLS that the guest does not offer, and all
 * those that a control which it refused would have to prove, are passed over by name. */
#define _GNU_SOURCE
#include "gauntlet/guest.h"

#include <stdio.h>
#include <string.h>

#include "gauntlet/judge.h"

size_t guest_trials(const struct guest *guest)
{
  return guest->report.count + guest->controls;
}

bool guest_is_through(const struct guest *guest)
{
  return guest->at >= guest_trials(guest);
}

static void leave_trial(struct trial_result *result, enum verdict verdict, const char *why)
{
  result->verdict = verdict;
  result->conduct = CONDUCT_NONE;
  snprintf(result->why, sizeof result->why, "%s", why);
}

/* --- What controls prove ---------------------------------------------------------------------- */

/* Old versions have no control of their own: that of TLS 1.2 stands for them. */
static uint8_t proven_by(uint8_t tls)
{
  return tls < 12 ? 12 : tls;
}

/* Whether a control in that version was shown, and refused. */
static bool is_unproven(const struct guest *guest, uint8_t tls)
{
  for (size_t i = 0; i < guest->at && i < guest->report.count; i++) {
    const struct trial_result *r = &guest->report.result[i];
    if (r->c->control && r->tls == proven_by(tls) && r->verdict != VERDICT_PASS) return true;
  }
  return false;
}

/* When it last came to a sound server of that version and was content; -1: it never was. */
static double let_in_ms(const struct guest *guest, uint8_t tls)
{
  double last = -1;
  for (size_t i = 0; i < guest_trials(guest); i++) {
    const struct trial_result *r = &guest->report.result[i];
    bool content = r->c->clients == CASE_ACCEPT && r->verdict == VERDICT_PASS &&
                   r->conduct == CONDUCT_ACCEPTED;
    if (content && r->tls == tls && r->seen.last_ms > last) last = r->seen.last_ms;
  }
  return last;
}

/* Refused, and no sound server of that version was let in since. */
static bool hangs_in_the_air(const struct trial_result *result, uint8_t tls, double since_ms)
{
  return proven_by(result->tls) == tls && !result->c->control && result->verdict == VERDICT_PASS &&
         result->conduct == CONDUCT_REFUSED && result->seen.last_ms > since_ms;
}

static bool is_owed(const struct guest *guest, const struct trial_result *control)
{
  double since_ms = let_in_ms(guest, control->tls);
  if (control->verdict != VERDICT_PASS) return false;
  for (size_t i = 0; i < guest->report.count; i++)
    if (hangs_in_the_air(&guest->report.result[i], control->tls, since_ms)) return true;
  return false;
}

static void withdraw(struct guest *guest, uint8_t tls, double since_ms, const char *why)
{
  for (size_t i = 0; i < guest->report.count; i++) {
    struct trial_result *r = &guest->report.result[i];
    if (!hangs_in_the_air(r, tls, since_ms)) continue;
    r->verdict = VERDICT_NOT_SHOWN;
    snprintf(r->why, sizeof r->why, "%s", why);
  }
}

/* Each may have refused what the other believed. */
static void withdraw_mixed(struct guest *guest)
{
  for (size_t i = 0; i < guest->report.count; i++) {
    struct trial_result *r = &guest->report.result[i];
    if (r->verdict != VERDICT_PASS) continue;
    r->verdict = VERDICT_NOT_SHOWN;
    snprintf(r->why, sizeof r->why, "%s", guest->mixed);
  }
}

void guest_conclude(struct guest *guest, bool interrupted)
{
  if (guest->mixed[0] != '\0') withdraw_mixed(guest);
  for (uint8_t tls = 12; tls <= 13 && !interrupted; tls++)
    withdraw(guest, tls, let_in_ms(guest, tls),
             "it was not seen to let in a sound server since: that it refused this one proves "
             "nothing");
}

/* --- Which trial is next ---------------------------------------------------------------------- */

/* A server that never comes to TLS has no version: it is tried whatever the guest offers. */
static bool is_offered(const struct guest *guest, const struct trial_result *result)
{
  return guest->offered == 0 || (guest->offered >> result->tls & 1) != 0;
}

/* Whether that trial has nothing to wait for; of the plan's, why it is passed over is noted. */
static bool passes_over(struct guest *guest, size_t trial)
{
  struct trial_result *result = &guest->report.result[trial];
  if (trial >= guest->report.count)
    return !is_owed(guest, &guest->report.result[trial - guest->report.count]);
  if (result->verdict == VERDICT_SKIPPED || result->verdict == VERDICT_NOT_OFFERED) return true;
  if (guest->by_port && result->conduct != CONDUCT_NONE) return true;
  if (!is_offered(guest, result))
    leave_trial(result, VERDICT_NOT_OFFERED, "it does not offer this version of TLS");
  else if (!guest->by_port && !result->c->control && is_unproven(guest, result->tls))
    leave_trial(result, VERDICT_NOT_SHOWN,
                "the control case was not accepted in this version of TLS: nothing that it refuses "
                "would prove anything");
  else
    return false;
  return true;
}

static void move_on(struct guest *guest)
{
  guest->began_ms = -1;
  while (!guest_is_through(guest) && passes_over(guest, guest->at)) guest->at++;
}

/* Controls come once more when all else was shown. */
static size_t trial_at_port(const struct guest *guest, size_t port)
{
  bool again = guest->at >= guest->report.count && port < guest->controls &&
               is_owed(guest, &guest->report.result[port]);
  return again ? guest->report.count + port : port < guest->report.count ? port : GUEST_NONE;
}

static bool is_over(const struct guest *guest, size_t trial)
{
  return guest->by_port ? guest->report.result[trial].conduct != CONDUCT_NONE : trial < guest->at;
}

size_t guest_next(struct guest *guest, size_t port, double now_ms)
{
  if (guest->began_ms < 0) move_on(guest); /* those that could not be made ready come first, too */
  if (guest_is_through(guest)) return GUEST_NONE;
  size_t trial = guest->by_port ? trial_at_port(guest, port) : guest->at;
  if (trial == GUEST_NONE || guest->report.result[trial].verdict == VERDICT_SKIPPED)
    return GUEST_NONE;
  if (guest->began_ms < 0) guest->began_ms = now_ms;
  if (guest->open == 0 && guest->ended_ms >= 0) {
    guest->back_ms = now_ms;
    guest->away_ms = now_ms - guest->ended_ms;
  }
  guest->open++;
  return trial;
}

/* --- What was seen ---------------------------------------------------------------------------- */

static bool downloads(const struct guest *guest)
{
  for (size_t i = 0; i < guest->report.count; i++)
    if (guest->report.result[i].c->layer == CASE_HTTPS) return true;
  return false;
}

/* Whether it is a device that has come. Who says nothing, or no TLS, may be anybody: a port scanner, a
 * browser. MQTT in clear is a device's, and so is HTTP of one that is known to download. */
static bool is_of_device(const struct guest *guest, const struct observation *seen)
{
  bool mqtt = seen->clear_bytes > 0 && seen->hello.wrong == HELLO_PLAIN_MQTT;
  bool http = seen->clear_bytes > 0 || seen->plain_requests > 0;
  return seen->has_hello || mqtt || (http && guest->has_come && downloads(guest));
}

/* It belongs to what the guest was shown last. */
static void note_absence(struct guest *guest, size_t trial, const struct observation *seen)
{
  struct trial_result *result = &guest->report.result[trial];
  struct observation *left =
      result->seen.connections > 0 || trial == 0 ? &result->seen : &(result - 1)->seen;
  bool back = guest->ended_ms >= 0 && guest->back_ms == seen->first_ms;
  if (back && left->connections > 0 &&
      left->retries < sizeof left->retry_ms / sizeof *left->retry_ms)
    left->retry_ms[left->retries++] = guest->away_ms;
}

/* HELLO_TLS10 is 10 here, and so on. Who does not say what is the lowest may speak any below. */
static void note_offered(struct guest *guest, const struct observation *seen)
{
  if (!seen->has_hello || seen->hello.highest < HELLO_TLS10) return;
  for (unsigned v = 10; v <= 13; v++) {
    unsigned number = HELLO_TLS10 + v - 10;
    if (number >= seen->hello.lowest && number <= seen->hello.highest) guest->offered |= 1u << v;
  }
}

/* Which of two that come from one place a connection is of is known behind the trial only, and not at
 * all where it was refused: they cannot be parted, and nothing is held for either. */
static void note_mixed(struct guest *guest, const char *what, const char *first, const char *second)
{
  if (guest->mixed[0] != '\0' || first[0] == '\0' || second[0] == '\0' ||
      strcmp(first, second) == 0)
    return;
  snprintf(
      guest->mixed, sizeof guest->mixed,
      "two %s came from %s ('%.40s', '%.40s'), as of two devices: nothing is proven of either; "
      "%s, and let each have one id",
      what, guest->address, first, second,
      guest->by_port ? "try one after the other" : "give each a port of its own (--ports 2)");
}

static void note_who(struct guest *guest, const struct observation *seen)
{
  note_mixed(guest, "certificates", guest->name, seen->client_cn);
  note_mixed(guest, "client ids", guest->client_id, seen->client_id);
  if (seen->client_cn[0] != '\0')
    snprintf(guest->name, sizeof guest->name, "%.95s", seen->client_cn);
  if (seen->client_id[0] != '\0')
    snprintf(guest->client_id, sizeof guest->client_id, "%s", seen->client_id);
}

/* Of a trial that is over. */
static bool seen_late(struct trial_result *result, const struct observation *seen)
{
  enum verdict before = result->verdict;
  if (seen->application_bytes == 0 && seen->clear_bytes == 0 && !seen->went_on) {
    result->seen.connections++;
    return false;
  }
  judge_add(&result->seen, seen);
  judge_trial(result, false);
  return result->verdict != before;
}

static void end_trial(struct guest *guest, size_t trial)
{
  const struct trial_result *result = &guest->report.result[trial];
  bool again = trial >= guest->report.count;
  if (again && result->conduct != CONDUCT_ACCEPTED && !result->seen.cut_short)
    withdraw(guest, result->tls, -1,
             "at the end it refused a sound server, too: that it refused this one proves nothing");
  if (!guest->by_port) guest->at++;
  guest->silent_now = 0;
  move_on(guest);
}

/* The case is that the connection is reset at once: nobody can say who he is. */
static bool is_cut_off(const struct trial_result *result)
{
  const struct gauntlet_case *c = result->c;
  return c->has_wire && c->wire.count > 0 && c->wire.step[0].verb == SCRIPT_RESET;
}

/* A trial waits for its device, but not for ever: one that says nothing in just that trial would be kept
 * from all others. */
static bool seen_silent(struct guest *guest, size_t trial, const struct observation *seen,
                        double now_ms)
{
  struct trial_result *result = &guest->report.result[trial];
  bool off = is_cut_off(result), over = is_over(guest, trial);
  guest->silent += !off;
  guest->silent_now++;
  if (!guest->has_come || over || (!off && guest->by_port)) return false;
  if (!off && (guest->silent_now < GUEST_TRIES || now_ms - guest->heard_ms < GUEST_SILENCE_MS))
    return false;
  leave_trial(result, VERDICT_NOT_SHOWN,
              off ? "the connection is reset before anything tells whose it is"
                  : "nobody came any more but with connections without a ClientHello");
  if (off) {
    judge_add(&result->seen, seen);
    result->conduct = CONDUCT_UNCLEAR;
  }
  guest->heard_ms = now_ms;
  end_trial(guest, trial);
  return true;
}

bool guest_seen(struct guest *guest, size_t trial, const struct observation *seen, double now_ms)
{
  struct trial_result *result = &guest->report.result[trial];
  if (guest->open > 0) guest->open--;
  if (!is_of_device(guest, seen)) return seen_silent(guest, trial, seen, now_ms);
  note_absence(guest, trial, seen);
  guest->has_come = true;
  guest->ended_ms = guest->heard_ms = now_ms;
  guest->silent_now = 0;
  note_offered(guest, seen);
  note_who(guest, seen);
  if (is_over(guest, trial)) return seen_late(result, seen);
  judge_add(&result->seen, seen);
  if (!judge_has_enough(result) && result->seen.connections < GUEST_TRIES) return false;
  judge_trial(result, false);
  end_trial(guest, trial);
  return true;
}
