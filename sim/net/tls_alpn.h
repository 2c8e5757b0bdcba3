/* One application protocol, as OpenSSL and paho take a list of them (RFC 7301, 3.1). */
#ifndef FLEETSIM_TLS_ALPN_H
#define FLEETSIM_TLS_ALPN_H

#define TLS_ALPN_MAX 66u

/* Writes it, a zero behind it, and returns the size without that; of more than 64 bytes what fits. */
unsigned tls_alpn(const char *protocol, unsigned char out[TLS_ALPN_MAX]);

#endif
