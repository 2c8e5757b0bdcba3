#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "m4/emulator/elf.h"

/* An image like a linker's: code at 0, .data with its load address behind the code, .bss behind it
   in RAM. */
struct sample {
  Elf32_Ehdr header;
  Elf32_Phdr text, data;
  uint32_t code[48];
  uint32_t initial[16];
};

#define BSS 128u

static struct sample good(void)
{
  struct sample s = {.code = {M4_RAM + 0x1000, 0x09, 0xe7fee7fe}};
  memcpy(s.header.e_ident, ELFMAG, SELFMAG);
  s.header.e_ident[EI_CLASS] = ELFCLASS32;
  s.header.e_ident[EI_DATA] = ELFDATA2LSB;
  s.header.e_type = ET_EXEC;
  s.header.e_machine = EM_ARM;
  s.header.e_phoff = offsetof(struct sample, text);
  s.header.e_phentsize = sizeof s.text;
  s.header.e_phnum = 2;
  s.text = (Elf32_Phdr){.p_type = PT_LOAD,
                        .p_offset = offsetof(struct sample, code),
                        .p_filesz = sizeof s.code,
                        .p_memsz = sizeof s.code};
  s.data = (Elf32_Phdr){.p_type = PT_LOAD,
                        .p_offset = offsetof(struct sample, initial),
                        .p_paddr = sizeof s.code,
                        .p_vaddr = M4_RAM,
                        .p_filesz = sizeof s.initial,
                        .p_memsz = sizeof s.initial + BSS};
  for (uint32_t i = 0; i < 16; i++) s.initial[i] = 0x1000 + i;
  return s;
}

/* From a block of exactly that size, so that a sanitizer sees a read behind it. */
static int load(const void *file, size_t size, struct m4_image *image, struct error *error)
{
  uint8_t *exact = malloc(size > 0 ? size : 1);
  assert_non_null(exact);
  memcpy(exact, file, size);
  const int result = m4_image_load(image, exact, size, "MY.elf", error);
  free(exact);
  return result;
}

static void refused_with(const struct sample *s, size_t size, const char *words)
{
  struct m4_image image;
  struct error error = {.code = EXIT_CODE_PASS};
  if (load(s, size, &image, &error) == 0) fail_msg("taken, expected a refusal with '%s'", words);
  if (strstr(error.text, words) == NULL || strstr(error.text, "MY.elf") == NULL)
    fail_msg("the sentence is '%s', expected one with '%s' and the file's name", error.text, words);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
}

static void loads_code_and_the_image_of_data(void **state)
{
  (void) state;
  const struct sample s = good();
  struct m4_image image;
  struct error error;
  if (load(&s, sizeof s, &image, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(image.flash_base, 0);
  assert_int_equal(image.flash_size, M4_FLASH_MIN);
  assert_memory_equal(image.flash, s.code, sizeof s.code);
  assert_memory_equal(image.flash + sizeof s.code, s.initial, sizeof s.initial);
  assert_int_equal(image.flash[sizeof s.code + sizeof s.initial], 0xff);
  assert_int_equal(image.stack_top, M4_RAM + 0x1000);
  assert_int_equal(image.reset, 9);
  assert_int_equal(image.rom_bytes, sizeof s.code + sizeof s.initial);
  assert_int_equal(image.ram_bytes, sizeof s.initial + BSS);
  m4_image_free(&image);
}

static void loads_an_image_whose_flash_is_not_at_zero(void **state)
{
  (void) state;
  struct sample s = good();
  struct m4_image image;
  struct error error;
  s.text.p_paddr += 0x08000000;
  s.data.p_paddr += 0x08000000;
  s.code[1] += 0x08000000;
  if (load(&s, sizeof s, &image, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(image.flash_base, 0x08000000);
  assert_int_equal(image.reset, 0x08000009);
  m4_image_free(&image);
}

static void refuses_what_is_no_image_for_this_core(void **state)
{
  (void) state;
  struct sample s = good();
  s.header.e_ident[1] = 'X';
  refused_with(&s, sizeof s, "is not an ELF file");
  s = good();
  s.header.e_machine = EM_X86_64;
  refused_with(&s, sizeof s, "is not for 32-bit little-endian Arm");
  s = good();
  s.header.e_ident[EI_CLASS] = ELFCLASS64;
  refused_with(&s, sizeof s, "is not for 32-bit little-endian Arm");
  s = good();
  s.header.e_type = ET_REL;
  refused_with(&s, sizeof s, "is not linked to fixed addresses");
  s = good();
  s.header.e_phnum = 0;
  refused_with(&s, sizeof s, "has no program headers");
  s = good();
  s.code[1] &= ~1u;
  refused_with(&s, sizeof s, "is not Thumb code");
}

static void refuses_an_image_without_a_vector_table(void **state)
{
  (void) state;
  struct sample s = good();
  s.code[0] = 0; /* no stack */
  refused_with(&s, sizeof s, "has no vector table");
  s = good();
  s.code[1] = 0x10001; /* behind the code */
  refused_with(&s, sizeof s, "has no vector table");
}

static void refuses_segments_that_fit_nowhere(void **state)
{
  (void) state;
  struct sample s = good();
  s.data.p_paddr = M4_RAM;
  refused_with(&s, sizeof s, "outside flash");
  s = good();
  s.data.p_paddr = M4_FLASH_MAX + 0x1000;
  refused_with(&s, sizeof s, "more than the largest flash");
  s = good();
  s.data.p_memsz = M4_RAM_SIZE + 1;
  refused_with(&s, sizeof s, "needs more RAM");
  s = good();
  s.data.p_filesz = UINT32_MAX;
  refused_with(&s, sizeof s, "ends within a segment");
  s = good();
  s.header.e_phoff = UINT32_MAX;
  refused_with(&s, sizeof s, "ends within its program headers");
  s = good();
  s.text.p_filesz = s.data.p_filesz = 0;
  refused_with(&s, sizeof s, "has nothing to load");
}

static void refuses_the_image_cut_at_every_byte(void **state)
{
  (void) state;
  const struct sample s = good();
  for (size_t size = 0; size < sizeof s; size++) {
    struct m4_image image;
    struct error error;
    if (load(&s, size, &image, &error) == 0)
      fail_msg("cut at %zu of %zu bytes, and taken", size, sizeof s);
  }
}

static void survives_every_bit_flip_of_its_headers(void **state)
{
  (void) state;
  const size_t headers = offsetof(struct sample, code) + 8; /* with the vector table */
  size_t refused = 0;
  for (size_t i = 0; i < 8 * headers; i++) {
    struct sample s = good();
    struct m4_image image;
    struct error error;
    ((uint8_t *) &s)[i / 8] ^= (uint8_t) (1u << i % 8);
    if (load(&s, sizeof s, &image, &error) == 0)
      m4_image_free(&image);
    else
      refused++;
  }
  assert_true(refused > headers); /* most of them matter */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_code_and_the_image_of_data),
      cmocka_unit_test(loads_an_image_whose_flash_is_not_at_zero),
      cmocka_unit_test(refuses_what_is_no_image_for_this_core),
      cmocka_unit_test(refuses_an_image_without_a_vector_table),
      cmocka_unit_test(refuses_segments_that_fit_nowhere),
      cmocka_unit_test(refuses_the_image_cut_at_every_byte),
      cmocka_unit_test(survives_every_bit_flip_of_its_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
