/* See machine.h. Unicorn is under the GPL: linked into fleetsim-m4 only. */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#include "m4/marks.h"
#include "machine_inside.h"

#define NOWHERE  0xfffffffeu /* no code is there: emulation ends when the image says so */
#define CODE_MAX 4096u       /* bytes of one block */

void m4_machine_fail(struct m4_machine *machine)
{
  machine->failed = true;
  uc_emu_stop(machine->core);
}

uint32_t m4_machine_register(const struct m4_machine *machine, unsigned number)
{
  static const int names[] = {UC_ARM_REG_R0,  UC_ARM_REG_R1,  UC_ARM_REG_R2,  UC_ARM_REG_R3,
                              UC_ARM_REG_R4,  UC_ARM_REG_R5,  UC_ARM_REG_R6,  UC_ARM_REG_R7,
                              UC_ARM_REG_R8,  UC_ARM_REG_R9,  UC_ARM_REG_R10, UC_ARM_REG_R11,
                              UC_ARM_REG_R12, UC_ARM_REG_R13, UC_ARM_REG_R14, UC_ARM_REG_R15};
  uint32_t value = 0;
  uc_reg_read(machine->core, names[number], &value);
  return value;
}

/* Where the cost of the block at that address is kept; NULL outside flash and RAM. */
static struct m4_block *block_at(const struct m4_machine *m, uint32_t address)
{
  const uint32_t in_flash = address - m->image->flash_base, in_ram = address - M4_RAM;
  if (in_flash < m->image->flash_size) return &m->flash_blocks[in_flash / 2];
  return in_ram < M4_RAM_SIZE ? &m->ram_blocks[in_ram / 2] : NULL;
}

static bool cost_block(struct m4_machine *m, struct m4_block *block, uint32_t address,
                       uint32_t size)
{
  uint8_t code[CODE_MAX];
  if (size > sizeof code || uc_mem_read(m->core, address, code, size) != UC_ERR_OK) return false;
  *block = m4_cost_block(&m->settings->model, address, code, size);
  return true;
}

static void note_stack(struct m4_machine *m, const struct m4_block *block)
{
  const uint32_t lowest = m4_machine_register(m, M4_SP) - block->stack_bytes;
  if (lowest < m->stack_lowest) m->stack_lowest = lowest;
}

static void charge(struct m4_machine *m, const struct m4_block *block, uint32_t address)
{
  const struct m4_block *before = m->block;
  struct m4_run *run = m->run;
  if (before != NULL && (before->always_taken || m->block_address + before->size != address))
    run->cycles += m4_cost_taken(&m->settings->model, (enum m4_branch) before->leaves_by, block);
  if (m->icache.lines != NULL) run->cycles += m4_icache_fetch(&m->icache, address, block->size);
  m->block_began = run->cycles;
  run->cycles += block->cycles;
  run->instructions += block->instructions;
  run->unclassified += block->unclassified;
}

static void on_block(uc_engine *core, uint64_t address64, uint32_t size, void *context)
{
  (void) core;
  struct m4_machine *m = context;
  const uint32_t address = (uint32_t) address64;
  struct m4_block *block = block_at(m, address);
  if (m->run->exited || m->failed) return;
  if (block == NULL || (block->size != size && !cost_block(m, block, address, size))) {
    error_set(m->error, EXIT_CODE_SETUP, "the image runs code at 0x%08x, outside flash and RAM",
              address);
    m4_machine_fail(m);
    return;
  }
  if (block->stack_bytes > 0 || m->look_at_stack) note_stack(m, block);
  m->look_at_stack = block->stack_unknown;
  charge(m, block, address);
  m->block = block;
  m->block_address = address;
  m->word_after = 0;
  if (m->run->cycles <= m->settings->cycle_limit) return;
  error_set(m->error, EXIT_CODE_SETUP,
            "the image ran for more than %llu cycles without writing M4_EXIT (it is at 0x%08x): a "
            "runaway loop, or raise --cycle-limit",
            (unsigned long long) m->settings->cycle_limit, address);
  m4_machine_fail(m);
}

static bool on_bad_access(uc_engine *core, uc_mem_type type, uint64_t address, int size,
                          int64_t value, void *context)
{
  (void) core;
  (void) value;
  struct m4_machine *m = context;
  const bool fetch = type == UC_MEM_FETCH_UNMAPPED || type == UC_MEM_FETCH_PROT;
  const bool write = type == UC_MEM_WRITE_UNMAPPED || type == UC_MEM_WRITE_PROT;
  if (fetch)
    error_set(m->error, EXIT_CODE_SETUP,
              "the image jumps to 0x%08x, where no code is, from the block at 0x%08x: a bad "
              "function pointer, or a return over a damaged stack",
              (unsigned) address, m->block_address);
  else
    error_set(m->error, EXIT_CODE_SETUP,
              "the image %s %d bytes at 0x%08x, where %s, in the block at 0x%08x (see "
              "arm-none-eabi-addr2line)",
              write ? "writes" : "reads", size, (unsigned) address,
              type == UC_MEM_WRITE_PROT ? "it may not write" : "nothing is", m->block_address);
  m->failed = true;
  return false;
}

/* Unicorn numbers exceptions as QEMU does. */
static const char *exception_name(uint32_t number)
{
  switch (number) {
  case 2: return "an SVC";
  case 3: return "a fault in fetching code";
  case 4: return "a fault in reaching data, such as an unaligned LDM";
  case 7: return "a BKPT";
  case 8: return "a return from an exception";
  case 17: return "a floating-point instruction before the FPU is enabled";
  case 18: return "a branch to an even address, which is not Thumb";
  default: return "an exception";
  }
}

static void on_exception(uc_engine *core, uint32_t number, void *context)
{
  (void) core;
  struct m4_machine *m = context;
  if (m->failed || m->run->exited) return;
  error_set(m->error, EXIT_CODE_SETUP,
            "the image ended in %s (%u) in the block at 0x%08x: there are no exception handlers "
            "here; end by M4_EXIT",
            exception_name(number), number, m->block_address);
  m4_machine_fail(m);
}

static bool map_memory(struct m4_machine *m)
{
  const struct m4_image *image = m->image;
  return uc_mem_map(m->core, image->flash_base, image->flash_size, UC_PROT_READ | UC_PROT_EXEC) ==
             UC_ERR_OK &&
         uc_mem_map(m->core, M4_RAM, M4_RAM_SIZE, UC_PROT_ALL) == UC_ERR_OK &&
         uc_mem_map(m->core, M4_NVM, M4_NVM_SIZE, UC_PROT_READ | UC_PROT_WRITE) == UC_ERR_OK &&
         uc_mem_write(m->core, image->flash_base, image->flash, image->flash_size) == UC_ERR_OK &&
         uc_mem_write(m->core, M4_NVM, m->settings->nvm, M4_NVM_SIZE) == UC_ERR_OK &&
         m4_words_map(m);
}

/* Unicorn takes every kind of callback as a void pointer, which C does not convert to. */
static bool hook(struct m4_machine *m, int type, const void *callback, size_t size)
{
  void *function = NULL;
  uc_hook handle;
  memcpy(&function, callback, size);
  return uc_hook_add(m->core, &handle, type, function, m, 1, 0) == UC_ERR_OK;
}

static bool add_hooks(struct m4_machine *m)
{
  const uc_cb_hookcode_t block = on_block;
  const uc_cb_eventmem_t access = on_bad_access;
  const uc_cb_hookintr_t exception = on_exception;
  return hook(m, UC_HOOK_BLOCK, &block, sizeof block) &&
         hook(m, UC_HOOK_MEM_INVALID, &access, sizeof access) &&
         hook(m, UC_HOOK_INTR, &exception, sizeof exception);
}

static int open_core(struct m4_machine *m)
{
  uc_err problem = uc_open(UC_ARCH_ARM, (uc_mode) (UC_MODE_THUMB | UC_MODE_MCLASS), &m->core);
  if (problem == UC_ERR_OK) problem = uc_ctl_set_cpu_model(m->core, UC_CPU_ARM_CORTEX_M4);
  if (problem != UC_ERR_OK)
    return error_set(m->error, EXIT_CODE_SETUP, "Unicorn has no Cortex-M4 for us: %s",
                     uc_strerror(problem));
  if (!map_memory(m) || !add_hooks(m))
    return error_set(m->error, EXIT_CODE_SETUP,
                     "Unicorn cannot map the memory of the board: is memory short?");
  m->flash_blocks = calloc(m->image->flash_size / 2, sizeof *m->flash_blocks);
  m->ram_blocks = calloc(M4_RAM_SIZE / 2, sizeof *m->ram_blocks);
  if (m->flash_blocks == NULL || m->ram_blocks == NULL)
    return error_set(m->error, EXIT_CODE_SETUP, "no memory for the costs of code blocks");
  return 0;
}

static int execute(struct m4_machine *m)
{
  const uint32_t top = m->image->stack_top;
  uc_reg_write(m->core, UC_ARM_REG_SP, &top);
  m->stack_lowest = top;
  const uc_err problem = uc_emu_start(m->core, m->image->reset, NOWHERE, 0, 0);
  if (m->failed) return -1;
  if (m->run->exited) return 0;
  if (problem == UC_ERR_INSN_INVALID)
    return error_set(m->error, EXIT_CODE_SETUP,
                     "the image ended in an undefined instruction in the block at 0x%08x: was it "
                     "built for another core than -mcpu=cortex-m4?",
                     m->block_address);
  if (problem != UC_ERR_OK)
    return error_set(m->error, EXIT_CODE_SETUP, "the image fails in the block at 0x%08x: %s",
                     m->block_address, uc_strerror(problem));
  return error_set(m->error, EXIT_CODE_SETUP,
                   "the image halted in the block at 0x%08x (WFI?): nothing wakes it here; sleep "
                   "by M4_WAIT_MS and end by M4_EXIT",
                   m->block_address);
}

int m4_machine_run(const struct m4_image *image, const struct m4_settings *settings,
                   struct m4_run *run, struct error *error)
{
  struct m4_machine m = {
      .image = image, .settings = settings, .run = run, .error = error, .random = settings->seed};
  memset(run, 0, sizeof *run);
  m4_tally_init(&run->tally);
  m4_link_init(&m.link, &settings->peer);
  int result = settings->icache.bytes > 0 ? m4_icache_init(&m.icache, &settings->icache, error) : 0;
  if (result == 0) result = open_core(&m);
  if (result == 0) {
    result = execute(&m);
    run->stack_peak_bytes = image->stack_top - m.stack_lowest;
    run->icache_misses = m.icache.misses;
  }
  m4_link_close(&m.link);
  if (m.core != NULL) uc_close(m.core);
  m4_icache_free(&m.icache);
  free(m.flash_blocks);
  free(m.ram_blocks);
  return result;
}
