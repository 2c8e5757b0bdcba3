/* What brokers and the back office of a trace know of each other, and what its script does to
 * them. */
#ifndef FLEETSIM_TRACE_SITE_H
#define FLEETSIM_TRACE_SITE_H

#include "broker/broker.h"
#include "pki/pki.h"

/* --- Of the trace (test_traces.c) ------------------------------------------------------------- */

/* A line of the trace: now, and what `who` does. */
void trace_say(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- Of the brokers (broker.c) ---------------------------------------------------------------- */

/* Before a run: what a broker that stands elsewhere presents and trusts at first. */
void site_begin(const struct pki_roots *roots, const char *presented);

/* By the name in the scenario, "broker" where there is one only. NULL: there is none so far. */
struct broker *site_find(const char *name);
struct broker *site_at(uint16_t port);

void site_die(struct broker *broker);             /* by itself: SIGKILL from elsewhere */
void site_freeze(struct broker *broker, bool on); /* it stands still, or goes on */
void site_refuse(struct broker *broker, bool on); /* nobody listens */
void site_go_deaf(struct broker *broker);         /* what the back office publishes is lost */
void site_cut_telemetry(struct broker *broker);   /* by a byte: it has come so far */
void site_drop_telemetry(struct broker *broker);  /* without a word to either side */
/* of the file that its hook is given */
enum site_installs {
  SITE_INSTALLS_ALL,
  SITE_INSTALLS_LEAF,
  SITE_INSTALLS_LEAF_BEFORE_OLD, /* and leaves the certificates after the leaf as they were */
  SITE_INSTALLS_MORE             /* and a certificate that nobody needs */
};
void site_install(struct broker *broker, enum site_installs how);
void site_keep_chain(struct broker *broker);              /* a reload takes no new chain */
void site_share_chain(struct broker *broker);             /* script.h */
void site_serve(struct broker *broker, const char *root); /* another chain, by itself */
void site_split(struct broker *broker, const char *from); /* script.h */
void site_forget_lists(struct broker *broker);            /* by itself */
void site_restore_roots(struct broker *broker, bool now); /* of the beginning: or at each restart */
void site_go_back(struct broker *broker);                 /* to the list before its last */
void site_forget_roots(struct broker *broker);            /* at each restart */
void site_trust(struct broker *broker, const char *root); /* script.h */
void site_omit(struct broker *broker, const char *name);
void site_read_first(struct broker *broker);    /* script.h */
void site_forget_office(struct broker *broker); /* script.h */
void site_be_forgetful(struct broker *broker);  /* script.h */
void site_lag(struct broker *broker);           /* script.h */
void site_be_listless(struct broker *broker, const char *from);
enum site_files { SITE_CHAINS, SITE_CLIENTS, SITE_LISTS, SITE_FILES };
void site_read_late(struct broker *broker, enum site_files what, uint64_t us);
void site_be_slow_for(struct broker *broker, const char *from, uint64_t us);
void site_want_names(struct broker *broker);
void site_want_known(struct broker *broker);
void site_want_beginnings(struct broker *broker); /* the same, and ids that begin so are known */
void site_slam(struct broker *broker);            /* the same, and it closes on the others */
void site_say_nothing(struct broker *broker);
void site_balance(struct broker *broker);
void site_take_ids(struct broker *broker, bool over); /* script.h */
void site_shield(struct broker *broker);
void site_ban(struct broker *broker);
void site_kick_all(struct broker *broker); /* script.h */
/* script.h */
enum site_limited { SITE_CERTIFICATES, SITE_IDS };
void site_limit(struct broker *broker, enum site_limited of, unsigned most, bool closes);
void site_limit_looks(struct broker *broker, unsigned most, unsigned per_s, bool early);
void site_forget_password(struct broker *broker, const char *user); /* "": it has them all again */
void site_spurn(struct broker *broker, const char *name, bool closes);
void site_be_busy(struct broker *broker);
void site_fail_start(struct broker *broker); /* it does not start any more */
void site_keep_nothing(
    struct broker *broker); /* its restart by a hook loses sessions and messages */
void site_hook_fails(const char *hook);
void site_hook_does_nothing(const char *hook);
void site_hook_skips(const char *hook, const char *name); /* that broker it forgets */

/* The back office connects (false: it cannot be reached, or stands still), leaves, publishes. */
bool site_attach(struct broker *broker);
void site_detach(struct broker *broker);
bool site_is_silent(const struct broker *broker);
void site_publish(struct broker *broker, const char *topic, const void *data, size_t size,
                  uint8_t qos, bool retain);

/* --- Of the back office (office.c) ------------------------------------------------------------ */

void site_hear(const char *topic, const void *data, size_t size, bool retained);
void site_lose_office(struct broker *broker);

/* It loses its connection for so long. */
void site_cut_office(uint64_t us);

#endif
