/* What OpenSSL says of a TLS connection, as the failure that a device would report. */
#ifndef FLEETSIM_NET_TLS_FAILURE_H
#define FLEETSIM_NET_TLS_FAILURE_H

#include "fleetsim/failure.h"

/* Of an X509_V_ERR_ of the verification; NONE for X509_V_OK. */
enum device_failure tls_failure_of_verdict(int verdict);

/* Of the reason of an error of its library SSL: an alert of the other side's among them. */
enum device_failure tls_failure_of_reason(int reason);

#endif
