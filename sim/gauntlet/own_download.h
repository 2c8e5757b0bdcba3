/* Our own downloads before a hostile update server: what the fleet's devices fetch images by. */
#ifndef FLEETSIM_GAUNTLET_OWN_DOWNLOAD_H
#define FLEETSIM_GAUNTLET_OWN_DOWNLOAD_H

#include "gauntlet/trial.h"

/* trial_setting.client_setting is not used; `folder` of the setting is. */
extern const struct trial_client own_download;

#endif
