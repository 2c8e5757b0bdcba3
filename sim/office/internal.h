/* What the files of this room share. One mutex guards everything; no function of paho is ever
 * called with it held, as paho calls back with a lock of its own. `wake` is called without it as
 * well. */
#ifndef FLEETSIM_OFFICE_INTERNAL_H
#define FLEETSIM_OFFICE_INTERNAL_H

#include <MQTTAsync.h>
#include <pthread.h>

#include "base/ledger.h"
#include "net/tls_alpn.h"
#include "office/diagnose.h"
#include "office/office.h"

enum { LATENCIES_MAX = 65536, WINDOW = 500, OFFICE_URI_MAX = 300, FILTERS_MAX = 7 };

/* A message on its way to the broker: in the list of those that wait, or flying. */
struct parcel {
  struct parcel *next, *previous;
  struct flight *flight;
  uint8_t qos; /* 0: not sent again */
  bool retain;
  size_t size;
  char topic[NAMES_TOPIC_MAX];
  uint8_t data[];
};

/* What paho holds while it carries a parcel. Its callback may come late, or after the parcel was
 * sent again: then `parcel` is NULL. Owned by the operator until the callback has come or paho is
 * gone. */
struct flight {
  struct flight *next, *previous;
  struct office *op;
  struct parcel *parcel;
};

struct outbox {
  struct parcel *first, *last; /* wait, oldest first */
  struct flight *flights;
  size_t waiting, flying;
};

struct server {
  char host[PERMIT_HOST_MAX];
  uint16_t port;
  char uri[OFFICE_URI_MAX]; /* for paho */
};

/* One of the subscriptions of a connection, as paho's callbacks get it. */
struct subscription {
  struct office *op;
  unsigned filter;
};

struct office_filter {
  char topics[NAMES_TOPIC_MAX];
  int qos;
};

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_UP };

struct office {
  struct office_config config;
  MQTTAsync client;
  struct server server[1 + OFFICE_OTHERS_MAX];
  pthread_t keeper;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  enum link_state state;
  uint64_t since_ms; /* of this state, monotonic */
  bool stopping, answered;
  bool returning;                   /* to the first server */
  bool forgotten;                   /* there is no session of an earlier run, or no more: link.c */
  unsigned char alpn[TLS_ALPN_MAX]; /* for paho */
  size_t at;                        /* which server it is connected to, or tries next */
  struct office_filter filters[FILTERS_MAX]; /* filter_count of them */
  unsigned filter_count;
  struct subscription subscriptions[FILTERS_MAX];
  unsigned granted; /* a bit per filter, on this connection */
  bool greeted;     /* it had its CONNACK */

  /* why it is not connected */
  struct office_failure failure;
  bool has_connected; /* ever */
  unsigned failed;    /* attempts in a row */
  /* connections in a row that ended before anything that was sent was acknowledged */
  unsigned cut_short;
  size_t cut_size;      /* of the largest message that was on its way then */
  unsigned brief;       /* connections in a row that ended soon, and the one before these */
  bool to_be_diagnosed; /* by the keeper, before it tries again */

  struct outbox outbox;
  struct blocks_book book; /* with config.ota */

  struct office_event *events; /* ring */
  size_t event_first, event_count, event_capacity, event_limit;

  struct ledger *ledgers; /* what arrived, per device */
  struct office_tally tally;
  uint32_t latencies[LATENCIES_MAX];
  size_t latency_count;
  uint64_t latencies_skipped;
};

/* With the mutex held. */
void inbox_event(struct office *op, const struct office_event *event);

/* Without it: takes one message from paho's thread. `retained`: the broker kept it from before the
   subscription. */
void inbox_message(struct office *op, const char *topic, const void *payload, size_t size,
                   bool retained);

/* held; NULL: nothing to send, or the window is full */
struct parcel *outbox_take(struct office *op);
void outbox_landed(struct flight *flight, bool acknowledged); /* not held */
/* held: all that fly wait again; of QoS 0: are gone */
void outbox_recall(struct office *op);

/* Held: the size of the largest message that flies, 0: none does. */
size_t outbox_largest(const struct office *op);
void outbox_free(struct office *op);

#define LOSS_TEXT_MAX 512

/* Held: counts that a connection has ended, and says why; `cause` is paho's word for it, or NULL. */
void loss_describe(struct office *op, const char *cause, char text[LOSS_TEXT_MAX]);

/* Held: counts that a connection that was up has ended. Whether another client seems to come under
   the same id, as the code of OFFICE_LOST; says so in place of what `text` had. */
uint8_t loss_takeover(struct office *op, char text[LOSS_TEXT_MAX]);

/* What to do where it ended at the subscriptions, or the SUBACK for one of them says no. */
void loss_unsubscribed(const struct office *op, char text[LOSS_TEXT_MAX]);
void loss_refused(const struct office *op, unsigned filter, int code, char text[LOSS_TEXT_MAX]);

/* link.c: paho. None with the mutex held. */
int link_open(struct office *op, struct error *error);
void link_keep(struct office *op); /* one round of the keeper */
void link_pump(struct office *op);
void link_close(struct office *op);
uint64_t link_now_ms(void);

#endif
