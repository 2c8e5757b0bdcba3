#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "m4/emulator/cost.h"

/* Code by halfwords, costed as one block that begins at `address`. */
static struct m4_block block_of(uint32_t address, const uint16_t *halves, size_t count)
{
  uint8_t code[64];
  assert_true(2 * count <= sizeof code);
  for (size_t i = 0; i < count; i++) {
    code[2 * i] = (uint8_t) halves[i];
    code[2 * i + 1] = (uint8_t) (halves[i] >> 8);
  }
  return m4_cost_block(&m4_model_default, address, code, 2 * count);
}

#define BLOCK(address, ...)                          \
  block_of(address, (const uint16_t[]){__VA_ARGS__}, \
           sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))
#define CYCLES(...) (BLOCK(0, __VA_ARGS__).cycles)

static void every_class_costs_what_the_manual_says(void **state)
{
  (void) state;
  assert_int_equal(CYCLES(0x1888), 1);          /* adds r0, r1, r2 */
  assert_int_equal(CYCLES(0xea81, 0x10f2), 1);  /* eor.w r0, r1, r2, ror #7 */
  assert_int_equal(CYCLES(0x4348), 1);          /* muls r0, r1 */
  assert_int_equal(CYCLES(0xfb01, 0x3002), 1);  /* mla */
  assert_int_equal(CYCLES(0xfba2, 0x0103), 1);  /* umull */
  assert_int_equal(CYCLES(0xfbe2, 0x0163), 1);  /* umaal */
  assert_int_equal(CYCLES(0xfbb1, 0xf0f2), 6);  /* udiv */
  assert_int_equal(CYCLES(0x6848), 2);          /* ldr r0, [r1, #4] */
  assert_int_equal(CYCLES(0x4801), 2);          /* ldr r0, [pc, #4] */
  assert_int_equal(CYCLES(0x6048), 1);          /* str r0, [r1, #4] */
  assert_int_equal(CYCLES(0x5088), 2);          /* str r0, [r1, r2] */
  assert_int_equal(CYCLES(0xc80e), 4);          /* ldmia r0!, {r1, r2, r3} */
  assert_int_equal(CYCLES(0xb570), 5);          /* push {r4, r5, r6, lr} */
  assert_int_equal(CYCLES(0xe8bd, 0x8ff0), 10); /* pop {r4-r11, pc} */
  assert_int_equal(CYCLES(0xe9d2, 0x0102), 3);  /* ldrd */
  assert_int_equal(CYCLES(0xe9c2, 0x0102), 3);  /* strd */
  assert_int_equal(CYCLES(0xe8df, 0xf000), 3);  /* tbb [pc, r0] */
  assert_int_equal(CYCLES(0xe773), 1);          /* b */
  assert_int_equal(CYCLES(0x4770), 1);          /* bx lr */
  assert_int_equal(CYCLES(0xbf08), 1);          /* it eq */
  assert_int_equal(CYCLES(0xf3bf, 0x8f4f), 2);  /* dsb */
  assert_int_equal(CYCLES(0xbf00), 1);          /* nop */
}

static void a_load_behind_a_load_is_pipelined(void **state)
{
  (void) state;
  assert_int_equal(CYCLES(0x6808, 0x681a), 3);         /* ldr r0, [r1]; ldr r2, [r3] */
  assert_int_equal(CYCLES(0x6808, 0x681a, 0x682c), 4); /* and ldr r4, [r5] */
  /* ldr r0, [r1]; ldr r2, [r0]: needs the address */
  assert_int_equal(CYCLES(0x6808, 0x6802), 4);
  assert_int_equal(CYCLES(0x6808, 0x601a, 0x682c), 5); /* a store between */
}

static void an_address_just_computed_stalls(void **state)
{
  (void) state;
  assert_int_equal(CYCLES(0x1d08, 0x6802), 4); /* adds r0, r1, #4; ldr r2, [r0] */
  assert_int_equal(CYCLES(0x1d08, 0x6002), 3); /* adds r0, r1, #4; str r2, [r0] */
  /* adds r0, r1, #4; ldr r2, [r1, r0]: the index */
  assert_int_equal(CYCLES(0x1d08, 0x580a), 4);
  /* adds r0, r1, #4; str r0, [r1]: data, no address */
  assert_int_equal(CYCLES(0x1d08, 0x6008), 2);
  assert_int_equal(CYCLES(0x1d08, 0xbf00, 0x6802), 4); /* a NOP between */
  /* cmp r0, #0; ldr r2, [r0]: writes nothing */
  assert_int_equal(CYCLES(0x2800, 0x6802), 3);
  assert_int_equal(CYCLES(0xfb01, 0xf002, 0x6802), 4); /* mul r0, r1, r2; ldr r2, [r0] */
}

static void a_taken_branch_refills_by_its_kind_and_target(void **state)
{
  (void) state;
  const struct m4_model *model = &m4_model_default;
  const struct m4_block narrow = BLOCK(0x102, 0x1888), wide = BLOCK(0x102, 0xeb01, 0x00c2);
  const struct m4_block aligned = BLOCK(0x104, 0xeb01, 0x00c2);
  assert_int_equal(m4_cost_taken(model, M4_DIRECT, &narrow), 1);
  assert_int_equal(m4_cost_taken(model, M4_INDIRECT, &narrow), 2);
  assert_int_equal(m4_cost_taken(model, M4_DIRECT, &aligned), 1);
  assert_int_equal(m4_cost_taken(model, M4_DIRECT, &wide), 2);
  assert_int_equal(m4_cost_taken(model, M4_INDIRECT, &wide), 3);
}

static void a_block_says_how_it_leaves(void **state)
{
  (void) state;
  const struct m4_block falls = BLOCK(0, 0x1888), call = BLOCK(0, 0xf7ff, 0xff6d),
                        back = BLOCK(0, 0xbd10);
  const struct m4_block loop = BLOCK(0, 0x3901, 0xd1fd);       /* subs r1, #1; bne */
  const struct m4_block returns_if = BLOCK(0, 0xbf08, 0x4770); /* it eq; bxeq lr */
  /* it eq; moveq r0, r1; bx lr */
  const struct m4_block behind_if = BLOCK(0, 0xbf08, 0x4608, 0x4770);
  assert_int_equal(falls.leaves_by, M4_NO_BRANCH);
  assert_false(falls.always_taken);
  assert_int_equal(call.leaves_by, M4_DIRECT);
  assert_true(call.always_taken);
  assert_int_equal(back.leaves_by, M4_INDIRECT);
  assert_true(back.always_taken);
  assert_int_equal(loop.leaves_by, M4_DIRECT);
  assert_false(loop.always_taken);
  assert_false(returns_if.always_taken);
  assert_true(behind_if.always_taken);
}

static void a_block_says_how_deep_it_takes_the_stack(void **state)
{
  (void) state;
  /* push 4, sub 24, add 24, pop 4 */
  assert_int_equal(BLOCK(0, 0xb570, 0xb086, 0xb006, 0xbd70).stack_bytes, 40);
  assert_int_equal(BLOCK(0, 0xbd70).stack_bytes, 0);
  assert_false(BLOCK(0, 0xb570).stack_unknown);
  assert_true(BLOCK(0, 0x46bd).stack_unknown); /* mov sp, r7 */
}

static void what_is_not_known_is_counted(void **state)
{
  (void) state;
  const struct m4_block block = BLOCK(0, 0xee30, 0x0a20, 0x1888); /* vadd.f32; adds */
  assert_int_equal(block.instructions, 2);
  assert_int_equal(block.unclassified, 1);
  /* cut in the middle of an instruction */
  assert_int_equal(BLOCK(0, 0x1888, 0xeb01).unclassified, 1);
}

static void every_parameter_can_be_set_by_its_name_and_only_those(void **state)
{
  (void) state;
  struct m4_model model = m4_model_default;
  assert_true(m4_parameter_count > 20);
  for (size_t i = 0; i < m4_parameter_count; i++) {
    assert_true(m4_model_set(&model, m4_parameters[i].name, (unsigned) i + 100));
    assert_int_equal(m4_model_get(&model, &m4_parameters[i]), i + 100);
  }
  assert_int_equal(model.alu, 100);
  assert_false(m4_model_set(&model, "aluminium", 1));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_class_costs_what_the_manual_says),
      cmocka_unit_test(a_load_behind_a_load_is_pipelined),
      cmocka_unit_test(an_address_just_computed_stalls),
      cmocka_unit_test(a_taken_branch_refills_by_its_kind_and_target),
      cmocka_unit_test(a_block_says_how_it_leaves),
      cmocka_unit_test(a_block_says_how_deep_it_takes_the_stack),
      cmocka_unit_test(what_is_not_known_is_counted),
      cmocka_unit_test(every_parameter_can_be_set_by_its_name_and_only_those),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
