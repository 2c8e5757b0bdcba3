/* Which host a URL leads to, by the parser of the library that would call it: one that reads URLs
 * otherwise could be led past the permission. */
#include <curl/curl.h>
#include <string.h>

#include "net/permit.h"

int permit_url_host(const char *url, char host[PERMIT_HOST_MAX])
{
  CURLU *parsed = curl_url();
  char *text = NULL;
  int result = -1;
  if (parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get(parsed, CURLUPART_HOST, &text, 0) == CURLUE_OK) {
    size_t size = strlen(text);
    bool brackets = size > 2 && text[0] == '[' && text[size - 1] == ']';
    size -= brackets ? 2 : 0;
    if (size > 0 && size < PERMIT_HOST_MAX) {
      memcpy(host, text + brackets, size);
      host[size] = '\0';
      result = 0;
    }
  }
  curl_free(text);
  curl_url_cleanup(parsed);
  return result;
}
