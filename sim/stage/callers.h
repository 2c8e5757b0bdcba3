/* Whether brokers trust devices by the roots that they were told of. */
#ifndef FLEETSIM_STAGE_CALLERS_H
#define FLEETSIM_STAGE_CALLERS_H

#include "stage/stage.h"

/* At every broker that is reachable a client under each of stage->client_roots must get in, one
 * under each root of `before` that is not among them must not, within the step's broker_ms (10 s
 * where it has none); nor, at one that stands elsewhere, under the scenario's other roots. `restarted`: the brokers were, to have them read their file. FAILED says which
 * does not do so; of a root without a key the phase says that it was not tried. */
enum step_outcome stage_callers_try(struct stage *stage, const struct pki_roots *before,
                                    bool restarted);

/* A file of CAs is written, and nobody tells the brokers to read it (apply: none): they are asked when
 * somebody does. `before` is whom they trusted so far. */
void stage_callers_untold(struct stage *stage, const struct pki_roots *before);

/* All brokers were told to read their files, or were restarted: those are tried. Else DONE. */
enum step_outcome stage_callers_told(struct stage *stage, bool restarted);

/* A later file is written, and will be tried by itself: `before` gets whom they trusted till then, too. */
void stage_callers_owed(struct stage *stage, struct pki_roots *before);

/* Those that were tried so once more, `when` ("after the restart") something else may have put other
 * files in their place, at brokers whose hooks claim and do not prove. Nobody, where the roots have
 * changed since without being tried. Of one that does not answer the phase says so. */
enum step_outcome stage_callers_try_again(struct stage *stage, const char *when);

/* Keeps for those that are down or frozen that they are not tried, and what they trusted. */
void stage_callers_missed(struct stage *stage, const struct pki_roots *before);

/* Tries one that is back as it would have been, if it missed that. */
enum step_outcome stage_callers_make_up(struct stage *stage, size_t node, bool restarted);

#endif
