/* A broker that a scenario works on, of one of the kinds in base/broker_kinds.h: a mosquitto of its
 * own, or one that stands elsewhere. Who needs to know what may be asked of it asks for a trait,
 * broker_is, and not for the kind.
 *
 * Every operation is asynchronous on the given loop and ends by calling `done` once, never from
 * inside the call, with NULL or with an error that says what to do. What is under way when the
 * broker is stopped or closed ends with EXIT_CODE_INTERRUPTED. An owned one runs as a child in its
 * own folder, with its log kept, and never outlives this process (child/child.h, and broker_close).
 * It listens on 127.0.0.1 only.
 *
 * Broker folder (0700): what the caller writes (pki.h, crl.h) lies where broker_chain_place and
 * broker_place say, in PEM; then he says that it is there (broker_presented and its like), and asks
 * for a reload or restart. The rest is the kind's own.
 */
#ifndef FLEETSIM_BROKER_H
#define FLEETSIM_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/broker_kinds.h"
#include "base/chain_prints.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hooks.h"
#include "base/login.h"
#include "base/names.h"
#include "fleetsim/failure.h"
#include "net/permit.h"

struct broker;
struct uv_loop_s;

enum broker_listener { BROKER_MAIN, BROKER_PROVE, BROKER_LISTENERS };

/* What is given to a broker beside its chains. */
enum broker_material {
  BROKER_CLIENT_CA,   /* what client certificates are checked by */
  BROKER_CRLS,        /* of whoever issued client certificates */
  BROKER_TICKET_KEYS, /* of a terminator before it */
  BROKER_PROBE_CA,    /* what somebody who asks verifies it by (broker_try_client) */
  BROKER_MATERIALS
};

/* Paths. */
struct broker_pair {
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
};

/* What to do for a hooked broker. Each is a shell command, or an http(s) URL that gets a POST
 * (libcurl) with the same facts as JSON; NULL: the step cannot be done there, and says so. A
 * command gets FLEETSIM_ACTION, FLEETSIM_CERT, FLEETSIM_KEY, FLEETSIM_CLIENT_CA, FLEETSIM_CRL
 * (paths), FLEETSIM_LISTENER (main or prove), FLEETSIM_DEVICE (for `kick`: the client id) and
 * FLEETSIM_TOKEN in its environment, 60 s, and must exit 0; what it prints goes to hooks.log. A URL
 * must answer 2xx; the JSON's keys are action, cert, key, client_ca, crl, listener, device, token. */
struct broker_hooks {
  const char *of[HOOK_COUNT];
};

/* Somebody with a user name and a password, and what he may read and write. */
struct broker_account {
  struct login login;
  const char *root, *telemetry; /* topics that begin with `root`, and this one; NULL: none */
};

/* `get` is called while the broker starts; what it hands out is used before the next call. */
struct broker_accounts {
  size_t count;
  void (*get)(void *ctx, size_t index, struct broker_account *out);
  void *ctx;
};

/* How a local mosquitto exchanges all that is said to and by devices with another one, QoS 1 both ways: one connection to
 * the peer's main listener, with TLS, a certificate of its own and a session that both sides keep.
 * Bridges must form a tree: mosquitto does not see a message coming round a ring. */
struct broker_bridge {
  const struct broker *peer; /* NULL: no bridge. Has its ports by the time this broker starts */
  const char *name;          /* MQTT client id at the peer; no two bridges there have the same */
  /* absolute; its CN is the peer's operator_name */
  const char *ca_path, *certificate_path, *key_path;
};

/* Copied by broker_open; what it points to must outlive the broker. "local": of an owned kind,
   "remote": of one elsewhere. */
struct broker_config {
  enum broker_kind kind;
  const char *folder;
  const char *keys; /* folder for its private keys, keys of tickets and passwords; NULL: `folder` */
  const char *host; /* name that certificates carry; local: "localhost" */
  uint16_t port[BROKER_LISTENERS]; /* 0: local: any free port; remote: no such listener */
  uint8_t tls_min;                 /* local: 12 or 13; 0: 13 */
  const char *alpn;                /* what a client of ours offers (RFC 7301); NULL: nothing */
  /* remote: host name or address per listener, NULL: `host` */
  const char *address[BROKER_LISTENERS];
  /* remote: where may be sent, by address too; NULL: loopback only */
  const struct permit *permit;
  struct broker_hooks hooks;
  uint32_t hook_timeout_ms; /* 0: 60 s */
  /* local: a client has so long until its handshake is done (front.h); 0: any time */
  uint32_t handshake_timeout_ms;
  /* local: connections taken up per second, in their order (front.h); 0: as they come */
  double handshake_rate;
  size_t connections; /* with either of these: how many clients there may be at once */
  /* local: CN that may read and write what is said to and by devices; NULL: nobody */
  const char *operator_name;
  const struct names *names; /* local: of the devices, each of which may at its own topics only;
                                NULL: of any, by names_usual */
  /* local: clients need no certificate and may do everything: a false broker's manners */
  bool anyone;
  /* local: who may come in, by name and password; count 0: whoever shows a certificate, by its CN */
  struct broker_accounts accounts;
  bool certificate_free; /* local, with accounts: no client is asked for a certificate */
  /* local: clients are checked against crl.pem, which must be there and valid */
  bool crl;
  /* local: fleetsim, which ends TLS before mosquitto (terminator/terminator.h); NULL */
  const char *terminator;
  struct broker_bridge bridge; /* local */
  /* Called when a local broker ended without being asked to; the text says how. */
  void (*died)(void *ctx, const char *how);
  void *ctx;
};

typedef void (*broker_done)(void *ctx, const struct error *error);
typedef void broker_operation(struct broker *broker, broker_done done, void *ctx);

/* What broker_probe saw, or broker_try_client. */
struct broker_seen {
  struct chain_prints chain; /* that is served; of 0: none was seen */
  /* broker_try_client: what a device would call it; NONE: CONNACK 0 */
  enum device_failure failure;
  bool takes;    /* the broker took the client's certificate .. */
  char why[160]; /* .. or how it refused it */
};
typedef void (*broker_seen_done)(void *ctx, const struct broker_seen *seen,
                                 const struct error *error);

/* Checks the configuration, finds the program, picks free ports; writes nothing but the folder. A
 * local port that is picked lies below the system's ephemeral range, so that no device's end of a
 * connection takes it during a restart. */
int broker_open(struct uv_loop_s *loop, const struct broker_config *config, struct broker **out,
                struct error *error);

/* Local: writes its configuration, starts it and waits until both listeners accept (10
 * s). A port that was picked and has been taken before the first start is picked anew: read
 * broker_port after `done`. Remote: waits for one TCP connection to each listener (10 s). */
void broker_start(struct broker *broker, broker_done done, void *ctx);

/* Local: SIGHUP (leaf and key are read again, and with `crl` the CRLs and the CA file; without,
 * mosquitto 2.0 reads the CA file at start only), until its log says that it reloads, 60 s at most:
 * a connection that is begun after `done` meets what the files hold now. One that is open may have
 * been taken before, and end its handshake by what they held then. Elsewhere: the hook; whether
 * that did something is to be seen. */
void broker_reload(struct broker *broker, broker_done done, void *ctx);

/* SIGTERM, wait, start again on the same ports; sessions survive in mosquitto.db. */
void broker_restart(struct broker *broker, broker_done done, void *ctx);

/* A remote broker's hooks for new files; a local broker needs none and `done` comes at once. */
void broker_presented(struct broker *broker, enum broker_listener listener, broker_done done,
                      void *ctx);
void broker_clients_trusted(struct broker *broker, broker_done done, void *ctx);

void broker_crl_published(struct broker *broker, broker_done done, void *ctx);

/* A CA of the user's, asked by a command of his. */
struct broker_signing {
  const char *command; /* a shell's */
  const char *request; /* file with the CSR, PEM: its standard input */
  const char *answer;  /* file for what it prints: the certificate; it is made anew */
  const char *device;  /* the device's name */
  uint32_t timeout_ms; /* 0: 60 s */
};

/* Runs the command as a hook is run, with FLEETSIM_DEVICE and FLEETSIM_CSR (the request's file) in its
 * environment and its errors in the broker's log of hooks. An error: it did not exit with 0, or not
 * in time. The texts must last until `done`. */
void broker_sign(struct broker *broker, const struct broker_signing *signing, broker_done done,
                 void *ctx);

/* Whose session is to end. */
struct broker_kick {
  const char *client_id;
  /* the client will want its subscriptions and queued messages back */
  bool keep_session;
  /* local: of somebody who may connect under any client id: the operator */
  const char *certificate_path, *key_path;
  struct login login;
};

/* Ends the client's open session; 5 s, or the hook's time. mosquitto 2.0 has no command for it:
 * here somebody else connects under the client's id, which makes mosquitto close the older
 * connection (measured with 2.0.11; MQTT 3.1.1, 3.1.4-2; the certificate decides on topics, not on
 * the id), and leaves again without taking a message. A client that is not revoked comes back at
 * once. */
void broker_kick(struct broker *broker, const struct broker_kick *kick, broker_done done,
                 void *ctx);

/* Has whoever issues the tokens by which a hooked broker knows devices write a new one of this device
 * into the file. What the hook prints or answers is not kept. */
void broker_renew_token(struct broker *broker, const char *device, const char *path,
                        broker_done done, void *ctx);

/* A client that somebody pretends to be. Copied. */
struct broker_client {
  const char *client_id;
  const char *certificate_path, *key_path; /* NULL: it shows none */
  struct login login;
  const char *ca_path; /* the broker's chain and name are verified by it; NULL: they are not */
  const char *from;    /* numeric address that it comes from; NULL: the system chooses */
  unsigned turn;       /* of the addresses of the broker's name, the one to begin with */
  uint32_t timeout_ms; /* until CONNACK; 0: 5 s */
};

/* Asks the main listener whether it takes this client's certificate: a TLS handshake with it and
 * CONNECT (MQTT 3.1.1, a new session). CONNACK of whatever code: it does; an alert or the end of
 * the connection before: it does not. Then it leaves. An error: there was no answer, or (with
 * `ca_path`) none that is to be trusted. What was seen comes with an error too. */
void broker_try_client(struct broker *broker, const struct broker_client *client,
                       broker_seen_done done, void *ctx);

/* A session of such a client, held to see whether the broker ends it. */
enum broker_session_state {
  BROKER_SESSION_OPENING,   /* 5 s at most */
  BROKER_SESSION_OPEN,      /* CONNACK 0; it pings every 5 s */
  BROKER_SESSION_REFUSED,   /* the broker does not take the client */
  BROKER_SESSION_UNREACHED, /* there was no answer */
  BROKER_SESSION_ENDED      /* it was open, and the broker has ended it */
};
struct broker_session;

/* Begins one at the main listener (MQTT 3.1.1, a new session); to be given to broker_let_go, which
 * ends what is open with DISCONNECT, before the broker is closed. */
struct broker_session *broker_hold(struct broker *broker, const struct broker_client *client);
enum broker_session_state broker_held(const struct broker_session *session);
void broker_let_go(struct broker_session *session);

/* Somebody who looks at what a listener serves; `from` and `turn` as a client's. Copied. */
struct broker_look {
  enum broker_listener listener;
  const char *from;
  unsigned turn;
  uint32_t timeout_ms; /* 0: 5 s */
};

/* Makes one TLS connection (any certificate is taken: it is looked at, not trusted), and reports
   what is served. */
void broker_probe(struct broker *broker, const struct broker_look *look, broker_seen_done done,
                  void *ctx);

/* Ends a local broker: SIGTERM, SIGKILL after 5 s. A remote one is left alone. */
void broker_stop(struct broker *broker, broker_done done, void *ctx);

/* A local broker meets its end: SIGKILL, so that nothing is saved; `done` comes when it is gone. Or
 * it stands still with all its connections open (SIGSTOP) until it is thawed (SIGCONT). What is
 * asked of a broker that is not running is an error. broker_start brings back one that was killed
 * or stopped, on the ports that it had. */
void broker_kill(struct broker *broker, broker_done done, void *ctx);
void broker_freeze(struct broker *broker, broker_done done, void *ctx);
void broker_thaw(struct broker *broker, broker_done done, void *ctx);

/* Releases everything; kills what still runs, closes its handles on the loop (run the loop until
 * `closed`). Operations under way call their `done` before `closed`; `died` is not called any
 * more. */
void broker_close(struct broker *broker, void (*closed)(void *ctx), void *ctx);

/* Where the files of a listener belong, and of somebody who asks whether he is taken
   (broker_try_client, broker_hold): of a stranger, and of the `number`th of those who ask in a device's place. */
struct broker_pair broker_chain_place(const struct broker *broker, enum broker_listener listener);
struct broker_pair broker_probe_place(const struct broker *broker);
struct broker_pair broker_device_place(const struct broker *broker, unsigned number);
void broker_place(const struct broker *broker, enum broker_material what, char out[FILES_PATH_MAX]);

/* Before it is opened the scenario knows (scenario_broker_is). */
bool broker_is(const struct broker *broker, enum broker_trait trait);

/* "mosquitto", in sentences. */
const char *broker_name(const struct broker *broker);

/* Name of the log in its folder: "mosquitto.log". */
const char *broker_log_name(const struct broker *broker);

/* A new CA file of clients is read at a restart only. */
bool broker_trusts_at_start_only(const struct broker *broker);

const char *broker_host(const struct broker *broker);

/* Clients that the handshake time-out has cut off so far. */
uint64_t broker_timed_out(const struct broker *broker);

/* Where to connect for this listener: 127.0.0.1, or the remote's name or address. */
const char *broker_address(const struct broker *broker, enum broker_listener listener);
uint16_t broker_port(const struct broker *broker, enum broker_listener listener);
/* The same without the gate that a handshake time-out or rate puts before a local broker: where the
   operator goes. */
uint16_t broker_inner_port(const struct broker *broker, enum broker_listener listener);
bool broker_running(const struct broker *broker); /* a frozen one runs */

/* "mosquitto 2.0.11", or "remote HOST:PORT". */
const char *broker_version(const struct broker *broker);

#endif
