/* The headers of TLS records in a stream, across whatever pieces it comes in; nothing else is
 * read. */
#include "broker/records.h"

enum { APPLICATION_DATA = 0x17 };

bool records_pass(struct records *records, const uint8_t *bytes, size_t size)
{
  while (size > 0) {
    size_t skipped = size < records->body_left ? size : records->body_left;
    bytes += skipped;
    size -= skipped;
    records->body_left -= skipped;
    if (size == 0) break;
    records->header[records->header_size++] = *bytes++;
    size--;
    if (records->header_size < RECORDS_HEADER) continue;
    if (records->header[0] == APPLICATION_DATA) return true;
    records->header_size = 0;
    records->body_left = (size_t) records->header[3] << 8 | records->header[4];
  }
  return false;
}
