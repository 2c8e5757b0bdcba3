/* One reader of a live page, as a browser is one: it takes all that comes, from within the looks of a bench at
 * its child (process.h). */
#ifndef FLEETSIM_BENCH_ONLOOKER_H
#define FLEETSIM_BENCH_ONLOOKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct page_reader {
  char place[32]; /* where the page is to be: a port that was free */
  uint16_t port;
  int fd; /* -1: not connected */
  size_t states, bytes;
  double server_cpu_s; /* of the threads of the page's server, at the last look */
};

int page_reader_begin(struct page_reader *reader, struct error *error);
/* Connects as soon as somebody listens, reads what is there, looks at the server's threads. */
void page_reader_look(struct page_reader *reader, pid_t pid);
void page_reader_end(struct page_reader *reader);

#endif
