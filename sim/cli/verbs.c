/* The table of verbs: what "fleetsim WORD" may say, in the order of the help, and the two groups
 * that have verbs of their own and nothing else. A new verb is a file, a name in verbs.h and a line
 * here. */
#include "cli/verbs.h"

static const struct args_verb *const pki_verbs[] = {
    &cli_pki_make,   &cli_pki_show,     &cli_pki_export, &cli_pki_import,
    &cli_pki_revoke, &cli_pki_unrevoke, &cli_pki_crl,    NULL,
};

static const struct args_verb pki = {
    .name = "pki",
    .line = "make, show, export and import certificate hierarchies and fleets",
    .usage = "usage: fleetsim pki COMMAND FOLDER [options]\n\n",
    .verbs = pki_verbs,
    .after = "\n  fleetsim pki COMMAND --help    options and an example\n",
    .example = "fleetsim pki make fleets/lab --devices 1000",
};

static const struct args_verb *const image_verbs[] = {
    &cli_image_make, &cli_image_sign, &cli_image_show, &cli_image_corrupt, NULL,
};

static const struct args_verb image = {
    .name = "image",
    .line = "make, sign, show and corrupt firmware images in MCUboot's format",
    .usage = "usage: fleetsim image COMMAND FILE [options]\n\n",
    .verbs = image_verbs,
    .after = "\n  fleetsim image COMMAND --help    options and an example\n",
    .example = "fleetsim image sign firmware.bin --out v2.img --version 1.1.0 --counter 2 --fleet "
               "fleets/lab",
};

static const struct args_verb *const verbs[] = {
    &cli_run,       &cli_check,      &cli_report, &cli_explain, &cli_new,
    &cli_probe,     &cli_gauntlet,   &pki,        &image,       &cli_terminator,
    &cli_calibrate, &cli_completion, &cli_manual, NULL,
};

#define CODE_LINE(symbol, number, sentence) "  " #number "\t" sentence "\n"

const struct args_verb cli_fleetsim = {
    .name = "fleetsim",
    .usage = "fleetsim rehearses what happens to an IoT fleet before it happens.\n\n"
             "usage: fleetsim VERB [options]\n\n",
    .verbs = verbs,
    .after = "\n  fleetsim VERB --help    options and an example\n"
             "  fleetsim --version      ours and every library's\n\n"
             "exit codes:\n" EXIT_CODES(CODE_LINE),
    .example = "fleetsim run scenarios/root-ca-rotation.yaml",
};
