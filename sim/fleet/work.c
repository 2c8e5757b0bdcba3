/* What devices compute and move becomes counters, for which a session's operation is as good as a handshake's. */
#include <string.h>

#include "fleet/member.h"

static void book_crypto(struct metrics *metrics, const struct crypto_meter *meter)
{
  metrics_add(metrics, METRIC_CRYPTO_KEYGEN, meter->keygen);
  metrics_add(metrics, METRIC_CRYPTO_PUBLIC_KEY, meter->public_key);
  metrics_add(metrics, METRIC_CRYPTO_ECDH, meter->ecdh);
  metrics_add(metrics, METRIC_CRYPTO_SIGN, meter->sign);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY, meter->verify);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY_REMEMBERED, meter->verify_remembered);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY_COMPUTED, (uint64_t) meter->verify - meter->verify_remembered);
  metrics_add(metrics, METRIC_CRYPTO_SHA256_BYTES, 64u * (uint64_t) meter->sha256_blocks);
}

void member_book_work(struct member *m)
{
  static const struct crypto_meter nothing;
  struct metrics *metrics = m->fleet->config.metrics;
  metrics_add(metrics, METRIC_TLS_BYTES_IN, m->record_bytes_in);
  metrics_add(metrics, METRIC_TLS_BYTES_OUT, m->record_bytes_out);
  m->record_bytes_in = m->record_bytes_out = 0;
  if (memcmp(&m->meter, &nothing, sizeof nothing) == 0) return; /* most steps of a session */
  book_crypto(metrics, &m->meter);
  m->meter = nothing;
}
