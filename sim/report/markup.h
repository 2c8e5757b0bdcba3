/* Texts of any origin in XML and HTML, as text or in an attribute. */
#ifndef FLEETSIM_REPORT_MARKUP_H
#define FLEETSIM_REPORT_MARKUP_H

#include <stdio.h>

/* Nothing in it opens or ends an element, an attribute or a section; control characters are spaces,
 * as XML 1.0 has no escape for them; what is no UTF-8, or no character of XML 1.0, is U+FFFD. */
void markup_put(FILE *out, const char *text);

#endif
