/* corrupt: a published image, or its manifest, is damaged on purpose. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/firmware.h"
#include "steps/internal.h"

static enum step_outcome run_corrupt(struct stage *stage, const struct scenario_step *step)
{
  return stage_ota_spoil(stage, step->image, step->harm) == 0 ? STEP_DONE : stage_give_up(stage);
}

static int refuse_harm(const struct step_take *w)
{
  char known[300];
  size_t used = 0;
  for (int h = PKI_HARM_NONE + 1; h < PKI_HARM_COUNT && used < sizeof known; h++)
    used += (size_t) snprintf(known + used, sizeof known - used, "%s%s",
                              h == PKI_HARM_NONE + 1 ? "" : ", ",
                              pki_harm_name((enum pki_image_harm) h));
  return step_take_fail(w, "how", "'%.40s' is no value of 'how': write one of %s",
                        step_take_text(w, "how"), known);
}

static int take_corrupt(const struct step_take *w)
{
  const char *how = step_take_text(w, "how");
  if (step_take_ota(w) != 0 || step_take_image(w) != 0) return -1;
  if (how == NULL)
    return step_take_fail(w, "", "this step needs to know how: write 'how: bit-flip'");
  int harm = pki_harm_find(how);
  if (harm <= PKI_HARM_NONE) return refuse_harm(w);
  w->out->harm = (enum pki_image_harm) harm;
  return 0;
}

static void print_corrupt(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  fprintf(out, "damage image %s: %s", s->ota.images[step->image].name,
          pki_harm_sentence(step->harm));
}

/* corrupt: {image: v2, how: bit-flip}: of a published image, see PKI_IMAGE_HARMS */
const struct step_kind step_corrupt = {
    .name = "corrupt",
    .arguments = {STEP_ARG("image"), STEP_ARG("how")},
    .take = take_corrupt,
    .follow = step_story_image,
    .print = print_corrupt,
    .run = run_corrupt,
};
