/* The fleet folder of a run: keys, certificates, and what the back office knows at the start. */
#ifndef FLEETSIM_STAGE_FOLDER_H
#define FLEETSIM_STAGE_FOLDER_H

#include "stage/stage.h"

/* In this order, each 0, or -1 with stage->error: makes a new one, or opens the one that was given
 * and then sets its devices back to what the factory gave them; reads who is in it. */
int stage_make_folder(struct stage *stage);
int stage_open_folder(struct stage *stage);
int stage_reset_folder(struct stage *stage);
int stage_learn_fleet(struct stage *stage);

/* Frees what was read, if it was. */
void stage_forget_fleet(struct stage *stage);

/* What `crls: yes` of a push-trust stands for under the devices' policy. */
enum pki_lists stage_lists(const struct scenario *scenario, bool crls);

#endif
