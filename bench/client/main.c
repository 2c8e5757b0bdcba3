/* The process of one client kind. Commands come on standard input, one a line; each is answered by
 * one line of JSON:
 *
 *     connect COUNT RATE [AT_MOST]     that many more devices, RATE a second (open loop), until
 *                                      each is online or has
 *                            failed; with AT_MOST no more than so many are on their way at once, so
 *                            that a broker which does not take RATE is met with what it does take
 *     idle SECONDS
 *     publish QOS SECONDS    every connection, topped up to its window every 10 ms
 *
 * An answer holds the counts, the CPU time (user and system, all threads) and the wall time that
 * the command took, the longest time that it kept its own sockets waiting or was kept from running,
 * and the resident memory at its end. The first line, before any command, says what is resident
 * before the first connect.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "client.h"

#define CONNECT_WITHIN_MS \
  60000u /* after the last planned start; with AT_MOST also after the last that came or failed */

static const struct client_kind *const kinds[] = {
    &client_fleetsim,       &client_fleetsim_native, &client_fleetsim_tickets,
    &client_fleetsim_paced, &client_openssl,         &client_openssl_lean,
#ifdef BENCH_LIBMOSQUITTO
    &client_libmosquitto,
#endif
    &client_paho,
};

struct task {
  const struct client_kind *kind;
  size_t first, count; /* devices of this connect */
  double rate;
  size_t begun;
  /* on their way at once, 0: any number; online or failed at the last look */
  size_t at_most, settled;
  int qos;
  bool publishing;
  uint64_t began_ns, until_ns;
  uint64_t total; /* connections so far */
  /* between two looks; at the last one; beyond a tick, at most */
  uint64_t tick_ns, looked_ns, longest_wait_ns;
};

static struct task task;

static uint64_t cpu_us(void)
{
  struct rusage spent;
  getrusage(RUSAGE_SELF, &spent);
  return (uint64_t) (spent.ru_utime.tv_sec + spent.ru_stime.tv_sec) * 1000000u +
         (uint64_t) (spent.ru_utime.tv_usec + spent.ru_stime.tv_usec);
}

/* Anonymous and file-backed resident memory, in KiB. */
static void resident(long *anonymous, long *total)
{
  char line[128];
  FILE *status = fopen("/proc/self/status", "r");
  *anonymous = *total = 0;
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    sscanf(line, "RssAnon: %ld", anonymous);
    sscanf(line, "VmRSS: %ld", total);
  }
  if (status != NULL) fclose(status);
}

static void answer(const char *command, uint64_t cpu, uint64_t began_ns, uint64_t messages)
{
  struct client_counts counts;
  long anonymous, total;
  resident(&anonymous, &total);
  task.kind->counts(&counts);
  json_t *out =
      json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "command", command, "online",
                (json_int_t) counts.online, "failed", (json_int_t) counts.failed, "lost",
                (json_int_t) counts.lost, "messages", (json_int_t) messages, "cpu_us",
                (json_int_t) cpu, "wall_us", (json_int_t) ((uv_hrtime() - began_ns) / 1000),
                "anonymous_kib", (json_int_t) anonymous, "resident_kib", (json_int_t) total);
  json_object_set_new(out, "longest_wait_ms",
                      json_integer((json_int_t) (task.longest_wait_ns / 1000000)));
  json_object_set_new(out, "kind", json_string(task.kind->name));
  json_object_set_new(out, "version", json_string(task.kind->version()));
  if (task.kind->describe != NULL) task.kind->describe(out);
  json_dumpf(out, stdout, JSON_COMPACT);
  putchar('\n');
  fflush(stdout);
  json_decref(out);
}

/* Of all connections so far, those that are no longer on their way. */
static size_t settled(void)
{
  struct client_counts counts;
  task.kind->counts(&counts);
  return counts.online + counts.failed + counts.lost;
}

static void begin_connects(void)
{
  uint64_t now_ns = uv_hrtime();
  size_t due = (size_t) ((double) (now_ns - task.began_ns) / 1e9 * task.rate) + 1;
  if (task.at_most > 0) {
    size_t ended = settled();
    size_t most = ended + task.at_most, room = most > task.first ? most - task.first : 0;
    if (room < due) due = room;
    if (ended != task.settled && now_ns + CONNECT_WITHIN_MS * 1000000ull > task.until_ns)
      task.until_ns = now_ns + CONNECT_WITHIN_MS * 1000000ull;
    task.settled = ended;
  }
  for (; task.begun < task.count && task.begun < due; task.begun++)
    task.kind->connect(task.first + task.begun);
}

/* What passed since the last look beyond the tick: every socket of ours waited that long. */
static void book_wait(void)
{
  uint64_t now_ns = uv_hrtime(), passed_ns = now_ns - task.looked_ns;
  if (passed_ns > task.tick_ns && passed_ns - task.tick_ns > task.longest_wait_ns)
    task.longest_wait_ns = passed_ns - task.tick_ns;
  task.looked_ns = now_ns;
}

static void top_up(void)
{
  for (size_t i = 0; i < task.total; i++)
    for (int n = 0; n < CLIENT_WINDOW && task.kind->publish(i, task.qos); n++) continue;
}

static bool is_over(void)
{
  if (uv_hrtime() >= task.until_ns) return true;
  return task.count > 0 && task.begun == task.count && settled() >= task.total;
}

static void on_tick(uv_timer_t *timer)
{
  book_wait();
  begin_connects();
  if (task.publishing) top_up();
  if (is_over()) uv_stop(timer->loop);
}

/* Runs the loop until the task is over; every millisecond is looked at only where something is due
   that often. */
static void run(uv_loop_t *loop, const char *command, uint64_t tick_ms)
{
  struct client_counts before, after;
  uv_timer_t timer;
  uv_timer_init(loop, &timer);
  uv_timer_start(&timer, on_tick, 0, tick_ms);
  task.kind->counts(&before);
  task.tick_ns = tick_ms * 1000000u;
  task.looked_ns = uv_hrtime();
  uint64_t cpu = cpu_us();
  uv_run(loop, UV_RUN_DEFAULT);
  cpu = cpu_us() - cpu;
  task.kind->counts(&after);
  uv_close((uv_handle_t *) &timer, NULL);
  uv_run(loop, UV_RUN_NOWAIT); /* the timer lives on this stack */
  answer(command, cpu, task.began_ns, after.confirmed - before.confirmed);
}

static int obey(uv_loop_t *loop, const char *line)
{
  double rate, seconds;
  size_t count, at_most = 0;
  int qos;
  task.began_ns = uv_hrtime();
  task.count = task.begun = task.at_most = 0;
  task.publishing = false;
  if (sscanf(line, "connect %zu %lf %zu", &count, &rate, &at_most) >= 2 && rate > 0) {
    task.at_most = at_most;
    task.first = task.total;
    task.count = count;
    task.rate = rate;
    task.total += count;
    task.until_ns =
        task.began_ns + (uint64_t) ((double) count / rate * 1e9) + CONNECT_WITHIN_MS * 1000000ull;
    run(loop, "connect", 10);
  } else if (sscanf(line, "idle %lf", &seconds) == 1) {
    task.until_ns = task.began_ns + (uint64_t) (seconds * 1e9);
    run(loop, "idle", 100);
  } else if (sscanf(line, "publish %d %lf", &qos, &seconds) == 2 && (qos == 0 || qos == 1)) {
    task.qos = qos;
    task.publishing = true;
    task.until_ns = task.began_ns + (uint64_t) (seconds * 1e9);
    run(loop, "publish", 10);
  } else {
    fprintf(stderr,
            "bench client: cannot obey '%s': connect COUNT RATE [AT_MOST], idle SECONDS or publish "
            "0|1 SECONDS\n",
            line);
    return -1;
  }
  return 0;
}

static void on_loopback(struct sockaddr_storage *out, unsigned long port)
{
  struct sockaddr_in *address = (struct sockaddr_in *) out;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static int parse(struct client_config *config, int argc, char **argv)
{
  static const struct option options[] = {{"kind", required_argument, NULL, 'k'},
                                          {"fleet", required_argument, NULL, 'f'},
                                          {"peers", required_argument, NULL, 'p'},
                                          {"host", required_argument, NULL, 'h'},
                                          {"port", required_argument, NULL, 'o'},
                                          {"devices", required_argument, NULL, 'd'},
                                          {0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (option) {
    case 'k':
      for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i]->name, optarg) == 0) task.kind = kinds[i];
      break;
    case 'f': config->fleet = optarg; break;
    case 'p': config->peers = optarg; break;
    case 'h': config->host = optarg; break;
    case 'o': on_loopback(&config->broker, strtoul(optarg, NULL, 10)); break;
    case 'd': config->devices = strtoul(optarg, NULL, 10); break;
    default: return -1;
    }
  }
  bool whole = task.kind != NULL && config->host != NULL && config->broker.ss_family != 0 &&
               config->devices > 0;
  return whole && config->fleet != NULL && config->peers != NULL ? 0 : -1;
}

int main(int argc, char **argv)
{
  uv_loop_t loop;
  struct client_config config = {.loop = &loop};
  struct error error;
  if (parse(&config, argc, argv) != 0) {
    fprintf(stderr, "usage: bench client --kind KIND --fleet DIR --peers DIR --host NAME --port "
                    "PORT --devices N\n");
    return EXIT_CODE_USAGE;
  }
  uv_loop_init(&loop);
  if (task.kind->open(&config, &error) != 0) {
    fprintf(stderr, "bench client %s: %s\n", task.kind->name, error.text);
    return error.code;
  }
  answer("open", 0, uv_hrtime(), 0);
  if (task.kind->prepare != NULL && task.kind->prepare(&error) != 0) {
    fprintf(stderr, "bench client %s: %s\n", task.kind->name, error.text);
    return error.code;
  }
  for (char line[128]; fgets(line, sizeof line, stdin) != NULL;) {
    line[strcspn(line, "\n")] = '\0';
    if (obey(&loop, line) != 0) return EXIT_CODE_USAGE;
  }
  return 0; /* the system closes what is open: how a client ends is not what is measured */
}
