/* The stage of a run under way: its parts, and what the back office knows. Steps (sim/steps) play
 * on it, and sim/run puts it up and clears it away.
 *
 * A run is straight-line code on one thread: set up, phases, settle, verdict, tear down. Whatever
 * takes time calls stage_wait() (wait.h), which turns the event loop until a condition holds, its
 * deadline passes, or the run is aborted (Ctrl-C, the run's time limit, a dead broker). So a step
 * reads as its story does.
 */
#ifndef FLEETSIM_STAGE_STAGE_H
#define FLEETSIM_STAGE_STAGE_H

#include "broker/broker.h"
#include "fleet/fleet.h"
#include "fleetsim/nvm.h"
#include "office/office.h"
#include "pki/crl.h"
#include "pki/pki.h"
#include "report/events.h"
#include "report/metrics.h"
#include "report/progress.h"
#include "report/results.h"
#include "report/series.h"
#include "scenario/scenario.h"
#include "scenario/step_kind.h"
#include "stage/options.h"
#include "timing/profile.h"
#include "world/world.h"

#define STAGE_ALLOWED_MAX  16  /* --allow-target */
#define STAGE_VERSIONS_MAX 256 /* trust bundle versions in one run */

/* What a look does to the session of the device whose certificate it shows: nothing, or it ends it,
   as the broker takes client ids from certificates. */
enum stage_look_ids { STAGE_IDS_UNKNOWN, STAGE_IDS_OURS, STAGE_IDS_OF_CERTIFICATES };

/* One broker. Where all is told of "the broker", all of those are meant that are not down. */
struct stage_node {
  struct broker *broker;
  struct chain_prints written[BROKER_LISTENERS]; /* last; of 0: nothing was */
  bool served[BROKER_LISTENERS];                 /* it was seen to be */
  bool waiting[BROKER_LISTENERS]; /* it was written and is not known to be served yet */
  bool own_key[BROKER_LISTENERS]; /* the key beside it is its owner's */
  char bridge_name[32];
  bool down, frozen; /* by a step */
  /* frozen while the others were told to read their files; while they were told to start again */
  bool untold, unrestarted;
  enum stage_look_ids look_ids;
  /* TLS took the certificate of a device whose session was open: whom it keeps out there, it does
     not for that */
  bool takes_shielded;
  bool silent; /* it gave no answer to the last looks at a list */
  /* somebody who is on no list was told "expired" by the last look there, and his certificate is in
     force: the list is over that it goes by; or it closed on him without a word, which .. */
  bool shuts_out, shuts_mutely;
  bool takes_others; /* .. it did not before: TLS took the certificate of such a one */
  /* how it keeps out whom a list names; NONE: that was not seen */
  enum device_failure list_words;
  uint32_t newcomers;    /* newcomers.h: bit r: TLS took one of nobody's under root r there .. */
  bool newcomers_unseen; /* .. of none, and it gave no answer: it is not asked again */
  /* down or frozen while the others were tried: callers.h; what it may have trusted till then */
  bool untried;
  struct pki_roots trusted;
};

/* What is known of one device's certificate. */
struct stage_identity {
  uint64_t pushed; /* mark of the chain that was pushed last, 0: none .. */
  bool acked;      /* .. which is in force on the device, by its word and by its memory */
  bool held;       /* what came for it last was the certificate that it held: it was not pushed */
  uint64_t seen;   /* mark of the chain that `roots` are of */
  uint16_t roots;  /* bit r: it is under root r */
  uint32_t list;   /* number of the list that added the device; 0: it is on none */
  /* so many looks with its certificate were let in at each broker */
  uint32_t looked_in[SCENARIO_NODES_MAX];
  uint32_t kicked;     /* by a step, when it had had so many CONNACKs, plus 1; 0: not so far */
  bool revoked;        /* by a step, on a published list or not .. */
  bool revoked_before; /* .. as the phase began */
};

/* Whether a step accounts for an absence of the back office: heard.h. */
struct stage_taken {
  bool pending;      /* a step may have taken its broker away, and it has not been back since */
  bool under_way;    /* that step is */
  bool back;         /* it has come back while the step is under way, and is there still */
  uint64_t until_ms; /* afterwards: the last moment to lose it */
};

/* A device as a step that may fall short begins. */
struct stage_before {
  uint32_t refused; /* as phase_refusals of facts.h, and so the others */
  bool wanted : 1, online : 1;
};

/* A device whose certificate is shown at a look. */
struct stage_stand_in {
  uint32_t device;  /* index */
  uint64_t mark;    /* of the chain; 0: there is none */
  uint64_t issuers; /* of what stands in it behind the leaf; 0: nothing */
  size_t size;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
};

#define STAGE_LISTED_MAX  6
#define STAGE_SAMPLED_MAX 8

/* One that stands in for those on the brokers' list: list_looks.h. */
struct stage_listed {
  struct stage_stand_in as;
  uint32_t list; /* number of the list that added it */
  bool been_in;  /* its device was let in last, as that list was published */
  bool former;   /* its device did not hold that certificate any more as the list was published */
  bool let_in;   /* by the last look */
  /* bit n: at broker n a look was kept out where somebody who is not on the list got further */
  uint8_t proven;
  /* a look has ended its device's session: not again at the end before this (stage_elapsed_ms) */
  uint64_t again_ms;
  bool untold; /* nobody has told the broker to read the list that names it: apply: none */
  /* it was taken off the list; then bit n of proven: the last look at broker n was let in .. */
  bool pardoned;
  bool sampled;      /* one of many on it: list_samples.h */
  uint8_t spared;    /* .. and of this: that cannot be asked there, or has a reason of its own .. */
  uint8_t shut;      /* .. and of this: it was kept out by the list .. */
  uint32_t connects; /* .. and so many CONNACKs it had had */
};

/* Where somebody on the list was let in last. */
struct stage_let_in {
  bool any; /* and has not been refused everywhere since */
  size_t device;
  size_t node;
  char from[16]; /* "": the system chose */
  bool by_tls;   /* its certificate was, not its client id or MQTT version */
};

/* Who was taken off the list, and by what had been seen it was not in force there. */
struct stage_unproven {
  bool any;
  bool mute; /* of an older list: as stage_node.shuts_mutely */
  size_t device, node;
};

/* Whose user names and passwords (logins.h): of clones `devices` says it, NULL: of the fleet. */
struct stage_whose {
  const struct stage *stage;
  const uint32_t *devices;
};

/* The first device that believed a server which every careful client refuses (mitm.h). */
struct stage_believer {
  bool any;
  uint32_t device; /* index */
  char of[96];     /* name of the case */
  char why[160];   /* what it gave away */
};

/* A gate that is waited for. */
struct stage_gate {
  const char *expr, *observed; /* as written; what was seen last */
  uint64_t began_ms, within_ms;
};

struct stage {
  const struct scenario *scenario;
  const struct stage_options *options;
  struct error error;   /* why the run is aborted, or the latest step failed */
  struct permit permit; /* where it may send beyond loopback (allowed.c) */
  const char *permitted[STAGE_ALLOWED_MAX];
  bool aborted, interrupted;
  bool asking; /* a person is being asked: nothing is painted over that */
  bool paints; /* the progress is a picture on a terminal */

  struct world *world; /* the caller's, settled at the end */
  bool ticked;
  bool clones_closed, fleet_closed;
  /* something did not close in time: nothing is freed any more, and the process ends as it is */
  bool stuck;
  uint64_t began_ms, flush_at_ms, interrupted_ms;
  int64_t began_unix_ms; /* wall clock then */

  struct timing_profile timing; /* of the devices' processor */
  /* folder for private keys and passwords, the fleet's if the run makes it, beside options->out */
  char keys[FILES_PATH_MAX];
  int out_fd, keys_fd; /* the folders for results and for keys, locked; -1: not so far */
  /* it may be used; it holds an earlier run, which --overwrite lets go */
  bool out_taken, out_holds_earlier;
  struct metrics *metrics;
  struct series *series;       /* NULL: not so far */
  struct stage_muster *muster; /* muster.h; NULL: not so far */
  struct events *events;
  struct progress *progress;
  struct results results;
  struct results_plan *plan; /* of its phases; the expressions of all, in a row */
  const char **plan_texts;
  bool results_written;
  bool ended;               /* the verdict is told: nobody is shown anything more, or heard */
  bool pause_asked, paused; /* by the onlooker, between two phases */
  uint64_t pause_began_ms, held_ms; /* the pause under way; those that are over */
  struct pki *pki;
  /* scenario->node_count of them, then the false broker */
  struct stage_node nodes[SCENARIO_NODES_MAX + 1];
  struct scenario_name lead[SCENARIO_NAMES_MAX]; /* where the names lead at present */
  /* of nodes[0], which has the listener to prove chains at */
  struct broker *broker;
  /* this program, with broker.terminator; "" without */
  char terminator[FILES_PATH_MAX];
  struct office *office; /* NULL: there is none (operator: none), or not so far */
  struct fleet *fleet;
  struct stage_clones *clones; /* clones.h; NULL: none */
  struct cases *cases;         /* gauntlet/cases.h, for mitm.h; NULL: not so far */
  struct stage_believer believer;
  struct stage_ota *ota; /* firmware.h; NULL: the devices take no updates */
  /* of this run, in its telemetry: what an earlier run has left counts for nothing */
  uint32_t mark;
  struct payload_texts texts; /* what it may look like */
  /* some of it does not tell which message it is, or nobody is there to be told: books.c */
  bool unnumbered;
  uint32_t *ids;
  struct names *names;         /* of the fleet's devices, by their index */
  struct stage_logins *logins; /* logins.h; NULL: nobody has a user name */
  struct stage_tokens *tokens; /* tokens.h; NULL: devices have none, or do not connect so far */
  struct stage_whose whose;
  char operator_ca[FILES_PATH_MAX]; /* of the fleet folder: all of its roots */
  /* what the operator shows; "": nothing */
  char operator_certificate[FILES_PATH_MAX], operator_key[FILES_PATH_MAX];
  size_t source_addresses; /* of the fleet; 0: the system chooses */
  uint64_t rss_before;

  /* what the back office has done and knows */
  struct pki_chain presented[BROKER_LISTENERS];
  struct pki_roots client_roots;
  /* callers.h: as they were tried last, and which of those before were not let in any more */
  struct pki_roots tried_roots, dropped_roots;
  /* callers.h: nobody has told the brokers to read what was written last; whom they trusted before */
  bool clients_untold;
  struct pki_roots untold_roots;
  unsigned probe_number; /* rounds.h: of the last id of a look */
  /* the last publish-crl with a file; without one its file is empty */
  struct scenario_step crl_published;
  struct pki_crl_history crl_history; /* of the lists that were published so far */
  struct stage_listed listed[STAGE_LISTED_MAX];
  size_t listed_count;
  uint32_t lists; /* so many were published */
  struct stage_listed pardoned[STAGE_LISTED_MAX];
  size_t pardoned_count;
  struct stage_listed sampled[STAGE_SAMPLED_MAX];
  size_t sampled_count;
  size_t unsampled;   /* so many on the list that was published last that nobody looks as */
  size_t former_left; /* that a look was let in with last, until a later list did not have them */
  struct stage_let_in let_in;
  struct stage_unproven unproven;
  struct stage_unproven older; /* an older list was in force there until the next one; nobody's */
  /* of the list that was published last: nobody has told the broker to read it (apply: none); it
     adds nobody to the one before, and takes nobody off */
  bool list_untold, list_alike;
  /* of the list that was published last: it was not checked; when it ends, Unix seconds, 0: there
     is none */
  bool list_unchecked;
  int64_t list_ends_s;
  int64_t list_first_ends_s; /* of a file the first of its lists, by what stands in them */
  bool rolling_back;
  struct error at_end;     /* what the last looks at the brokers have seen; code 0: nothing amiss */
  uint32_t bundle_version; /* newest one pushed */
  struct pki_roots bundle[STAGE_VERSIONS_MAX]; /* its anchors, by version */
  bool bundle_crls[STAGE_VERSIONS_MAX];        /* whether it was made with revocation lists */
  /* of its bytes, by which an acknowledgement names it */
  uint32_t bundle_crc[STAGE_VERSIONS_MAX];
  uint32_t *acked_version;         /* per device */
  struct stage_identity *identity; /* per device */
  bool office_online;
  unsigned office_losses; /* how often its connection was lost */
  /* what keeps it from connecting will not go away by itself */
  bool office_gave_up;
  /* 1 + the device_failure that the events have of this absence; 0: none */
  int office_told;
  char office_said[DIAGNOSE_TEXT_MAX]; /* the latest reason why it is not online */
  /* messages that the plan's own steps may have lost: books.h */
  uint64_t at_risk;
  bool restarted_elsewhere; /* by a hook, or it may have been: what is not kept there is gone */
  bool office_surprised;    /* it lost its broker where the plan takes none away */
  bool office_rivalled;     /* somebody else seems to come as the operator */
  struct stage_taken taken;
  /* that it was not, since it first was, but for the present absence */
  uint64_t office_away_ms;
  uint64_t office_lost_at_ms; /* the present absence; 0: there is none */

  uint64_t brake_look_ms; /* when it was looked at last; 0: not so far */
  bool braking;

  struct stage_kept *kept; /* operation.h: what callbacks may still write to */

  /* the phase under way; its step that began last, "": none so far */
  size_t phase;
  const char *step;
  const struct stage_gate *gate; /* NULL: none is waited for */
  struct failure_set foretold;
  /* the step under way: the longest wait until the broker is seen to have changed */
  uint64_t broker_ms;
  /* shortfall.h: who fell short of the step that ended last, if it was that; those of the phase so
     far that its gate or expectations may still account for; each device as the step began */
  struct shortfall *fell_short, *shortfalls;
  struct stage_before *before;
  uint64_t began_us;          /* the step that may fall short, on the fleet's clock */
  struct scenario_step *undo; /* undo.h */
  size_t undo_count, undo_room;
};

void stage_emit(struct stage *stage, struct event event); /* now, and of no device */

/* Aborts the run: with another error than stage->error, unless it is aborted already. -1. */
int stage_abort(struct stage *stage, const struct error *error);

/* Aborts it with stage->error: what a step ends with that cannot go on. */
enum step_outcome stage_give_up(struct stage *stage);

/* What a step wants said about the phase under way, in the summary and the results. */
void stage_say(struct stage *stage, const char *text);

#endif
