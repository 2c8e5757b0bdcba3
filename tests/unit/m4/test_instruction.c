#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "samples.h"

static void is_as_expected(const struct m4_sample *sample)
{
  const struct m4_instruction got = m4_decode(sample->first, sample->second),
                              *want = &sample->expected;
#define SAME(field)                                                                      \
  if (got.field != want->field)                                                          \
  fail_msg("%s (%04x %04x): " #field " is %d, expected %d", sample->text, sample->first, \
           sample->second, (int) got.field, (int) want->field)
  SAME(class);
  SAME(size);
  SAME(branch);
  SAME(conditional);
  SAME(transfers);
  SAME(writes);
  SAME(addressed_by);
  SAME(stack_change);
  SAME(stack_unknown);
#undef SAME
}

static void takes_every_sample_for_what_it_is(void **state)
{
  (void) state;
  assert_true(m4_sample_count > 100);
  for (size_t i = 0; i < m4_sample_count; i++) is_as_expected(&m4_samples[i]);
}

static void has_a_sample_of_every_class(void **state)
{
  (void) state;
  bool seen[M4_CLASSES] = {[M4_UNCLASSIFIED] = true};
  for (size_t i = 0; i < m4_sample_count; i++) seen[m4_samples[i].expected.class] = true;
  for (int class = 0; class < M4_CLASSES; class ++)
    if (!seen[class]) fail_msg("no sample is of class %d", class);
}

static void leaves_floating_point_arithmetic_unclassified(void **state)
{
  (void) state;
  assert_int_equal(m4_decode(0xee30, 0x0a20).class, M4_UNCLASSIFIED); /* vadd.f32 s0, s0, s1 */
  assert_int_equal(m4_decode(0xee80, 0x0a20).class, M4_UNCLASSIFIED); /* vdiv.f32 s0, s0, s1 */
  /* mrc p15: another coprocessor */
  assert_int_equal(m4_decode(0xee10, 0x0f10).class, M4_UNCLASSIFIED);
}

static void is_total_every_pair_of_halfwords_has_a_class_and_a_size(void **state)
{
  (void) state;
  for (uint32_t first = 0; first <= UINT16_MAX; first++)
    for (uint32_t second = 0; second <= UINT16_MAX; second += 0x0337) {
      const struct m4_instruction i = m4_decode((uint16_t) first, (uint16_t) second);
      if (i.class >= M4_CLASSES || i.size != (m4_is_wide((uint16_t) first) ? 4 : 2))
        fail_msg("%04x %04x: class %d, %d bytes", first, second, (int) i.class, i.size);
    }
}

static void knows_loads_from_stores(void **state)
{
  (void) state;
  for (size_t i = 0; i < m4_sample_count; i++) {
    const struct m4_instruction got = m4_decode(m4_samples[i].first, m4_samples[i].second);
    const char *text = m4_samples[i].text;
    const bool load = (text[0] == 'l' && text[1] == 'd') || (text[0] == 'p' && text[1] == 'o') ||
                      (text[0] == 't' && text[1] == 'b') || (text[0] == 'v' && text[1] == 'l') ||
                      strncmp(text, "vpop", 4) == 0;
    const bool store = (text[0] == 's' && text[1] == 't') || (text[0] == 'p' && text[1] == 'u') ||
                       (text[0] == 'v' && text[1] == 's') || strncmp(text, "vpush", 5) == 0;
    if (m4_is_load(&got) != load || m4_is_store(&got) != store)
      fail_msg("%s: load %d, store %d, expected %d, %d", text, m4_is_load(&got), m4_is_store(&got),
               load, store);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_every_sample_for_what_it_is),
      cmocka_unit_test(has_a_sample_of_every_class),
      cmocka_unit_test(leaves_floating_point_arithmetic_unclassified),
      cmocka_unit_test(is_total_every_pair_of_halfwords_has_a_class_and_a_size),
      cmocka_unit_test(knows_loads_from_stores),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
