/* The verbs of the command line. Each takes argv from its own name on and returns an exit code of
   base/error.h. */
#ifndef FLEETSIM_CLI_VERBS_H
#define FLEETSIM_CLI_VERBS_H

int verb_run(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_pki(int argc, char **argv);
int verb_image(int argc, char **argv);
int verb_terminator(int argc, char **argv);
int verb_calibrate(int argc, char **argv);

#endif
