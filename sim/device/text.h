/* Text that grows piece by piece in a buffer of the caller's, who knows that it is large enough. */
#ifndef FLEETSIM_DEVICE_TEXT_H
#define FLEETSIM_DEVICE_TEXT_H

#include <stdint.h>

/* Writes `text`, or `number` in decimal (up to 10 digits), at `at`, and a terminating zero; returns
   where that zero lies: the place of the next piece. */
char *device_text_append(char *at, const char *text);
char *device_text_number(char *at, uint32_t number);

#endif
