/* What a hostile server saw of a client in one trial, and what it is taken to show. */
#ifndef FLEETSIM_GAUNTLET_OBSERVATION_H
#define FLEETSIM_GAUNTLET_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gauntlet/cases.h"
#include "gauntlet/hello.h"

#define OBSERVATION_TEXT 160

/* How the connection ended. */
enum observation_end {
  OBSERVATION_OPEN,   /* it has not: the trial's time was up */
  OBSERVATION_CLIENT, /* the client closed it */
  OBSERVATION_RESET,  /* the client reset it */
  OBSERVATION_SERVER, /* the case has the server close it */
};

/* What a command left in the file that it was to write. */
enum observation_file {
  OBSERVATION_UNNAMED, /* it was not told of one, or of no file */
  OBSERVATION_NOTHING, /* there is none, or an empty one */
  OBSERVATION_IMAGE,   /* the image */
  OBSERVATION_OTHER,   /* something else */
};

/* Of all connections of one trial, in the order of what happens. Times are of the loop's clock, in
 * milliseconds since the trial began; -1: it did not come to that. */
struct observation {
  unsigned connections;     /* TCP connections that were accepted */
  unsigned mute;            /* of them, those that never sent a byte */
  double first_ms, last_ms; /* when the first and the last of them came */
  double retry_ms[16];      /* from the end of one to the begin of the next, as many as fit */
  unsigned retries;         /* entries of retry_ms */

  /* from here on of the connection that came furthest */
  bool has_hello; /* a whole ClientHello has come */
  struct hello hello;
  bool begun; /* the client was sent some of what a script does, and has nothing to say before the
                  * rest of it comes: who leaves then has seen what it is */
  bool said;  /* the server has said all that it says before a client must judge */
  bool unserved; /* it could not: the client offers nothing that the case needs */
  char unserved_why[OBSERVATION_TEXT];
  bool shaken;               /* the TLS handshake was complete on the server's side */
  uint8_t tls;               /* 10 to 13, where it was agreed on; 0 */
  char suite[48], group[32]; /* agreed on; "" */
  bool resumed;
  char client_cn[OBSERVATION_TEXT]; /* of the certificate that the client sent; "" */
  bool client_certificate; /* it sent one; and before TLS 1.3 anybody on the way reads it */
  uint8_t alert;           /* fatal alert that the client sent; 0: none */
  bool alerted;
  size_t clear_bytes;       /* that it sent without TLS: MQTT, or text such as HTTP */
  size_t application_bytes; /* that were decrypted: what went to this server */
  bool asked;               /* among them a whole CONNECT, or the head of a request */
  uint8_t mqtt;             /* of CONNECT: 3, 4 or 5; 0: none has come */
  char client_id[OBSERVATION_TEXT];
  bool has_user, has_password; /* of CONNECT: secrets themselves are not kept */
  unsigned password_size;
  uint16_t keep_alive_s;
  unsigned publishes;               /* messages that the client sent */
  unsigned publishes_after_refusal; /* of them, after a CONNACK that refused it */
  bool went_on;      /* once the server had said all, it did not stop: it sent the next step of
                                * the handshake, or an MQTT packet that is no goodbye */
  bool said_goodbye; /* DISCONNECT */
  uint8_t goodbye;   /* its reason code, MQTT 5 */
  unsigned requests; /* HTTP requests; of them .. */
  unsigned plain_requests; /* .. without TLS, where a redirect had led it */
  enum observation_end end;
  double hello_ms, said_ms,
      ended_ms;                 /* when: the hello was whole, the server had said all, the end */
  double shaken_ms, connack_ms; /* the handshake was complete, a CONNACK went */
  double owed_ms; /* the first PINGREQ, or PUBLISH of QoS 1 or 2, came that gets no answer */
  unsigned pings; /* PINGREQs that were answered */

  /* of a command, or of our own device */
  bool watched;   /* it is one of these: how it ends will be known */
  bool ended;     /* it did, within the time that it had */
  bool cut_short; /* the trial was, by who had begun it */
  enum observation_file file;
  unsigned left;      /* processes of a command that outlived it, and were ended */
  int status, signal; /* of a command: exit status, or the signal that ended it */
  double took_ms;
  char said_last[OBSERVATION_TEXT]; /* the last line that a command printed */
  bool sanitizer;   /* its output has a sanitizer's report, or it ended by SIGSEGV and the like */
  char failure[64]; /* our own device: the name of its failure, "accept", "update NAME" */
  uint32_t flags;   /* its verify flags */
};

/* symbol, word, sentence */
#define VERDICTS(X)                                                                          \
  X(PASS, "pass", "the client did what the case asks for")                                   \
  X(FAIL, "fail", "it did not")                                                              \
  X(WARN, "warn", "it did what its owner decided, and what others would not")                \
  X(NOT_OFFERED, "not_offered", "the client offers nothing that the case could be run with") \
  X(NOT_SHOWN, "not_shown", "the trial did not come to the point that would show it")        \
  X(SKIPPED, "skipped", "the trial could not be made here")

enum verdict {
#define X(symbol, word, sentence) VERDICT_##symbol,
  VERDICTS(X)
#undef X
      VERDICT_COUNT
};

const char *verdict_word(enum verdict verdict);
const char *verdict_sentence(enum verdict verdict);

/* symbol, word: what a client was seen to do, in one word */
#define CONDUCTS(X)                \
  X(NONE, "never came")            \
  X(REFUSED, "refused")            \
  X(ACCEPTED, "accepted")          \
  X(HUNG, "did not give up")       \
  X(UNSERVED, "nothing in common") \
  X(UNCLEAR, "unclear")

enum conduct {
#define X(symbol, word) CONDUCT_##symbol,
  CONDUCTS(X)
#undef X
      CONDUCT_COUNT
};

const char *conduct_word(enum conduct conduct);

#endif
