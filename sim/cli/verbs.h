/* The verbs of the command line, one file each, and the one table of them. */
#ifndef FLEETSIM_CLI_VERBS_H
#define FLEETSIM_CLI_VERBS_H

#include "cli/args.h"

/* "fleetsim": the group of all others. */
extern const struct args_verb cli_fleetsim;

extern const struct args_verb cli_run, cli_check, cli_report, cli_explain, cli_new, cli_probe,
    cli_gauntlet, cli_terminator, cli_completion, cli_manual;
extern const struct args_verb cli_calibrate, cli_calibrate_list, cli_calibrate_show,
    cli_calibrate_compare;
extern const struct args_verb cli_image_make, cli_image_sign, cli_image_show, cli_image_corrupt;
extern const struct args_verb cli_pki_make, cli_pki_show, cli_pki_export, cli_pki_import,
    cli_pki_revoke, cli_pki_unrevoke, cli_pki_crl;

#endif
