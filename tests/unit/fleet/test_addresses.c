#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "fleet/addresses.h"

static void source_addresses_are_loopback_and_distinct(void **state)
{
  (void) state;
  for (size_t i = 0; i < ADDRESSES_MAX; i++) {
    struct sockaddr_storage storage;
    struct sockaddr_in address;
    char text[INET_ADDRSTRLEN], expected[INET_ADDRSTRLEN];
    addresses_source(i, &storage);
    memcpy(&address, &storage, sizeof address);
    snprintf(expected, sizeof expected, "127.0.0.%u", (unsigned) (i + 1) % 256);
    assert_string_equal(inet_ntop(AF_INET, &address.sin_addr, text, sizeof text), expected);
    assert_int_equal(address.sin_port, 0);
    addresses_text(i, text);
    assert_string_equal(text, expected);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(source_addresses_are_loopback_and_distinct),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
