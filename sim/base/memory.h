/* No memory where a callback has nobody to return an error to. */
#ifndef FLEETSIM_MEMORY_H
#define FLEETSIM_MEMORY_H

/* Ends the process with a sentence and EXIT_CODE_INTERNAL. There are no results then; children end
 * with the process. `what` says what there was no room for: "a hook". Needs no memory. */
_Noreturn void memory_gone(const char *what);

#endif
