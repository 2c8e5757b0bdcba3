/* Who a client says it is in CONNECT, beside its id and what it shows in TLS. */
#ifndef FLEETSIM_LOGIN_H
#define FLEETSIM_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGIN_USER_MAX     256u  /* bytes of a user name */
#define LOGIN_PASSWORD_MAX 1024u /* bytes of a password */
#define LOGIN_ID_MAX       128u  /* bytes of a client id */
#define LOGIN_CONNECT_MAX  (LOGIN_USER_MAX + LOGIN_PASSWORD_MAX + LOGIN_ID_MAX + 20u)

struct login {
  const char *user;     /* NULL: none, and then no password either */
  const char *password; /* NULL: none */
};

/* Writes an MQTT 3.1.1 CONNECT without a will (OASIS MQTT 3.1.1, 3.1) and returns its size; what is
 * longer than the above is cut. It holds the password: wipe it (base/secret.h). */
size_t login_connect(const char *client_id, bool clean_session, uint8_t keep_alive_s,
                     const struct login *login, uint8_t out[LOGIN_CONNECT_MAX]);

#endif
