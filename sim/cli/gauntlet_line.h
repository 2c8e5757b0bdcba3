/* The line of fleetsim gauntlet, and what its files share while it is done. */
#ifndef FLEETSIM_CLI_GAUNTLET_LINE_H
#define FLEETSIM_CLI_GAUNTLET_LINE_H

#include <jansson.h>

#include "cli/args.h"
#include "cli/gauntlet_out.h"
#include "gauntlet/gauntlet.h"
#include "gauntlet/standards.h"

#define GAUNTLET_NAMES_MAX 256u

struct gauntlet_names {
  const char *at[GAUNTLET_NAMES_MAX];
  size_t count;
};

struct gauntlet_line {
  bool self, list, quiet, verbose, overwrite;
  const char *command, *name, *out, *summary, *listen, *allow_listen, *keys, *export, *power;
  bool cases_by_port, https;
  uint64_t ports, absent_s, give_up_s;
  struct gauntlet_names wanted;
  struct args_texts more;
  uint64_t jobs, patience_s, linger_s;
  unsigned versions, layers;
  enum case_severity severity;
};

struct gauntlet_task {
  const struct gauntlet_line *line;
  const struct cases *cases;
  const struct standards *standards;
  struct gauntlet_out out;
  json_t *told; /* reports that were written */
};

/* What the line asks for of any kind of client. */
struct gauntlet_options gauntlet_asked(const struct gauntlet_task *task);

/* Prints a report and writes it, where `below` is not "" to a folder of that name. Its exit code, or
 * -1. */
int gauntlet_tell(struct gauntlet_task *task, struct report *report, const char *below,
                  struct error *error);

/* --listen: the exit code, or -1. */
int gauntlet_listen(struct gauntlet_task *task, struct error *error);

#endif
