/* What --set can set in any scenario, for who offers it. */
#ifndef FLEETSIM_SCENARIO_SETTINGS_H
#define FLEETSIM_SCENARIO_SETTINGS_H

/* Tells `say` each path with the '=' behind it, "fleet.devices=", in the order of the grammar. Not
 * those into a list of mappings, which depend on the file (phases[0]), and not `targets`, which is
 * for the file to say. */
void scenario_settings(void (*say)(void *ctx, const char *setting), void *ctx);

#endif
