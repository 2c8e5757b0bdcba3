/* The brokers' revocation lists. */
#ifndef FLEETSIM_STAGE_CRLS_H
#define FLEETSIM_STAGE_CRLS_H

#include "stage/stage.h"

/* The CRLs' file of a broker: written before it starts. 0, or -1 with stage->error. */
int stage_write_crls(struct stage *stage, const struct scenario_crl *crl);

/* Makes the list, tells the fleet whom it names, has the brokers take it. */
enum step_outcome stage_publish_crl(struct stage *stage, const struct scenario_crl *crl,
                                    enum scenario_apply apply);

/* All roots whose devices the broker may come to trust; one of those `trusted` now must be able to
 * say whom it revoked. */
struct pki_roots stage_crl_roots(const struct stage *stage, const struct pki_roots *trusted);

/* The name of a root among those whose list cannot be made for want of its key; NULL: none. */
const char *stage_lacks_crl_key(const struct stage *stage, const struct pki_roots *trusted);

#endif
