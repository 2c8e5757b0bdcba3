/* The environment of this process: as its caller gave it, and without what would lead connections
 * elsewhere.
 *
 * Nothing of ours uses a proxy. libcurl can be told; paho.mqtt.c 1.3.12 cannot (an empty option is
 * the address of a proxy to it) and heeds no `no_proxy`, so that the variables have to go.
 */
#ifndef FLEETSIM_ENVIRONMENT_H
#define FLEETSIM_ENVIRONMENT_H

/* Keeps a copy and removes the variables that name proxies. To be called once, before the first
   thread. */
void environment_begin(void);

/* The copy, or where there is none what is there now: for commands of the user's own. Ends with
   NULL. */
char *const *environment_of_caller(void);

#endif
