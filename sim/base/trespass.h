/* What is said where devices try each other's topics. Whoever gets the word on a topic has been
 * reached by a trespasser. The lure is what a device says on its own topics meanwhile: it shows
 * that something could have been overheard. */
#ifndef FLEETSIM_TRESPASS_H
#define FLEETSIM_TRESPASS_H

#define TRESPASS_WORD     "trespass"
#define TRESPASS_WORD_CRC 0x3fb08ecfu /* CRC-32 of it: by that a device names what it answers */
#define TRESPASS_LURE     "trespass?"

#endif
