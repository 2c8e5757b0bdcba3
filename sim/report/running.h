/* A run that goes on, as the page shows it: the page itself, which is report.html with nothing inside
 * yet, and the documents that come to it.
 *
 * A document is the tree of results.json as it stands, with the verdict "running", and under "live"
 * where the run is at. The last one, when the run has ended, is that of report.html, and "live" is
 * null. The run over time grows by a step a second, and its earlier steps do not change: their text is
 * kept, so that a document of a long run costs little more than one of a short run.
 */
#ifndef FLEETSIM_RUNNING_H
#define FLEETSIM_RUNNING_H

#include "report/onlooker.h"

struct running;

/* What is kept between two documents. NULL: no memory. */
struct running *running_create(void);
void running_destroy(struct running *running); /* NULL: nothing */

/* One line of JSON, malloc'd; NULL: no memory. */
char *running_document(struct running *running, const struct onlooker_view *view, size_t *size);

/* The page, malloc'd; NULL: no memory, or a build without it. It may connect to where it comes from,
   and to nowhere else. */
char *running_page(size_t *size);

#endif
