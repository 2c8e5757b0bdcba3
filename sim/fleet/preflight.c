/* Looks at limits, ports, memory and disk, plans by arithmetic alone, and arranges what can be had
 * without a word. What cannot is one sentence with the number that is missing and the way to get
 * it. */
#define _DEFAULT_SOURCE
#include "fleet/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/heap.h"
#include "fleet/addresses.h"
#include "net/fetch.h"

/* Event loop, NVM file, registry, logs, operator, and connections that are still closing. */
#define OWN_DESCRIPTORS 256u
#define THREADS_MAX     128u
/* One port in ten is left to connections that are still closing. */
#define USABLE_PORTS(count) ((count) - (count) / 10)

/* --- Looking ---------------------------------------------------------------------------------- */

/* Up to `count` numbers of the first line that begins with `key`; how many there were ("max" is
   none). */
static int read_numbers(const char *path, const char *key, uint64_t *out, int count)
{
  char line[256];
  const char *at = NULL;
  FILE *file = fopen(path, "re");
  while (file != NULL && at == NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, key, strlen(key)) == 0) at = line + strlen(key);
  if (file != NULL) fclose(file);
  int found = 0;
  for (char *end = NULL; at != NULL && found < count; at = end, found++) {
    out[found] = strtoull(at, &end, 10);
    if (end == at) break;
  }
  return found;
}

/* What the machine has, or the container if that has less. */
static uint64_t available_memory(void)
{
  uint64_t kib, limit, used, bytes = UINT64_MAX;
  if (read_numbers("/proc/meminfo", "MemAvailable:", &kib, 1) == 1) bytes = kib * 1024;
  if (read_numbers("/sys/fs/cgroup/memory.max", "", &limit, 1) == 1 &&
      read_numbers("/sys/fs/cgroup/memory.current", "", &used, 1) == 1) {
    uint64_t left = limit > used ? limit - used : 0;
    if (left < bytes) bytes = left;
  }
  return bytes;
}

static void read_ports(unsigned *first, unsigned *last)
{
  uint64_t range[2];
  bool known = read_numbers("/proc/sys/net/ipv4/ip_local_port_range", "", range, 2) == 2 &&
               range[0] <= range[1] && range[1] <= UINT16_MAX;
  *first = known ? (unsigned) range[0] : 32768; /* Linux's own default */
  *last = known ? (unsigned) range[1] : 60999;
}

int preflight_look(struct preflight_machine *out, struct error *error)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "the limit of file descriptors cannot be read: is getrlimit forbidden here?");
  out->descriptors = limit.rlim_cur;
  out->descriptors_hard = limit.rlim_max;
  out->memory_bytes = available_memory();
  read_ports(&out->first_port, &out->last_port);
  return 0;
}

int preflight_look_at_disk(const char *folder, struct preflight_machine *out, struct error *error)
{
  struct statvfs disk;
  if (statvfs(folder, &disk) != 0)
    return error_set(error, EXIT_CODE_SETUP, "the free space of %s cannot be read: %s", folder,
                     strerror(errno));
  out->disk_bytes = (uint64_t) disk.f_bavail * disk.f_frsize;
  return 0;
}

struct gathering {
  pthread_mutex_t mutex;
  pthread_cond_t over;
  bool is_over;
};

static void *wait_for_all(void *ctx)
{
  struct gathering *gathering = ctx;
  pthread_mutex_lock(&gathering->mutex);
  while (!gathering->is_over) pthread_cond_wait(&gathering->over, &gathering->mutex);
  pthread_mutex_unlock(&gathering->mutex);
  return NULL;
}

void preflight_look_at_threads(unsigned wanted, struct preflight_machine *out)
{
  struct gathering gathering = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                .over = PTHREAD_COND_INITIALIZER};
  pthread_t threads[THREADS_MAX];
  unsigned n = 0;
  if (wanted > THREADS_MAX) wanted = THREADS_MAX;
  while (n < wanted && pthread_create(&threads[n], NULL, wait_for_all, &gathering) == 0) n++;
  pthread_mutex_lock(&gathering.mutex);
  gathering.is_over = true;
  pthread_cond_broadcast(&gathering.over);
  pthread_mutex_unlock(&gathering.mutex);
  for (unsigned i = 0; i < n; i++) pthread_join(threads[i], NULL);
  out->threads = n;
}

/* --- Planning --------------------------------------------------------------------------------- */

static uint64_t descriptors_of(const struct preflight_need *need)
{
  return need->devices + (uint64_t) need->downloads * need->descriptors_per_download +
         need->guests + OWN_DESCRIPTORS;
}

/* Devices of which each has a download have so many descriptors each, and guests are a share of them. */
static uint64_t devices_for(const struct preflight_need *need, uint64_t descriptors)
{
  uint64_t free = descriptors > OWN_DESCRIPTORS ? descriptors - OWN_DESCRIPTORS : 0;
  uint64_t each = need->downloads == 0 ? 1 : 1u + need->descriptors_per_download;
  return free * need->devices / (need->devices * each + need->guests);
}

/* "12 MiB", "3 KiB": 0 is never told of what is not 0. */
static const char *amount(uint64_t bytes, char out[32])
{
  if (bytes >= 1u << 20)
    snprintf(out, 32, "%" PRIu64 " MiB", bytes >> 20);
  else
    snprintf(out, 32, "%" PRIu64 " KiB", (bytes + 1023) >> 10);
  return out;
}

/* The last half of a sentence: what to do with the fleet. */
static const char *fewer(uint64_t devices, char out[80])
{
  if (devices > 0)
    snprintf(out, 80, "or use --devices %" PRIu64 " or fewer", devices);
  else
    snprintf(out, 80, "for there is no room for one device");
  return out;
}

static int check_threads(const struct preflight_need *need, unsigned threads, struct error *error)
{
  unsigned wanted = need->threads < THREADS_MAX ? need->threads : THREADS_MAX;
  if (threads >= wanted) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "this run needs %u threads and processes at once, and the system lets it start "
                   "%u: raise the limit (\"ulimit -u\" of the user, TasksMax= of the service, pids "
                   "of the container, or \"ulimit -v\")",
                   wanted, threads);
}

static int check_descriptors(const struct preflight_need *need, uint64_t hard, struct error *error)
{
  uint64_t needed = descriptors_of(need);
  char advice[80];
  if (needed <= hard) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "%zu devices need %" PRIu64
                   " file descriptors%s, but this process may open %" PRIu64
                   " at most; raise the hard limit (\"ulimit -Hn %" PRIu64
                   "\" as root, or LimitNOFILE= of the service) %s",
                   need->devices, needed, need->downloads > 0 ? " with their downloads" : "", hard,
                   needed, fewer(devices_for(need, hard), advice));
}

static int check_memory(const struct preflight_need *need, uint64_t available, struct error *error)
{
  uint64_t downloads = (uint64_t) need->downloads * fetch_bytes_per_transfer();
  uint64_t needed = (uint64_t) need->devices * need->bytes_per_device + downloads + need->bytes;
  if (needed <= available) return 0;
  char wants[32], has[32], advice[80];
  uint64_t each = need->bytes_per_device + (need->downloads > 0 ? fetch_bytes_per_transfer() : 0);
  return error_set(error, EXIT_CODE_SETUP,
                   "%zu devices need about %s of memory, and %s are available; free some, %s",
                   need->devices, amount(needed, wants), amount(available, has),
                   fewer(available > need->bytes ? (available - need->bytes) / each : 0, advice));
}

static int check_disk(const struct preflight_need *need, uint64_t available, struct error *error)
{
  uint64_t needed = (uint64_t) need->devices * need->disk_bytes_per_device;
  char wants[32], has[32], advice[80];
  if (needed <= available) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the flash of %zu devices needs about %s in %s, and %s are free; free some, use "
                   "an --out on another disk, %s",
                   need->devices, amount(needed, wants), need->disk_folder, amount(available, has),
                   fewer(available / need->disk_bytes_per_device, advice));
}

static int too_few_ports(const struct preflight_need *need, size_t possible, struct error *error)
{
  char advice[80];
  if (need->source_addresses > 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "%zu devices find too few source ports on %zu source addresses; leave "
                     "source-addresses out, %s",
                     need->devices, need->source_addresses, fewer(possible, advice));
  return error_set(error, EXIT_CODE_SETUP,
                   "%zu devices find too few source ports on this machine; widen the range "
                   "(\"sysctl -w net.ipv4.ip_local_port_range='1024 65535'\"), %s",
                   need->devices, fewer(possible, advice));
}

static int choose_addresses(struct preflight_need *need, const struct preflight_machine *machine,
                            struct error *error)
{
  size_t usable = USABLE_PORTS((size_t) machine->last_port - machine->first_port + 1);
  size_t most = !need->loopback              ? 1
                : need->source_addresses > 0 ? need->source_addresses
                                             : ADDRESSES_MAX;
  if (need->devices > most * usable) return too_few_ports(need, most * usable, error);
  if (!need->loopback) need->source_addresses = 0;
  if (!need->loopback || need->source_addresses > 0) return 0;
  size_t share = usable < ADDRESSES_CONNECTIONS_MAX ? usable : ADDRESSES_CONNECTIONS_MAX;
  size_t wanted = (need->devices + share - 1) / share;
  if (wanted > 1) need->source_addresses = wanted < ADDRESSES_MAX ? wanted : ADDRESSES_MAX;
  return 0; /* one address: the system chooses it, and a connect saves three calls */
}

int preflight_plan(struct preflight_need *need, const struct preflight_machine *machine,
                   struct error *error)
{
  if (check_threads(need, machine->threads, error) != 0) return -1;
  if (check_descriptors(need, machine->descriptors_hard, error) != 0) return -1;
  if (check_memory(need, machine->memory_bytes, error) != 0) return -1;
  if (check_disk(need, machine->disk_bytes, error) != 0) return -1;
  return choose_addresses(need, machine, error);
}

/* --- Arranging -------------------------------------------------------------------------------- */

static int raise_descriptors(const struct preflight_need *need,
                             const struct preflight_machine *machine, struct error *error)
{
  if (machine->descriptors >= descriptors_of(need)) return 0;
  struct rlimit limit = {.rlim_cur = (rlim_t) machine->descriptors_hard,
                         .rlim_max = (rlim_t) machine->descriptors_hard};
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the soft limit of file descriptors cannot be raised to %" PRIu64
                   "; try \"ulimit -Sn %" PRIu64 "\"",
                   machine->descriptors_hard, machine->descriptors_hard);
}

/* Linux keeps the descriptors of a process in a table that it doubles when it is full. In a process
 * of several threads that takes 15 to 30 ms, in which every device waits; one descriptor at the far
 * end, even if closed at once, makes the table as large as it will ever be. Where it fails the run
 * is none the worse, only slower. */
static void make_room_for_descriptors(const struct preflight_need *need)
{
  int near = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int far = near < 0 ? -1 : fcntl(near, F_DUPFD_CLOEXEC, (int) descriptors_of(need) - 1);
  if (far >= 0) close(far);
  if (near >= 0) close(near);
}

int preflight_arrange(const struct preflight_need *need, const struct preflight_machine *machine,
                      struct error *error)
{
  if (raise_descriptors(need, machine, error) != 0) return -1;
  make_room_for_descriptors(need);
  heap_grow((uint64_t) need->devices * need->bytes_per_device);
  return 0;
}

int preflight(struct preflight_need *need, struct error *error)
{
  struct preflight_machine machine = {0};
  if (preflight_look(&machine, error) != 0) return -1;
  if (need->disk_folder != NULL && preflight_look_at_disk(need->disk_folder, &machine, error) != 0)
    return -1;
  if (need->threads > 0) preflight_look_at_threads(need->threads, &machine);
  if (preflight_plan(need, &machine, error) != 0) return -1;
  return preflight_arrange(need, &machine, error);
}
