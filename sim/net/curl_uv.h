/* libcurl's multi interface on a libuv loop: transfers that neither block nor need a thread. */
#ifndef FLEETSIM_CURL_UV_H
#define FLEETSIM_CURL_UV_H

#include <curl/curl.h>
#include <uv.h>

struct curl_uv;

typedef void (*curl_uv_done)(void *ctx, CURL *easy, CURLcode result);

/* NULL when memory is short. */
struct curl_uv *curl_uv_open(uv_loop_t *loop);

/* Starts a transfer that the caller has set up (with a timeout: CURLOPT_TIMEOUT_MS). `done` comes
 * from the loop, once; the handle has then left the multi handle and is the caller's to clean up.
 * CURLOPT_PRIVATE is taken by this module.
 */
int curl_uv_start(struct curl_uv *curl, CURL *easy, curl_uv_done done, void *ctx);

/* Ends a transfer at once; its `done` does not come. */
void curl_uv_abort(struct curl_uv *curl, CURL *easy);

/* No transfer may be left. `closed` comes from the loop when all handles are closed and the memory
   is free. */
void curl_uv_close(struct curl_uv *curl, void (*closed)(void *ctx), void *ctx);

#endif
