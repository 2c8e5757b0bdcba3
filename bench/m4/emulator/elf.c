#include "elf.h"

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FLASH_PAGE 4096u

struct file {
  const uint8_t *data;
  size_t size;
  const char *name;
  Elf32_Ehdr header;
};

static int refuse(struct error *error, const struct file *file, const char *what)
{
  return error_set(error, EXIT_CODE_USAGE, "%s %s", file->name, what);
}

static int check_header(struct file *file, struct error *error)
{
  Elf32_Ehdr *h = &file->header;
  if (file->size < SELFMAG || memcmp(file->data, ELFMAG, SELFMAG) != 0)
    return refuse(error, file, "is not an ELF file: give the linker's output, not a .bin or .hex");
  if (file->size < sizeof *h)
    return refuse(error, file, "ends within its ELF header: it was cut short; build it again");
  memcpy(h, file->data, sizeof *h);
  if (h->e_ident[EI_CLASS] != ELFCLASS32 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
      h->e_machine != EM_ARM)
    return refuse(
        error, file,
        "is not for 32-bit little-endian Arm: build it with arm-none-eabi-gcc -mcpu=cortex-m4");
  if (h->e_type != ET_EXEC)
    return refuse(error, file,
                  "is not linked to fixed addresses: link it with the board's linker script");
  if (h->e_phnum == 0 || h->e_phentsize != sizeof(Elf32_Phdr))
    return refuse(error, file, "has no program headers: link it, an object file cannot be loaded");
  if (h->e_phoff > file->size || (file->size - h->e_phoff) / sizeof(Elf32_Phdr) < h->e_phnum)
    return refuse(error, file, "ends within its program headers: it was cut short; build it again");
  return 0;
}

static Elf32_Phdr segment(const struct file *file, unsigned index)
{
  Elf32_Phdr p;
  memcpy(&p, file->data + file->header.e_phoff + (size_t) index * sizeof p, sizeof p);
  return p;
}

static bool loads(const Elf32_Phdr *p)
{
  return p->p_type == PT_LOAD && p->p_filesz > 0;
}

static int check_segment(const struct file *file, const Elf32_Phdr *p, struct error *error)
{
  if (p->p_offset > file->size || file->size - p->p_offset < p->p_filesz)
    return refuse(error, file, "ends within a segment: it was cut short; build it again");
  if (p->p_paddr >= M4_FLASH_END || M4_FLASH_END - p->p_paddr < p->p_filesz)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s loads %u bytes at 0x%08x, outside flash (below 0x%08x): give .data a load "
                     "address in flash (AT> FLASH in the linker script)",
                     file->name, p->p_filesz, p->p_paddr, M4_FLASH_END);
  return 0;
}

/* Where the loaded bytes begin and end. */
static int find_extent(const struct file *file, uint32_t *low, uint32_t *high, struct error *error)
{
  *low = UINT32_MAX;
  *high = 0;
  for (unsigned i = 0; i < file->header.e_phnum; i++) {
    const Elf32_Phdr p = segment(file, i);
    if (!loads(&p)) continue;
    if (check_segment(file, &p, error) != 0) return -1;
    if (p.p_paddr < *low) *low = p.p_paddr;
    if (p.p_paddr + p.p_filesz > *high) *high = p.p_paddr + p.p_filesz;
  }
  if (*high == 0)
    return refuse(error, file, "has nothing to load: its program headers name no bytes");
  if (*high - *low > M4_FLASH_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s spreads over 0x%08x to 0x%08x, more than the largest flash here (%u "
                     "bytes): link it to one flash",
                     file->name, *low, *high, M4_FLASH_MAX);
  return 0;
}

static int load_segments(struct m4_image *image, const struct file *file, struct error *error)
{
  for (unsigned i = 0; i < file->header.e_phnum; i++) {
    const Elf32_Phdr p = segment(file, i);
    if (loads(&p)) {
      memcpy(image->flash + (p.p_paddr - image->flash_base), file->data + p.p_offset, p.p_filesz);
      image->rom_bytes += p.p_filesz;
    }
    if (p.p_type != PT_LOAD || p.p_memsz == 0 || p.p_vaddr < M4_RAM ||
        p.p_vaddr - M4_RAM >= M4_RAM_SIZE)
      continue;
    if (p.p_memsz > M4_RAM_SIZE - (p.p_vaddr - M4_RAM) ||
        p.p_memsz > M4_RAM_SIZE - image->ram_bytes)
      return error_set(error, EXIT_CODE_USAGE,
                       "%s needs more RAM than there is (%u bytes at 0x%08x): link it for less",
                       file->name, M4_RAM_SIZE, M4_RAM);
    image->ram_bytes += p.p_memsz;
  }
  return 0;
}

static int find_vectors(struct m4_image *image, const struct file *file, uint32_t low,
                        uint32_t high, struct error *error)
{
  uint32_t words[2] = {0, 0};
  if (high - low >= sizeof words)
    memcpy(words, image->flash + (low - image->flash_base), sizeof words);
  image->stack_top = words[0];
  image->reset = words[1];
  const bool stack = words[0] > M4_RAM && words[0] - M4_RAM <= M4_RAM_SIZE && words[0] % 4 == 0;
  if (stack && (words[1] & 1u) == 0 && words[1] >= low && words[1] < high)
    return refuse(
        error, file,
        "is not Thumb code: its reset vector is even, and a Cortex-M4 knows nothing but Thumb");
  if (!stack || (words[1] & 1u) == 0 || words[1] < low || words[1] >= high)
    return error_set(
        error, EXIT_CODE_USAGE,
        "%s has no vector table at its lowest address 0x%08x (0x%08x, 0x%08x): put the initial "
        "stack pointer, in RAM at 0x%08x, and the reset handler there (KEEP(*(.vectors)) first)",
        file->name, low, words[0], words[1], M4_RAM);
  return 0;
}

static int load_image(struct m4_image *image, const struct file *file, struct error *error)
{
  uint32_t low, high;
  if (find_extent(file, &low, &high, error) != 0) return -1;
  image->flash_base = low & ~(FLASH_PAGE - 1);
  const uint32_t used = (high - image->flash_base + FLASH_PAGE - 1) & ~(FLASH_PAGE - 1);
  const uint32_t room = M4_FLASH_END - image->flash_base;
  image->flash_size = used > M4_FLASH_MIN ? used : room < M4_FLASH_MIN ? room : M4_FLASH_MIN;
  image->flash = malloc(image->flash_size);
  if (image->flash == NULL)
    return error_set(error, EXIT_CODE_SETUP, "no memory for a flash of %u bytes", used);
  memset(image->flash, 0xff, image->flash_size);
  if (load_segments(image, file, error) != 0) return -1;
  return find_vectors(image, file, low, high, error);
}

int m4_image_load(struct m4_image *image, const uint8_t *file, size_t size, const char *name,
                  struct error *error)
{
  struct file f = {.data = file, .size = size, .name = name};
  *image = (struct m4_image){.flash = NULL};
  if (check_header(&f, error) != 0) return -1;
  if (load_image(image, &f, error) == 0) return 0;
  m4_image_free(image);
  return -1;
}

void m4_image_free(struct m4_image *image)
{
  free(image->flash);
  image->flash = NULL;
}
