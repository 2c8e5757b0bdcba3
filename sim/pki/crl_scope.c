/* For whom a CRL speaks: delta, partial and indirect lists, and extensions that a broker does not
 * know. As OpenSSL's crypto/x509 judges them, which mosquitto, nginx, HAProxy and node go by: it
 * takes no part of a list, it ignores the list, and whoever has none is refused. */
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "pki/crl_file.h"

#define REFUSES "a broker that is given it refuses all whom that authority certified; "

static void name_extension(const X509_EXTENSION *extension, char *out, size_t capacity)
{
  char oid[80];
  const ASN1_OBJECT *object = X509_EXTENSION_get_object((X509_EXTENSION *) extension);
  int nid = OBJ_obj2nid(object);
  if (OBJ_obj2txt(oid, sizeof oid, object, 1) <= 0) snprintf(oid, sizeof oid, "?");
  if (nid == NID_undef)
    snprintf(out, capacity, "%s", oid);
  else
    snprintf(out, capacity, "%s (%s)", OBJ_nid2ln(nid), oid);
}

/* What OpenSSL heeds although it is critical (crypto/x509/x_crl.c). */
static bool is_heeded(const X509_EXTENSION *extension)
{
  int nid = OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *) extension));
  return nid == NID_issuing_distribution_point || nid == NID_authority_key_identifier ||
         nid == NID_delta_crl;
}

static bool has_unknown_extension(const X509_CRL *crl, char *out, size_t capacity)
{
  for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
    X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
    if (X509_EXTENSION_get_critical(extension) == 0 || is_heeded(extension)) continue;
    name_extension(extension, out, capacity);
    return true;
  }
  return false;
}

static bool has_unknown_entry(const X509_CRL *crl, char *out, size_t capacity)
{
  STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED((X509_CRL *) crl);
  for (int e = 0; e < sk_X509_REVOKED_num(entries); e++) {
    const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, e);
    for (int i = 0; i < X509_REVOKED_get_ext_count(entry); i++) {
      X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, i);
      int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
      if (X509_EXTENSION_get_critical(extension) == 0 && nid != NID_certificate_issuer) continue;
      name_extension(extension, out, capacity);
      return true;
    }
  }
  return false;
}

static const char *unfit_point(const ISSUING_DIST_POINT *point)
{
  if (point->onlyattr > 0)
    return "is for attribute certificates only: " REFUSES
           "publish the one for public key certificates";
  if (point->onlysomereasons != NULL)
    return "names those revoked for some reasons only, and brokers ignore such a list: " REFUSES
           "publish the one for all reasons";
  if (point->indirectCRL > 0)
    return "is indirect (it names certificates of other authorities), and brokers ignore such a "
           "list: " REFUSES "publish that authority's own";
  if ((point->onlyuser > 0) && (point->onlyCA > 0))
    return "is for CA certificates only and for user certificates only, which cannot be: " REFUSES
           "make it anew";
  return NULL;
}

/* An extension that cannot be read is as good as an unknown one. */
static const char *unfit_by_point(const X509_CRL *crl)
{
  int critical = 0;
  ISSUING_DIST_POINT *point =
      X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
  if (point == NULL && critical != -1)
    return "has an issuing distribution point that cannot be read: " REFUSES "make it anew";
  const char *why = point == NULL ? NULL : unfit_point(point);
  ISSUING_DIST_POINT_free(point);
  return why;
}

bool pki_crl_unfit(const X509_CRL *crl, char *out, size_t capacity)
{
  char name[160];
  const char *why = NULL;
  if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
    why = "is a delta CRL: it names only what changed since a complete list. A broker that takes "
          "it for a complete one lets those in again whom that list revoked, others refuse "
          "everybody; publish the complete list";
  else
    why = unfit_by_point(crl);
  if (why != NULL)
    snprintf(out, capacity, "%s", why);
  else if (has_unknown_extension(crl, name, sizeof name))
    snprintf(out, capacity,
             "has the critical extension %s, which brokers do not know: " REFUSES
             "publish a list without it",
             name);
  else if (has_unknown_entry(crl, name, sizeof name))
    snprintf(out, capacity,
             "has an entry with the extension %s, which brokers do not know: " REFUSES
             "publish a list without it",
             name);
  else
    return false;
  return true;
}

bool pki_crl_of_cas_only(const X509_CRL *crl)
{
  ISSUING_DIST_POINT *point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
  bool only = point != NULL && point->onlyCA > 0;
  ISSUING_DIST_POINT_free(point);
  return only;
}

static void describe(const DIST_POINT_NAME *name, char *out, size_t capacity)
{
  snprintf(out, capacity, "a directory entry");
  if (name->type != 0) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(name->name.fullname); i++) {
    const GENERAL_NAME *one = sk_GENERAL_NAME_value(name->name.fullname, i);
    if (one->type != GEN_URI) continue;
    snprintf(out, capacity, "%.*s", ASN1_STRING_length(one->d.ia5),
             (const char *) ASN1_STRING_get0_data(one->d.ia5));
    return;
  }
}

bool pki_crl_point(const X509_CRL *crl, char *out, size_t capacity)
{
  ISSUING_DIST_POINT *point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
  bool names = point != NULL && point->distpoint != NULL;
  if (names) describe(point->distpoint, out, capacity);
  ISSUING_DIST_POINT_free(point);
  return names;
}

/* --- Whether it speaks of a certificate ------------------------------------------------------- */

/* As OpenSSL compares them (crypto/x509/x509_vfy.c, idp_check_dp), but for names relative to an
 * issuer, which nobody was seen to use: those are not the same. */
static bool is_same_point(const DIST_POINT_NAME *one, const DIST_POINT_NAME *other)
{
  if (one == NULL || other == NULL) return true;
  if (one->type != 0 || other->type != 0) return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(one->name.fullname); i++)
    for (int j = 0; j < sk_GENERAL_NAME_num(other->name.fullname); j++)
      if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(one->name.fullname, i),
                           sk_GENERAL_NAME_value(other->name.fullname, j)) == 0)
        return true;
  return false;
}

static bool names_point(const X509 *leaf, const DIST_POINT_NAME *point)
{
  CRL_DIST_POINTS *own = X509_get_ext_d2i(leaf, NID_crl_distribution_points, NULL, NULL);
  bool named = false;
  for (int i = 0; i < sk_DIST_POINT_num(own) && !named; i++)
    named = is_same_point(sk_DIST_POINT_value(own, i)->distpoint, point);
  CRL_DIST_POINTS_free(own);
  return named;
}

bool pki_crl_covers(const X509_CRL *crl, const X509 *leaf)
{
  ISSUING_DIST_POINT *point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
  bool covers =
      point == NULL || (point->onlyCA <= 0 && point->onlyattr <= 0 &&
                        (point->distpoint == NULL || names_point(leaf, point->distpoint)));
  ISSUING_DIST_POINT_free(point);
  return covers;
}
