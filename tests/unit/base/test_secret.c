/* What only its owner may read, and the CONNECT that says it. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/login.h"
#include "base/secret.h"

static char path[] = "/tmp/fleetsim-secret-XXXXXX";

static int begin(void **state)
{
  (void) state;
  int fd = mkstemp(path);
  return fd < 0 ? -1 : close(fd);
}

static int finish(void **state)
{
  (void) state;
  return unlink(path);
}

static void write_file(const void *data, size_t size, mode_t mode)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(path, mode), 0);
}

static void a_file_of_secrets_is_read_whole(void **state)
{
  (void) state;
  struct error error;
  char *text;
  size_t size;
  write_file("pump,s3cret\n", 12, 0600);
  assert_int_equal(secret_read(path, "passwords", 100, &text, &size, &error), 0);
  assert_int_equal(size, 12);
  assert_string_equal(text, "pump,s3cret\n");
  free(text);
}

static void one_that_others_can_read_or_write_is_refused_with_what_mends_it(void **state)
{
  (void) state;
  static const mode_t modes[] = {0640, 0604, 0620, 0660, 0644, 0601};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    struct error error;
    char *text, wanted[300];
    size_t size;
    write_file("pump,s3cret\n", 12, modes[i]);
    assert_int_equal(secret_read(path, "passwords", 100, &text, &size, &error), -1);
    assert_null(text);
    assert_int_equal(error.code, EXIT_CODE_SETUP);
    snprintf(wanted, sizeof wanted,
             "others can get at passwords in %s (mode %04o); mend it with: chmod 0600 %s", path,
             (unsigned) modes[i], path);
    assert_string_equal(error.text, wanted);
  }
}

static void one_with_a_nul_byte_is_no_text(void **state)
{
  (void) state;
  struct error error;
  char *text;
  size_t size;
  write_file("pump,s3\0cret\n", 13, 0600);
  assert_int_equal(secret_read(path, "passwords", 100, &text, &size, &error), -1);
  assert_null(text);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  assert_null(strstr(error.text, "s3"));
}

static void assert_connect(const struct login *login, bool clean, const char *bytes, size_t size)
{
  uint8_t out[LOGIN_CONNECT_MAX];
  assert_int_equal(login_connect("probe", clean, 30, login, out), size);
  assert_memory_equal(out, bytes, size);
}

static void a_connect_says_who_it_is(void **state)
{
  (void) state;
  assert_connect(&(struct login){NULL, "unsaid"}, true, "\x10\x11\0\4MQTT\4\x02\0\x1e\0\5probe",
                 19);
  assert_connect(&(struct login){"me", NULL}, false, "\x10\x15\0\4MQTT\4\x80\0\x1e\0\5probe\0\2me",
                 23);
  assert_connect(&(struct login){"me", "pw"}, true,
                 "\x10\x19\0\4MQTT\4\xc2\0\x1e\0\5probe\0\2me\0\2pw", 27);
}

/* 2.2.3: the remaining length takes a second byte from 128 on. */
static void a_long_one_counts_its_bytes(void **state)
{
  (void) state;
  char password[LOGIN_PASSWORD_MAX + 9];
  uint8_t out[LOGIN_CONNECT_MAX];
  for (size_t n = 90; n < sizeof password; n++) {
    size_t cut = n < LOGIN_PASSWORD_MAX ? n : LOGIN_PASSWORD_MAX, body = 10 + 3 + 3 + 2 + cut;
    memset(password, 'p', n);
    password[n] = '\0';
    size_t size = login_connect("i", true, 30, &(struct login){"u", password}, out);
    size_t header = body < 128 ? 2 : 3;
    assert_int_equal(size, header + body);
    assert_int_equal(header == 2 ? out[1] : (out[1] & 0x7f) | out[2] << 7, body);
    assert_memory_equal(out + header, "\0\4MQTT\4\xc2\0\x1e\0\1i\0\1u", 16);
    assert_int_equal(out[header + 16] << 8 | out[header + 17], cut);
    for (size_t i = 0; i < cut; i++) assert_int_equal(out[header + 18 + i], 'p');
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_of_secrets_is_read_whole),
      cmocka_unit_test(one_that_others_can_read_or_write_is_refused_with_what_mends_it),
      cmocka_unit_test(one_with_a_nul_byte_is_no_text),
      cmocka_unit_test(a_connect_says_who_it_is),
      cmocka_unit_test(a_long_one_counts_its_bytes),
  };
  return cmocka_run_group_tests(tests, begin, finish);
}
