/* When a password that is a token ends, as far as it says so itself. Nothing is verified: who issued it
 * and whether it is in force is for the broker to judge. */
#ifndef FLEETSIM_TOKEN_H
#define FLEETSIM_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

/* Unix seconds from which on it is over: `exp` of a JSON web token (RFC 7519, 4.1.4), `se` of a shared
 * access signature ("SharedAccessSignature sr=..&sig=..&se=1893456000", as Azure has them). 0: it says
 * nothing of the kind. */
int64_t token_end_s(const char *token);

/* Whether the new one can stand in for the old one, as far as they say so themselves: it is another
 * text, tells its end where the old one did, and is for the same one: `sub` of a JSON web token, `sr`
 * of a shared access signature. The page of a server that fails, and somebody else's token, are none. */
bool token_renews(const char *fresh, const char *old);

#endif
