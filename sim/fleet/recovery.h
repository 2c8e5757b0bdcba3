/* What an outage does to a fleet: how long until its devices are back, and how many handshakes that
 * takes. Pure, O(1) per event, of fixed size.
 *
 * An outage begins with the first session that is lost while everybody is online, and ends when all
 * are online again. Its times count from that loss, so they hold the broker's own absence too. A
 * mark (50, 90, 99, 100 %) is the last time at which that part of the wanted devices came to be
 * online; who is lost again takes it back.
 */
#ifndef FLEETSIM_RECOVERY_H
#define FLEETSIM_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECOVERY_NEVER UINT64_MAX

enum recovery_mark { RECOVERY_P50, RECOVERY_P90, RECOVERY_P99, RECOVERY_ALL, RECOVERY_MARKS };

/* Events, and the most of them in one second of the clock. */
struct surge {
  uint64_t total;
  uint64_t second;
  uint32_t in_second, peak;
};

void recovery_surge_add(struct surge *surge, uint64_t now_us);

struct recovery {
  bool happened;
  bool closed; /* its time was over before all were back: what comes later is not counted */
  uint64_t began_us;
  size_t missing;                   /* most devices offline at once */
  size_t online;                    /* now, or when it ended or was closed */
  uint64_t back_us[RECOVERY_MARKS]; /* since began_us; RECOVERY_NEVER: not so far */
  struct surge begun, wasted;       /* handshakes, and those that ended without CONNACK */
};

/* True from the first loss until all are back, or until it is closed. */
bool recovery_is_under_way(const struct recovery *recovery);

/* A new outage: the first loss is now. */
void recovery_begin(struct recovery *recovery, uint64_t now_us);

/* After a change of the counts: takes back the marks that no longer hold, and sets those that do
   now. */
void recovery_update(struct recovery *recovery, uint64_t now_us, size_t online, size_t wanted);

#endif
