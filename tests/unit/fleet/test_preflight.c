#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fleet/addresses.h"
#include "fleet/preflight.h"
#include "net/fetch.h"

static const struct preflight_machine usual = {.descriptors = 1024,
                                               .descriptors_hard = 1000000,
                                               .first_port = 32768,
                                               .last_port = 60999,
                                               .memory_bytes = 8ull << 30};

static struct preflight_need local(size_t devices)
{
  return (struct preflight_need){.devices = devices, .bytes_per_device = 16384, .loopback = true};
}

static void assert_refused(struct preflight_need need, const struct preflight_machine *machine,
                           const char *says, const char *advises)
{
  struct error error = {.code = EXIT_CODE_PASS};
  assert_int_equal(preflight_plan(&need, machine, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  if (strstr(error.text, says) == NULL || strstr(error.text, advises) == NULL)
    fail_msg("'%s' lacks '%s' or '%s'", error.text, says, advises);
}

static void assert_addresses(size_t devices, size_t expected)
{
  struct preflight_need need = local(devices);
  assert_int_equal(preflight_plan(&need, &usual, NULL), 0);
  assert_int_equal(need.source_addresses, expected);
}

static void five_thousand_connections_share_an_address(void **state)
{
  (void) state;
  assert_addresses(1, 0); /* the system chooses */
  assert_addresses(5000, 0);
  assert_addresses(5001, 2);
  assert_addresses(16000, 4);
}

static void a_narrow_port_range_takes_more_addresses(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  machine.last_port = machine.first_port + 999; /* 900 usable */
  struct preflight_need need = local(9000);
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
  assert_int_equal(need.source_addresses, 10);
  assert_refused(local(900 * ADDRESSES_MAX + 1), &machine, "too few source ports on this machine",
                 "--devices 225000 ");
}

static void downloads_need_descriptors_and_memory_of_their_own(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  struct preflight_need need = local(1000);
  machine.descriptors_hard = 1000 + 3 * 1000 + 256;
  need.downloads = 1000;
  need.descriptors_per_download = 3;
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
  machine.descriptors_hard--;
  assert_refused(need, &machine, "1000 devices need 4256 file descriptors with their downloads",
                 "--devices 999 ");
  machine = usual;
  machine.memory_bytes = 1000 * (16384 + fetch_bytes_per_transfer());
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
  machine.memory_bytes--;
  assert_refused(need, &machine, "1000 devices need about", "--devices 999 ");
}

static void devices_that_are_guests_of_this_process_need_two_descriptors(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  struct preflight_need need = local(1000);
  machine.descriptors_hard = 1000 + 500 + 256;
  need.guests = 500;
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
  machine.descriptors_hard--;
  assert_refused(need, &machine, "1000 devices need 1756 file descriptors", "--devices 999 ");
}

static void what_a_run_takes_for_itself_counts(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  struct preflight_need need = local(1000);
  need.bytes = 1000000;
  machine.memory_bytes = 1000 * 16384 + 1000000;
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
  machine.memory_bytes--;
  assert_refused(need, &machine, "1000 devices need about", "--devices 999 ");
  machine.memory_bytes = 999999;
  assert_refused(need, &machine, "1000 devices need about", "no room for one device");
}

static void flash_needs_disk(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  struct preflight_need need = local(1000);
  need.disk_bytes_per_device = 1 << 20;
  need.disk_folder = "/tmp";
  machine.disk_bytes = 1000ull << 20;
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
  machine.disk_bytes--;
  assert_refused(need, &machine,
                 "the flash of 1000 devices needs about 1000 MiB in /tmp, and 999 MiB are free",
                 "--devices 999 ");
}

static void the_disk_is_the_one_of_the_folder(void **state)
{
  (void) state;
  struct preflight_machine machine = {0};
  struct error error;
  assert_int_equal(preflight_look_at_disk("/tmp", &machine, NULL), 0);
  assert_true(machine.disk_bytes > 1 << 20);
  assert_int_equal(preflight_look_at_disk("/proc", &machine, NULL), 0);
  assert_int_equal(machine.disk_bytes, 0);
  assert_int_equal(preflight_look_at_disk("/nonexistent", &machine, &error), -1);
  assert_non_null(strstr(error.text, "/nonexistent cannot be read: No such file"));
  struct preflight_need need = local(1);
  need.disk_bytes_per_device = 1;
  need.disk_folder = "/proc";
  assert_int_equal(preflight(&need, &error), -1);
}

static void the_scenarios_own_number_of_addresses_stands(void **state)
{
  (void) state;
  struct preflight_need need = local(10000);
  need.source_addresses = 1;
  assert_int_equal(preflight_plan(&need, &usual, NULL), 0);
  assert_int_equal(need.source_addresses, 1);
  need.devices = 30000;
  assert_refused(need, &usual, "on 1 source addresses", "leave source-addresses out");
}

static void a_broker_elsewhere_is_reached_from_the_one_address_of_this_machine(void **state)
{
  (void) state;
  struct preflight_need need = local(20000);
  need.loopback = false;
  assert_int_equal(preflight_plan(&need, &usual, NULL), 0);
  assert_int_equal(need.source_addresses, 0);
  need.devices = 28233; /* of 28232 ports one in ten is kept free */
  assert_refused(need, &usual, "28233 devices find too few source ports", "--devices 25409 ");
}

static void too_little_memory_is_told_before_it_is_missed(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  machine.memory_bytes = 100u << 20;
  assert_refused(local(10000), &machine, "need about 156 MiB", "--devices 6400 ");
  struct preflight_need need = local(6400);
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
}

static void too_few_descriptors_are_an_error_that_says_what_to_change(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  machine.descriptors_hard = 1024;
  assert_refused(local(1000), &machine, "1000 devices need 1256 file descriptors",
                 "ulimit -Hn 1256");
  assert_refused(local(1000), &machine, "may open 1024", "--devices 768 ");
  struct preflight_need need = local(768);
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
}

static void this_machine_can_be_looked_at(void **state)
{
  (void) state;
  struct preflight_machine machine = {0};
  assert_int_equal(preflight_look(&machine, NULL), 0);
  assert_true(machine.descriptors > 0 && machine.descriptors_hard >= machine.descriptors);
  assert_true(machine.first_port > 0 && machine.last_port >= machine.first_port &&
              machine.last_port < 65536);
  assert_true(machine.memory_bytes > 0);
}

/* What a preflight leaves behind. */
struct aftermath {
  uint64_t limit; /* of descriptors, the soft one */
  uint64_t slots; /* of the process's table of descriptors */
};

static uint64_t descriptor_slots(void)
{
  char line[128];
  uint64_t slots = 0;
  FILE *status = fopen("/proc/self/status", "re");
  while (status != NULL && slots == 0 && fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, "FDSize:", 7) == 0) slots = strtoull(line + 7, NULL, 10);
  if (status != NULL) fclose(status);
  return slots;
}

/* In a child, as limits only ever go down. */
static struct aftermath aftermath(rlim_t soft, rlim_t hard, size_t devices)
{
  int ends[2];
  struct aftermath after = {0};
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct rlimit limit = {soft, hard};
    struct preflight_need need = local(devices);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || preflight(&need, NULL) != 0) _exit(1);
    getrlimit(RLIMIT_NOFILE, &limit);
    after = (struct aftermath){.limit = limit.rlim_cur, .slots = descriptor_slots()};
    _exit(write(ends[1], &after, sizeof after) == sizeof after ? 0 : 1);
  }
  close(ends[1]);
  assert_int_equal(read(ends[0], &after, sizeof after), sizeof after);
  close(ends[0]);
  assert_int_equal(waitpid(child, NULL, 0), child);
  return after;
}

static void a_limit_that_suffices_is_left_alone(void **state)
{
  (void) state;
  assert_int_equal(aftermath(1024, 4096, 700).limit, 1024);
}

static void a_low_soft_limit_is_raised(void **state)
{
  (void) state;
  assert_int_equal(aftermath(256, 4096, 1000).limit, 4096);
}

/* Else the system makes the table larger while devices connect, and all of them wait for it. */
static void the_table_of_descriptors_has_room_before_the_first_device_connects(void **state)
{
  (void) state;
  assert_true(aftermath(256, 4096, 3000).slots >= 3000 + 256);
}

static void what_there_is_no_room_for_at_all_is_told_without_a_zero(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  struct preflight_need need = local(3);
  machine.memory_bytes = 4096;
  assert_refused(need, &machine, "need about 48 KiB of memory, and 4 KiB are available",
                 "no room for one device");
  machine = usual;
  need.disk_bytes_per_device = 8192;
  need.disk_folder = "/tmp";
  machine.disk_bytes = 0;
  assert_refused(need, &machine, "needs about 24 KiB in /tmp, and 0 KiB are free",
                 "no room for one device");
  machine.descriptors_hard = 100;
  assert_refused(local(3), &machine, "may open 100 at most", "no room for one device");
}

static void threads_that_cannot_start_are_told_before_somebody_aborts(void **state)
{
  (void) state;
  struct preflight_machine machine = usual;
  struct preflight_need need = local(3);
  need.threads = 12;
  machine.threads = 12;
  assert_int_equal(preflight_plan(&need, &machine, NULL), 0);
  machine.threads = 11;
  assert_refused(need, &machine,
                 "needs 12 threads and processes at once, and the system lets it start 11",
                 "ulimit -u");
  preflight_look_at_threads(12, &machine);
  assert_int_equal(machine.threads, 12);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_there_is_no_room_for_at_all_is_told_without_a_zero),
      cmocka_unit_test(threads_that_cannot_start_are_told_before_somebody_aborts),
      cmocka_unit_test(five_thousand_connections_share_an_address),
      cmocka_unit_test(a_narrow_port_range_takes_more_addresses),
      cmocka_unit_test(downloads_need_descriptors_and_memory_of_their_own),
      cmocka_unit_test(devices_that_are_guests_of_this_process_need_two_descriptors),
      cmocka_unit_test(what_a_run_takes_for_itself_counts),
      cmocka_unit_test(flash_needs_disk),
      cmocka_unit_test(the_disk_is_the_one_of_the_folder),
      cmocka_unit_test(the_scenarios_own_number_of_addresses_stands),
      cmocka_unit_test(a_broker_elsewhere_is_reached_from_the_one_address_of_this_machine),
      cmocka_unit_test(too_little_memory_is_told_before_it_is_missed),
      cmocka_unit_test(too_few_descriptors_are_an_error_that_says_what_to_change),
      cmocka_unit_test(this_machine_can_be_looked_at),
      cmocka_unit_test(a_limit_that_suffices_is_left_alone),
      cmocka_unit_test(a_low_soft_limit_is_raised),
      cmocka_unit_test(the_table_of_descriptors_has_room_before_the_first_device_connects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
