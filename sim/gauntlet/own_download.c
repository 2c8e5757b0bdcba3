/* It fetches the image once, as large as a manifest would have announced it, and says how that ended;
 * an image that is not the one that a good server has is no success. Where the case is about ranges it
 * asks for one. */
#define _GNU_SOURCE
#include "gauntlet/own_download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "net/fetch.h"
#include "pki/certificate.h"

enum { CONNECT_MS = 3000, TOTAL_MS = 4000, SLOW_BYTES = 64, SLOW_S = 2 };

struct download {
  struct trial *trial;
  struct fetch *fetch;
  char ca[FILES_PATH_MAX];
  uint32_t offset;
  size_t received;
  bool differs, ended;
};

static void end_download(struct download *download, const char *word)
{
  struct observation *seen = &download->trial->result->seen;
  if (download->ended) return;
  download->ended = true;
  snprintf(seen->failure, sizeof seen->failure, "%s", word);
  seen->status = strcmp(word, "accept") == 0 ? 0 : 1;
  trial_client_done(download->trial);
}

static void on_image_bytes(void *user, const uint8_t *data, size_t size)
{
  struct download *download = user;
  const struct trial_setting *setting = download->trial->setting;
  size_t at = download->offset + download->received;
  size_t same = at < setting->image_size ? setting->image_size - at : 0;
  if (same > size) same = size;
  if (same > 0 && memcmp(setting->image + at, data, same) != 0) download->differs = true;
  download->received += size;
}

/* As a device judges what it was sent: the size first, then the hash. */
static void on_image_ended(void *user, enum device_ota_status cause)
{
  struct download *download = user;
  size_t wanted = download->trial->setting->image_size - download->offset;
  char word[64] = "accept";
  if (cause == DEVICE_OTA_NONE && download->received < wanted) cause = DEVICE_OTA_TRUNCATED;
  if (cause == DEVICE_OTA_NONE && download->differs) cause = DEVICE_OTA_HASH_MISMATCH;
  if (cause != DEVICE_OTA_NONE)
    snprintf(word, sizeof word, "download %s", device_ota_status_name(cause));
  end_download(download, word);
}

static const struct fetch_handler transfers = {on_image_bytes, on_image_ended};

static bool asks_for_a_range(const struct gauntlet_case *c)
{
  return strstr(c->id, "range") != NULL;
}

static int begin_fetch(struct download *download, struct error *error)
{
  const struct trial *trial = download->trial;
  const struct trial_setting *setting = trial->setting;
  char url[300], way[300];
  snprintf(url, sizeof url, "https://%s:%u/firmware.bin", trial->host, trial->port);
  snprintf(way, sizeof way, "%s:%u:127.0.0.1", trial->host, trial->port);
  const char *const resolve[] = {way, NULL};
  const struct fetch_config config = {.loop = setting->loop,
                                      .ca_path = download->ca,
                                      .resolve = resolve,
                                      .connect_ms = CONNECT_MS,
                                      .total_ms = TOTAL_MS,
                                      .slow_bytes_per_s = SLOW_BYTES,
                                      .slow_s = SLOW_S};
  download->fetch = fetch_open(&config, error);
  if (download->fetch == NULL) return -1;
  download->offset = asks_for_a_range(trial->c) ? (uint32_t) setting->image_size / 2 : 0;
  const struct fetch_request request = {.url = url,
                                        .offset = download->offset,
                                        .size_max =
                                            (uint32_t) setting->image_size - download->offset,
                                        .unix_s = setting->credentials->setting.now_unix_s};
  if (fetch_begin(download->fetch, &request, &transfers, download) != NULL) return 0;
  return error_set(error, EXIT_CODE_INTERNAL, "no memory for a download");
}

static int start_download(struct trial *trial, struct error *error)
{
  struct download *download = calloc(1, sizeof *download);
  X509 *anchors[CASE_NAMES_MAX];
  char name[32];
  if (download == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a download");
  download->trial = trial;
  trial->client = download;
  size_t count = trial_anchors(trial, anchors);
  snprintf(name, sizeof name, "%03zu.ca.crt", trial->number);
  if (files_join(download->ca, trial->setting->folder, name, error) == 0 &&
      pki_cert_write(download->ca, anchors, count, error) == 0 && begin_fetch(download, error) == 0)
    return 0;
  if (download->fetch != NULL)
    fetch_close(download->fetch, free, download);
  else
    free(download);
  return -1;
}

static void on_fetch_closed(void *ctx)
{
  struct download *download = ctx;
  struct trial *trial = download->trial;
  (void) unlink(download->ca);
  free(download);
  trial->client = NULL;
  trial_client_gone(trial);
}

static void stop_download(struct trial *trial)
{
  struct download *download = trial->client;
  fetch_close(download->fetch, on_fetch_closed, download);
}

const struct trial_client own_download = {.start = start_download, .stop = stop_download};
