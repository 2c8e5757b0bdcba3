/* What the registry knows that makes a renewal wrong, although a device would take it. Two certificates
 * of one issuer must not share a serial number (RFC 5280, 4.1.2.2): a list names both. One that was
 * issued before the one that the device holds renews nothing. */
#define _POSIX_C_SOURCE 200809L
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "internal.h"
#include "pki/renewals_part.h"

struct twin {
  const struct pki_renewal *renewal;
  bool any;
  uint32_t device;
};

/* pki_registry_of_serial calls it. The same certificate is no twin. */
static void find_twin(void *ctx, uint32_t device, const uint8_t *chain, size_t size)
{
  struct twin *twin = ctx;
  STACK_OF(X509) *known = twin->any ? NULL : pki_decode_chain(chain, size);
  X509 *own = sk_X509_value(twin->renewal->certificates, 0);
  X509 *other = known == NULL ? NULL : sk_X509_value(known, 0);
  if (other != NULL && X509_cmp(own, other) != 0 &&
      X509_NAME_cmp(X509_get_issuer_name(own), X509_get_issuer_name(other)) == 0) {
    twin->any = true;
    twin->device = device;
  }
  sk_X509_pop_free(known, X509_free);
}

static int check_serial(struct pki *pki, const struct pki_renewal *renewal, struct error *error)
{
  struct pki_registry_certificate row = {.device = pki->devices[renewal->index].id};
  struct twin twin = {.renewal = renewal};
  char name[PKI_DEVICE_NAME], serial[2 * sizeof row.row.serial + 1] = "";
  pki_describe_issued(sk_X509_value(renewal->certificates, 0), "", true, &row.row);
  if (pki_registry_of_serial(pki->registry, row.row.serial, row.row.serial_size, find_twin, &twin,
                             error) != 0)
    return -1;
  if (!twin.any) return 0;
  for (size_t i = 0; i < row.row.serial_size; i++)
    snprintf(serial + 2 * i, 3, "%02x", row.row.serial[i]);
  return error_set(error, EXIT_CODE_USAGE,
                   "the certificate %s has the serial number %s, which its issuer has given to %s "
                   "%s before: who revokes one revokes both. Have the CA number each certificate "
                   "by itself",
                   renewal->path, serial,
                   twin.device == row.device ? "another certificate of" : "that of device",
                   pki_device_text(pki, twin.device, name));
}

static int check_age(struct pki *pki, const struct pki_renewal *renewal, struct error *error)
{
  STACK_OF(X509) *held = pki_device_chain(pki, renewal->index, error);
  if (held == NULL) return -1;
  X509 *own = sk_X509_value(renewal->certificates, 0), *other = sk_X509_value(held, 0);
  bool same = X509_NAME_cmp(X509_get_issuer_name(own), X509_get_issuer_name(other)) == 0;
  int older = ASN1_TIME_compare(X509_get0_notBefore(own), X509_get0_notBefore(other));
  sk_X509_pop_free(held, X509_free);
  if (!same || older != -1) return 0;
  return error_set(
      error, EXIT_CODE_USAGE,
      "the certificate %s was issued before the one of the same issuer that the device "
      "holds: it renews nothing. Is it an earlier answer of the CA?",
      renewal->path);
}

int pki_renewal_is_new(struct pki *pki, const struct pki_renewal *renewal, struct error *error)
{
  return check_serial(pki, renewal, error) != 0 ? -1 : check_age(pki, renewal, error);
}
