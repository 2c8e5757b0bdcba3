/* What a trace's scenarios never come to: files of images, an image server, downloads, folders made
 * elsewhere. A call ends the test with the function's name. No header is included: the calls are
 * never made, so their arguments do not matter. */
#include <stdio.h>
#include <stdlib.h>

#define ABSENT(name)                                                      \
  void name(void);                                                        \
  void name(void)                                                         \
  {                                                                       \
    fprintf(stderr, "a trace has come to %s, which it has not\n", #name); \
    abort();                                                              \
  }

/* clang-format off */
ABSENT(pki_device_columns)
ABSENT(pki_open)
ABSENT(pki_reset_devices)
ABSENT(pki_check_crl_secrets)
ABSENT(pki_check_crls)
ABSENT(pki_complete_crls)
ABSENT(pki_crls_end)
ABSENT(pki_write_update_chain)
ABSENT(pki_image_cause)
ABSENT(pki_image_note)
ABSENT(pki_image_signature_is_padded)
ABSENT(nginx_close)
ABSENT(nginx_open)
ABSENT(nginx_path)
ABSENT(nginx_key_path)
ABSENT(nginx_port)
ABSENT(nginx_start)
ABSENT(proxy_close)
ABSENT(proxy_open)
ABSENT(proxy_port)
ABSENT(proxy_set)
ABSENT(proxy_totals)
ABSENT(fetch_abort)
ABSENT(fetch_begin)
ABSENT(fetch_bytes_per_transfer)
ABSENT(fetch_close)
ABSENT(fetch_open)
ABSENT(fetch_pause)
ABSENT(fetch_totals)
/* clang-format on */
