/* Files and folders with the modes and the atomicity that this project promises. */
#ifndef FLEETSIM_FILES_H
#define FLEETSIM_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define FILES_PATH_MAX 1024

/* Makes the folder and its parents; parents get 0755, the last one `mode`. An existing folder is
 * fine; but where `mode` is for us alone, it must be a folder of ours and no link, and that nobody
 * else can write to; it is closed to readers.
 */
int files_make_folder(const char *path, mode_t mode, struct error *error);

/* Creates a file of ours for writing, or empties one; the descriptor, or -1. What somebody else has
 * put there (a link, a pipe, a file of another owner or with a second name) is refused: our bytes
 * would go where he wants them. */
int files_create(const char *path, mode_t mode, struct error *error);

/* Removes a file, or a folder with all that is in it; links are removed, not followed. Nothing
   there is fine. */
int files_remove(const char *path, struct error *error);

/* Writes the file whole or not at all: temporary name beside it, fsync, rename. */
int files_write(const char *path, const void *data, size_t size, mode_t mode, struct error *error);

/* Opens an input file: a regular one (never a pipe, which would hold us up, nor a device) of at
 * most `limit` bytes. The descriptor, for reading, or -1 and a sentence. Every file that a user
 * names is read through this. */
int files_open(const char *path, size_t limit, size_t *size, struct error *error);

/* Reads a whole file of at most `limit` bytes; *data is malloc'd and has a zero after its last
 * byte. On failure it is NULL; no memory is INTERNAL, and nothing that is wrong with the file. */
int files_read(const char *path, size_t limit, uint8_t **data, size_t *size, struct error *error);

/* folder + "/" + name, or a SETUP error when it is too long. */
int files_join(char out[FILES_PATH_MAX], const char *folder, const char *name, struct error *error);

/* The first executable NAME in $PATH, or where Debian keeps servers, which an ordinary user's $PATH
   leaves out. */
bool files_find_executable(const char *name, char out[FILES_PATH_MAX]);

#endif
