/* The end of a token is read from it, and of what is none nothing is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/token.h"

/* {"alg":"ES256"}, and claims; a signature is not looked at. */
#define JWT(claims) "eyJhbGciOiJFUzI1NiJ9." claims ".c2ln"

static void the_end_of_a_token_is_read(void **state)
{
  (void) state;
  static const struct {
    const char *token;
    int64_t end_s;
  } rows[] = {
      /* {"sub":"a","exp":1893456000}, {"exp":1893456000.5}, {"exp":1} */
      {JWT("eyJzdWIiOiJhIiwiZXhwIjoxODkzNDU2MDAwfQ"), 1893456000},
      {JWT("eyJleHAiOjE4OTM0NTYwMDAuNX0"), 1893456000},
      {JWT("eyJleHAiOjF9"), 1},
      /* {"sub":"a"}, {"exp":"1893456000"}, {"exp":-5}, {"exp":1e300}, [1], {"exp":1893456000 cut off */
      {JWT("eyJzdWIiOiJhIn0"), 0},
      {JWT("eyJleHAiOiIxODkzNDU2MDAwIn0"), 0},
      {JWT("eyJleHAiOi01fQ"), 0},
      {JWT("eyJleHAiOjFlMzAwfQ"), 0},
      {JWT("WzFd"), 0},
      {JWT("eyJleHAiOjE4OTM0NTYwMDA"), 0},
      /* padded, of other letters, of two words, of four */
      {JWT("eyJleHAiOjF9=="), 0},
      {JWT("eyJleH+iOjF9"), 0},
      {"eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9", 0},
      {"a.eyJleHAiOjF9.b.c", 0},
      {"..", 0},
      {"", 0},
      {"hush", 0},
      {"SharedAccessSignature sr=hub%2Fdevices%2Fa&sig=x%3D&se=1893456000", 1893456000},
      {"SharedAccessSignature se=1893456000&sr=hub&sig=x&skn=device", 1893456000},
      {"SharedAccessSignature sr=hub&sig=x", 0},
      {"SharedAccessSignature sr=hub&sig=x&se=", 0},
      {"SharedAccessSignature sr=hub&sig=x&se=soon", 0},
      {"SharedAccessSignature sr=hub&sig=x&use=1893456000", 0},
      {"SharedAccessSignature sr=hub&sig=x&se=18934&56000", 18934},
      {"SharedAccessSignature ", 0},
      {"sr=hub&sig=x&se=1893456000", 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int64_t end_s = token_end_s(rows[i].token);
    if (end_s != rows[i].end_s)
      fail_msg("%s: wanted %lld, got %lld", rows[i].token, (long long) rows[i].end_s,
               (long long) end_s);
  }
}

/* {"exp":1893456000,"sub":"a"}, {"exp":1893456001,"sub":"a"}, {"exp":1893456001,"sub":"b"},
   {"exp":1893456000} */
#define A_NOW   JWT("eyJleHAiOjE4OTM0NTYwMDAsInN1YiI6ImEifQ")
#define A_LATER JWT("eyJleHAiOjE4OTM0NTYwMDEsInN1YiI6ImEifQ")
#define B_LATER JWT("eyJleHAiOjE4OTM0NTYwMDEsInN1YiI6ImIifQ")
#define NOBODYS JWT("eyJleHAiOjE4OTM0NTYwMDB9")

static void what_can_stand_in_for_a_token_is_told_from_what_cannot(void **state)
{
  (void) state;
  static const struct {
    const char *old, *fresh;
    bool renews;
  } rows[] = {
      {A_NOW, A_LATER, true},
      {A_NOW, A_NOW, false},
      {A_NOW, B_LATER, false},
      {A_NOW, NOBODYS, false},
      {NOBODYS, A_LATER, true},
      {A_NOW, "<html>502 Bad Gateway", false},
      {A_NOW, "{\"error\": \"forbidden\"}", false},
      {A_NOW, "SharedAccessSignature sr=a&sig=x&se=1893456001", true},
      {"SharedAccessSignature sr=a&sig=x&se=1", "SharedAccessSignature sr=a&sig=y&se=2", true},
      {"SharedAccessSignature sr=a&sig=x&se=1", "SharedAccessSignature sr=b&sig=y&se=2", false},
      {"SharedAccessSignature sr=a&sig=x&se=1", "SharedAccessSignature sr=a&sig=y", false},
      {"hush", "hush hush", true},
      {"hush", "hush", false},
      {"hush", "hush \t", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (token_renews(rows[i].fresh, rows[i].old) != rows[i].renews)
      fail_msg("%s after %s", rows[i].fresh, rows[i].old);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_end_of_a_token_is_read),
      cmocka_unit_test(what_can_stand_in_for_a_token_is_told_from_what_cannot)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
