/* The block of words of m4/marks.h. Unicorn is under the GPL: linked into fleetsim-m4 only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "m4/marks.h"
#include "machine_inside.h"

#define WORDS_SIZE   4096u
#define TRANSFER_MAX (64u * 1024u)

static bool points_at_words(const struct m4_machine *m, const struct m4_instruction *i)
{
  uint32_t sum = 0;
  for (unsigned r = 0; r < 16; r++)
    if ((i->addressed_by >> r & 1u) != 0) sum += m4_machine_register(m, r);
  return sum - M4_BLOCK < WORDS_SIZE;
}

/* The cycle count at the access that is under way, which itself costs nothing. Unicorn does not say
 * which instruction of the block it is: it is the next load or store that points at the words. */
static uint64_t access_now(struct m4_machine *m, bool is_load)
{
  struct m4_walk walk;
  uint8_t code[WORDS_SIZE];
  const uint32_t size = m->block != NULL ? m->block->size : 0;
  if (size > sizeof code || uc_mem_read(m->core, m->block_address, code, size) != UC_ERR_OK)
    return m->run->cycles;
  m4_walk_begin(&walk, code, size);
  while (m4_walk_next(&walk, &m->settings->model)) {
    if (walk.next <= m->word_after) continue;
    if (!(is_load ? m4_is_load(&walk.now) : m4_is_store(&walk.now)) ||
        !points_at_words(m, &walk.now))
      continue;
    const uint64_t now = m->block_began + walk.cycles_before;
    m->word_after = (uint32_t) walk.next;
    m->run->cycles -= walk.cycles;
    m->block_began -= walk.cycles; /* so that what follows in the block is not counted twice */
    return now;
  }
  return m->block_began;
}

static double milliseconds(const struct m4_machine *m, uint64_t cycles)
{
  return (double) cycles / m->settings->clock_hz * 1e3 + m->run->idle_ms;
}

static void fail(struct m4_machine *m, const char *what, uint32_t address)
{
  error_set(m->error, EXIT_CODE_SETUP,
            "the image %s at 0x%08x, which is not in its memory (the block at 0x%08x)", what,
            address, m->block_address);
  m4_machine_fail(m);
}

/* A name of up to 31 characters at that address. */
static bool read_name(struct m4_machine *m, uint32_t address, char name[M4_NAME_MAX])
{
  for (size_t i = 0; i < M4_NAME_MAX; i++) {
    if (uc_mem_read(m->core, address + i, &name[i], 1) != UC_ERR_OK) break;
    if (name[i] == '\0' && i > 0) return true;
  }
  error_set(m->error, EXIT_CODE_SETUP,
            "the image names a mark or state at 0x%08x: a name has 1 to %u characters and a zero",
            address, M4_NAME_MAX - 1);
  m4_machine_fail(m);
  return false;
}

static void name_written(struct m4_machine *m, uint32_t word, uint32_t address, uint64_t now)
{
  char name[M4_NAME_MAX];
  struct m4_tally *tally = &m->run->tally;
  if (!read_name(m, address, name)) return;
  int result;
  if (word == M4_MARK_BEGIN)
    result = m4_tally_begin(tally, name, now, m->error);
  else if (word == M4_MARK_END)
    result = m4_tally_end(tally, name, now, m->error);
  else
    result = m4_tally_state(tally, name, now, m->error);
  if (result != 0) m4_machine_fail(m);
}

static void send_from(struct m4_machine *m, uint32_t size)
{
  uint8_t bytes[TRANSFER_MAX];
  if (size > sizeof bytes || uc_mem_read(m->core, m->send_from, bytes, size) != UC_ERR_OK)
    fail(m, "sends bytes", m->send_from);
  else if (m->link.state == M4_LINK_OPEN) {
    m4_link_send(&m->link, bytes, size);
    m->run->tally.sent += size;
  }
}

static void receive_to(struct m4_machine *m, uint32_t room)
{
  uint8_t bytes[TRANSFER_MAX];
  const size_t size = m4_link_receive(&m->link, bytes, room < sizeof bytes ? room : sizeof bytes);
  if (uc_mem_write(m->core, m->receive_to, bytes, size) != UC_ERR_OK)
    fail(m, "receives bytes", m->receive_to);
  m->received = (uint32_t) size;
  m->run->tally.received += size;
}

static void wait_ms(struct m4_machine *m, uint32_t ms)
{
  const double left = m->settings->idle_limit_ms - m->run->idle_ms;
  m->run->idle_ms += m4_link_wait_ms(&m->link, ms < left ? ms : (uint32_t) left + 1);
  if (m->run->idle_ms <= m->settings->idle_limit_ms) return;
  error_set(m->error, EXIT_CODE_SETUP,
            "the image has waited for more than %.0f ms in all: its peer does not answer, or raise "
            "--idle-limit",
            m->settings->idle_limit_ms);
  m4_machine_fail(m);
}

static void open_or_close(struct m4_machine *m, uint32_t open)
{
  if (open == 0)
    m4_link_close(&m->link);
  else if (m4_link_open(&m->link, m->error) != 0)
    m4_machine_fail(m);
}

static void end(struct m4_machine *m, uint32_t code, uint64_t now)
{
  m->run->exited = true;
  m->run->exit_code = code;
  m->run->cycles = now; /* what stands behind the write in its block is never reached */
  uc_emu_stop(m->core);
}

static void on_write(uc_engine *core, uint64_t word, unsigned size, uint64_t value64, void *context)
{
  (void) core;
  (void) size;
  struct m4_machine *m = context;
  const uint32_t value = (uint32_t) value64;
  if (m->failed || m->run->exited) return;
  const uint64_t now = access_now(m, false);
  switch (word) {
  case M4_PUTCHAR: fputc((int) (value & 0xffu), stderr); break;
  case M4_EXIT: end(m, value, now); break;
  case M4_MARK_BEGIN:
  case M4_MARK_END:
  case M4_STATE: name_written(m, (uint32_t) word, value, now); break;
  case M4_OPEN: open_or_close(m, value); break;
  case M4_SEND_FROM: m->send_from = value; break;
  case M4_SEND: send_from(m, value); break;
  case M4_RECEIVE_TO: m->receive_to = value; break;
  case M4_RECEIVE: receive_to(m, value); break;
  case M4_WAIT_MS: wait_ms(m, value); break;
  case M4_HEAP_PEAK:
    m->run->heap_told = true;
    m->run->heap_peak_bytes = value;
    break;
  default:
    fail(m, "writes a word that m4/marks.h does not have", M4_BLOCK + (uint32_t) word);
    break;
  }
}

static uint64_t on_read(uc_engine *core, uint64_t word, unsigned size, void *context)
{
  (void) core;
  (void) size;
  struct m4_machine *m = context;
  if (m->failed || m->run->exited) return 0;
  const uint64_t now = access_now(m, true);
  switch (word) {
  case M4_ENTROPY: return random_next(&m->random) >> 32;
  case M4_TIME_MS: return (uint32_t) milliseconds(m, now);
  case M4_UNIX_S: return (uint32_t) (m->settings->unix_s + (uint64_t) (milliseconds(m, now) / 1e3));
  case M4_LINK: return m4_link_look(&m->link);
  case M4_RECEIVE: return m->received;
  default:
    fail(m, "reads a word that m4/marks.h does not have", M4_BLOCK + (uint32_t) word);
    return 0;
  }
}

bool m4_words_map(struct m4_machine *m)
{
  return uc_mmio_map(m->core, M4_BLOCK, WORDS_SIZE, on_read, m, on_write, m) == UC_ERR_OK;
}
