/* All that descends from this process, whatever group or session it has put itself in: for the keeper of
 * a group, between fork and exec, where only async-signal-safe calls are allowed. */
#ifndef FLEETSIM_FAMILY_H
#define FLEETSIM_FAMILY_H

/* From here on who loses his parent becomes a child of this process. */
void family_adopt(void);

/* Until no child is left, or that descriptor can be read, for so long at most. */
void family_wait(int life, int ms);

/* Ends what is left, and what becomes a child meanwhile; how many they were. */
unsigned family_end(void);

#endif
