/* Any trust bundle, signed by the update key or not, at a device that has one already: what is put
 * in force is newer, signed, of two anchors that are CAs, and lies in NVM; what is not leaves NVM
 * as it was.
 *
 * The input: 1 byte {bits 0-1 the policy, bit 2 signed by somebody else, bits 3-5 which good
 * bundle, bit 6 the rest is what is signed, else damage (fuzz.h) to that bundle}, the rest. */
#include "../unit/device/certificate.h"
#include "device/platform.h"
#include "device/trust.h"
#include "fuzz.h"

enum { IN_FORCE = 3, BUNDLES = 8 };

static uint8_t page[DEVICE_NVM_PAGE_SIZE], fresh[DEVICE_NVM_PAGE_SIZE];
static struct key update_key, other_key;
static struct bytes bundles[BUNDLES]; /* without their signatures */

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "reads inside the page");
  memcpy(out, page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "writes inside the page");
  memcpy(page + offset, data, size);
  return 0;
}

static const struct device_host host = {.nvm_read = read_page, .nvm_write = write_page};

static void begin(void)
{
  static bool begun;
  if (begun) return;
  require(keys_begin() == 0, "PSA starts");
  update_key = key_make("update");
  other_key = key_make("other");
  const struct certificate roots[] = {root_make("A"), root_make("B"), root_make("C")};
  const struct certificate lists[] = {
      crl_make(&(struct crl_recipe){.issuer = "A"}), crl_make(&(struct crl_recipe){.issuer = "B"}),
      crl_make(&(struct crl_recipe){.issuer = "an intermediate"}),
      crl_make(&(struct crl_recipe){.issuer = "A", .signer = &other_key}),
      crl_make(&(struct crl_recipe){.issuer = "A", .critical_extension = true})};
  const struct key *k = &update_key;
  bundles[0] = bundle_make(k, IN_FORCE + 1, 2, roots);
  bundles[1] = bundle_make(k, IN_FORCE, 2, roots);
  bundles[2] = bundle_make(k, IN_FORCE + 1, 3, roots);
  bundles[3] = bundle_make_with_lists(k, IN_FORCE + 1, 2, roots, 1, lists);
  bundles[4] = bundle_make_with_lists(k, IN_FORCE + 1, 2, roots, 3, lists);
  bundles[5] = bundle_make_with_lists(k, IN_FORCE + 1, 2, roots, 1, lists + 2);
  bundles[6] = bundle_make_with_lists(k, IN_FORCE + 1, 2, roots, 1, lists + 3);
  bundles[7] = bundle_make_with_lists(k, IN_FORCE + 1, 2, roots, 1, lists + 4);
  memset(page, 0xff, sizeof page);
  require(device_nvm_format(&host, &(struct device_nvm_identity){.id = 7}) == 0,
          "the page is formatted");
  require(device_nvm_replace(&host, DEVICE_NVM_TRUST, bundles[1].data, bundles[1].size) == 0,
          "a bundle is in force");
  memcpy(fresh, page, sizeof fresh);
  for (size_t i = 0; i < BUNDLES; i++) bundles[i].size -= DEVICE_TRUST_SIGNATURE_SIZE;
  begun = true;
}

static void check_in_force(const struct bytes *message, uint32_t version,
                           enum device_revocation policy)
{
  struct device_trust_bundle bundle;
  require(device_trust_parse(message->data, message->size, &bundle) == DEVICE_UPDATE_COMMITTED,
          "it is well formed");
  require(bundle.version == version && version > IN_FORCE, "versions go up");
  require(device_nvm_holds(&host, DEVICE_NVM_TRUST, message->data, message->size) == 1,
          "NVM has it");
  require(policy != DEVICE_REVOCATION_REQUIRED || bundle.crl_count > 0,
          "who requires lists gets one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  struct bytes message = {.size = 0};
  begin();
  memcpy(page, fresh, sizeof page);
  uint32_t head = fuzz_number(&in, 1), version = 0;
  enum device_revocation policy = (enum device_revocation)((head & 3) % 3);
  bool ours = (head & 4) == 0;
  if ((head & 64) != 0) {
    const uint8_t *raw =
        fuzz_take(&in, sizeof message.data - DEVICE_TRUST_SIGNATURE_SIZE, &message.size);
    if (message.size > 0) memcpy(message.data, raw, message.size);
  } else {
    message = bundles[head >> 3 & 7];
    message.size = fuzz_damage(&in, message.data, message.size,
                               sizeof message.data - DEVICE_TRUST_SIGNATURE_SIZE);
  }
  key_sign(ours ? &update_key : &other_key, message.data, message.size,
           message.data + message.size);
  message.size += DEVICE_TRUST_SIGNATURE_SIZE;

  enum device_update update = device_trust_update(&host, update_key.point, policy, IN_FORCE,
                                                  message.data, message.size, &version);
  if (update == DEVICE_UPDATE_COMMITTED) {
    require(ours, "only what the update key signed is put in force");
    check_in_force(&message, version, policy);
  } else {
    require(update < DEVICE_UPDATE_COUNT && version == IN_FORCE,
            "what is refused changes no version");
    require(memcmp(page, fresh, sizeof page) == 0, "what is refused leaves NVM alone");
  }
  return 0;
}
