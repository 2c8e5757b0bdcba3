/* The verdict of a run: results.json, junit.xml and the one-screen summary, all from one struct.
 *
 * Files are written whole or not at all, junit.xml before results.json, and the last line of
 * events.ndjson, the end record, after both: it has their run_id and verdict, and what the files
 * held: counts, and the SHA-256 of each. Nobody says pass of results that have no such record, or
 * are not what it vouches for.
 */
#ifndef FLEETSIM_RESULTS_H
#define FLEETSIM_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/machine.h"
#include "fleetsim/ota.h"
#include "report/events.h"
#include "report/metrics.h"
#include "report/series.h"

#define RESULTS_STORMS_MAX   16
#define RESULTS_IMAGES_MAX   32
#define RESULTS_ROLLOUTS_MAX 32
#define RESULTS_WAVES_MAX    16
#define RESULTS_BROKERS_MAX  8
#define RESULTS_EXPIRIES_MAX 128

/* One checked expression: a phase's gate, a phase's expectation or one of the whole run. */
struct results_check {
  char expr[160];
  char observed[1024]; /* "1000 of 1000 (100%)", "not reached in 60s: 950 of 1000" */
  bool pass;
};

struct results_phase {
  char name[96];
  double start_s, duration_s;
  bool has_gate;
  struct results_check gate;
  struct results_check *expectations; /* of this phase */
  size_t expectation_count;
  char note[1024]; /* what a step or rollback wants said, or "" */
};

/* A phase as the scenario has it, whether or not the run came to it. */
struct results_plan {
  const char *name;
  const char *gate; /* "": it has none */
  const char *const *expectations;
  size_t count;
};

/* The timing profile: what device_ms is modelled on, and what the client takes up on such a device.
   0: not known. */
struct results_timing {
  char profile[64]; /* "": the run ended before one was loaded */
  bool paced;
  double clock_hz;
  double k_low, k_nominal, k_high; /* the metric handshake.device_ms is nominal */
  uint32_t rom_bytes, ram_peak_bytes, record_bytes, trust_anchors_max, chain_bytes;
};

/* One storm: every session ended at once, and how the devices came back by one reconnect policy. */
struct results_storm {
  char policy[32];
  uint64_t base_ms, cap_ms, within_ms;
  size_t devices, online; /* wanted, and online when it was over */
  /* first session lost to that part online again; NAN: never */
  double p50_ms, p90_ms, p99_ms, all_ms;
  uint64_t handshakes, wasted;            /* begun; of these, ended without CONNACK */
  uint32_t peak_per_s, wasted_peak_per_s; /* most in one second */
  uint64_t timed_out;                     /* of the handshakes, cut off by the broker's time-out */
};

/* The safety brake. A fleet that it held back says nothing about one without it: so it is told
   first. */
struct results_brake {
  bool set;       /* the scenario has one */
  char when[160]; /* its expression */
  double rate;    /* 0..1 */
  unsigned acted; /* times that it came on */
  double first_s, on_s;
  uint64_t held;      /* attempts put off */
  char observed[160]; /* of the expression, when it came on first */
};

/* A firmware image of the run: the factory's, or a published one. */
struct results_image {
  /* SHA-256 that the image carries; "": not published so far */
  char name[24], version[16], hash[65];
  char via[8];                    /* "factory", "mqtt", "https" */
  char harm[24];                  /* how it was damaged on purpose, "": it is good */
  uint32_t counter, size, serial; /* of the manifest published last; 0: none */
  size_t touched, updated;        /* devices that were offered it; that run it, confirmed */
};

/* One rollout, wave by wave. */
struct results_wave {
  size_t devices, offered, confirmed, refused, rolled_back, cancelled, open;
  double duration_s; /* NAN: it did not begin, or is under way */
  bool timed_out;
};
struct results_rollout {
  char image[24], state[16];
  struct results_wave waves[RESULTS_WAVES_MAX];
  size_t wave_count;
  bool aborted;
  char criterion[96]; /* that stopped it: "3 of 10 self_test", or "" */
  size_t offered, untouched, open_when_stopped, touched_after;
};

/* How often devices came to this status of an update, by their own truth. */
struct results_ota_status {
  uint64_t count;
  uint32_t first_devices[METRICS_FIRST_DEVICES];
  size_t first_count;
};

struct results_ota {
  bool on; /* the devices take updates */
  struct results_image images[RESULTS_IMAGES_MAX];
  size_t image_count;
  struct results_rollout rollouts[RESULTS_ROLLOUTS_MAX];
  size_t rollout_count;
  struct results_ota_status statuses[DEVICE_OTA_STATUS_COUNT];
};

/* What somebody typed to get this run, without what may be secret: told, and decided by nowhere. */
struct results_set {
  const char *path, *value;
};
struct results_asked {
  const char *const *words; /* from the verb on */
  size_t word_count;
  const struct results_set *sets; /* what of the scenario's file it changed, in this order */
  size_t set_count;
};

/* One broker, as devices find it. */
struct results_broker {
  char name[32], kind[32];
  char url[300]; /* "": it had none so far */
};

/* A certificate or list that was in use, and its end. */
struct results_expiry {
  const char *kind; /* "root", "issuer", "broker", "list" */
  char name[128];   /* of its subject; of a list: of who issued it */
  int64_t unix_s;   /* notAfter; of a list nextUpdate */
};

/* What somebody did to the run on its live page. */
struct results_by_hand {
  unsigned pauses;
  double paused_s;
  bool aborted;
};

/* Of whose telemetry something is lost. */
struct results_lost {
  size_t devices;
  uint32_t first_devices[METRICS_FIRST_DEVICES];
  size_t first_count;
};

struct results {
  char run_id[33];     /* of this run alone: also in events.ndjson */
  const char *verdict; /* "pass", "fail", "error", "interrupted" */
  enum exit_code exit_code;
  char message[1400]; /* why, in a sentence, when it is not "pass" */
  char scenario_name[128], scenario_file[1024], scenario_sha256[65];
  const char *scenario_text; /* as it was run, without what may be secret; NULL: not known */
  const struct results_asked *asked; /* NULL: not known */
  struct machine machine;
  uint64_t seed;
  char started[32]; /* RFC 3339 */
  double duration_s;
  char version_fleetsim[32], version_mbedtls[32], version_libuv[32], version_broker[64];
  /* of a broker elsewhere, as the scenario says: "rabbitmq", "3.10"; "": nothing is known of it */
  char broker_kind[16], broker_kind_version[16];
  struct results_broker brokers[RESULTS_BROKERS_MAX];
  size_t broker_count;
  struct results_expiry expiries[RESULTS_EXPIRIES_MAX]; /* the first to end first */
  size_t expiry_count;
  size_t devices;
  char profile[64]; /* fleet.profile: free text */
  struct results_timing timing;
  char crypto[16]; /* whose P-256 the devices computed with: "accelerated" or "native" */
  /* telemetry does not tell which message it is; when it was sent; nobody was there to be told:
     operator: none, and then the first is so too */
  bool unnumbered, untimed, unheard;
  char checked[96]; /* what was compared of each message that arrived; "": there was none */
  struct results_lost lost;
  struct results_by_hand by_hand;
  struct results_phase *phases;
  size_t phase_count;
  struct results_check *expectations;
  size_t expectation_count;
  /* what was to be checked: in all phases, and of the whole run. NULL: not known */
  const struct results_plan *plan;
  size_t plan_count;
  const char *const *plan_whole;
  size_t plan_whole_count;
  struct results_storm storms[RESULTS_STORMS_MAX];
  size_t storm_count;
  struct results_brake brake;
  struct results_ota ota;
  const struct metrics *metrics;
  const struct series *series; /* NULL: nobody has kept one */
  const struct names *names;   /* of the devices; NULL: not known */
};

/* Writes folder/junit.xml, then folder/results.json; -1: neither. A verdict that its own checks or
 * books speak against becomes "error" in `results`, with the reason as its message. */
int results_write(struct results *results, const char *folder, struct error *error);

/* The same, then the end record; closes `events`. -1: something is not whole, and no result is
   left. */
int results_conclude(struct results *results, struct events *events, double t_s, const char *folder,
                     struct error *error);

/* Writes folder/report.html; to be called when results_conclude has succeeded, as the page has the
 * verdict and nothing else vouches for that. In a build without the page: nothing, and 0. */
int results_page(const struct results *results, const char *folder, struct error *error);

/* How a summary is wanted: all of it, or no more than a window takes. */
struct results_extent {
  bool colour;
  bool verdict_only; /* with the sentences that belong to it */
  size_t rows;       /* what has passed is left out until so many lines are enough; 0: nothing is */
};

/* Prints the summary, in lines of at most 80 columns. */
void results_print(const struct results *results, FILE *out, const struct results_extent *extent);

/* Prints the same summary from folder/results.json; returns the exit code that it holds, or -1 with
 * an error when the file is missing, cut off, of another schema, contradicts itself, or has no end
 * record in folder/events.ndjson, or when one of the three files is not as that record says. Of a run
 * that has not ended it prints how far that came. */
int results_reprint(const char *folder, FILE *out, bool colour, struct error *error);

/* Writes folder/report.html anew, from the same file and under the same conditions; 0, or -1, also
   in a build without the page. */
int results_page_again(const char *folder, struct error *error);

/* Writes folder/report.html of a run that did not end, from its events alone: 1; 0 where there is nothing to
   write: it has ended, is under way and will write its own, is no run, or this build has no page. -1. */
int results_page_so_far(const char *folder, struct error *error);

/* Writes a summary in Markdown for a page of CI to `path`, from folder's files and under the same
 * conditions. Where they do not hold it writes that there is no verdict, why, and how far the run
 * came, and returns -1 with the reason. -1 also when `path` cannot be written. */
int results_markdown(const char *folder, const char *path, struct error *error);

/* Writes there that `name` has no verdict, and why: before a run ends, or because it never began. */
int results_no_markdown(const char *path, const char *name, const char *why, struct error *error);

#endif
