/* Each policy is one case, as its formula stands in the header. Delays are capped before they could
 * overflow. */
#include "fleet/backoff.h"

#include <assert.h>

static uint64_t least(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static uint64_t uniform(uint64_t low, uint64_t high, uint32_t random)
{
  if (high <= low) return low;
  uint64_t values = high - low + 1;
  /* in two halves: values may need 34 bits, and a product of 66 would not fit */
  uint64_t scaled = (values >> 16) * random + (((values & 0xffff) * random) >> 16);
  return low + (scaled >> 16);
}

static uint64_t exponential(const struct backoff_policy *policy, uint32_t attempts)
{
  uint64_t delay_ms = policy->base_ms;
  for (uint32_t i = 0; i < attempts && delay_ms < policy->cap_ms && delay_ms > 0; i++)
    delay_ms *= 2;
  return least(delay_ms, policy->cap_ms);
}

static uint64_t decorrelated(const struct backoff_policy *policy, const struct backoff_state *state,
                             uint32_t random)
{
  uint64_t before_ms = state->attempts > 0 ? state->previous_ms : policy->base_ms;
  return least(policy->cap_ms, uniform(policy->base_ms, 3 * before_ms, random));
}

static uint64_t delay_of(const struct backoff_policy *policy, const struct backoff_state *state,
                         uint32_t random)
{
  uint64_t step_ms = exponential(policy, state->attempts);
  switch (policy->kind) {
  case BACKOFF_IMMEDIATE: return 0;
  case BACKOFF_FIXED: return policy->base_ms;
  case BACKOFF_EXPONENTIAL: return step_ms;
  case BACKOFF_EXPONENTIAL_20: return uniform(step_ms - step_ms / 5, step_ms + step_ms / 5, random);
  case BACKOFF_FULL_JITTER: return uniform(0, step_ms, random);
  case BACKOFF_DECORRELATED: return decorrelated(policy, state, random);
  }
  assert(!"a policy of the list");
  return step_ms;
}

uint64_t backoff_next_ms(const struct backoff_policy *policy, struct backoff_state *state,
                         uint32_t random)
{
  assert(policy->base_ms <= UINT32_MAX && policy->cap_ms <= UINT32_MAX);
  uint64_t delay_ms = delay_of(policy, state, random);
  if (state->attempts < UINT32_MAX) state->attempts++;
  state->previous_ms = (uint32_t) least(delay_ms, UINT32_MAX);
  return delay_ms;
}

void backoff_reset(struct backoff_state *state)
{
  *state = (struct backoff_state){0};
}
