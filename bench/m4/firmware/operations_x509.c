/* Certificates: those of the device's own chain in NVM, a leaf and the intermediate that issued
   it. */
#include <mbedtls/x509_crt.h>

#include "board.h"
#include "device/identity.h"
#include "m4/marks.h"
#include "operations.h"

static const char no_chain[] = "the NVM page holds no leaf with its intermediate: give --nvm and "
                               "--page of a fleet that `fleetsim pki make` made";

/* `bytes` holds what `chain` points into. */
static void own_chain(uint8_t bytes[DEVICE_NVM_CERTIFICATE_MAX], struct device_chain *chain)
{
  struct device_nvm_slot slot;
  board_require(device_nvm_find(&board_host, DEVICE_NVM_CERTIFICATE, &slot) == 0 && slot.size > 0 &&
                    slot.size <= DEVICE_NVM_CERTIFICATE_MAX,
                no_chain);
  board_require(board_host.nvm_read(board_host.ctx, slot.offset, bytes, slot.size) == 0 &&
                    device_chain_parse(bytes, slot.size, chain) == DEVICE_UPDATE_COMMITTED &&
                    chain->count >= 2,
                no_chain);
}

static void parse(mbedtls_x509_crt *out, const uint8_t *der, size_t size)
{
  mbedtls_x509_crt_init(out);
  m4_mark_begin("x509_parse");
  int error = mbedtls_x509_crt_parse_der(out, der, size);
  m4_mark_end("x509_parse");
  board_require(error == 0, "a certificate of the device's chain cannot be parsed");
}

static void verify(mbedtls_x509_crt *leaf, mbedtls_x509_crt *issuer)
{
  uint32_t flags = 0;
  m4_mark_begin("x509_verify_1");
  int error = mbedtls_x509_crt_verify(leaf, issuer, NULL, NULL, &flags, NULL, NULL);
  m4_mark_end("x509_verify_1");
  board_require(error == 0 && flags == 0,
                "the device's leaf does not verify by its intermediate: is the time right?");
}

void operations_x509(void)
{
  static uint8_t bytes[DEVICE_NVM_CERTIFICATE_MAX];
  struct device_chain chain;
  own_chain(bytes, &chain);
  for (int i = 0; i < REPEAT; i++) {
    mbedtls_x509_crt leaf, issuer;
    parse(&leaf, chain.certificate[0].der, chain.certificate[0].size);
    parse(&issuer, chain.certificate[1].der, chain.certificate[1].size);
    verify(&leaf, &issuer);
    mbedtls_x509_crt_free(&leaf);
    mbedtls_x509_crt_free(&issuer);
  }
}
