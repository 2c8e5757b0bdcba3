/* A number, then one of a table of units: no unit is ever implied, and a number without one is
 * refused with an example. Everything is checked to fit before it becomes an integer. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/units.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleetsim/ota.h"

struct unit {
  const char *suffix;
  double factor;
};

/* Digits with at most one point: strtod would also take hex, "inf", exponents and signs. Returns
 * what follows the number, or NULL. */
static const char *read_number(const char *text, double *number)
{
  size_t digits = strspn(text, "0123456789"), all = digits;
  if (text[all] == '.') {
    size_t decimals = strspn(text + all + 1, "0123456789");
    if (decimals == 0) return NULL;
    all += 1 + decimals;
  }
  if (digits == 0 || all > 18) return NULL;
  char copy[20];
  memcpy(copy, text, all);
  copy[all] = '\0';
  *number = strtod(copy, NULL);
  return text + all;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *suffix)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(units[i].suffix, suffix) == 0) return &units[i];
  return NULL;
}

static int parse(const char *text, const struct unit *units, size_t count, const char *example,
                 double *value, char *why, size_t why_size)
{
  double number = 0;
  const char *suffix = read_number(text, &number);
  if (suffix == NULL) {
    snprintf(why, why_size, "'%.40s' is not a number with a unit: write %s", text, example);
    return -1;
  }
  const struct unit *unit = find_unit(units, count, suffix);
  if (unit == NULL) {
    if (*suffix == '\0')
      snprintf(why, why_size, "'%.40s' has no unit: write %s", text, example);
    else
      snprintf(why, why_size, "'%.40s' has the unknown unit '%.20s': write %s", text, suffix,
               example);
    return -1;
  }
  *value = number * unit->factor;
  return 0;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

int units_duration_ms(const char *text, uint64_t *ms, char *why, size_t why_size)
{
  static const struct unit units[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
  double value = 0;
  if (parse(text, units, COUNT(units), "30s, 500ms or 2m", &value, why, why_size) != 0) return -1;
  if (value > 3650.0 * 86400000) {
    snprintf(why, why_size, "'%.40s' is longer than ten years: write 30s, 500ms or 2m", text);
    return -1;
  }
  *ms = (uint64_t) llround(value);
  return 0;
}

int units_us(const char *text, uint64_t *us, char *why, size_t why_size)
{
  static const struct unit units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
  double value = 0;
  if (parse(text, units, COUNT(units), "41us or 85ms", &value, why, why_size) != 0) return -1;
  if (value > 3600e6) {
    snprintf(why, why_size, "'%.40s' is longer than an hour: write 41us or 85ms", text);
    return -1;
  }
  *us = (uint64_t) llround(value);
  return 0;
}

/* One part of a version, at most `most`; what follows it, or NULL. */
static const char *read_part(const char *text, uint32_t most, uint32_t *part)
{
  size_t digits = strspn(text, "0123456789");
  *part = 0;
  if (digits == 0 || digits > 5) return NULL;
  for (size_t i = 0; i < digits; i++) *part = *part * 10 + (uint32_t) (text[i] - '0');
  return *part <= most ? text + digits : NULL;
}

int units_version(const char *text, uint32_t *version, char *why, size_t why_size)
{
  static const uint32_t most[] = {255, 255, 65535};
  uint32_t part[3] = {0};
  const char *at = text;
  for (int i = 0; i < 3 && at != NULL; i++) {
    at = read_part(at, most[i], &part[i]);
    if (at != NULL && i < 2) at = *at == '.' ? at + 1 : NULL;
  }
  *why = '\0';
  if (at == NULL || *at != '\0')
    snprintf(why, why_size, "'%.40s' is no version: write 1.2.0, at most 255.255.65535", text);
  else if (DEVICE_VERSION(part[0], part[1], part[2]) == 0)
    snprintf(why, why_size, "0.0.0 means that there is no image: write 0.0.1 or more");
  if (*why != '\0') return -1;
  *version = DEVICE_VERSION(part[0], part[1], part[2]);
  return 0;
}

int units_rate(const char *text, uint64_t devices, double *per_s, char *why, size_t why_size)
{
  double percent = (double) devices / 100;
  const struct unit units[] = {{"/s", 1},        {"/m", 1.0 / 60},      {"/h", 1.0 / 3600},
                               {"%/s", percent}, {"%/m", percent / 60}, {"%/h", percent / 3600}};
  double value = 0;
  if (parse(text, units, COUNT(units), "200/s, 30/m or 20%/s", &value, why, why_size) != 0)
    return -1;
  if (value <= 0 || value > 1e6) {
    snprintf(why, why_size, "'%.40s' is not between 1/h and 1000000/s: write 200/s or 30/m", text);
    return -1;
  }
  *per_s = value;
  return 0;
}

int units_share(const char *text, double *share, char *why, size_t why_size)
{
  static const struct unit units[] = {{"%", 1}};
  double value = 0;
  if (parse(text, units, COUNT(units), "5% or 0.1%", &value, why, why_size) != 0) return -1;
  if (value > 100) {
    snprintf(why, why_size, "'%.40s' is above 100%%: write 5%% or 0.1%%", text);
    return -1;
  }
  *share = value / 100;
  return 0;
}

int units_bytes(const char *text, uint64_t *bytes, char *why, size_t why_size)
{
  static const struct unit units[] = {
      {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};
  double value = 0;
  if (parse(text, units, COUNT(units), "64, 64B, 4KiB or 1MiB", &value, why, why_size) != 0)
    return -1;
  if (value > 1e15 || floor(value) != value) {
    snprintf(why, why_size, "'%.40s' is not a whole number of bytes: write 64, 64B, 4KiB or 1MiB",
             text);
    return -1;
  }
  *bytes = (uint64_t) value;
  return 0;
}

static const char instant_form[] = "dddd-dd-ddTdd:dd:ddZ";

static bool has_form(const char *text)
{
  if (strlen(text) != sizeof instant_form - 1) return false;
  for (size_t i = 0; text[i] != '\0'; i++) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (instant_form[i] == 'd' ? !digit : text[i] != instant_form[i]) return false;
  }
  return true;
}

static int field(const char *text, size_t at, size_t digits)
{
  int value = 0;
  for (size_t i = at; i < at + digits; i++) value = value * 10 + (text[i] - '0');
  return value;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; years are counted from March so that a
   leap day is last. */
static int64_t days_from_civil(int year, int month, int day)
{
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t m = month <= 2 ? month + 9 : month - 3;
  return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static int days_in_month(int year, int month)
{
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

int units_instant(const char *text, int64_t *unix_s, char *why, size_t why_size)
{
  if (!has_form(text)) {
    snprintf(why, why_size, "'%.40s' is not a date and time in UTC: write 1970-01-01T00:00:00Z",
             text);
    return -1;
  }
  int year = field(text, 0, 4), month = field(text, 5, 2), day = field(text, 8, 2);
  int hour = field(text, 11, 2), minute = field(text, 14, 2), second = field(text, 17, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
      hour > 23 || minute > 59 || second > 59) {
    snprintf(why, why_size,
             "'%.40s' is no day and time of the calendar: write 1970-01-01T00:00:00Z", text);
    return -1;
  }
  *unix_s = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  return 0;
}
