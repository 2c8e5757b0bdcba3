/* The hooks that Mbed TLS is built with. Outside device_platform_enter it is 1970 and there is no
 * entropy, so that a use that was forgotten fails at once. Dates are computed here because a
 * firmware may lack gmtime_r. */
#include "platform.h"

#include <assert.h>
#include <time.h>

#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

/* The library's hooks carry no context: this pointer is the context. */
static const struct device_platform *current;

void device_platform_enter(const struct device_platform *platform)
{
  assert(current == NULL);
  current = platform;
}

void device_platform_leave(void)
{
  current = NULL;
}

int64_t device_platform_time(int64_t *out)
{
  int64_t now = current != NULL ? current->unix_s : 0;
  if (out != NULL) *out = now;
  return now;
}

mbedtls_ms_time_t mbedtls_ms_time(void)
{
  return current != NULL ? (mbedtls_ms_time_t) current->now_ms : 0;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size,
                                             size_t *output_length)
{
  (void) context;
  *output_length = 0;
  if (current == NULL || current->host->random(current->host->ctx, output, output_size) != 0)
    return PSA_ERROR_INSUFFICIENT_ENTROPY;
  *output_length = output_size;
  return PSA_SUCCESS;
}

/* Days since 1970-01-01 to a date, by eras of 400 years that begin on the first of March. Works
   before 1970 too. */
static void civil_from_days(int64_t days, struct tm *out)
{
  int64_t shifted = days + 719468;
  int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  int64_t day_of_era = shifted - era * 146097;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month = (5 * day_of_year + 2) / 153;
  out->tm_mday = (int) (day_of_year - (153 * month + 2) / 5 + 1);
  out->tm_mon = (int) (month < 10 ? month + 2 : month - 10);
  out->tm_year = (int) (year_of_era + era * 400 + (out->tm_mon <= 1 ? 1 : 0) - 1900);
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *tt, struct tm *tm_buf)
{
  int64_t days = *tt / 86400;
  int64_t seconds = *tt % 86400;
  if (seconds < 0) {
    seconds += 86400;
    days -= 1;
  }
  *tm_buf = (struct tm){.tm_hour = (int) (seconds / 3600),
                        .tm_min = (int) (seconds / 60 % 60),
                        .tm_sec = (int) (seconds % 60)};
  civil_from_days(days, tm_buf);
  return tm_buf;
}
