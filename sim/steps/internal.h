/* What the file of a step needs: its words in a file and in the timetable, and the stage. */
#ifndef FLEETSIM_STEPS_INTERNAL_H
#define FLEETSIM_STEPS_INTERNAL_H

#include "scenario/check.h"
#include "scenario/print.h"
#include "stage/stage.h"
#include "steps/steps.h"

#endif
