/* The script of a trace: what happens in its world beside the plan, as comments at the head of the
 * scenario's file.
 *
 *     # at 3.5s: a dies            (freezes, thaws, refuses, listens)
 *     # at 3.5s: Ctrl-C            (Enter; operator loses its connection for 5s)
 *     # at 3.5s: page pause        (go-on, abort: asked on the live page)
 *     # at 3.5s: a serves spare   (another chain, under that root)
 *     # always: a keeps its chain for 127.0.0.2   (a machine for who comes from there)
 *     # at 3.5s: a loses its list                   (goes back to the list before)
 *     # always: a has no list for 127.0.0.2         (the same of its revocation list)
 *     # always: a has a machine without the list    (that every second connection meets)
 *     # at 3.5s: a has a machine that keeps its list   (the same, and later ones do not reach it)
 *     # always: a leaves 00000003 off its list
 *     # always: a reads its first list only             (of those of several CAs in its file)
 *     # at 3.5s: a forgets the back office              (its CA: of looks)
 *     # always: a reads its list 3s late            (its chain; its clients)
 *     # always: a is 7s slow for 127.0.0.2          (for looks from there)
 *     # always: a wants its own names               (of looks: client id and certificate's name)
 *     # always: a wants known names                (the same, and such a look has CONNACK 5)
 *     # always: a wants ids that begin with names   (the same, but such a one is known)
 *     # always: a closes on unknown names          (the same, without CONNACK)
 *     # always: a says nothing                     (to looks whose certificate it does not take)
 *     # always: a balances                         (looks that come while others are open: to a
 *                                                   machine that keeps its files, without a list)
 *     # always: a takes ids from certificates        (so that a look ends the device's session)
 *     # always: a takes over at once                (the same, and of several looks with one
 *                                                   certificate it lets in the last)
 *     # always: a shields sessions                  (CONNACK 5 to looks with the certificate of one)
 *     # always: a bans whom it kicks                (by a hook: CONNACK 5 from then on)
 *     # always: a kicks all at once               (by a hook: whoever of them is to be kicked)
 *     # always: a admits 15 a minute                (of one certificate; to the others CONNACK 5)
 *     # always: a admits 15 a minute of one id      (.. , and closes on others: in place of it)
 *     # always: a takes 60 looks in 10s     (.. , and closes on others before TLS; else after it)
 *     # always: a is busy                           (for such looks: CONNACK 3)
 *     # always: a holds 00000001 for expired         (or: closes on 00000001)
 *     # at 3.5s: a trusts its first clients         (whom it was to trust at the beginning)
 *     # always: a restarts with its first clients
 *     # always: a forgets its clients               (whom it trusts: at each restart)
 *     # always: a is deaf          (keeps its chain, does not start: from the moment it is there)
 *     # always: a installs the leaf                 (only, of a new chain)
 *     # always: a installs the leaf before old certificates
 *     # always: a installs more                     (a certificate that nobody needs)
 *     # always: a trusts spare as well    (clients under that root, whatever its file says)
 *     # always: a has one file for both listeners   (the hook does not look at FLEETSIM_LISTENER)
 *     # always: a keeps nothing    (of sessions and messages, over a restart by a hook)
 *     # at 3.5s: a forgets the password of dev-2  (a user name; knows all passwords)
 *     # at 3.5s: a cuts telemetry  (its last byte, from then on)
 *     # at 3.5s: a drops telemetry (that it has acknowledged, from then on)
 *     # hook restart: fails        (does nothing; skips b)
 *     # at 3.5s: hook restart does nothing
 *     # no terminal
 *
 * The first line of the file is the sentence that says what the trace shows. */
#ifndef FLEETSIM_TRACE_SCRIPT_H
#define FLEETSIM_TRACE_SCRIPT_H

#include "report/onlooker.h"

/* Who asks what "page" says, and looks at nothing. */
const struct onlooker *script_onlooker(void);

/* Puts it on the clock; `text` is the scenario's file and outlives the run. */
void script_begin(const char *text);

#endif
