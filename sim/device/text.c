/* Reports to the back office are put together without stdio, which firmware may not have. */
#include "text.h"

#include <string.h>

char *device_text_append(char *at, const char *text)
{
  size_t size = strlen(text);
  memcpy(at, text, size + 1);
  return at + size;
}

char *device_text_number(char *at, uint32_t number)
{
  char digits[10];
  size_t count = 0;
  do digits[count++] = (char) ('0' + number % 10);
  while ((number /= 10) != 0);
  while (count > 0) *at++ = digits[--count];
  *at = '\0';
  return at;
}
