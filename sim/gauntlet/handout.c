/* Roots go out in the forms that firmware takes them in. */
#define _GNU_SOURCE
#include "gauntlet/handout.h"

#include <arpa/inet.h>
#include <openssl/x509.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/secret.h"
#include "device/platform.h"
#include "fleetsim/nvm.h"
#include "gauntlet/own_page.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/nvm_store.h"
#include "pki/secret.h"

struct handing {
  const char *folder;
  const struct credentials *credentials;
  char *header; /* roots.h */
  size_t header_size;
};

static int write_der(struct handing *h, const char *name, const uint8_t *der, size_t size,
                     struct error *error)
{
  char path[FILES_PATH_MAX], file[CASE_NAME_SIZE + 8];
  snprintf(file, sizeof file, "%s.der", name);
  return files_join(path, h->folder, file, error) != 0 ? -1
                                                       : files_write(path, der, size, 0644, error);
}

static int write_pem(struct handing *h, const char *name, X509 *root, struct error *error)
{
  char path[FILES_PATH_MAX], file[CASE_NAME_SIZE + 8];
  snprintf(file, sizeof file, "%s.pem", name);
  return files_join(path, h->folder, file, error) != 0 ? -1 : pki_cert_write(path, &root, 1, error);
}

static void add_array(FILE *header, const char *name, const uint8_t *der, size_t size)
{
  fprintf(header, "\nstatic const unsigned char gauntlet_%s[%zu] = {", name, size);
  for (size_t i = 0; i < size; i++)
    fprintf(header, "%s0x%02x,", i % 12 == 0 ? "\n  " : " ", der[i]);
  fputs("\n};\n", header);
}

static int hand_out_roots(struct handing *h, FILE *header, struct error *error)
{
  const struct gauntlet_case *defaults = h->credentials->defaults;
  X509 *all[CASE_NAMES_MAX];
  char path[FILES_PATH_MAX];
  for (size_t i = 0; i < defaults->trusts.count; i++) {
    const char *name = defaults->trusts.name[i];
    unsigned char *der = NULL;
    all[i] = h->credentials->kept.x509[case_find(defaults, name)];
    int size = i2d_X509(all[i], &der);
    if (size <= 0) return error_set(error, EXIT_CODE_INTERNAL, "a root cannot be encoded");
    add_array(header, name, der, (size_t) size);
    int result = write_der(h, name, der, (size_t) size, error);
    OPENSSL_free(der);
    if (result != 0 || write_pem(h, name, all[i], error) != 0) return -1;
  }
  return files_join(path, h->folder, "roots.pem", error) != 0
             ? -1
             : pki_cert_write(path, all, defaults->trusts.count, error);
}

static int write_header(struct handing *h, struct error *error)
{
  char path[FILES_PATH_MAX];
  FILE *header = open_memstream(&h->header, &h->header_size);
  if (header == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for roots.h");
  fputs("/* Roots of a gauntlet, DER: for a device that is to be tried, and for no other. */\n",
        header);
  int result = hand_out_roots(h, header, error);
  if (fclose(header) != 0) result = error_set(error, EXIT_CODE_INTERNAL, "no memory for roots.h");
  if (result == 0) result = files_join(path, h->folder, "roots.h", error);
  if (result == 0) result = files_write(path, h->header, h->header_size, 0644, error);
  free(h->header);
  return result;
}

static int write_address(struct handing *h, const struct sockaddr_in *address, struct error *error)
{
  char path[FILES_PATH_MAX], host[INET_ADDRSTRLEN] = "", text[512];
  const char *name = h->credentials->setting.host;
  inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
  int size = snprintf(text, sizeof text,
                      "name: %s\naddress: %s\nport: %u\n\nThe device connects to that address and "
                      "port, asks for that name, and trusts roots.pem.\n",
                      name != NULL ? name : MINT_HOST, host, ntohs(address->sin_port));
  return files_join(path, h->folder, "broker.txt", error) != 0
             ? -1
             : files_write(path, text, (size_t) size, 0644, error);
}

static int write_client(struct handing *h, struct error *error)
{
  char path[FILES_PATH_MAX];
  X509 *client = h->credentials->client;
  if (files_join(path, h->folder, "client.pem", error) != 0 ||
      pki_cert_write(path, &client, 1, error) != 0 ||
      files_join(path, h->folder, "client.key", error) != 0)
    return -1;
  return pki_key_replace(path, h->credentials->client_key, error);
}

/* --- A page of memory for our own client, as the firmware of bench/m4 has it ------------------- */

static enum device_update flash_page(struct handing *h, uint8_t page[DEVICE_NVM_PAGE_SIZE])
{
  const struct credentials *credentials = h->credentials;
  const struct gauntlet_case *defaults = credentials->defaults;
  const struct device_host host = pki_nvm_host(page);
  struct device_platform platform = {.host = &host, .unix_s = credentials->setting.now_unix_s};
  X509 *anchors[CASE_NAMES_MAX];
  enum device_update update = DEVICE_UPDATE_COUNT;
  for (size_t i = 0; i < defaults->trusts.count; i++)
    anchors[i] = credentials->kept.x509[case_find(defaults, defaults->trusts.name[i])];
  memset(page, 0xff, DEVICE_NVM_PAGE_SIZE);
  device_platform_enter(&platform);
  if (psa_crypto_init() == PSA_SUCCESS)
    update = own_page_flash(&host, CREDENTIALS_CLIENT, credentials->client_key, credentials->client,
                            anchors, defaults->trusts.count);
  device_platform_leave();
  return update;
}

static int write_memory_page(struct handing *h, struct error *error)
{
  char path[FILES_PATH_MAX];
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  if (flash_page(h, page) != DEVICE_UPDATE_COMMITTED)
    return error_set(error, EXIT_CODE_INTERNAL, "a device's memory cannot be made");
  int result = files_join(path, h->folder, "nvm.bin", error) != 0
                   ? -1
                   : pki_secret_replace(path, page, sizeof page, error);
  secret_wipe(page, sizeof page);
  return result;
}

int handout_write(const char *folder, const struct credentials *credentials,
                  const struct sockaddr_in *address, struct error *error)
{
  struct handing h = {.folder = folder, .credentials = credentials};
  if (files_make_folder(folder, 0700, error) != 0 || write_header(&h, error) != 0 ||
      write_address(&h, address, error) != 0)
    return -1;
  return write_client(&h, error) != 0 ? -1 : write_memory_page(&h, error);
}
