/* fleetsim pki show: what a fleet folder holds, for people or as JSON. Never a key. One tree,
   printed in two ways. */
#define _POSIX_C_SOURCE 200809L
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "cli/pki_args.h"
#include "cli/tree.h"
#include "cli/verbs.h"
#include "pki/crl.h"

static json_t *date(int64_t unix_s)
{
  char text[32];
  time_t when = (time_t) unix_s;
  struct tm tm;
  if (gmtime_r(&when, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    return json_null();
  return json_string(text);
}

static void add_authority(void *ctx, const struct pki_authority_info *info)
{
  json_t *authority = json_object();
  json_object_set_new(authority, "file", json_string(info->file));
  json_object_set_new(authority, "subject", json_string(info->subject));
  json_object_set_new(authority, "issuer", json_string(info->issuer));
  json_object_set_new(authority, "not_before", date(info->not_before));
  json_object_set_new(authority, "not_after", date(info->not_after));
  json_object_set_new(authority, "sha256", tree_hex(info->fingerprint, 32));
  json_object_set_new(authority, "has_key", json_boolean(info->has_key));
  json_array_append_new(ctx, authority);
}

static void add_issued(void *ctx, const struct pki_issued *row)
{
  json_t *certificate = json_object();
  json_object_set_new(certificate, "serial", tree_hex(row->serial, row->serial_size));
  json_object_set_new(certificate, "root", json_string(row->issuer));
  json_object_set_new(certificate, "state", json_string(row->imported ? "imported" : "issued"));
  json_object_set_new(certificate, "issued", date(row->issued));
  json_object_set_new(certificate, "not_before", date(row->not_before));
  json_object_set_new(certificate, "not_after", date(row->not_after));
  json_array_append_new(ctx, certificate);
}

struct revoked_list {
  const struct pki *pki;
  json_t *rows;
};

static void add_revoked(void *ctx, const struct pki_revoked *row)
{
  const struct revoked_list *list = ctx;
  json_t *revoked = json_object();
  char name[PKI_DEVICE_NAME];
  pki_device_text(list->pki, row->device, name);
  json_object_set_new(revoked, "authority", json_string(row->authority));
  json_object_set_new(revoked, "serial", tree_hex(row->serial, row->serial_size));
  json_object_set_new(revoked, "reason", json_string(pki_reason_name(row->reason)));
  json_object_set_new(revoked, "revoked", date(row->when));
  json_object_set_new(revoked, "device", row->of_device ? json_string(name) : json_null());
  json_array_append_new(list->rows, revoked);
}

static void add_column(void *ctx, const char *name, const char *value)
{
  (void) value; /* it may be a secret */
  json_array_append_new(ctx, json_string(name));
}

static json_t *device_tree(struct pki *pki, const char *text, struct error *error)
{
  size_t index;
  struct pki_device_state state;
  char name[PKI_DEVICE_NAME];
  if (pki_args_device(pki, text, &index, error) != 0 ||
      pki_device_name(pki, index, name, error) != 0 ||
      pki_device_look(pki, index, &state, error) != 0)
    return NULL;
  json_t *device = json_object(), *anchors = json_array(), *certificates = json_array(),
         *columns = json_array();
  for (size_t i = 0; i < state.anchor_count; i++)
    json_array_append_new(anchors, json_string(state.anchor[i]));
  json_object_set_new(device, "name", json_string(name));
  json_object_set_new(device, "id", json_string(name)); /* of old, when there were no others */
  json_object_set_new(device, "bundle_version", json_integer(state.bundle_version));
  json_object_set_new(device, "anchors", anchors);
  json_object_set_new(device, "certificate_sha256", tree_hex(state.certificate_id, 32));
  json_object_set_new(device, "certificates", certificates);
  json_object_set_new(device, "columns", columns);
  if (pki_device_certificates(pki, index, add_issued, certificates, error) == 0 &&
      pki_device_columns(pki, index, add_column, columns, error) == 0)
    return device;
  json_decref(device);
  return NULL;
}

static json_t *fleet_tree(struct pki *pki, const char *id, struct error *error)
{
  size_t certificates = 0;
  json_t *fleet = json_object(), *authorities = json_array(), *revoked = json_array(),
         *device = NULL;
  json_object_set_new(fleet, "folder", json_string(pki_folder(pki)));
  json_object_set_new(fleet, "authorities", authorities);
  int result = pki_each_authority(pki, add_authority, authorities, error);
  if (result == 0) result = pki_certificate_count(pki, &certificates, error);
  if (result == 0 && id != NULL && (device = device_tree(pki, id, error)) == NULL) result = -1;
  json_object_set_new(fleet, "devices", json_integer((json_int_t) pki_device_count(pki)));
  json_object_set_new(fleet, "certificates", json_integer((json_int_t) certificates));
  json_object_set_new(fleet, "revoked", revoked);
  struct revoked_list list = {pki, revoked};
  if (result == 0) result = pki_each_revoked(pki, add_revoked, &list, error);
  if (device != NULL) json_object_set_new(fleet, "device", device);
  if (result == 0) return fleet;
  json_decref(fleet);
  return NULL;
}

static void print_authority(const json_t *authority)
{
  printf("  %-24s %s%s\n", tree_text(authority, "file"), tree_text(authority, "subject"),
         json_is_true(json_object_get(authority, "has_key")) ? ", with its key" : "");
  printf("  %24s by %s, %.10s to %.10s\n", "", tree_text(authority, "issuer"),
         tree_text(authority, "not_before"), tree_text(authority, "not_after"));
  printf("  %24s sha256 %s\n", "", tree_text(authority, "sha256"));
}

static void print_device(const json_t *device)
{
  size_t i;
  json_t *one;
  printf("\ndevice %s: trust bundle version %lld of", tree_text(device, "name"),
         (long long) json_integer_value(json_object_get(device, "bundle_version")));
  json_array_foreach(json_object_get(device, "anchors"), i, one)
      printf("%s %s", i == 0 ? "" : ",", json_string_value(one));
  json_array_foreach(json_object_get(device, "columns"), i, one)
      printf("%s %s", i == 0 ? "\n  columns of its list:" : ",", json_string_value(one));
  printf("\n  certificate in force: sha256 %s\n", tree_text(device, "certificate_sha256"));
  json_array_foreach(json_object_get(device, "certificates"), i, one)
      printf("  %s %s under %s, serial %s, valid %.10s to %.10s\n", tree_text(one, "state"),
             tree_text(one, "issued"),
             tree_text(one, "root")[0] == '\0' ? "no root of this fleet" : tree_text(one, "root"),
             tree_text(one, "serial"), tree_text(one, "not_before"), tree_text(one, "not_after"));
}

static void print_fleet(const json_t *fleet)
{
  size_t i;
  json_t *one;
  printf("%s: %lld devices, %lld certificates issued or imported\n\n", tree_text(fleet, "folder"),
         (long long) json_integer_value(json_object_get(fleet, "devices")),
         (long long) json_integer_value(json_object_get(fleet, "certificates")));
  json_array_foreach(json_object_get(fleet, "authorities"), i, one) print_authority(one);
  json_array_foreach(json_object_get(fleet, "revoked"), i, one)
      printf("%srevoked %s by %s, serial %s%s%s (%s)\n", i == 0 ? "\n" : "",
             tree_text(one, "revoked"), tree_text(one, "authority"), tree_text(one, "serial"),
             tree_text(one, "device")[0] == '\0' ? "" : ", device ", tree_text(one, "device"),
             tree_text(one, "reason"));
  if (json_object_get(fleet, "device") != NULL) print_device(json_object_get(fleet, "device"));
}

struct show_line {
  const char *device;
  bool json;
};

static const struct args_option options[] = {
    {"device", "NAME",
     "also this device: its certificates in the registry, the trust bundle in its NVM", args_text,
     .offset = offsetof(struct show_line, device)},
    {"json", NULL, "the same as JSON", args_flag, .offset = offsetof(struct show_line, json)},
    {0},
};

static int show_fleet(const struct args *args, struct error *error)
{
  const struct show_line *line = args->given;
  struct pki *pki = NULL;
  if (pki_open(args->operand[0], &pki, error) != 0) return -1;
  json_t *fleet = fleet_tree(pki, line->device, error);
  pki_close(pki);
  if (fleet == NULL) return -1;
  if (!line->json)
    print_fleet(fleet);
  else {
    json_dumpf(fleet, stdout, JSON_INDENT(2));
    putchar('\n');
  }
  json_decref(fleet);
  return EXIT_CODE_PASS;
}

const struct args_verb cli_pki_show = {
    .name = "show",
    .line = "roots, intermediates, cross-certificates, counts; one device's certificates and trust "
            "anchors",
    .usage = "usage: fleetsim pki show FOLDER [options]\n\n",
    .options = options,
    .example = "fleetsim pki show fleets/lab --device 0000001f",
    PKI_VERB,
    .size = sizeof(struct show_line),
    .run = show_fleet,
};
