/* The device's config for the smallest RAM and ROM of P-256: window 2, no table of multiples of the
   base point. */
#ifndef FLEETSIM_M4_CONFIG_SMALL_H
#define FLEETSIM_M4_CONFIG_SMALL_H

#include "mbedtls_config.h"

#undef MBEDTLS_ECP_WINDOW_SIZE
#undef MBEDTLS_ECP_FIXED_POINT_OPTIM
#define MBEDTLS_ECP_WINDOW_SIZE       2
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0

#endif
