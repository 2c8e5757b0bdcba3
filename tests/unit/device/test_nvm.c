#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "device/bytes.h"
#include "flash.h"

static const struct device_nvm_identity somebody = {
    .id = 0xa1f,
    .name = "SN-2026-000007",
    .subject = "urn:uuid:6f1c2e5a-8a53-4d9b-9a2e-0b1c2d3e4f50",
    .subject_kind = DEVICE_SUBJECT_SAN_URI,
    .private_key = {1, 2, 3},
    .update_key = {4, 5, 6},
};
#define IDENTITY_BYTES 238u

static struct flash flash;
static struct device_host host;

static int factory_fresh(void **state)
{
  (void) state;
  flash_new(&flash, &somebody);
  host = flash_host(&flash);
  return 0;
}

static void assert_in_force(enum device_nvm_area area, const char *expected)
{
  size_t size;
  const uint8_t *payload = flash_payload(&flash, area, &size);
  assert_int_equal(size, strlen(expected));
  if (size) assert_memory_equal(payload, expected, size);
}

static int replace(enum device_nvm_area area, const char *text)
{
  return device_nvm_replace(&host, area, (const uint8_t *) text, strlen(text));
}

static void reads_the_identity_that_was_flashed(void **state)
{
  (void) state;
  struct device_nvm_identity out;
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
  assert_int_equal(out.id, somebody.id);
  assert_string_equal(out.name, somebody.name);
  assert_string_equal(out.subject, somebody.subject);
  assert_int_equal(out.subject_kind, somebody.subject_kind);
  assert_memory_equal(out.private_key, somebody.private_key, sizeof out.private_key);
  assert_memory_equal(out.update_key, somebody.update_key, sizeof out.update_key);
}

static void refuses_an_identity_with_any_flipped_bit(void **state)
{
  (void) state;
  struct device_nvm_identity out;
  for (size_t bit = 0; bit < IDENTITY_BYTES * 8; bit++) {
    flash.page[bit / 8] ^= (uint8_t) (1u << bit % 8);
    assert_int_equal(device_nvm_read_identity(&host, &out), -1);
    flash.page[bit / 8] ^= (uint8_t) (1u << bit % 8);
  }
  assert_int_equal(flash.page[IDENTITY_BYTES], 0xff); /* nothing of it is behind them */
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
}

static void a_device_without_a_name_goes_by_the_digits_of_its_id(void **state)
{
  (void) state;
  struct device_nvm_identity out;
  flash_new(&flash, &(struct device_nvm_identity){.id = 0xa1f});
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
  assert_string_equal(out.name, "00000a1f");
  assert_string_equal(out.subject, "00000a1f");
  assert_int_equal(out.subject_kind, DEVICE_SUBJECT_CN);
}

static void the_subject_is_the_name_unless_there_is_another(void **state)
{
  (void) state;
  struct device_nvm_identity out;
  flash_new(&flash, &(struct device_nvm_identity){.id = 1, .name = "pump 7"});
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
  assert_string_equal(out.subject, "pump 7");
}

static void texts_may_fill_their_64_bytes(void **state)
{
  (void) state;
  struct device_nvm_identity whole = {.id = 1}, out;
  memset(whole.name, 'n', DEVICE_NAME_TEXT - 1);
  memset(whole.subject, 's', DEVICE_NAME_TEXT - 1);
  flash_new(&flash, &whole);
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
  assert_string_equal(out.name, whole.name);
  assert_string_equal(out.subject, whole.subject);
}

/* As builds flashed it that knew no names: magic, id, private key, update key, CRC. */
static void a_page_of_the_older_format_is_read(void **state)
{
  (void) state;
  struct device_nvm_identity out;
  memset(flash.page, 0xff, 256);
  device_put32(flash.page, 0x46534944u); /* "FSID" */
  device_put32(flash.page + 4, 0xfedcba98u);
  memcpy(flash.page + 8, somebody.private_key, 32);
  memcpy(flash.page + 40, somebody.update_key, 65);
  device_put32(flash.page + 105, device_nvm_crc(flash.page, 105));
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
  assert_int_equal(out.id, 0xfedcba98u);
  assert_string_equal(out.name, "fedcba98");
  assert_string_equal(out.subject, "fedcba98");
  assert_int_equal(out.subject_kind, DEVICE_SUBJECT_CN);
  assert_memory_equal(out.private_key, somebody.private_key, 32);
  assert_memory_equal(out.update_key, somebody.update_key, 65);
  for (size_t bit = 0; bit < 109 * 8; bit++) {
    flash.page[bit / 8] ^= (uint8_t) (1u << bit % 8);
    assert_int_equal(device_nvm_read_identity(&host, &out), -1);
    flash.page[bit / 8] ^= (uint8_t) (1u << bit % 8);
  }
}

static void flashes_no_name_that_is_none_and_leaves_the_page_alone(void **state)
{
  (void) state;
  uint8_t before[DEVICE_NVM_PAGE_SIZE];
  struct device_nvm_identity bad[] = {{.name = "a\nb"},
                                      {.name = "a", .subject = "\xff"},
                                      {.name = "a", .subject_kind = DEVICE_SUBJECTS},
                                      {.name = "a"}};
  memset(bad[3].name, 'n', sizeof bad[3].name); /* without its zero */
  memcpy(before, flash.page, sizeof before);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(device_nvm_format(&host, &bad[i]), -1);
    assert_memory_equal(flash.page, before, sizeof before);
  }
}

/* A CRC vouches for the bytes, not for whoever wrote them. */
static void refuses_a_name_that_is_none_in_a_whole_identity(void **state)
{
  (void) state;
  struct device_nvm_identity out;
  flash.page[105] = '\n';
  device_put32(flash.page + IDENTITY_BYTES - 4, device_nvm_crc(flash.page, IDENTITY_BYTES - 4));
  assert_int_equal(device_nvm_read_identity(&host, &out), -1);
  flash.page[105] = 's';
  device_put32(flash.page + IDENTITY_BYTES - 4, device_nvm_crc(flash.page, IDENTITY_BYTES - 4));
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
  assert_string_equal(out.name, "sN-2026-000007");
}

static void a_fresh_page_holds_nothing_in_either_area(void **state)
{
  (void) state;
  assert_in_force(DEVICE_NVM_TRUST, "");
  assert_in_force(DEVICE_NVM_CERTIFICATE, "");
}

static void the_newest_of_many_updates_is_in_force(void **state)
{
  (void) state;
  char text[] = "bundle A";
  for (char c = 'A'; c <= 'Z'; c++) {
    text[7] = c;
    assert_int_equal(replace(DEVICE_NVM_TRUST, text), 0);
    assert_in_force(DEVICE_NVM_TRUST, text);
  }
  assert_in_force(DEVICE_NVM_CERTIFICATE, "");
}

static void each_area_takes_its_capacity_and_leaves_the_others_alone(void **state)
{
  (void) state;
  uint8_t big[DEVICE_NVM_TRUST_MAX];
  memset(big, 0x77, sizeof big);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_TRUST, big, DEVICE_NVM_TRUST_MAX), 0);
    assert_int_equal(
        device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, big, DEVICE_NVM_CERTIFICATE_MAX), 0);
    assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_TICKET, big, DEVICE_NVM_TICKET_MAX), 0);
  }
  assert_int_equal(device_nvm_holds(&host, DEVICE_NVM_TRUST, big, DEVICE_NVM_TRUST_MAX), 1);
  assert_int_equal(device_nvm_holds(&host, DEVICE_NVM_CERTIFICATE, big, DEVICE_NVM_CERTIFICATE_MAX),
                   1);
  struct device_nvm_identity out;
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
}

static void refuses_a_payload_of_no_bytes_or_one_too_many(void **state)
{
  (void) state;
  uint8_t big[DEVICE_NVM_TRUST_MAX + 1] = {0};
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_TRUST, big, sizeof big), -1);
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_TRUST, big, 0), -1);
  assert_in_force(DEVICE_NVM_TRUST, "");
}

static void falls_back_to_the_older_slot_when_a_bit_of_the_newer_rots(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "older"), 0);
  assert_int_equal(replace(DEVICE_NVM_TRUST, "newer"), 0);
  struct device_nvm_slot slot;
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_TRUST, &slot), 0);
  for (uint32_t at = slot.offset - DEVICE_NVM_SLOT_HEADER; at < slot.offset + slot.size; at++) {
    flash.page[at] ^= 0x10;
    assert_in_force(DEVICE_NVM_TRUST, "older");
    flash.page[at] ^= 0x10;
  }
  assert_in_force(DEVICE_NVM_TRUST, "newer");
}

static void an_update_after_rot_does_not_overwrite_the_only_whole_slot(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "older"), 0);
  assert_int_equal(replace(DEVICE_NVM_TRUST, "newer"), 0);
  struct device_nvm_slot slot;
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_TRUST, &slot), 0);
  flash.page[slot.offset] ^= 1;
  flash.power_after = flash.written + 2;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "third"), -1);
  flash_power_on(&flash);
  assert_in_force(DEVICE_NVM_TRUST, "older");
}

static void a_worn_out_page_keeps_what_it_had(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "kept"), 0);
  flash.refuses_writes = true;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "lost"), -1);
  assert_in_force(DEVICE_NVM_TRUST, "kept");
}

static void reading_back_catches_a_driver_that_lies(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "kept"), 0);
  flash.lies = true;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "lost"), -1);
  assert_in_force(DEVICE_NVM_TRUST, "kept");
}

static void a_driver_that_reports_failure_never_leaves_success_and_failure_apart(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "kept"), 0);
  flash.fails_after_all = true;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "lost"), -1);
  assert_in_force(DEVICE_NVM_TRUST, "kept");
}

static void sequence_numbers_wrap_past_zero(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "one"), 0);
  struct device_nvm_slot slot;
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_TRUST, &slot), 0);
  /* the header of sequence 0xffffffff, size 3, payload "one": its CRC was computed with zlib */
  memcpy(flash.page + slot.offset - DEVICE_NVM_SLOT_HEADER,
         "FSS1\xff\xff\xff\xff\x00\x00\x00\x03"
         "\x5c\x94\xdd\xe4",
         DEVICE_NVM_SLOT_HEADER);
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_TRUST, &slot), 0);
  assert_int_equal(slot.sequence, 0xffffffffu);
  assert_int_equal(replace(DEVICE_NVM_TRUST, "two"), 0);
  assert_in_force(DEVICE_NVM_TRUST, "two");
  assert_int_equal(replace(DEVICE_NVM_TRUST, "three"), 0);
  assert_in_force(DEVICE_NVM_TRUST, "three");
}

static void without_power_nothing_is_found_and_it_is_said(void **state)
{
  (void) state;
  struct device_nvm_slot slot;
  struct device_nvm_identity out;
  flash.off = true;
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_TRUST, &slot), -1);
  assert_int_equal(device_nvm_read_identity(&host, &out), -1);
  assert_int_equal(device_nvm_holds(&host, DEVICE_NVM_TRUST, out.private_key, 1), -1);
  assert_int_equal(replace(DEVICE_NVM_TRUST, "never"), -1);
  assert_int_equal(device_nvm_format(&host, &somebody), -1);
}

static void formatting_takes_old_trust_with_it(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TRUST, "old owner"), 0);
  assert_int_equal(replace(DEVICE_NVM_CERTIFICATE, "old owner"), 0);
  assert_int_equal(device_nvm_format(&host, &somebody), 0);
  assert_in_force(DEVICE_NVM_TRUST, "");
  assert_in_force(DEVICE_NVM_CERTIFICATE, "");
}

static void erasing_takes_both_slots_and_their_bytes_and_nothing_else(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TICKET, "the older secret"), 0);
  assert_int_equal(replace(DEVICE_NVM_TICKET, "the newer secret"), 0);
  assert_int_equal(replace(DEVICE_NVM_CERTIFICATE, "stays"), 0);
  assert_int_equal(device_nvm_erase(&host, DEVICE_NVM_TICKET), 0);
  assert_in_force(DEVICE_NVM_TICKET, "");
  assert_in_force(DEVICE_NVM_CERTIFICATE, "stays");
  assert_null(memmem(flash.page, sizeof flash.page, "secret", 6));
  size_t written = flash.written;
  assert_int_equal(device_nvm_erase(&host, DEVICE_NVM_TICKET), 0);
  assert_int_equal(flash.written, written); /* nothing there: no wear */
}

static void an_erasure_that_is_cut_never_brings_an_older_one_back(void **state)
{
  (void) state;
  assert_int_equal(replace(DEVICE_NVM_TICKET, "older"), 0);
  assert_int_equal(replace(DEVICE_NVM_TICKET, "newer"), 0);
  const struct flash start = flash;
  size_t none = 0;
  for (size_t k = 0; k < 2 * (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_TICKET_MAX); k++) {
    flash = start;
    flash_power_on(&flash);
    flash.power_after = k;
    assert_int_equal(device_nvm_erase(&host, DEVICE_NVM_TICKET), -1);
    flash_power_on(&flash);
    size_t size;
    const uint8_t *payload = flash_payload(&flash, DEVICE_NVM_TICKET, &size);
    if (size != 0 && (size != 5 || memcmp(payload, "newer", 5) != 0))
      fail_msg("cut after %zu bytes: not the newer", k);
    none += size == 0;
  }
  assert_true(none > DEVICE_NVM_TICKET_MAX);
}

static void names_are_stable_and_unknown_values_have_one(void **state)
{
  (void) state;
  char text[DEVICE_ID_TEXT];
  device_id_text(0xa1f, text);
  assert_string_equal(text, "00000a1f");
  device_id_text(0xfedcba98u, text);
  assert_string_equal(text, "fedcba98");
  assert_string_equal(device_failure_name(DEVICE_FAIL_TLS_NOT_TRUSTED), "connect.tls.not_trusted");
  assert_string_equal(device_failure_name((enum device_failure) 9999), "unknown");
  assert_string_equal(device_failure_sentence(DEVICE_FAIL_NONE), "nothing failed");
  assert_string_equal(device_update_name(DEVICE_UPDATE_NVM_FAILED), "nvm_failed");
  assert_string_equal(device_update_name(DEVICE_UPDATE_COUNT), "unknown");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(reads_the_identity_that_was_flashed, factory_fresh),
      cmocka_unit_test_setup(refuses_an_identity_with_any_flipped_bit, factory_fresh),
      cmocka_unit_test_setup(a_device_without_a_name_goes_by_the_digits_of_its_id, factory_fresh),
      cmocka_unit_test_setup(the_subject_is_the_name_unless_there_is_another, factory_fresh),
      cmocka_unit_test_setup(texts_may_fill_their_64_bytes, factory_fresh),
      cmocka_unit_test_setup(a_page_of_the_older_format_is_read, factory_fresh),
      cmocka_unit_test_setup(flashes_no_name_that_is_none_and_leaves_the_page_alone, factory_fresh),
      cmocka_unit_test_setup(refuses_a_name_that_is_none_in_a_whole_identity, factory_fresh),
      cmocka_unit_test_setup(a_fresh_page_holds_nothing_in_either_area, factory_fresh),
      cmocka_unit_test_setup(the_newest_of_many_updates_is_in_force, factory_fresh),
      cmocka_unit_test_setup(each_area_takes_its_capacity_and_leaves_the_others_alone,
                             factory_fresh),
      cmocka_unit_test_setup(refuses_a_payload_of_no_bytes_or_one_too_many, factory_fresh),
      cmocka_unit_test_setup(falls_back_to_the_older_slot_when_a_bit_of_the_newer_rots,
                             factory_fresh),
      cmocka_unit_test_setup(an_update_after_rot_does_not_overwrite_the_only_whole_slot,
                             factory_fresh),
      cmocka_unit_test_setup(a_worn_out_page_keeps_what_it_had, factory_fresh),
      cmocka_unit_test_setup(reading_back_catches_a_driver_that_lies, factory_fresh),
      cmocka_unit_test_setup(a_driver_that_reports_failure_never_leaves_success_and_failure_apart,
                             factory_fresh),
      cmocka_unit_test_setup(sequence_numbers_wrap_past_zero, factory_fresh),
      cmocka_unit_test_setup(without_power_nothing_is_found_and_it_is_said, factory_fresh),
      cmocka_unit_test_setup(formatting_takes_old_trust_with_it, factory_fresh),
      cmocka_unit_test_setup(erasing_takes_both_slots_and_their_bytes_and_nothing_else,
                             factory_fresh),
      cmocka_unit_test_setup(an_erasure_that_is_cut_never_brings_an_older_one_back, factory_fresh),
      cmocka_unit_test_setup(names_are_stable_and_unknown_values_have_one, factory_fresh),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
