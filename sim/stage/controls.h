/* Who is looked at beside somebody on a list, and in the same manner, so that what keeps that one out
 * can be told from what keeps everybody out. */
#ifndef FLEETSIM_STAGE_CONTROLS_H
#define FLEETSIM_STAGE_CONTROLS_H

#include "stage/stage.h"

struct stage_control {
  bool any;
  bool nobodys; /* a certificate of nobody's, made for it, under `root` */
  char root[PKI_NAME_MAX];
  struct stage_stand_in as; /* else */
};

struct stage_device_look;

/* At the first attempt a certificate of nobody's under the same root, where the folder can make one:
 * it harms nobody, and is enough beside a certificate that is said to be revoked. Then a device that has
 * been let in and is not revoked, of the same issuer. It stays the control as long as it gets further,
 * so that it comes as often as the other; else, at each `turn`, another, as one may be kept out for a
 * reason of its own: of those that are online, and then, or where there is none, one that is offline;
 * beside one that is online only those that are, where there are any. Where a look ends the device's
 * session those that are online are spared. Else nobody's again; else a device of another issuer. */
struct stage_control stage_control_for(struct stage *stage, const struct stage_device_look *look,
                                       unsigned attempt, unsigned turn);

/* Whom the broker may keep out because his own session is open is compared with such a one only: unless a
 * look as somebody like that was let in there. */
bool stage_control_is_like(struct stage *stage, const struct stage_device_look *look);

/* It was kicked, and neither it nor a look as it was let in since: what kicks may ban as well. */
bool stage_may_be_banned(const struct stage *stage, size_t device);

/* There is such a one of the same issuer. */
bool stage_control_has_like(struct stage *stage, const struct stage_device_look *look);

/* The same certificate, or both are of nobody's. */
bool stage_control_is(const struct stage_control *control, const struct stage_control *other);

/* Writes its certificate and key. 0, or -1 with stage->error. */
int stage_control_write(struct stage *stage, const struct stage_control *control,
                        const struct broker_pair *files);

#endif
