/* Runs a libFuzzer target without libFuzzer: every file of a corpus, then a fixed number of
 * mutations of them.
 *
 *     fuzz_mqtt [--seconds N] [--seed N] CORPUS_FOLDER...
 *
 * With --seconds the mutations go on for that long instead; without, they end after LONGEST_S, so
 * that a slow machine or a target that works on files tries fewer. How many inputs there were is
 * said at the end. The same seed makes the same inputs in the same order. An input that crashes, or
 * takes longer than SLOWEST_S, is left in ./crash-input, and is replayed by naming a folder that
 * holds only that file.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX  65536u
#define CORPUS_MAX 1024u
#define MUTATIONS  100000u
#define TURN       50u /* mutations between two looks at the clock */
#define LONGEST_S  20u
#define SLOWEST_S  20u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
  uint8_t *data;
  size_t size;
};

struct corpus {
  struct input input[CORPUS_MAX];
  size_t count;
};

/* Signal handlers and sanitizers reach the input under test only through a global. */
static struct input current;

static void keep_current_input(void)
{
  static const char line[] = "fuzz: this input crashes, it is kept in ./crash-input\n";
  int file = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  if (write(file, current.data, current.size) < 0 ||
      write(STDERR_FILENO, line, sizeof line - 1) < 0)
    _exit(1);
  close(file);
}

static void on_signal(int number)
{
  keep_current_input();
  signal(number, SIG_DFL);
  raise(number);
}

static void *must(void *memory)
{
  if (memory != NULL) return memory;
  fprintf(stderr, "fuzz: out of memory\n");
  exit(2);
}

/* In a block of exactly its size, so that AddressSanitizer sees one byte too many. */
static void run(const uint8_t *data, size_t size)
{
  current.data = must(malloc(size > 0 ? size : 1));
  current.size = size;
  if (size > 0) memcpy(current.data, data, size);
  alarm(SLOWEST_S);
  LLVMFuzzerTestOneInput(size > 0 ? current.data : NULL, size);
  free(current.data);
}

static void load(struct corpus *corpus, const char *folder, const char *name)
{
  static uint8_t buffer[INPUT_MAX];
  char path[4096];
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = length > 0 && (size_t) length < sizeof path ? fopen(path, "rb") : NULL;
  if (file == NULL) {
    fprintf(stderr, "fuzz: cannot read %s in %s\n", name, folder);
    exit(2);
  }
  size_t size = fread(buffer, 1, sizeof buffer, file);
  fclose(file);
  struct input *input = &corpus->input[corpus->count++];
  input->size = size;
  input->data = must(malloc(size > 0 ? size : 1));
  memcpy(input->data, buffer, size);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
  return entry->d_name[0] != '.';
}

static void load_folder(struct corpus *corpus, const char *folder)
{
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, is_visible, by_name);
  for (int i = 0; i < count; i++) {
    if (corpus->count < CORPUS_MAX) load(corpus, folder, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
}

/* xorshift64*: G. Marsaglia 2003, S. Vigna 2016. */
static uint64_t next_random(uint64_t *state)
{
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717);
}

static size_t below(uint64_t *state, size_t limit)
{
  return (size_t) (next_random(state) >> 16) % limit;
}

/* One small damage: a flipped bit, an interesting byte, a cut, a repetition, or a piece of another
 * input, in place of what stands there or before it. */
static size_t mutate(uint8_t *data, size_t size, const struct input *other, uint64_t *random)
{
  static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
  if (size == 0) {
    data[0] = (uint8_t) next_random(random);
    return 1;
  }
  size_t at = below(random, size);
  size_t length = 1 + below(random, size - at);
  size_t from = other->size > 0 ? below(random, other->size) : 0, piece;
  switch (below(random, 7)) {
  case 0: data[at] ^= (uint8_t) (1u << below(random, 8)); return size;
  case 1: data[at] = edges[below(random, sizeof edges)]; return size;
  case 2: memmove(data + at, data + at + length, size - at - length); return size - length;
  case 3:
    if (size + length > INPUT_MAX) return size;
    memmove(data + at + length, data + at, size - at);
    return size + length;
  case 4:
    piece = other->size < size - at ? other->size : size - at;
    memcpy(data + at, other->data, piece);
    return size;
  case 5: data[at] = (uint8_t) next_random(random); return size;
  default:
    piece = other->size > 0 ? 1 + below(random, other->size - from) : 0;
    if (size + piece > INPUT_MAX) return size;
    memmove(data + at + piece, data + at, size - at);
    memcpy(data + at, other->data + from, piece);
    return size + piece;
  }
}

static void run_mutations(const struct corpus *corpus, size_t count, uint64_t *random)
{
  static uint8_t data[INPUT_MAX];
  for (size_t i = 0; i < count; i++) {
    const struct input *from = &corpus->input[below(random, corpus->count)];
    size_t size = from->size;
    memcpy(data, from->data, size);
    for (size_t left = 1 + below(random, 4); left > 0; left--)
      size = mutate(data, size, &corpus->input[below(random, corpus->count)], random);
    run(data, size);
  }
}

static double now_s(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* MUTATIONS, or as many as `seconds` have room for. Returns how many. */
static size_t run_all(const struct corpus *corpus, unsigned long seconds, uint64_t seed)
{
  uint64_t random = seed;
  size_t done = 0, enough = seconds == 0 ? MUTATIONS : SIZE_MAX;
  double end = now_s() + (double) (seconds == 0 ? LONGEST_S : seconds);
  for (size_t i = 0; i < corpus->count; i++) run(corpus->input[i].data, corpus->input[i].size);
  for (; done < enough && now_s() < end; done += TURN) run_mutations(corpus, TURN, &random);
  alarm(0);
  return done;
}

struct arguments {
  char **folders;
  int folder_count;
  unsigned long seconds; /* 0: MUTATIONS instead */
  unsigned long seed;
};

static int parse(int argc, char **argv, struct arguments *out)
{
  *out = (struct arguments){.seed = 1};
  int i = 1;
  for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
    char *end = NULL;
    unsigned long number = strtoul(argv[i + 1], &end, 10);
    if (*end != '\0' || number == 0) return -1;
    if (strcmp(argv[i], "--seed") == 0)
      out->seed = number;
    else if (strcmp(argv[i], "--seconds") == 0 && number <= 86400)
      out->seconds = number;
    else
      return -1;
  }
  out->folders = argv + i;
  out->folder_count = argc - i;
  return out->folder_count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
  static struct corpus corpus;
  struct arguments arguments;
  if (parse(argc, argv, &arguments) != 0) {
    fprintf(stderr, "usage: %s [--seconds 1..86400] [--seed 1..] CORPUS_FOLDER...\n", argv[0]);
    return 2;
  }
  for (int i = 0; i < arguments.folder_count; i++) load_folder(&corpus, arguments.folders[i]);
  if (corpus.count == 0) {
    fprintf(stderr, "fuzz: %s holds no input: put at least one valid one there\n",
            arguments.folders[0]);
    return 1;
  }
  if (__sanitizer_set_death_callback != NULL) __sanitizer_set_death_callback(keep_current_input);
  signal(SIGABRT, on_signal);
  signal(SIGSEGV, on_signal);
  signal(SIGALRM, on_signal);
  size_t mutations = run_all(&corpus, arguments.seconds, arguments.seed);
  printf("fuzz: %zu inputs: %zu of the corpus and %zu mutations of them, seed %lu: no crash\n",
         corpus.count + mutations, corpus.count, mutations, arguments.seed);
  for (size_t i = 0; i < corpus.count; i++) free(corpus.input[i].data);
  return 0;
}
