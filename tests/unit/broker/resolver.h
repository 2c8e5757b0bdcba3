/* A resolver of the test's own: what libuv, libcurl and paho call is this getaddrinfo, as a
 * program's symbols come first. To be included by one file of a test only. */
#ifndef FLEETSIM_TEST_RESOLVER_H
#define FLEETSIM_TEST_RESOLVER_H

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>

/* Addresses that every name has, ends with NULL. */
static const char *const *resolver_answer;
static unsigned resolver_asked;

static struct addrinfo *resolver_entry(const char *address, const char *service)
{
  struct {
    struct addrinfo info;
    struct sockaddr_in6 at;
  } *entry = calloc(1, sizeof *entry);
  if (entry == NULL) abort();
  struct sockaddr_in *v4 = (struct sockaddr_in *) (void *) &entry->at;
  bool is_v4 = inet_pton(AF_INET, address, &v4->sin_addr) == 1;
  if (!is_v4 && inet_pton(AF_INET6, address, &entry->at.sin6_addr) != 1) abort();
  entry->at.sin6_family = is_v4 ? AF_INET : AF_INET6;
  /* both kinds have it at one place */
  entry->at.sin6_port = htons((uint16_t) (service != NULL ? atoi(service) : 0));
  entry->info = (struct addrinfo){.ai_family = entry->at.sin6_family,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_addrlen = is_v4 ? sizeof *v4 : sizeof entry->at,
                                  .ai_addr = (struct sockaddr *) &entry->at};
  return &entry->info;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
  (void) name;
  (void) hints;
  resolver_asked++;
  *out = NULL;
  struct addrinfo **end = out;
  for (size_t i = 0; resolver_answer != NULL && resolver_answer[i] != NULL; i++) {
    *end = resolver_entry(resolver_answer[i], service);
    end = &(*end)->ai_next;
  }
  return *out == NULL ? EAI_NONAME : 0;
}

void freeaddrinfo(struct addrinfo *list)
{
  for (struct addrinfo *next; list != NULL; list = next) {
    next = list->ai_next;
    free(list);
  }
}

#endif
