/* What devices compute and move becomes counters, for which a session's operation is as good as a
   handshake's. */
#include "fleet/work.h"

#include <string.h>

#include "fleet/pace.h"
#include "fleet/population.h"
#include "timing/model.h"

static void book_crypto(struct metrics *metrics, const struct crypto_meter *meter)
{
  metrics_add(metrics, METRIC_CRYPTO_KEYGEN, meter->keygen);
  metrics_add(metrics, METRIC_CRYPTO_PUBLIC_KEY, meter->public_key);
  metrics_add(metrics, METRIC_CRYPTO_ECDH, meter->ecdh);
  metrics_add(metrics, METRIC_CRYPTO_SIGN, meter->sign);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY, meter->verify);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY_REMEMBERED, meter->verify_remembered);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY_COMPUTED,
              (uint64_t) meter->verify - meter->verify_remembered);
  metrics_add(metrics, METRIC_CRYPTO_SHA256_BYTES, 64u * (uint64_t) meter->sha256_blocks);
}

void work_book_handshake(struct member *m)
{
  const struct fleet_config *config = &m->fleet->config;
  uint64_t bytes = (uint64_t) m->record_bytes_in + m->record_bytes_out;
  /* it is done when this step's time has passed */
  uint64_t busy_us = config->pace ? pace_us(m) : 0;
  metrics_record_us(config->metrics, METRIC_HANDSHAKE_WALL,
                    population_clock_us(m->fleet) - m->opened_us + busy_us);
  if (config->timing != NULL) {
    double cycles = timing_handshake(config->timing, &m->meter, bytes);
    metrics_record_us(config->metrics, METRIC_HANDSHAKE_DEVICE,
                      (uint64_t) timing_us(config->timing, cycles));
  }
  m->shook = false;
}

void work_book(struct member *m)
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
