/* Nothing here waits: a look takes what is there. The server's threads are known by the name that libmicrohttpd
 * gives them. */
#define _GNU_SOURCE
#include "lab/onlooker.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREAD "MHD-"

static struct sockaddr_in address_of(uint16_t port)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int page_reader_begin(struct page_reader *reader, struct error *error)
{
  struct sockaddr_in here = address_of(0);
  socklen_t size = sizeof here;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool bound = fd >= 0 && bind(fd, (struct sockaddr *) &here, size) == 0 &&
               getsockname(fd, (struct sockaddr *) &here, &size) == 0;
  int why = errno;
  if (fd >= 0) close(fd);
  *reader = (struct page_reader){.fd = -1, .port = ntohs(here.sin_port)};
  snprintf(reader->place, sizeof reader->place, "127.0.0.1:%u", reader->port);
  return bound ? 0
               : error_set(error, EXIT_CODE_SETUP, "no port for the live page: %s", strerror(why));
}

static void come(struct page_reader *reader)
{
  char request[100];
  struct sockaddr_in there = address_of(reader->port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int size =
      snprintf(request, sizeof request, "GET /events HTTP/1.1\r\nHost: %s\r\n\r\n", reader->place);
  if (fd >= 0 && connect(fd, (struct sockaddr *) &there, sizeof there) == 0 &&
      send(fd, request, (size_t) size, MSG_NOSIGNAL) == size)
    reader->fd = fd;
  else if (fd >= 0)
    close(fd);
}

static size_t count_states(const char *from, size_t size)
{
  static const char mark[] = "event: run\n";
  size_t count = 0;
  const char *end = from + size;
  while ((from = memmem(from, (size_t) (end - from), mark, sizeof mark - 1)) != NULL)
    count++, from += sizeof mark - 1;
  return count;
}

/* A mark that two reads share is not counted: one in some thousand. */
static void take(struct page_reader *reader)
{
  static char room[1 << 16];
  ssize_t size;
  while ((size = recv(reader->fd, room, sizeof room, MSG_DONTWAIT)) > 0) {
    reader->bytes += (size_t) size;
    reader->states += count_states(room, (size_t) size);
  }
}

/* The first number of a file below /proc/PID/task/; -1: there is none. */
static double number_in(pid_t pid, const char *task, const char *file, char name[32])
{
  char path[320], line[128] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%s/%s", (int) pid, task, file);
  FILE *in = fopen(path, "r");
  if (in == NULL) return -1;
  char *read = fgets(line, sizeof line, in);
  fclose(in);
  if (name != NULL) snprintf(name, 32, "%.31s", line);
  return read != NULL ? strtod(line, NULL) : -1;
}

static void look_at_server(struct page_reader *reader, pid_t pid)
{
  char path[64], name[32] = "";
  double ns = 0;
  snprintf(path, sizeof path, "/proc/%d/task", (int) pid);
  DIR *tasks = opendir(path);
  for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;)
    if (task->d_name[0] != '.' && number_in(pid, task->d_name, "comm", name) >= 0 &&
        strncmp(name, THREAD, strlen(THREAD)) == 0)
      ns += number_in(pid, task->d_name, "schedstat", NULL);
  if (tasks != NULL) closedir(tasks);
  if (ns > 0) reader->server_cpu_s = ns / 1e9;
}

void page_reader_look(struct page_reader *reader, pid_t pid)
{
  if (reader->fd < 0) come(reader);
  if (reader->fd >= 0) take(reader);
  look_at_server(reader, pid);
}

void page_reader_end(struct page_reader *reader)
{
  if (reader->fd >= 0) close(reader->fd);
  reader->fd = -1;
}
