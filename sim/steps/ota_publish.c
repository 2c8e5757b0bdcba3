/* ota.publish: an image is made, or read, and signed; nobody is told of it yet. All that it is
 * stands in the scenario's table of images, filled before any step or expression names one. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/units.h"
#include "stage/firmware.h"
#include "steps/internal.h"

/* of the whole file: header, lists and signature need some hundred bytes */
#define IMAGE_MIN  1024u
#define TRUST_MIN  8192u /* of one that carries a trust bundle */
#define IMAGE_SIZE (64u * 1024u)

static enum step_outcome run_ota_publish(struct stage *stage, const struct scenario_step *step)
{
  return stage_ota_publish(stage, step->image) == 0 ? STEP_DONE : stage_give_up(stage);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The last sector of a slot is the device's own. */
static uint32_t largest_image(const struct scenario_ota *ota)
{
  return ota->profile.slot_size - DEVICE_FLASH_SECTOR;
}

static int take_image_name(const struct step_take *w, char *out)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  const char *text = step_take_text(w, "image");
  if (text == NULL)
    return step_take_fail(w, "",
                          "the image needs a name: write 'image: v2'; later steps know it by that");
  size_t size = strlen(text);
  if (size >= SCENARIO_IMAGE_NAME || text[0] == '-' || strspn(text, letters) != size)
    return step_take_fail(
        w, "image", "'%.40s' is no name for an image: use up to %d of a-z, 0-9 and -, such as 'v2'",
        text, SCENARIO_IMAGE_NAME - 1);
  if (strcmp(text, w->scenario->ota.images[SCENARIO_FACTORY].name) == 0)
    return step_take_fail(
        w, "image",
        "'factory' is the image that every device has already: give this one another name");
  if (scenario_find_image(w->scenario, text) >= 0)
    return step_take_fail(w, "image", "two images are called '%s': give each its own name", text);
  strcpy(out, text);
  return 0;
}

/* A file says these itself. */
static int take_image_file(const struct step_take *w, struct scenario_image *out)
{
  static const char *const made[] = {"version", "counter", "size", "class"};
  const char *extra = step_take_list(w, "trust").given ? "trust" : NULL;
  for (size_t i = sizeof made / sizeof *made; i > 0; i--)
    if (step_take_text(w, made[i - 1]) != NULL) extra = made[i - 1];
  if (extra != NULL)
    return step_take_fail(
        w, extra, "a file is published as it is: leave '%s' out, it stands in the image", extra);
  out->version = out->counter = out->device_class = out->size = 0;
  return take_text(w->t, w->at, "file", step_take_text(w, "file"), out->file, sizeof out->file);
}

/* Above that of every image so far, so that devices take it whichever they run. */
static uint32_t next_counter(const struct scenario_ota *ota)
{
  uint32_t highest = 0;
  for (size_t i = 0; i < ota->image_count; i++)
    if (ota->images[i].counter > highest) highest = ota->images[i].counter;
  return highest < UINT32_MAX ? highest + 1 : highest;
}

static int take_version(const struct step_take *w, uint32_t *out)
{
  char why[200];
  const char *text = step_take_text(w, "version");
  if (text == NULL)
    return step_take_fail(w, "", "the image needs a version: write 'version: 1.1.0'");
  if (units_version(text, out, why, sizeof why) == 0) return 0;
  return step_take_fail(w, "version", "%s", why);
}

static int take_size(const struct step_take *w, uint64_t least, uint64_t most, uint32_t *out)
{
  char why[200];
  uint64_t bytes = 0;
  const char *text = step_take_text(w, "size");
  if (text == NULL) return 0;
  if (units_bytes(text, &bytes, why, sizeof why) != 0) return step_take_fail(w, "size", "%s", why);
  if (bytes < least || bytes > most)
    return step_take_fail(w, "size", "'%.40s' is out of range: 'size' is from %llu to %llu bytes",
                          text, (unsigned long long) least, (unsigned long long) most);
  *out = (uint32_t) bytes;
  return 0;
}

static int take_image_made(const struct step_take *w, struct scenario_image *out)
{
  const struct scenario *s = w->scenario;
  const struct scenario_image *factory = &s->ota.images[SCENARIO_FACTORY];
  struct step_list trust = step_take_list(w, "trust");
  if (take_version(w, &out->version) != 0 ||
      step_take_number(w, "counter", 0, UINT32_MAX, &out->counter) != 0 ||
      take_size(w, trust.given ? TRUST_MIN : IMAGE_MIN, largest_image(&s->ota), &out->size) != 0 ||
      step_take_number(w, "class", 0, UINT32_MAX, &out->device_class) != 0 ||
      take_roots(w->t, w->at, "trust", trust.given ? trust.text : NULL, trust.count, &s->roots,
                 &out->trust) != 0)
    return -1;
  for (size_t i = 0; i < s->ota.image_count; i++)
    if (s->ota.images[i].version == out->version)
      return step_take_fail(
          w, "version",
          "image '%s' has that version: give each its own, it is how they are told apart",
          s->ota.images[i].name);
  if (out->counter <= factory->counter)
    return step_take_fail(
        w, "counter",
        "'%u' is not above ota.factory.counter, %u, so every device would refuse it: write more, "
        "or damage it on purpose with 'corrupt: {image: %s, how: older-counter}'",
        (unsigned) out->counter, (unsigned) factory->counter, out->name);
  if (out->trust.count == 1)
    return step_take_fail(
        w, "trust",
        "a trust bundle needs at least two roots, so that no single CA can strand a device");
  return 0;
}

static int take_image_way(const struct step_take *w, struct scenario_image *out)
{
  static const char *const ways[] = {
      [SCENARIO_VIA_MQTT] = "mqtt", [SCENARIO_VIA_HTTPS] = "https", NULL};
  int via = SCENARIO_VIA_MQTT;
  if (step_take_flag(w, "rescue", &out->rescue) != 0) return -1;
  if (out->rescue) via = SCENARIO_VIA_HTTPS;
  if (step_take_word(w, "via", ways, &via) != 0) return -1;
  out->via = (enum scenario_via) via;
  if (out->rescue && w->scenario->ota.profile.rescue_after == 0)
    return step_take_fail(w, "rescue",
                          "no device ever looks for a rescue: add 'rescue: {after: 3}' to 'ota'");
  if (out->rescue && via == SCENARIO_VIA_MQTT)
    return step_take_fail(
        w, "via",
        "a rescue is for devices without a broker: write 'via: https', or leave this out");
  return 0;
}

static int take_image_trial(const struct step_take *w, struct scenario_image *out)
{
  static const char *const words[] = {[SCENARIO_TEST_PASS] = "pass",
                                      [SCENARIO_TEST_FAIL] = "fail",
                                      [SCENARIO_TEST_CRASH] = "crash",
                                      [SCENARIO_TEST_HANG] = "hang",
                                      NULL};
  int word = SCENARIO_TEST_PASS;
  out->failing = 1;
  if (step_take_word(w, "self-test", words, &word) != 0 ||
      step_take_share(w, "failing", &out->failing) != 0)
    return -1;
  out->self_test = (enum scenario_self_test) word;
  if (step_take_text(w, "failing") != NULL && word == SCENARIO_TEST_PASS)
    return step_take_fail(w, "failing",
                          "the image passes its self-test: add 'self-test: fail', or remove this");
  if (word == SCENARIO_TEST_PASS) out->failing = 0;
  return 0;
}

static int declare_image(const struct step_take *w, struct scenario *s)
{
  struct scenario_ota *ota = &s->ota;
  uint32_t most = largest_image(ota);
  if (ota->image_count > SCENARIO_IMAGES_MAX)
    return step_take_fail(w, "",
                          "a scenario publishes at most %d images; make two scenarios of this one",
                          SCENARIO_IMAGES_MAX);
  struct scenario_image *out = &ota->images[ota->image_count];
  *out = (struct scenario_image){.line = doc_line(w->t->doc, w->at),
                                 .column = doc_column(w->t->doc, w->at),
                                 .counter = next_counter(ota),
                                 .device_class = ota->profile.device_class,
                                 .size = most < IMAGE_SIZE ? most : IMAGE_SIZE};
  if (take_image_name(w, out->name) != 0 || take_image_trial(w, out) != 0 ||
      take_image_way(w, out) != 0)
    return -1;
  bool file = step_take_text(w, "file") != NULL;
  if ((file ? take_image_file(w, out) : take_image_made(w, out)) != 0) return -1;
  ota->image_count++;
  return 0;
}

static int take_ota_publish(const struct step_take *w)
{
  if (step_take_ota(w) != 0) return -1;
  w->out->image = (size_t) scenario_find_image(w->scenario, step_take_text(w, "image"));
  return 0;
}

/* Images are published in the order of their indices. */
static int follow_ota_publish(const struct step_follow *f)
{
  f->story->published = f->step->image;
  return 0;
}

static void print_ota_publish(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  const struct scenario_image *image = &s->ota.images[step->image];
  static const char *const trials[] = {[SCENARIO_TEST_FAIL] = "fails its self-test",
                                       [SCENARIO_TEST_CRASH] = "crashes in its trial",
                                       [SCENARIO_TEST_HANG] = "never gets online in its trial"};
  char version[DEVICE_VERSION_TEXT], size[32], roots[300];
  device_version_text(image->version, version);
  fprintf(out, "publish image %s", image->name);
  if (image->file[0] != '\0')
    fprintf(out, " from %s", image->file);
  else
    fprintf(out, ", version %s, counter %u, %s", version, (unsigned) image->counter,
            print_bytes(image->size, size));
  fputs(image->via == SCENARIO_VIA_HTTPS ? ", over HTTPS" : ", over MQTT", out);
  if (image->trust.count > 0)
    fprintf(out, "; it brings the roots %s", take_list_roots(&image->trust, roots, sizeof roots));
  if (image->self_test != SCENARIO_TEST_PASS)
    fprintf(out, "; in %.6g%% of the devices it %s", image->failing * 100,
            trials[image->self_test]);
  if (image->rescue) fputs("; as a rescue too", out);
}

/* ota.publish: {image: v2, version: 1.1.0, counter: 2, size: 256KiB, class: 1, via: mqtt|https,
 * self-test: pass|fail|crash|hang, failing: 100%, trust: [B, spare], rescue: yes} or {image: v2,
 * file: PATH, via, self-test, failing} */
const struct step_kind step_ota_publish = {
    .name = "ota.publish",
    .arguments = {STEP_ARG("image"), STEP_ARG("version"), STEP_ARG("counter"), STEP_ARG("size"),
                  STEP_ARG("class"), STEP_ARG("via"), STEP_ARG("file"), STEP_ARG("self-test"),
                  STEP_ARG("failing"), STEP_LIST_OF("trust", 1, PKI_ROOTS_MAX), STEP_ARG("rescue")},
    .declare = declare_image,
    .take = take_ota_publish,
    .follow = follow_ota_publish,
    .print = print_ota_publish,
    .run = run_ota_publish,
};
