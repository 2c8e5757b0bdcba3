/* Where the results of a gauntlet go: whatever keeps them from being written is found before the first
 * trial, as trials take minutes and a device on a bench a day.
 *
 *     if (gauntlet_out_begin(&out, line->out, line->overwrite, error) != 0) return -1;
 *     .. gauntlet_out_forget(&out, error), when trials have begun ..
 *     .. report_write(tree, out.folder, error), out.written = true ..
 *     gauntlet_out_end(&out);
 */
#ifndef FLEETSIM_CLI_GAUNTLET_OUT_H
#define FLEETSIM_CLI_GAUNTLET_OUT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/files.h"

struct gauntlet_out {
  char folder[FILES_PATH_MAX];
  int lock;     /* a descriptor of the folder */
  bool made;    /* it was not there before */
  bool earlier; /* it holds an earlier gauntlet, which is to go */
  bool written; /* the caller's: it holds results of this one */
};

/* Makes the folder `asked`, or out/gauntlet-TIMESTAMP where it is NULL, and tries that it can be written
 * to. An earlier gauntlet's results there are refused unless they may be overwritten, and those of a
 * run and a gauntlet that is under way there always. 0, or -1: USAGE, SETUP, and nothing is to be
 * ended. */
int gauntlet_out_begin(struct gauntlet_out *out, const char *asked, bool overwrite,
                       struct error *error);

/* Lets go of an earlier gauntlet's results, once: whoever looks must not take them for this one's. To be
 * called when nothing can refuse this one any more. */
int gauntlet_out_forget(struct gauntlet_out *out, struct error *error);

/* Where nothing was written, a folder that was not there before is gone again. */
void gauntlet_out_end(struct gauntlet_out *out);

#endif
