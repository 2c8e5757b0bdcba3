/* Files that come with the program and are no part of it. They are found from where the program
 * itself lies, so that neither the folder that it was built in nor the one that it was installed to
 * is written into it. */
#ifndef FLEETSIM_DATA_H
#define FLEETSIM_DATA_H

#include "base/files.h"

/* Where such a file or folder is, by its name in the folder of data: share/fleetsim beside a program
 * that lies where it was built, and where `cmake --install` puts it otherwise. It may lack there.
 * Returns 0, or -1: the system does not say where this program lies, or the path is too long. */
int data_path(const char *name, char out[FILES_PATH_MAX], struct error *error);

#endif
