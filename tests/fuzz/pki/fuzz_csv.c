/* Any text as the list of devices that are imported: all of it or nothing. The certificates and
 * keys that it may name, 1.crt and 1.key to 3.crt and 3.key, and both in 1.pem to 3.pem, are those
 * of another fleet under the same root. */
#define _GNU_SOURCE
#include "base/name.h"
#include "fleet.h"
#include "pki/names.h"

static struct pki *pki;
static size_t registered;

static void copy(const char *from, const char *to)
{
  struct error error = {.text = ""};
  uint8_t *data = NULL;
  size_t size = 0;
  fleet_must(files_read(from, 16u << 20, &data, &size, &error), &error);
  (void) scratch_write(to, data, size);
  free(data);
}

/* N.key and N.crt in N.pem. */
static void join(size_t number)
{
  static const char *const from[] = {"key", "crt"};
  struct error error = {.text = ""};
  char name[16], both[16384];
  size_t size = 0;
  for (size_t i = 0; i < 2; i++) {
    uint8_t *data = NULL;
    size_t more = 0;
    snprintf(name, sizeof name, "%zu.%s", number, from[i]);
    fleet_must(files_read(scratch_path(name), sizeof both - size, &data, &more, &error), &error);
    memcpy(both + size, data, more);
    size += more;
    free(data);
  }
  snprintf(name, sizeof name, "%zu.pem", number);
  (void) scratch_write(name, both, size);
}

static void open_fresh(void)
{
  struct error error = {.text = ""};
  copy(scratch_path("registry.db"), "target/registry.db");
  copy(scratch_path("nvm.bin"), "target/nvm.bin");
  fleet_must(pki_open(scratch_path("target"), &pki, &error), &error);
}

static void begin(void)
{
  struct error error = {.text = ""};
  scratch_begin();
  struct pki *source = fleet_make("source", 3);
  for (size_t i = 0; i < 3; i++) {
    char certificate[16], key[16];
    snprintf(certificate, sizeof certificate, "%zu.crt", i + 1);
    snprintf(key, sizeof key, "%zu.key", i + 1);
    fleet_must(pki_write_device(source, i, scratch_path(certificate), scratch_path(key), &error),
               &error);
  }
  for (size_t i = 0; i < 3; i++) join(i + 1);
  char path[2][256];
  snprintf(path[0], sizeof path[0], "%s", scratch_path("source/ca/A.crt"));
  snprintf(path[1], sizeof path[1], "%s", scratch_path("source/ca/B.crt"));
  const struct pki_foreign roots[] = {{.name = "A", .path = path[0]},
                                      {.name = "B", .path = path[1]}};
  fleet_must(pki_create_foreign(scratch_path("target"), roots, 2, &pki, fleet_hear, NULL, &error),
             &error);
  pki_close(source);
  pki_close(pki);
  copy(scratch_path("target/registry.db"), "registry.db");
  copy(scratch_path("target/nvm.bin"), "nvm.bin");
  open_fresh();
  fleet_must(pki_certificate_count(pki, &registered, &error), &error);
}

static void check_name(size_t device)
{
  struct error error = {.text = ""};
  char name[PKI_DEVICE_NAME];
  size_t index = 0;
  fleet_must(pki_device_name(pki, device, name, &error), &error);
  require(name_check(name, &error) == 0, "what is entered is a name");
  require(pki_find_name(pki, name, &index, &error) == 1 && index == device,
          "and it is found by it");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct pki_import how = {.trusted = {.count = 2, .name = {"A", "B"}}};
  /* a list says itself where its names are: "#cn" and the like, a comment */
  static const char *const sources[] = {"#csv", "#cn", "#sn", "#uri", "#dns"};
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
    if (size > strlen(sources[i]) && memcmp(data, sources[i], strlen(sources[i])) == 0)
      how.id_from = (enum pki_id_from) i;
  struct error error = {.code = EXIT_CODE_PASS};
  size_t count = 0;
  if (pki == NULL) begin();
  int result = pki_import_devices(pki, scratch_write("devices.csv", data, size), &how, fleet_hear,
                                  NULL, &error);
  require(result == 0 || result == -1, "imports, or refuses");
  if (result != 0) fleet_check_refusal(&error);
  require((pki_device_count(pki) > 0) == (result == 0), "all devices or none");
  fleet_must(pki_certificate_count(pki, &count, &error), &error);
  require(count == registered + pki_device_count(pki), "each has its certificate");
  for (size_t i = 0; i < pki_device_count(pki); i++) {
    struct pki_device_state state;
    fleet_must(pki_device_look(pki, i, &state, &error), &error);
    require(state.id >= 1 && state.anchor_count == 2, "a device that can live");
    check_name(i);
  }
  if (pki_device_count(pki) > 0) {
    pki_close(pki);
    open_fresh();
  }
  return 0;
}
