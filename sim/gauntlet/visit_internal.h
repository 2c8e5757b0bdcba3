/* What the files of a visit share. */
#ifndef FLEETSIM_GAUNTLET_VISIT_INTERNAL_H
#define FLEETSIM_GAUNTLET_VISIT_INTERNAL_H

#include "gauntlet/visit.h"

#define VISIT_RAW_MAX 20000u /* bytes of a client's begin that are kept, for its hello */
#define VISIT_TALK_MAX \
  70000u /* of what it says inside TLS: a packet that is longer is passed over */
#define VISIT_QUEUE_MAX  262144u /* that wait to be sent before a flood pauses */
#define VISIT_RECORD_MAX (5u + 16384u + 256u)

enum visit_phase { VISIT_WIRE, VISIT_SECURE, VISIT_TALK };

struct visit_bytes {
  uint8_t *data;
  size_t size, room;
};

struct visit {
  uv_loop_t *loop;
  uv_tcp_t tcp;
  uv_timer_t step, drip; /* the script's waiting; one byte at a time */
  uv_timer_t hush;       /* of MQTT: until the client has paused */
  uv_write_t write;
  unsigned handles;
  const struct act *act;
  uint64_t began_ms;
  const struct visit_handler *handler;
  void *ctx;
  struct observation seen;

  enum visit_phase phase;
  size_t wire_at, talk_at; /* step under way */
  bool talking;            /* the talk's script has begun */
  bool waiting;            /* for a timer */
  uint32_t progress;       /* of the step under way: times flooded, 1: it has begun to wait */
  bool script_over;        /* nothing more comes of it: silence */

  struct visit_bytes raw;   /* from the client, from its begin */
  struct visit_bytes talk;  /* decrypted, not yet taken */
  struct visit_bytes queue; /* to be sent */
  uint8_t *writing;         /* under way */
  uint32_t drip_ms;         /* 0: as fast as it goes */
  uint64_t dripped_ms;      /* when the last byte of these was due */
  bool ending, resetting;   /* when the queue is empty */
  bool lingering;           /* our side is shut, and the client's is read on */
  bool closed;

  SSL *ssl;
  struct tamper *tamper;   /* FINISHED */
  bool broken;             /* TLS has failed: nothing more is read of it */
  bool mute;               /* what TLS says is held back from here on */
  bool flight;             /* all of TLS that a client must judge has been made */
  struct visit_bytes out;  /* of TLS, until a record is whole */
  struct visit_bytes held; /* SWAP: the record that waits for the next one */
  uint32_t records;        /* that the server has sent */
  bool spoiled;            /* one of them was the one that the filter is about */
  uint32_t let_through;    /* CUT: bytes */
  struct visit_bytes in;   /* of the client's records, the head of the one that comes */
  size_t in_left;          /* bytes of it that are still to come */

  bool polite;
  unsigned without;
  uint16_t packet_id;    /* of the packet that was waited for last */
  size_t skip;           /* bytes of a packet or body that are passed over */
  bool answered;         /* since all was said: what comes now, comes behind the lie */
  uint64_t heard_ms;     /* MQTT: when it began to say what has not been answered yet; 0 */
  size_t noted;          /* bytes of `talk`, and of what comes, whose packets were observed */
  bool refused_it;       /* a CONNACK that refuses was sent */
  bool range, head_only; /* of the last request */
  size_t first, last;    /* bytes that it asks for */
};

/* Drops what was said from its begin. */
void visit_forget(struct visit *visit, size_t size);

/* Appends; false: out of memory. */
bool visit_keep(struct visit_bytes *bytes, const void *data, size_t size);
void visit_drop(struct visit_bytes *bytes, size_t size);

/* visit.c: bytes to the client, on the wire */
void visit_send(struct visit *visit, const void *data, size_t size);
double visit_ms(const struct visit *visit);
/* When all that waits has been sent. */
void visit_end(struct visit *visit, bool reset);

/* play.c */
void play_on(struct visit *visit);
void play_app(struct visit *visit, const uint8_t *data, size_t size);
/* A script is under way, and needs nothing more of the client. */
bool play_is_unasked(const struct visit *visit);

/* visit_tls.c */
bool visit_tls_begin(struct visit *visit);
void visit_tls_bytes(struct visit *visit, const uint8_t *data, size_t size);
/* Bytes to the client inside TLS. */
void visit_tls_say(struct visit *visit, const void *data, size_t size);
/* All that a client must judge has been made, what is spoiled of it too. */
bool visit_tls_has_said_all(const struct visit *visit);
void visit_tls_end(struct visit *visit);

/* talk_mqtt.c, talk_https.c: take what has come; true: it is what the script has waited for */
bool talk_mqtt_take(struct visit *visit, enum script_verb wanted);
/* Observes the packets that have come, whether or not a script takes them. */
void talk_mqtt_note(struct visit *visit);
bool talk_https_take(struct visit *visit, enum script_verb wanted);
void talk_https_image(struct visit *visit);

#endif
