/* The books of messages: what the devices say of their telemetry beside what the back office
 * received of it.
 *
 * Of each device's messages 1..given some were declined (never sent), and of the others some have
 * arrived. What has not is lost, unless the device is revoked: then nobody waits for it. So sent =
 * delivered + lost + unawaited, and whatever is over is unaccounted for: a fault of ours or
 * somebody else's message, and no run passes with it.
 *
 * Where messages have no number, or there is no back office (stage->unnumbered), nobody can tell
 * which of them arrived: then there is only what the devices were told. */
#define _POSIX_C_SOURCE 200809L
#include "stage/books.h"

#include <math.h>
#include <stdio.h>

/* Messages that the device forgot in a restart, and that did not arrive before. */
static uint64_t gone(struct stage *stage, size_t index, const struct fleet_books *books)
{
  size_t count;
  uint64_t n = 0;
  if (books->forgotten == 0) return 0;
  const struct fleet_forgotten *list = fleet_forgotten(stage->fleet, &count);
  for (size_t f = 0; f < count; f++)
    n += list[f].device == index && !office_has(stage->office, index, list[f].sequence);
  return n;
}

static uint64_t less(uint64_t from, uint64_t n)
{
  return from > n ? from - n : 0;
}

/* Sent, and not arrived. */
static uint64_t missing_of(struct stage *stage, size_t index, const struct fleet_books *books)
{
  return less(office_missing(stage->office, index, books->given), books->declined);
}

static bool is_awaited(const struct fleet_facts *facts)
{
  return facts->wanted && (!facts->revoked || facts->online);
}

uint64_t stage_unsettled(struct stage *stage)
{
  uint64_t n = 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    struct fleet_books books;
    if (!is_awaited(fleet_facts(stage->fleet, i))) continue;
    fleet_books(stage->fleet, i, &books);
    if (stage->unnumbered) {
      n += books.open;
      continue;
    }
    uint64_t missing = less(missing_of(stage, i, &books), books.refused + gone(stage, i, &books));
    n += missing > books.open ? missing : books.open;
  }
  return n;
}

/* Without numbers this is all that is known: nobody has acknowledged them. */
static uint64_t unanswered(const struct fleet_books *books)
{
  return books->open + books->forgotten;
}

uint64_t stage_refused(struct stage *stage)
{
  uint64_t n = 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    struct fleet_books books;
    if (!is_awaited(fleet_facts(stage->fleet, i))) continue;
    fleet_books(stage->fleet, i, &books);
    uint64_t missing = stage->unnumbered ? books.refused : missing_of(stage, i, &books);
    n += missing < books.refused ? missing : books.refused;
  }
  return n;
}

uint64_t stage_missing(struct stage *stage, uint64_t *acknowledged)
{
  uint64_t missing = 0;
  *acknowledged = 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    struct fleet_books books;
    if (fleet_facts(stage->fleet, i)->revoked) continue;
    fleet_books(stage->fleet, i, &books);
    if (stage->unnumbered) {
      missing += unanswered(&books);
      continue;
    }
    missing += missing_of(stage, i, &books);
    *acknowledged += office_lacks(stage->office, i, books.acked);
  }
  return missing;
}

void stage_book_risk(struct stage *stage, bool killed)
{
  uint64_t acknowledged;
  if (stage->unnumbered) return;
  (void) stage_missing(stage, &acknowledged);
  stage->at_risk += acknowledged;
  if (killed) metrics_add(stage->metrics, METRIC_TELEMETRY_AT_RISK, acknowledged);
}

static void set_counter(struct metrics *metrics, enum metric counter, uint64_t value)
{
  uint64_t now = (uint64_t) metrics_value(metrics, counter);
  if (value > now) metrics_add(metrics, counter, value - now);
  if (value < now) metrics_take_back(metrics, counter, now - value);
}

void stage_count_tally(struct stage *stage)
{
  struct office_tally tally;
  if (stage->office == NULL) return;
  office_tally(stage->office, &tally);
  metrics_set(stage->metrics, METRIC_OPERATOR_DROPPED, (double) tally.dropped);
  metrics_set(stage->metrics, METRIC_TELEMETRY_UNNUMBERED, (double) tally.unnumbered);
  if (stage->unnumbered) return;
  set_counter(stage->metrics, METRIC_TELEMETRY_DELIVERED, tally.delivered);
  set_counter(stage->metrics, METRIC_TELEMETRY_DUPLICATED, tally.duplicated);
  metrics_set(stage->metrics, METRIC_TELEMETRY_FOREIGN, (double) tally.foreign);
  metrics_set(stage->metrics, METRIC_TELEMETRY_ALTERED, (double) tally.altered);
  metrics_set(stage->metrics, METRIC_COMPROMISE_DELIVERED, (double) tally.of_clones);
}

struct sums {
  uint64_t sent, delivered, lost, lost_acked, unawaited;
  uint64_t let_go; /* of the lost: sent at QoS 0, so that nobody has them and nobody else knows */
  uint64_t unsent; /* arrived although the device never sent them */
};

static void name_loser(struct stage *stage, size_t index)
{
  struct results_lost *lost = &stage->results.lost;
  if (lost->first_count < METRICS_FIRST_DEVICES)
    lost->first_devices[lost->first_count++] = fleet_facts(stage->fleet, index)->id;
  lost->devices++;
}

static void add_device(struct stage *stage, size_t index, struct sums *sums)
{
  struct fleet_books books;
  fleet_books(stage->fleet, index, &books);
  uint64_t absent = office_missing(stage->office, index, books.given),
           missing = less(absent, books.declined);
  sums->sent += books.given - books.declined;
  sums->delivered += books.given - books.declined - missing;
  sums->unsent += less(books.declined, absent);
  if (fleet_facts(stage->fleet, index)->revoked) {
    sums->unawaited += missing;
    return;
  }
  sums->lost += missing;
  if (missing > 0) name_loser(stage, index);
  uint64_t acked = office_lacks(stage->office, index, books.acked);
  sums->lost_acked += acked;
  sums->let_go += less(missing, acked + books.open + books.refused + gone(stage, index, &books));
}

/* Of what was sent each was acknowledged (at QoS 0: handed on), refused, or neither. */
static void close_unnumbered(struct stage *stage)
{
  uint64_t unacked = 0, of_revoked = 0;
  struct metrics *metrics = stage->metrics;
  stage_count_tally(stage);
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    struct fleet_books books;
    fleet_books(stage->fleet, i, &books);
    if (fleet_facts(stage->fleet, i)->revoked)
      of_revoked += unanswered(&books);
    else
      unacked += unanswered(&books);
  }
  double refused = metrics_value(metrics, METRIC_TELEMETRY_REFUSED) -
                   metrics_value(metrics, METRIC_TELEMETRY_DECLINED);
  double answered = metrics_value(metrics, METRIC_TELEMETRY_ACKED) + refused;
  metrics_set(metrics, METRIC_TELEMETRY_UNACKED, (double) unacked);
  metrics_set(metrics, METRIC_TELEMETRY_UNACCOUNTED,
              fabs(metrics_value(metrics, METRIC_TELEMETRY_SENT) - answered -
                   (double) (unacked + of_revoked)));
}

/* The tally first: what arrives meanwhile is then in the devices' sums, and no surplus. */
void stage_close_books(struct stage *stage)
{
  struct office_tally tally;
  struct sums sums = {0};
  struct metrics *metrics = stage->metrics;
  if (stage->unnumbered) {
    close_unnumbered(stage);
    return;
  }
  stage_count_tally(stage);
  office_tally(stage->office, &tally);
  stage->results.lost = (struct results_lost){.devices = 0};
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) add_device(stage, i, &sums);
  uint64_t surplus = less(tally.delivered, sums.delivered);
  double unbooked = fabs((double) sums.sent - metrics_value(metrics, METRIC_TELEMETRY_SENT));
  set_counter(metrics, METRIC_TELEMETRY_DELIVERED, sums.delivered);
  set_counter(metrics, METRIC_TELEMETRY_LOST, sums.lost);
  set_counter(metrics, METRIC_TELEMETRY_LOST_ACKED, sums.lost_acked);
  metrics_set(metrics, METRIC_TELEMETRY_UNAWAITED, (double) sums.unawaited);
  metrics_set(metrics, METRIC_TELEMETRY_UNACCOUNTED, (double) (surplus + sums.unsent) + unbooked);
  /* at QoS 0 a message may get lost on its way; but who was away when nobody should be has not
     listened either */
  uint64_t unheard =
      less(sums.lost_acked, stage->at_risk) + (stage->office_surprised ? sums.let_go : 0);
  metrics_set(metrics, METRIC_TELEMETRY_UNHEARD, (double) unheard);
}
