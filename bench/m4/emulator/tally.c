#include "tally.h"

#include <stdio.h>
#include <string.h>

void m4_tally_init(struct m4_tally *m)
{
  memset(m, 0, sizeof *m);
  m->state_count = 1;
  m->states[0].entered = 1;
  snprintf(m->states[0].name, M4_NAME_MAX, "reset");
}

static int too_many(struct error *error, const char *kind, const char *name)
{
  return error_set(error, EXIT_CODE_SETUP,
                   "the image names more than %u %s (the last is '%s'): use fewer", M4_NAMES_MAX,
                   kind, name);
}

static struct m4_mark *find_mark(struct m4_tally *m, const char *name)
{
  for (size_t i = 0; i < m->mark_count; i++)
    if (strcmp(m->marks[i].name, name) == 0) return &m->marks[i];
  if (m->mark_count == M4_NAMES_MAX) return NULL;
  struct m4_mark *mark = &m->marks[m->mark_count++];
  snprintf(mark->name, sizeof mark->name, "%s", name);
  return mark;
}

int m4_tally_begin(struct m4_tally *m, const char *name, uint64_t now, struct error *error)
{
  struct m4_mark *mark = find_mark(m, name);
  if (mark == NULL) return too_many(error, "marks", name);
  if (mark->open)
    return error_set(error, EXIT_CODE_SETUP,
                     "mark '%s' begins within itself: end it first, or use another name", name);
  mark->open = true;
  mark->began = now;
  mark->sent_before = m->sent;
  mark->received_before = m->received;
  return 0;
}

int m4_tally_end(struct m4_tally *m, const char *name, uint64_t now, struct error *error)
{
  struct m4_mark *mark = find_mark(m, name);
  if (mark == NULL) return too_many(error, "marks", name);
  if (!mark->open)
    return error_set(error, EXIT_CODE_SETUP,
                     "mark '%s' ends without a begin: call m4_mark_begin first", name);
  const uint64_t cycles = now - mark->began;
  mark->open = false;
  if (mark->count == 0 || cycles < mark->min) mark->min = cycles;
  if (cycles > mark->max) mark->max = cycles;
  mark->cycles += cycles;
  mark->sent += m->sent - mark->sent_before;
  mark->received += m->received - mark->received_before;
  mark->count++;
  return 0;
}

static size_t find_state(struct m4_tally *m, const char *name)
{
  for (size_t i = 0; i < m->state_count; i++)
    if (strcmp(m->states[i].name, name) == 0) return i;
  if (m->state_count == M4_NAMES_MAX) return M4_NAMES_MAX;
  snprintf(m->states[m->state_count].name, M4_NAME_MAX, "%s", name);
  return m->state_count++;
}

int m4_tally_state(struct m4_tally *m, const char *name, uint64_t now, struct error *error)
{
  const size_t next = find_state(m, name);
  if (next == M4_NAMES_MAX) return too_many(error, "states", name);
  m->states[m->state].cycles += now - m->state_began;
  m->state = next;
  m->state_began = now;
  m->states[next].entered++;
  return 0;
}

int m4_tally_finish(struct m4_tally *m, uint64_t now, struct error *error)
{
  m->states[m->state].cycles += now - m->state_began;
  m->state_began = now;
  for (size_t i = 0; i < m->mark_count; i++)
    if (m->marks[i].open)
      return error_set(error, EXIT_CODE_FAIL,
                       "mark '%s' was begun and never ended: its last stretch is not counted",
                       m->marks[i].name);
  return 0;
}

bool m4_tally_any(const struct m4_tally *m)
{
  return m->mark_count > 0 || m->state_count > 1;
}
