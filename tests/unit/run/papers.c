/* Reads and follows the lines that stand for certificates. A chain that leads nowhere, a name that
 * is not there, a serial on a list: each has its verdict. */
#define _POSIX_C_SOURCE 200809L
#include "papers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void papers_hash_begin(struct papers_hash *hash)
{
  for (unsigned part = 0; part < 4; part++) hash->mark[part] = 0xcbf29ce484222325u + part;
}

/* FNV-1a, four times from four beginnings. */
void papers_hash_add(struct papers_hash *hash, const void *data, size_t size)
{
  const uint8_t *bytes = data;
  for (unsigned part = 0; part < 4; part++)
    for (size_t i = 0; i < size; i++)
      hash->mark[part] = (hash->mark[part] ^ bytes[i]) * 0x100000001b3u;
}

void papers_hash_end(const struct papers_hash *hash, uint8_t out[32])
{
  for (unsigned i = 0; i < 32; i++) out[i] = (uint8_t) (hash->mark[i / 8] >> 8 * (i % 8));
}

void papers_hash(const void *data, size_t size, uint8_t out[32])
{
  struct papers_hash hash;
  papers_hash_begin(&hash);
  papers_hash_add(&hash, data, size);
  papers_hash_end(&hash, out);
}

static bool read_paper(const char *line, struct paper *out)
{
  memset(out, 0, sizeof *out);
  snprintf(out->line, sizeof out->line, "%s", line);
  int hosts = 0;
  if (sscanf(line, "root %39s", out->name) == 1) {
    memcpy(out->kind, "root", 5);
    return true;
  }
  if (sscanf(line, "crl %39s %n", out->issuer, &hosts) == 1 && hosts > 0) {
    memcpy(out->kind, "crl", 4);
    snprintf(out->hosts, sizeof out->hosts, "%s", line + hosts);
    return true;
  }
  char serial[16];
  int found = sscanf(line, "%7s %39s %15s %39s %15s%n", out->kind, out->name, serial, out->issuer,
                     out->validity, &hosts);
  if (found != 5) return false;
  out->serial = (unsigned) strtoul(serial, NULL, 10);
  snprintf(out->hosts, sizeof out->hosts, "%s ", line + hosts);
  return true;
}

void papers_read(const char *text, size_t size, struct papers *out)
{
  out->count = 0;
  for (size_t at = 0; at < size && out->count < PAPERS_MAX;) {
    const char *end = memchr(text + at, '\n', size - at);
    size_t length = end != NULL ? (size_t) (end - text) - at : size - at;
    char line[PAPERS_LINE];
    snprintf(line, sizeof line, "%.*s", (int) length, text + at);
    if (read_paper(line, &out->of[out->count])) out->count++;
    at += length + 1;
  }
}

bool papers_hold(const struct papers *papers, const char *kind, const char *name)
{
  for (size_t i = 0; i < papers->count; i++)
    if (strcmp(papers->of[i].kind, kind) == 0 && strcmp(papers->of[i].name, name) == 0) return true;
  return false;
}

/* Of a list: its last second, and whether it names the serial. */
static bool is_listed(const struct paper *list, unsigned serial, int64_t *last_s)
{
  char *at;
  *last_s = strtoll(list->hosts, &at, 10);
  for (char *next; *at != '\0'; at = next) {
    unsigned long entry = strtoul(at, &next, 10);
    if (next == at) return false;
    if (entry == serial) return true;
  }
  return false;
}

static enum papers_verdict look_up(const struct papers_question *q, const struct paper *paper)
{
  int64_t last_s;
  for (size_t i = 0; q->lists != NULL && i < q->lists->count; i++) {
    const struct paper *list = &q->lists->of[i];
    if (strcmp(list->kind, "crl") != 0 || strcmp(list->issuer, paper->issuer) != 0) continue;
    if (is_listed(list, paper->serial, &last_s)) return PAPERS_REVOKED;
    return q->lists_required && last_s < q->unix_s ? PAPERS_CRL : PAPERS_GOOD;
  }
  return q->lists != NULL && q->lists_required ? PAPERS_CRL : PAPERS_GOOD;
}

static const struct paper *issuer_of(const struct papers *chain, const struct paper *paper)
{
  for (size_t i = 0; i < chain->count; i++)
    if (strcmp(chain->of[i].kind, "ca") == 0 && strcmp(chain->of[i].name, paper->issuer) == 0)
      return &chain->of[i];
  return NULL;
}

static bool carries(const struct paper *leaf, const char *host)
{
  char wanted[80];
  snprintf(wanted, sizeof wanted, " %s ", host);
  return strstr(leaf->hosts, wanted) != NULL;
}

enum papers_verdict papers_judge(const struct papers_question *q, char anchor[40])
{
  const struct paper *paper = q->chain->count > 0 ? &q->chain->of[0] : NULL;
  enum papers_verdict worst = PAPERS_GOOD;
  for (unsigned depth = 0; paper != NULL && depth < PAPERS_MAX; depth++) {
    enum papers_verdict listed = look_up(q, paper);
    if (worst == PAPERS_GOOD) worst = listed;
    if (worst == PAPERS_GOOD && strcmp(paper->validity, "valid") != 0) worst = PAPERS_EXPIRED;
    if (papers_hold(q->anchors, "root", paper->issuer)) {
      snprintf(anchor, 40, "%s", paper->issuer);
      bool named = q->host == NULL || carries(&q->chain->of[0], q->host);
      return worst == PAPERS_GOOD && !named ? PAPERS_NAME : worst;
    }
    paper = issuer_of(q->chain, paper);
  }
  return PAPERS_NOT_TRUSTED;
}
