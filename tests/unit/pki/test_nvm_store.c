/* Pages on disk: what they hold, where they hold it, and how much of the disk they take. */
#define _GNU_SOURCE
#include "fixture.h"

#include <fcntl.h>

#include "fleetsim/nvm.h"
#include "pki/nvm_order.h"
#include "pki/nvm_store.h"

#define PAGES 64

static struct pki_nvm_store store;
static char path[] = "/tmp/fleetsim-nvm-XXXXXX";

static int make(void **state)
{
  (void) state;
  int fd = mkstemp(path);
  if (fd < 0) return -1;
  close(fd);
  unlink(path);
  return pki_nvm_create(path, &store, &error) == 0 ? pki_nvm_resize(&store, PAGES, &error) : -1;
}

static int discard(void **state)
{
  (void) state;
  pki_nvm_close(&store);
  unlink(path);
  strcpy(path + sizeof path - 7, "XXXXXX");
  return 0;
}

static uint64_t disk_bytes(void)
{
  struct stat st;
  assert_int_equal(fsync(store.fd), 0);
  assert_int_equal(fstat(store.fd, &st), 0);
  return (uint64_t) st.st_blocks * 512;
}

static void fill(uint8_t *out, size_t size, uint32_t seed)
{
  for (size_t i = 0; i < size; i++)
    out[i] = (uint8_t) ((seed = seed * 1664525u + 1013904223u) >> 24);
}

/* What a device is made with: an identity, two roots and a chain, each in its first slot. */
static void make_device(uint8_t page[DEVICE_NVM_PAGE_SIZE], uint32_t id)
{
  struct device_host host = pki_nvm_host(page);
  struct device_nvm_identity identity = {.id = id};
  uint8_t payload[1500];
  fill(payload, sizeof payload, id);
  fill(identity.private_key, sizeof identity.private_key, id);
  memset(page, 0, DEVICE_NVM_PAGE_SIZE);
  assert_int_equal(device_nvm_format(&host, &identity), 0);
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_TRUST, payload, 1400), 0);
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, payload, 1500), 0);
}

static void expect_device(const struct device_host *host, uint32_t id)
{
  struct device_nvm_identity identity;
  uint8_t payload[1500];
  fill(payload, sizeof payload, id);
  assert_int_equal(device_nvm_read_identity(host, &identity), 0);
  assert_int_equal(identity.id, id);
  assert_int_equal(device_nvm_holds(host, DEVICE_NVM_TRUST, payload, 1400), 1);
  assert_int_equal(device_nvm_holds(host, DEVICE_NVM_CERTIFICATE, payload, 1500), 1);
  for (int area = DEVICE_NVM_TICKET; area < DEVICE_NVM_AREAS; area++) {
    struct device_nvm_slot slot;
    assert_int_equal(device_nvm_find(host, (enum device_nvm_area) area, &slot), 0);
    assert_int_equal(slot.size, 0);
  }
}

static void fill_store(void)
{
  for (uint32_t i = 0; i < PAGES; i++) {
    uint8_t page[DEVICE_NVM_PAGE_SIZE];
    make_device(page, i + 1);
    EXPECT_OK(pki_nvm_fill(&store, i, page, &error));
  }
}

static void a_device_as_it_is_made_takes_a_block_of_the_disk(void **state)
{
  (void) state;
  if (disk_bytes() != 0) skip(); /* tmpfs */
  fill_store();
  uint64_t bytes = disk_bytes(); /* with a block of the file system's own, that lists them */
  if (bytes > (PAGES + 1) * UINT64_C(4096))
    fail_msg("%d devices take %ju bytes of the disk", PAGES, (uintmax_t) bytes);
  for (uint32_t i = 0; i < PAGES; i++) {
    struct device_host host = pki_nvm_host(pki_nvm_page(&store, i));
    expect_device(&host, i + 1);
  }
}

static void what_was_never_written_reads_as_empty_flash(void **state)
{
  (void) state;
  fill_store();
  const struct device_host host = pki_nvm_host(pki_nvm_page(&store, 3));
  uint8_t device[DEVICE_NVM_PAGE_SIZE], found[DEVICE_NVM_PAGE_SIZE];
  make_device(device, 4);
  assert_int_equal(host.nvm_read(host.ctx, 0, found, sizeof found), 0);
  found[255] = 0; /* the mark */
  assert_memory_equal(found, device, sizeof device);
}

/* Putting a device back as it was made writes zeros where zeros are. */
static void zeros_in_a_hole_take_no_disk(void **state)
{
  (void) state;
  fill_store();
  uint64_t before = disk_bytes();
  for (uint32_t i = 0; i < PAGES; i++) {
    struct device_host host = pki_nvm_host(pki_nvm_page(&store, i));
    struct device_nvm_identity identity;
    assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
    assert_int_equal(device_nvm_format(&host, &identity), 0);
    assert_int_equal(device_nvm_erase(&host, DEVICE_NVM_TICKET), 0);
  }
  assert_int_equal(disk_bytes(), before);
}

/* Writes of any size at any place, across slots too, as a foreign client may do them. */
static void write_everywhere(uint8_t *page, uint8_t expected[DEVICE_NVM_PAGE_SIZE], uint32_t seed)
{
  const struct device_host host = pki_nvm_host(page);
  for (uint32_t i = 0; i < 400; i++) {
    uint8_t data[4000], found[4000];
    uint32_t draw[2];
    fill((uint8_t *) draw, sizeof draw, seed + i);
    uint32_t offset = 256 + draw[0] % (DEVICE_NVM_PAGE_SIZE - 256);
    size_t size = draw[1] % sizeof data;
    if (size > DEVICE_NVM_PAGE_SIZE - offset) size = DEVICE_NVM_PAGE_SIZE - offset;
    fill(data, size, i);
    assert_int_equal(host.nvm_write(host.ctx, offset, data, size), 0);
    memcpy(expected + offset, data, size);
    assert_int_equal(host.nvm_read(host.ctx, offset, found, size), 0);
    assert_memory_equal(found, data, size);
  }
  uint8_t whole[DEVICE_NVM_PAGE_SIZE];
  assert_int_equal(host.nvm_read(host.ctx, 256, whole + 256, sizeof whole - 256), 0);
  assert_memory_equal(whole + 256, expected + 256, sizeof whole - 256);
}

static void every_byte_has_a_place_of_its_own(void **state)
{
  (void) state;
  fill_store();
  uint8_t expected[DEVICE_NVM_PAGE_SIZE], device[DEVICE_NVM_PAGE_SIZE];
  make_device(expected, 8);
  write_everywhere(pki_nvm_page(&store, 7), expected, 1);
  nvm_order_device(pki_nvm_page(&store, 7), device);
  assert_memory_equal(device + 256, expected + 256, sizeof device - 256);
  for (uint32_t i = 0; i < PAGES; i++) { /* and none of its neighbours' */
    const struct device_host host = pki_nvm_host(pki_nvm_page(&store, i));
    if (i != 7) expect_device(&host, i + 1);
  }
}

/* Pages as they were before there was an order: all bytes where the device knows them. */
static void older_pages_are_read_and_written_as_they_are(void **state)
{
  (void) state;
  uint8_t device[DEVICE_NVM_PAGE_SIZE];
  for (uint32_t i = 0; i < PAGES; i++) {
    make_device(device, i + 1);
    assert_int_equal(pwrite(store.fd, device, sizeof device, i * DEVICE_NVM_PAGE_SIZE),
                     sizeof device);
  }
  for (uint32_t i = 0; i < PAGES; i++) {
    struct device_host host = pki_nvm_host(pki_nvm_page(&store, i));
    expect_device(&host, i + 1);
  }
  make_device(device, 6);
  write_everywhere(pki_nvm_page(&store, 5), device, 2);
  assert_memory_equal(pki_nvm_page(&store, 5), device, sizeof device);
}

static void nothing_outside_a_page_is_read_or_written(void **state)
{
  (void) state;
  static const struct {
    uint32_t offset;
    size_t size;
  } outside[] = {{DEVICE_NVM_PAGE_SIZE, 1},
                 {DEVICE_NVM_PAGE_SIZE - 1, 2},
                 {0, DEVICE_NVM_PAGE_SIZE + 1},
                 {UINT32_MAX, 1},
                 {1, SIZE_MAX}};
  uint8_t byte = 0;
  fill_store();
  uint8_t *page = pki_nvm_page(&store, 0);
  for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
    assert_int_equal(pki_nvm_read(page, outside[i].offset, &byte, outside[i].size), -1);
    assert_int_equal(pki_nvm_write(page, outside[i].offset, &byte, outside[i].size), -1);
  }
  assert_int_equal(pki_nvm_write(page, DEVICE_NVM_PAGE_SIZE, &byte, 0), 0);
}

/* A file that grew, shrank and grew again: nothing of the first time is left. */
static void a_page_that_comes_back_is_empty(void **state)
{
  (void) state;
  fill_store();
  EXPECT_OK(pki_nvm_resize(&store, 1, &error));
  EXPECT_OK(pki_nvm_resize(&store, PAGES, &error));
  const uint8_t *page = pki_nvm_page(&store, 1);
  for (size_t i = 0; i < DEVICE_NVM_PAGE_SIZE; i++) assert_int_equal(page[i], 0);
  struct device_host host = pki_nvm_host(pki_nvm_page(&store, 0));
  expect_device(&host, 1);
}

/* /dev/full's kind of disk: whatever is written there has no room. */
static void a_full_disk_is_an_error(void **state)
{
  (void) state;
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  struct pki_nvm_store full = store;
  full.fd = open("/dev/full", O_RDWR);
  assert_true(full.fd >= 0);
  make_device(page, 1);
  EXPECT_REFUSAL(pki_nvm_fill(&full, 0, page, &error), EXIT_CODE_SETUP, "check free space");
  close(full.fd);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_device_as_it_is_made_takes_a_block_of_the_disk, make,
                                      discard),
      cmocka_unit_test_setup_teardown(what_was_never_written_reads_as_empty_flash, make, discard),
      cmocka_unit_test_setup_teardown(zeros_in_a_hole_take_no_disk, make, discard),
      cmocka_unit_test_setup_teardown(every_byte_has_a_place_of_its_own, make, discard),
      cmocka_unit_test_setup_teardown(older_pages_are_read_and_written_as_they_are, make, discard),
      cmocka_unit_test_setup_teardown(nothing_outside_a_page_is_read_or_written, make, discard),
      cmocka_unit_test_setup_teardown(a_page_that_comes_back_is_empty, make, discard),
      cmocka_unit_test_setup_teardown(a_full_disk_is_an_error, make, discard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
