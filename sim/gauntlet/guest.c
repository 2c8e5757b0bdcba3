/* One connection after the other: a trial is over when one of them has shown what there is to see, or
 * when several have shown nothing. Trials in versions of TLS that the guest does not offer, and all
 * those that a control which it refused would have to prove, are passed over by name. */
#define _GNU_SOURCE
#include "gauntlet/guest.h"

#include <stdio.h>
#include <string.h>

#include "gauntlet/judge.h"

bool guest_is_through(const struct guest *guest)
{
  return guest->at >= guest->report.count;
}

static void leave_trial(struct trial_result *result, enum verdict verdict, const char *why)
{
  result->verdict = verdict;
  result->conduct = CONDUCT_NONE;
  snprintf(result->why, sizeof result->why, "%s", why);
}

/* Whether a control in that version was shown, and refused. */
static bool is_unproven(const struct guest *guest, uint8_t tls)
{
  for (size_t i = 0; i < guest->at; i++) {
    const struct trial_result *r = &guest->report.result[i];
    if (r->c->control && r->tls == (tls < 12 ? 12 : tls) && r->verdict != VERDICT_PASS) return true;
  }
  return false;
}

/* A server that never comes to TLS has no version: it is tried whatever the guest offers. */
static bool is_offered(const struct guest *guest, const struct trial_result *result)
{
  return guest->offered == 0 || (guest->offered >> result->tls & 1) != 0;
}

static void move_on(struct guest *guest)
{
  guest->at++;
  guest->tries = 0;
  guest->began_ms = -1;
  for (; !guest_is_through(guest); guest->at++) {
    struct trial_result *next = &guest->report.result[guest->at];
    if (!is_offered(guest, next))
      leave_trial(next, VERDICT_NOT_OFFERED, "it does not offer this version of TLS");
    else if (!next->c->control && is_unproven(guest, next->tls))
      leave_trial(
          next, VERDICT_NOT_SHOWN,
          "the control case was not accepted in this version of TLS: nothing that it refuses "
          "would prove anything");
    else if (next->verdict != VERDICT_SKIPPED)
      return;
  }
}

struct trial_result *guest_next(struct guest *guest, double now_ms)
{
  if (guest->report.count > 0 && guest->at == 0 &&
      guest->report.result[0].verdict == VERDICT_SKIPPED && guest->began_ms < 0)
    move_on(guest);
  if (guest_is_through(guest)) return NULL;
  struct trial_result *result = &guest->report.result[guest->at];
  struct observation *seen = &result->seen;
  bool away = guest->open == 0 && guest->ended_ms >= 0;
  /* it belongs to what the guest was shown last */
  struct observation *left =
      seen->connections > 0 || guest->at == 0 ? seen : &guest->report.result[guest->at - 1].seen;
  if (away && left->connections > 0 &&
      left->retries < sizeof left->retry_ms / sizeof *left->retry_ms)
    left->retry_ms[left->retries++] = now_ms - guest->ended_ms;
  if (guest->began_ms < 0) guest->began_ms = now_ms;
  guest->open++;
  return result;
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

static void note_who(struct guest *guest, const struct observation *seen)
{
  if (seen->client_cn[0] == '\0') return;
  if (guest->name[0] != '\0' && strcmp(guest->name, seen->client_cn) != 0) guest->mixed = true;
  snprintf(guest->name, sizeof guest->name, "%.95s", seen->client_cn);
}

static void end_trial(struct guest *guest)
{
  judge_trial(&guest->report.result[guest->at], false);
  move_on(guest);
}

bool guest_seen(struct guest *guest, const struct observation *seen, double now_ms)
{
  if (guest->open > 0) guest->open--;
  guest->ended_ms = now_ms;
  note_offered(guest, seen);
  note_who(guest, seen);
  if (guest_is_through(guest)) return false;
  struct trial_result *result = &guest->report.result[guest->at];
  judge_add(&result->seen, seen);
  if (!judge_has_enough(result) && ++guest->tries < GUEST_TRIES) return false;
  end_trial(guest);
  return true;
}

bool guest_seen_late(struct guest *guest, size_t trial, const struct observation *seen,
                     double now_ms)
{
  struct trial_result *result = &guest->report.result[trial];
  enum verdict before = result->verdict;
  if (guest->open > 0) guest->open--;
  guest->ended_ms = now_ms;
  note_who(guest, seen);
  if (seen->application_bytes == 0 && seen->clear_bytes == 0 && !seen->went_on) {
    result->seen.connections++;
    return false;
  }
  judge_add(&result->seen, seen);
  judge_trial(result, false);
  return result->verdict != before;
}

void guest_give_up(struct guest *guest, const char *why)
{
  if (guest_is_through(guest)) return;
  struct trial_result *result = &guest->report.result[guest->at];
  judge_trial(result, false);
  if (result->verdict == VERDICT_NOT_SHOWN) snprintf(result->why, sizeof result->why, "%s", why);
  move_on(guest);
}
