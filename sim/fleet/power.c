/* Power: what a device's flash and memory do when it fails.
 *
 * Every erase, every program and every write to the NVM page is an operation. The power fails in
 * the middle of one: a part of its bytes is done, and from then on the device can do nothing more.
 * Its step still returns, because it is a function call, but nothing of what it says is heard; then
 * it is gone, and boots from what it has left (life.c).
 */
#include "fleet/power.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "fleet/emit.h"
#include "fleet/firmware.h"
#include "fleet/flash.h"
#include "fleet/population.h"

#define BOOT_MIN_MS  200u
#define BOOT_SPAN_MS 1800u /* uniform: from the restart until the application runs */
#define STALLED_MS   5000u /* an update that goes on writes more often than that */

/* Power cuts of one device. */
struct power_row {
  uint64_t random; /* dice of their own: they change nobody's jitter */
  struct fleet_power_cuts cuts;
  uint32_t cut_in; /* operations until the power fails; 0: no cut is armed */
  /* FLEET_CUTS_EACH: at which operation the next life ends, and how much later each */
  uint32_t cut_turn, cut_stride;
  bool in_trial;        /* the last one came in an image's trial */
  uint64_t operated_us; /* the last operation, on the fleet's clock */
};

int power_create(struct fleet *fleet)
{
  if (fleet->config.profile->ota == NULL) return 0;
  fleet->power = calloc(fleet->config.device_count, sizeof *fleet->power);
  return fleet->power != NULL ? 0 : -1;
}

size_t power_row_bytes(void)
{
  return sizeof(struct power_row);
}

/* NULL where the device has no flash. */
static struct power_row *cuts_of(const struct member *m)
{
  const struct fleet *fleet = m->fleet;
  return fleet->power == NULL ? NULL : &fleet->power[population_index(m)];
}

void power_init(struct member *m)
{
  struct power_row *row = cuts_of(m);
  if (row != NULL) row->random = m->random ^ 0x706f776572u;
}

/* --- Operations ------------------------------------------------------------------------------- */

/* Uniform in 1..2 * every - 1 would have the mean too, but a cut must not become more likely with
   time: geometric. */
static uint32_t draw_operations(struct power_row *row)
{
  if (row->cuts.every <= 1) return 1;
  double n = log(random_unit(&row->random)) / log1p(-1.0 / row->cuts.every);
  return n < 1e9 ? 1 + (uint32_t) n : 1000000000u;
}

static void arm(struct power_row *row)
{
  row->cut_in = 0;
  if (row->cuts.times == 0) return;
  row->cut_in = row->cuts.at == FLEET_CUTS_EACH ? row->cut_turn : draw_operations(row);
  row->cut_turn += row->cut_stride;
}

void power_arm_cuts(struct member *m, const struct fleet_power_cuts *cuts, uint32_t turn,
                    uint32_t count)
{
  struct power_row *row = cuts_of(m);
  assert(row != NULL && (cuts->at == FLEET_CUTS_EACH || cuts->every > 0));
  row->cuts = *cuts;
  row->cut_turn = turn;
  row->cut_stride = count;
  arm(row);
}

static void fail_power(struct member *m, struct power_row *row)
{
  struct fleet_ota_facts *facts = firmware_facts(m);
  m->dark = true;
  m->by_policy = true;
  facts->power_cuts++;
  row->in_trial = facts->ota_trial;
  m->facts.step_counted |= FLEET_IN_OTA_POWER_CUTS;
  row->cuts.times--;
  arm(row);
  metrics_add(m->fleet->config.metrics, METRIC_OTA_POWER_CUTS, 1);
  emit_event(m, (struct event){.kind = EVENT_POWER_CUT,
                               .power_cut = {facts->operations, facts->power_cuts}});
}

/* One more operation of `size` bytes: how many of them are done. */
static size_t operate(struct member *m, size_t size)
{
  struct power_row *row = cuts_of(m);
  if (row == NULL) return SIZE_MAX;
  firmware_facts(m)->operations++;
  row->operated_us = population_clock_us(m->fleet);
  if (row->cut_in == 0 || --row->cut_in > 0) return SIZE_MAX;
  fail_power(m, row);
  return random_next(&row->random) % (size + 1);
}

void power_met_otherwise(struct member *m)
{
  if ((m->facts.step_counted & FLEET_IN_OTA_ROLLED_BACK) != 0) return;
  m->facts.step_counted &= (uint16_t) ~FLEET_IN_OTA_POWER_CUTS;
}

void power_rolled_back(struct member *m)
{
  struct power_row *row = cuts_of(m);
  if (row == NULL || !row->in_trial) m->facts.step_counted &= (uint16_t) ~FLEET_IN_OTA_POWER_CUTS;
  if (row != NULL) row->in_trial = false;
}

bool power_cut_lasts(const struct member *m)
{
  const struct power_row *row = cuts_of(m);
  if (row == NULL || (m->facts.step_counted & FLEET_IN_OTA_POWER_CUTS) == 0) return false;
  bool rolled_back = (m->facts.step_counted & FLEET_IN_OTA_ROLLED_BACK) != 0;
  uint64_t since_us = population_clock_us(m->fleet) - row->operated_us;
  return rolled_back || !m->facts.online || since_us < STALLED_MS * UINT64_C(1000);
}

/* --- Hooks ------------------------------------------------------------------------------------ */

static int hook_random(void *ctx, uint8_t *out, size_t size)
{
  struct member *m = ctx;
  return m->dark ? -1 : backend_random(m->fleet->config.backend, out, size);
}

/* NULL: outside. */
static uint8_t *page_with(const struct member *m, uint32_t offset, size_t size)
{
  const struct fleet_config *config = &m->fleet->config;
  if (size > config->page_size || offset > config->page_size - size) return NULL;
  return config->page(config->pages, population_number(m));
}

int power_read_page(const struct member *m, uint32_t offset, void *out, size_t size)
{
  const struct fleet_config *config = &m->fleet->config;
  const uint8_t *page = page_with(m, offset, size);
  if (page == NULL) return -1;
  /* pki_nvm_read of pki/nvm_store.c */
  if (config->page_read != NULL) return config->page_read(page, offset, out, size);
  memcpy(out, page + offset, size);
  return 0;
}

static int hook_nvm_read(void *ctx, uint32_t offset, void *out, size_t size)
{
  const struct member *m = ctx;
  return m->dark ? -1 : power_read_page(m, offset, out, size);
}

static int hook_nvm_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
  const struct member *m = ctx;
  const struct fleet_config *config = &m->fleet->config;
  uint8_t *page = m->dark ? NULL : page_with(m, offset, size);
  if (page == NULL) return -1;
  size_t done = operate(ctx, size);
  if (done > size) done = size;
  int result = 0;
  if (config->page_write != NULL)
    result = config->page_write(page, offset, data, done); /* pki_nvm_write */
  else
    memcpy(page + offset, data, done);
  return m->dark ? -1 : result;
}

static int hook_flash_read(void *ctx, uint8_t slot, uint32_t offset, void *out, size_t size)
{
  struct member *m = ctx;
  if (m->dark) return -1;
  return flash_read(m->fleet->config.ota.flash, population_index(m), slot, offset, out, size);
}

static int book_flash(struct member *m, uint64_t us, int failed)
{
  metrics_add(m->fleet->config.metrics, METRIC_OTA_FLASH_OPERATIONS, 1);
  firmware_add_flash_us(m, us);
  m->fleet->step.flash_us += us;
  return failed != 0 || m->dark ? -1 : 0;
}

static int hook_flash_erase(void *ctx, uint8_t slot, uint32_t offset)
{
  struct member *m = ctx;
  struct flash *flash = m->fleet->config.ota.flash;
  if (m->dark) return -1;
  size_t done = operate(m, DEVICE_FLASH_SECTOR);
  return book_flash(m, flash_erase_us(flash),
                    flash_erase(flash, population_index(m), slot, offset, done));
}

static int hook_flash_program(void *ctx, uint8_t slot, uint32_t offset, const void *data,
                              size_t size)
{
  struct member *m = ctx;
  struct flash *flash = m->fleet->config.ota.flash;
  if (m->dark) return -1;
  size_t done = operate(m, size);
  int failed = flash_program(flash, population_index(m), slot, offset, data, size, done);
  return book_flash(m, flash_program_us(flash, size), failed);
}

/* Devices borrow for a message or a handshake and give back: in turns they have the same few blocks
   of the heap. */
static void *hook_lend(void *ctx, size_t size)
{
  (void) ctx;
  return malloc(size);
}

static void hook_give_back(void *ctx, void *room, size_t size)
{
  (void) ctx;
  (void) size;
  free(room);
}

void power_lend(struct member *m, struct device_host *host)
{
  *host = (struct device_host){.ctx = m,
                               .random = hook_random,
                               .nvm_read = hook_nvm_read,
                               .nvm_write = hook_nvm_write,
                               .lend = hook_lend,
                               .give_back = hook_give_back};
  if (cuts_of(m) == NULL) return;
  host->flash_read = hook_flash_read;
  host->flash_erase = hook_flash_erase;
  host->flash_program = hook_flash_program;
}

uint64_t power_boot_time_ms(struct member *m)
{
  struct power_row *row = cuts_of(m);
  uint64_t *random = row != NULL ? &row->random : &m->random;
  return BOOT_MIN_MS + random_next(random) % (BOOT_SPAN_MS + 1);
}
