/* What a handshake consists of, operation by operation. Each function measures its operations
 * REPEAT times, with fresh random inputs where the inputs may matter, and ends the program with a
 * sentence when one of them fails. Inside device_platform_enter, after psa_crypto_init. */
#ifndef FLEETSIM_M4_OPERATIONS_H
#define FLEETSIM_M4_OPERATIONS_H

#define REPEAT 4

void operations_p256(void);      /* keygen, public_key, ecdh, sign, verify */
void operations_symmetric(void); /* sha256_BYTES, aes_gcm_BYTES, hkdf_expand */
void operations_x509(void);      /* x509_parse, x509_verify_1 */

#endif
