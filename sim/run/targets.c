/* Where a run may send: nothing beyond loopback without the file's and the command line's word, hooks included. */
#define _POSIX_C_SOURCE 200809L
#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "run/state.h"

static int check_host(struct run *run, const char *host)
{
  const struct scenario *scenario = run->scenario;
  if (host[0] == '\0' || scenario_is_loopback(host)) return 0;
  bool in_file = false, on_line = false;
  for (size_t t = 0; t < scenario->target_count; t++) in_file = in_file || strcmp(scenario->targets[t].host, host) == 0;
  for (size_t t = 0; t < run->options->allowed_count; t++)
    on_line = on_line || strcmp(run->options->allowed_targets[t], host) == 0;
  if (in_file && on_line) return 0;
  return error_set(&run->error, EXIT_CODE_SETUP,
                   "nothing was sent: %s is not this machine; to load it, name it in the scenario's targets: list%s "
                   "and pass --allow-target %s%s",
                   host, in_file ? " (done)" : "", host, on_line ? " (done)" : "");
}

/* A hook may be a URL: it is asked for as well. */
static int check_hook(struct run *run, const char *hook)
{
  if (strncmp(hook, "http://", 7) != 0 && strncmp(hook, "https://", 8) != 0) return 0;
  CURLU *url = curl_url();
  char *host = NULL;
  int result = -1;
  if (url == NULL || curl_url_set(url, CURLUPART_URL, hook, 0) != CURLUE_OK ||
      curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
    error_set(&run->error, EXIT_CODE_USAGE, "the hook '%.200s' is no URL that can be used", hook);
  else
    result = check_host(run, host);
  curl_free(host);
  curl_url_cleanup(url);
  return result;
}

int run_check_targets(struct run *run)
{
  const struct scenario *s = run->scenario;
  if (!s->remote) return 0;
  for (size_t n = 0; n < s->node_count; n++)
    if (check_host(run, s->nodes[n].host) != 0) return -1;
  if (check_host(run, s->prove_host) != 0) return -1;
  if (check_hook(run, s->hook_present) != 0 || check_hook(run, s->hook_trust_clients) != 0) return -1;
  return check_hook(run, s->hook_reload) == 0 ? check_hook(run, s->hook_restart) : -1;
}

int run_resolve(struct run *run, const char *host, uint16_t port, struct sockaddr_storage *out)
{
  char service[8];
  snprintf(service, sizeof service, "%u", port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                           .ai_family = strcmp(host, "localhost") == 0 ? AF_INET : AF_UNSPEC};
  struct addrinfo *found = NULL;
  int failed = getaddrinfo(host, service, &hints, &found);
  if (failed != 0)
    return error_set(&run->error, EXIT_CODE_SETUP, "cannot find the address of %s: %s", host, gai_strerror(failed));
  memcpy(out, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return 0;
}
