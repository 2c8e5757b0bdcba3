/* A member's line: the backend's connection, with the faults of its line before it. */
#ifndef FLEETSIM_FLEET_LINE_H
#define FLEETSIM_FLEET_LINE_H

#include "fleetsim/device.h"
#include "net/backend.h"
#include "net/fault.h"
#include "report/failure_set.h"

struct member;

void line_dial(struct member *member, const struct sockaddr_storage *to,
               const struct sockaddr_storage *from);
int line_send(struct member *member, const uint8_t *data, size_t size);
size_t line_backlog(const struct member *member);
void line_pause(struct member *member, bool paused);
void line_hang_up(struct member *member);
/* At once, with a RST where the line lets one through. */
void line_break_off(struct member *member);

/* -1: out of memory. */
int line_set_fault(struct member *member, const struct fault *fault);

/* Counts the half-open sessions again; to be called when the member goes online or offline. */
void line_count_half_open(struct member *member);

/* The failures that faults may end in. */
struct failure_set line_failures(void);

/* True for a failure that the fault in force may well cause. */
bool line_foretells(const struct member *member, enum device_failure failure);

#endif
