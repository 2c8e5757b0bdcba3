/* stdio buffers lines, and a block is compressed each time that it hands them on. A frame is begun with
 * the file and ended with it; of one that was not ended what was flushed can be read. */
#define _GNU_SOURCE /* fopencookie */
#include "report/zst.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define LINES (256u * 1024u) /* more than a second of events seldom is */
#define LEVEL 3

struct zst {
  int fd;
  uint64_t *written;
  ZSTD_CCtx *writing;
  ZSTD_DCtx *reading;
  ZSTD_inBuffer in; /* of `bytes`, when reading */
  size_t room;
  uint8_t bytes[];
};

static struct zst *begin(int fd, size_t room)
{
  struct zst *zst = calloc(1, sizeof *zst + room);
  if (zst == NULL) return NULL;
  zst->fd = fd;
  zst->room = room;
  zst->in.src = zst->bytes;
  return zst;
}

static void end(struct zst *zst)
{
  ZSTD_freeCCtx(zst->writing);
  ZSTD_freeDCtx(zst->reading);
  free(zst);
}

static int write_all(struct zst *zst, size_t size)
{
  for (size_t done = 0; done < size;) {
    ssize_t put = write(zst->fd, zst->bytes + done, size - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return -1;
    done += (size_t) put;
    *zst->written += (uint64_t) put;
  }
  return 0;
}

static int compress(struct zst *zst, const char *data, size_t size, ZSTD_EndDirective how)
{
  ZSTD_inBuffer in = {.src = data, .size = size};
  size_t left;
  do {
    ZSTD_outBuffer out = {.dst = zst->bytes, .size = zst->room};
    left = ZSTD_compressStream2(zst->writing, &out, &in, how);
    if (ZSTD_isError(left)) {
      errno = ENOMEM;
      return -1;
    }
    if (write_all(zst, out.pos) != 0) return -1;
  } while (left > 0 || in.pos < in.size);
  return 0;
}

/* 0 is an error: fopencookie(3). */
static ssize_t on_write(void *cookie, const char *data, size_t size)
{
  return compress(cookie, data, size, ZSTD_e_flush) == 0 ? (ssize_t) size : 0;
}

static int on_written(void *cookie)
{
  struct zst *zst = cookie;
  int status = compress(zst, NULL, 0, ZSTD_e_end);
  if (close(zst->fd) != 0) status = -1;
  end(zst);
  return status;
}

FILE *zst_write(int fd, uint64_t *written)
{
  struct zst *zst = begin(fd, ZSTD_CStreamOutSize());
  if (zst == NULL) return NULL;
  zst->written = written;
  zst->writing = ZSTD_createCCtx();
  FILE *file =
      zst->writing == NULL ||
              ZSTD_isError(ZSTD_CCtx_setParameter(zst->writing, ZSTD_c_compressionLevel, LEVEL)) ||
              ZSTD_isError(ZSTD_CCtx_setParameter(zst->writing, ZSTD_c_checksumFlag, 1))
          ? NULL
          : fopencookie(zst, "w", (cookie_io_functions_t){.write = on_write, .close = on_written});
  if (file == NULL) {
    end(zst);
    errno = ENOMEM;
    return NULL;
  }
  /* lines are kept together until they are flushed; without memory for that in smaller blocks */
  (void) setvbuf(file, NULL, _IOFBF, LINES);
  return file;
}

/* What the file has next; 0 at its end. */
static ssize_t refill(struct zst *zst)
{
  ssize_t got;
  do got = read(zst->fd, zst->bytes, zst->room);
  while (got < 0 && errno == EINTR);
  zst->in.size = got > 0 ? (size_t) got : 0;
  zst->in.pos = 0;
  return got;
}

/* All of a frame that is decompressed is handed on before more of the file is read. */
static ssize_t on_read(void *cookie, char *data, size_t size)
{
  struct zst *zst = cookie;
  ZSTD_outBuffer out = {.dst = data, .size = size};
  while (out.pos == 0) {
    size_t before = zst->in.pos;
    size_t hint = ZSTD_decompressStream(zst->reading, &out, &zst->in);
    if (ZSTD_isError(hint)) {
      errno = EBADMSG;
      return -1;
    }
    if (out.pos > 0 || zst->in.pos < zst->in.size || zst->in.pos != before) continue;
    ssize_t got = refill(zst);
    if (got <= 0) return got;
  }
  return (ssize_t) out.pos;
}

static int on_have_read(void *cookie)
{
  struct zst *zst = cookie;
  int status = close(zst->fd);
  end(zst);
  return status;
}

FILE *zst_read(int fd)
{
  struct zst *zst = begin(fd, ZSTD_DStreamInSize());
  if (zst == NULL) return NULL;
  zst->reading = ZSTD_createDCtx();
  FILE *file =
      zst->reading == NULL
          ? NULL
          : fopencookie(zst, "r", (cookie_io_functions_t){.read = on_read, .close = on_have_read});
  if (file != NULL) return file;
  end(zst);
  errno = ENOMEM;
  return NULL;
}
