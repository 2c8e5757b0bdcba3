/* Widths: the ranges that Unicode's EastAsianWidth.txt calls W and F, and the most usual marks of
 * no width; what is missing here costs a table its alignment, no more. */
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct range {
  uint32_t first, last;
};

static const struct range none_wide[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},  {0x064b, 0x065f},
    {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d},  {0x0e31, 0x0e31},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},  {0x200b, 0x200f},
    {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20ff}, {0x302a, 0x302d},  {0x3099, 0x309a},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}};

/* What changes how the letter before it looks: U+FE0F, which makes an emoji of it, and tones of
   skin. */
#define EMOJI_FOLLOWS  0xfe0fu
#define TONE_FIRST     0x1f3fbu
#define TONE_LAST      0x1f3ffu
#define JOINER         0x200du  /* makes one picture of the two beside it */
#define REGIONAL_FIRST 0x1f1e6u /* two of them are a flag */
#define REGIONAL_LAST  0x1f1ffu

static const struct range two_wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26a1, 0x26a1},
    {0x26bd, 0x26be},   {0x26d4, 0x26d4},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x2753, 0x2757},   {0x2795, 0x2797},
    {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
    {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393},
    {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f8, 0x1f43e},
    {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f550, 0x1f567},
    {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6d0, 0x1f6d2}, {0x1f7e0, 0x1f7eb},
    {0x1f90c, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};

unsigned text_letter(const char *text)
{
  const unsigned char *t = (const unsigned char *) text;
  unsigned size = t[0] < 0x80   ? 1
                  : t[0] < 0xc2 ? 0
                  : t[0] < 0xe0 ? 2
                  : t[0] < 0xf0 ? 3
                  : t[0] < 0xf5 ? 4
                                : 0;
  for (unsigned i = 1; i < size; i++)
    if ((t[i] & 0xc0) != 0x80) return 0;
  bool overlong = (t[0] == 0xe0 && t[1] < 0xa0) || (t[0] == 0xf0 && t[1] < 0x90);
  bool surrogate = t[0] == 0xed && t[1] >= 0xa0;
  bool beyond = t[0] == 0xf4 && t[1] >= 0x90;
  return overlong || surrogate || beyond ? 0 : size;
}

void text_trim(char *text)
{
  size_t size = strlen(text), back = 0;
  while (back < 3 && back < size && ((unsigned char) text[size - 1 - back] & 0xc0) == 0x80) back++;
  if (back == size) return;
  char *last = text + size - 1 - back;
  if (((unsigned char) *last & 0xc0) == 0xc0 && text_letter(last) == 0) *last = '\0';
}

char *text_copy(char *out, size_t size, const char *from)
{
  size_t length = strlen(from);
  if (size == 0) return out;
  if (length >= size) length = size - 1;
  memmove(out, from, length);
  bool cut = from[length] != '\0';
  out[length] = '\0';
  if (cut) text_trim(out);
  return out;
}

static uint32_t code_of(const char *text, unsigned size)
{
  const unsigned char *t = (const unsigned char *) text;
  uint32_t code = size == 1 ? t[0] : t[0] & (0x7fu >> size);
  for (unsigned i = 1; i < size; i++) code = code << 6 | (t[i] & 0x3fu);
  return code;
}

static bool is_in(uint32_t code, const struct range *ranges, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (code >= ranges[i].first && code <= ranges[i].last) return true;
  return false;
}

static size_t width_of(const char *text, unsigned size)
{
  uint32_t code = size == 0 ? '?' : code_of(text, size);
  if (code < 0x300 || code == EMOJI_FOLLOWS) return 1; /* with the narrow letter before it, two */
  if (is_in(code, none_wide, sizeof none_wide / sizeof *none_wide)) return 0;
  return is_in(code, two_wide, sizeof two_wide / sizeof *two_wide) ? 2 : 1;
}

size_t text_columns(const char *text)
{
  size_t columns = 0;
  while (*text != '\0') {
    unsigned size = text_letter(text);
    columns += width_of(text, size);
    text += size > 0 ? size : 1;
  }
  return columns;
}

/* What people take for one letter may be several of Unicode's: marks, flags, joined pictures. */
struct cluster {
  bool joined;        /* the one before was U+200D */
  unsigned regionals; /* in a row, so far */
};

static bool goes_on(struct cluster *cluster, uint32_t code)
{
  bool regional = code >= REGIONAL_FIRST && code <= REGIONAL_LAST;
  bool changes = (code >= TONE_FIRST && code <= TONE_LAST) ||
                 (code >= 0x300 && is_in(code, none_wide, sizeof none_wide / sizeof *none_wide));
  bool inside = cluster->joined || changes || (regional && cluster->regionals % 2 == 1);
  cluster->joined = code == JOINER;
  cluster->regionals = regional ? cluster->regionals + 1 : 0;
  return inside;
}

size_t text_fit(const char *text, size_t size, size_t columns)
{
  size_t used = 0, whole = 0; /* up to here nothing is cut in two */
  struct cluster cluster = {.joined = false};
  while (text[used] != '\0') {
    unsigned letter = text_letter(text + used), bytes = letter > 0 ? letter : 1;
    uint32_t code = letter > 0 ? code_of(text + used, letter) : '?';
    if (!goes_on(&cluster, code)) whole = used;
    size_t width = width_of(text + used, letter);
    if (used + bytes > size || width > columns) return whole;
    columns -= width;
    used += bytes;
  }
  return used;
}

char *text_mend(const char *text)
{
  char *out = malloc(3 * strlen(text) + 1), *at = out;
  if (out == NULL) return NULL;
  while (*text != '\0') {
    unsigned size = text_letter(text);
    const char *from = size > 0 ? text : "\xef\xbf\xbd";
    unsigned bytes = size > 0 ? size : 3;
    memcpy(at, from, bytes);
    at += bytes;
    text += size > 0 ? size : 1;
  }
  *at = '\0';
  return out;
}

void text_hex(const void *bytes, size_t size, char *out)
{
  const unsigned char *at = bytes;
  *out = '\0';
  for (size_t i = 0; i < size; i++) snprintf(out + 2 * i, 3, "%02x", at[i]);
}
