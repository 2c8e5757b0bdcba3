/* Power: what a device's flash and memory do when it fails, and how a device comes back by itself.
 *
 * Every erase, every program and every write to the NVM page is an operation. The power fails in
 * the middle of one: a part of its bytes is done, and from then on the device can do nothing more.
 * Its step still returns, because it is a function call, but nothing of what it says is heard; then
 * it is gone, and boots from what it has left.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "fleet/flash.h"
#include "fleet/member.h"

#define BOOT_MIN_MS  200u
#define BOOT_SPAN_MS 1800u /* uniform: from the restart until the application runs */

struct member_ota *member_ota(const struct member *m)
{
  const struct fleet *fleet = m->fleet;
  return fleet->ota == NULL ? NULL : &fleet->ota[m - fleet->members];
}

static size_t index_of(const struct member *m)
{
  return (size_t) (m - m->fleet->members);
}

/* --- Operations ------------------------------------------------------------------------------- */

/* Uniform in 1..2 * every - 1 would have the mean too, but a cut must not become more likely with
   time: geometric. */
static uint32_t draw_operations(struct member_ota *ota)
{
  if (ota->cuts.every <= 1) return 1;
  double n = log(random_unit(&ota->random)) / log1p(-1.0 / ota->cuts.every);
  return n < 1e9 ? 1 + (uint32_t) n : 1000000000u;
}

static void arm(struct member_ota *ota)
{
  ota->cut_in = 0;
  if (ota->cuts.times == 0) return;
  ota->cut_in = ota->cuts.at == FLEET_CUTS_EACH ? ota->cut_turn : draw_operations(ota);
  ota->cut_turn += ota->cut_stride;
}

void fleet_power_cut(struct fleet *fleet, const uint32_t *devices, size_t count,
                     const struct fleet_power_cuts *cuts)
{
  assert(fleet->ota != NULL && (cuts->at == FLEET_CUTS_EACH || cuts->every > 0));
  for (size_t i = 0; i < count; i++) {
    struct member_ota *ota = &fleet->ota[devices[i]];
    ota->cuts = *cuts;
    ota->cut_turn = (uint32_t) i + 1;
    ota->cut_stride = (uint32_t) count;
    arm(ota);
  }
}

static void fail_power(struct member *m, struct member_ota *ota)
{
  struct fleet *fleet = m->fleet;
  m->dark = true;
  m->by_policy = true;
  ota->facts.power_cuts++;
  ota->cuts.times--;
  arm(ota);
  metrics_add(fleet->config.metrics, METRIC_OTA_POWER_CUTS, 1);
  member_emit(m, (struct event){.kind = EVENT_POWER_CUT,
                                .power_cut = {ota->facts.operations, ota->facts.power_cuts}});
}

/* One more operation of `size` bytes: how many of them are done. */
static size_t operate(struct member *m, size_t size)
{
  struct member_ota *ota = member_ota(m);
  if (ota == NULL) return SIZE_MAX;
  ota->facts.operations++;
  if (ota->cut_in == 0 || --ota->cut_in > 0) return SIZE_MAX;
  fail_power(m, ota);
  return random_next(&ota->random) % (size + 1);
}

bool member_is_dark(const struct member *m)
{
  return m->dark;
}

/* --- Hooks ------------------------------------------------------------------------------------ */

static int hook_random(void *ctx, uint8_t *out, size_t size)
{
  struct member *m = ctx;
  return member_is_dark(m) ? -1 : backend_random(m->fleet->config.backend, out, size);
}

static uint8_t *page_at(struct member *m, uint32_t offset, size_t size)
{
  const struct fleet_config *config = &m->fleet->config;
  if (member_is_dark(m) || size > config->page_size || offset > config->page_size - size)
    return NULL;
  return config->page(config->pages, index_of(m)) + offset;
}

static int hook_nvm_read(void *ctx, uint32_t offset, void *out, size_t size)
{
  const uint8_t *from = page_at(ctx, offset, size);
  if (from == NULL) return -1;
  memcpy(out, from, size);
  return 0;
}

static int hook_nvm_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
  uint8_t *to = page_at(ctx, offset, size);
  if (to == NULL) return -1;
  size_t done = operate(ctx, size);
  memcpy(to, data, done < size ? done : size);
  return member_is_dark(ctx) ? -1 : 0;
}

static int hook_flash_read(void *ctx, uint8_t slot, uint32_t offset, void *out, size_t size)
{
  struct member *m = ctx;
  if (member_is_dark(m)) return -1;
  return flash_read(m->fleet->config.ota.flash, index_of(m), slot, offset, out, size);
}

static int book_flash(struct member *m, uint64_t us, int failed)
{
  struct member_ota *ota = member_ota(m);
  metrics_add(m->fleet->config.metrics, METRIC_OTA_FLASH_OPERATIONS, 1);
  ota->flash_us += us;
  m->fleet->step.flash_us += us;
  return failed != 0 || m->dark ? -1 : 0;
}

static int hook_flash_erase(void *ctx, uint8_t slot, uint32_t offset)
{
  struct member *m = ctx;
  struct flash *flash = m->fleet->config.ota.flash;
  if (member_is_dark(m)) return -1;
  size_t done = operate(m, DEVICE_FLASH_SECTOR);
  return book_flash(m, flash_erase_us(flash), flash_erase(flash, index_of(m), slot, offset, done));
}

static int hook_flash_program(void *ctx, uint8_t slot, uint32_t offset, const void *data,
                              size_t size)
{
  struct member *m = ctx;
  struct flash *flash = m->fleet->config.ota.flash;
  if (member_is_dark(m)) return -1;
  size_t done = operate(m, size);
  int failed = flash_program(flash, index_of(m), slot, offset, data, size, done);
  return book_flash(m, flash_program_us(flash, size), failed);
}

void member_lend(struct member *m, struct device_host *host)
{
  *host = (struct device_host){.ctx = m,
                               .random = hook_random,
                               .nvm_read = hook_nvm_read,
                               .nvm_write = hook_nvm_write,
                               .observe = member_observe};
  if (member_ota(m) == NULL) return;
  host->flash_read = hook_flash_read;
  host->flash_erase = hook_flash_erase;
  host->flash_program = hook_flash_program;
  if (m->fleet->config.ota.trial != NULL) host->self_test = member_self_test;
}

/* --- Restarts --------------------------------------------------------------------------------- */

/* Off, and on again after what a boot takes. `m` may be off already. */
static void boot_later(struct member *m)
{
  bool for_good = m->shelving;
  /* a session that the plan would end later is over; what was to begin later is not earlier for
     it */
  uint64_t start_at_ms = m->planned && m->link != MEMBER_UP ? m->start_at_ms : DEVICE_NEVER;
  if (!m->ended) member_end(m); /* a device that restarts by itself has said so already */
  if (m->link != MEMBER_OFF) m->link = MEMBER_DOWN;
  member_power_off(m);
  m->ended = m->accepted = m->shelving = false;
  backoff_reset(&m->backoff);
  member_forget(m);
  m->dark = false;
  if (for_good) return;
  struct member_ota *ota = member_ota(m);
  m->boot_at_ms = backend_now_ms(m->fleet->config.backend) + BOOT_MIN_MS +
                  random_next(ota != NULL ? &ota->random : &m->random) % (BOOT_SPAN_MS + 1);
  m->start_at_ms = start_at_ms;
  member_arm(m);
}

bool member_lost_power(struct member *m)
{
  if (!member_is_dark(m)) return false;
  member_ota_lost(m);
  member_break_off(m);
  boot_later(m);
  return true;
}

void member_restart(struct member *m)
{
  m->by_policy = false;
  boot_later(m);
}

uint64_t member_boot_ms(const struct member *m)
{
  return m->boot_at_ms;
}

void member_stay_off(struct member *m)
{
  m->boot_at_ms = DEVICE_NEVER;
  member_arm(m);
}

const struct device_profile *member_profile(const struct member *m)
{
  bool keeps = m->restarts && m->facts.ever_online;
  return keeps ? &m->fleet->restarted : m->fleet->config.profile;
}

void member_boot(struct member *m)
{
  m->boot_at_ms = DEVICE_NEVER;
  m->restarts = true;
  member_power_on(m);
  m->restarts = false;
  if (m->link != MEMBER_DOWN) return;
  if (!m->facts.wanted)
    m->start_at_ms = DEVICE_NEVER;
  else if (m->start_at_ms == DEVICE_NEVER)
    member_retry(m, m->by_policy);
}
