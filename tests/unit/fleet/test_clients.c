/* Clients by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/clients.h"

static void every_client_is_found_by_its_name(void **state)
{
  size_t count = 0;
  (void) state;
  for (const struct device_ops *ops; (ops = clients_at(count)) != NULL; count++)
    assert_ptr_equal(clients_find(ops->name), ops); /* so no name stands twice */
  assert_true(count > 0);
  assert_null(clients_find("none of these"));
  assert_null(clients_find(""));
}

static void a_device_has_the_builtin_client_where_nobody_chooses(void **state)
{
  (void) state;
  assert_ptr_equal(clients_at(0), &device_builtin);
  assert_ptr_equal(clients_find("builtin"), &device_builtin);
}

static void every_client_has_all_of_the_interface(void **state)
{
  (void) state;
  for (size_t i = 0; clients_at(i) != NULL; i++) {
    const struct device_ops *ops = clients_at(i);
    assert_non_null(ops->tls_library);
    assert_true(ops->storage_size != NULL && ops->create != NULL && ops->step != NULL &&
                ops->destroy != NULL && ops->device_name != NULL && ops->trust_version != NULL &&
                ops->state_name != NULL);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_client_is_found_by_its_name),
      cmocka_unit_test(a_device_has_the_builtin_client_where_nobody_chooses),
      cmocka_unit_test(every_client_has_all_of_the_interface),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
