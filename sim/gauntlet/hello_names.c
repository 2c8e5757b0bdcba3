/* Names of what a hello lists, as the registries of IANA have them. A number that is in no table is
 * shown as a number, in the caller's buffer. */
#include "gauntlet/hello.h"

struct named {
  uint16_t number;
  const char *name;
};

/* clang-format off */
static const struct named version_names[] = {
    {HELLO_SSL3, "SSL 3.0"}, {HELLO_TLS10, "TLS 1.0"}, {HELLO_TLS11, "TLS 1.1"},
    {HELLO_TLS12, "TLS 1.2"}, {HELLO_TLS13, "TLS 1.3"},
};

/* TLS Supported Groups; the two of Kyber were drafts. */
static const struct named group_names[] = {
    {1, "sect163k1"}, {2, "sect163r1"}, {3, "sect163r2"}, {4, "sect193r1"}, {5, "sect193r2"},
    {6, "sect233k1"}, {7, "sect233r1"}, {8, "sect239k1"}, {9, "sect283k1"}, {10, "sect283r1"},
    {11, "sect409k1"}, {12, "sect409r1"}, {13, "sect571k1"}, {14, "sect571r1"},
    {15, "secp160k1"}, {16, "secp160r1"}, {17, "secp160r2"}, {18, "secp192k1"}, {19, "secp192r1"},
    {20, "secp224k1"}, {21, "secp224r1"}, {22, "secp256k1"}, {23, "secp256r1"}, {24, "secp384r1"},
    {25, "secp521r1"}, {26, "brainpoolP256r1"}, {27, "brainpoolP384r1"}, {28, "brainpoolP512r1"},
    {29, "x25519"}, {30, "x448"}, {31, "brainpoolP256r1tls13"}, {32, "brainpoolP384r1tls13"},
    {33, "brainpoolP512r1tls13"}, {34, "GC256A"}, {35, "GC256B"}, {36, "GC256C"}, {37, "GC256D"},
    {38, "GC512A"}, {39, "GC512B"}, {40, "GC512C"}, {41, "curveSM2"},
    {256, "ffdhe2048"}, {257, "ffdhe3072"}, {258, "ffdhe4096"}, {259, "ffdhe6144"},
    {260, "ffdhe8192"}, {512, "MLKEM512"}, {513, "MLKEM768"}, {514, "MLKEM1024"},
    {0x11eb, "SecP256r1MLKEM768"}, {0x11ec, "X25519MLKEM768"}, {0x11ed, "SecP384r1MLKEM1024"},
    {0x11ee, "curveSM2MLKEM768"},
    {0x6399, "X25519Kyber768Draft00"}, {0x639a, "SecP256r1Kyber768Draft00"},
    {0xff01, "arbitrary_explicit_prime_curves"}, {0xff02, "arbitrary_explicit_char2_curves"},
};

/* TLS SignatureScheme; those that RFC 8446 has taken out of it are named like the others. */
static const struct named scheme_names[] = {
    {0x0101, "rsa_pkcs1_md5"}, {0x0102, "dsa_md5"}, {0x0103, "ecdsa_md5"},
    {0x0201, "rsa_pkcs1_sha1"}, {0x0202, "dsa_sha1"}, {0x0203, "ecdsa_sha1"},
    {0x0301, "rsa_pkcs1_sha224"}, {0x0302, "dsa_sha224"}, {0x0303, "ecdsa_sha224"},
    {0x0401, "rsa_pkcs1_sha256"}, {0x0402, "dsa_sha256"}, {0x0403, "ecdsa_secp256r1_sha256"},
    {0x0420, "rsa_pkcs1_sha256_legacy"}, {0x0501, "rsa_pkcs1_sha384"}, {0x0502, "dsa_sha384"},
    {0x0503, "ecdsa_secp384r1_sha384"}, {0x0520, "rsa_pkcs1_sha384_legacy"},
    {0x0601, "rsa_pkcs1_sha512"}, {0x0602, "dsa_sha512"}, {0x0603, "ecdsa_secp521r1_sha512"},
    {0x0620, "rsa_pkcs1_sha512_legacy"}, {0x0704, "eccsi_sha256"}, {0x0705, "iso_ibs1"},
    {0x0706, "iso_ibs2"}, {0x0707, "iso_chinese_ibs"}, {0x0708, "sm2sig_sm3"},
    {0x0709, "gostr34102012_256a"}, {0x070a, "gostr34102012_256b"}, {0x070b, "gostr34102012_256c"},
    {0x070c, "gostr34102012_256d"}, {0x070d, "gostr34102012_512a"}, {0x070e, "gostr34102012_512b"},
    {0x070f, "gostr34102012_512c"}, {0x0804, "rsa_pss_rsae_sha256"}, {0x0805, "rsa_pss_rsae_sha384"},
    {0x0806, "rsa_pss_rsae_sha512"}, {0x0807, "ed25519"}, {0x0808, "ed448"},
    {0x0809, "rsa_pss_pss_sha256"}, {0x080a, "rsa_pss_pss_sha384"}, {0x080b, "rsa_pss_pss_sha512"},
    {0x081a, "ecdsa_brainpoolP256r1tls13_sha256"}, {0x081b, "ecdsa_brainpoolP384r1tls13_sha384"},
    {0x081c, "ecdsa_brainpoolP512r1tls13_sha512"},
    {0x0904, "mldsa44"}, {0x0905, "mldsa65"}, {0x0906, "mldsa87"},
};

/* TLS ExtensionType Values; and Next Protocol Negotiation, application settings and Channel ID,
   which browsers sent without a number of IANA's. */
static const struct named extension_names[] = {
    {HELLO_SERVER_NAMES, "server_name"}, {HELLO_MAX_FRAGMENT_LENGTH, "max_fragment_length"},
    {2, "client_certificate_url"}, {3, "trusted_ca_keys"}, {4, "truncated_hmac"},
    {HELLO_STATUS_REQUEST, "status_request"}, {6, "user_mapping"}, {7, "client_authz"},
    {8, "server_authz"}, {9, "cert_type"}, {HELLO_SUPPORTED_GROUPS, "supported_groups"},
    {HELLO_EC_POINT_FORMATS, "ec_point_formats"}, {12, "srp"},
    {HELLO_SIGNATURE_ALGORITHMS, "signature_algorithms"}, {14, "use_srtp"},
    {HELLO_HEARTBEAT, "heartbeat"}, {HELLO_ALPN, "application_layer_protocol_negotiation"},
    {17, "status_request_v2"}, {18, "signed_certificate_timestamp"},
    {19, "client_certificate_type"}, {20, "server_certificate_type"}, {HELLO_PADDING, "padding"},
    {HELLO_ENCRYPT_THEN_MAC, "encrypt_then_mac"},
    {HELLO_EXTENDED_MASTER_SECRET, "extended_master_secret"}, {24, "token_binding"},
    {25, "cached_info"}, {26, "tls_lts"}, {27, "compress_certificate"},
    {HELLO_RECORD_SIZE_LIMIT, "record_size_limit"}, {29, "pwd_protect"}, {30, "pwd_clear"},
    {31, "password_salt"}, {32, "ticket_pinning"}, {33, "tls_cert_with_extern_psk"},
    {34, "delegated_credential"}, {HELLO_SESSION_TICKET, "session_ticket"}, {36, "TLMSP"},
    {37, "TLMSP_proxying"}, {38, "TLMSP_delegate"}, {39, "supported_ekt_ciphers"},
    {HELLO_PRE_SHARED_KEY, "pre_shared_key"}, {HELLO_EARLY_DATA, "early_data"},
    {HELLO_SUPPORTED_VERSIONS, "supported_versions"}, {HELLO_COOKIE, "cookie"},
    {HELLO_PSK_KEY_EXCHANGE_MODES, "psk_key_exchange_modes"},
    {HELLO_CERTIFICATE_AUTHORITIES, "certificate_authorities"}, {48, "oid_filters"},
    {HELLO_POST_HANDSHAKE_AUTH, "post_handshake_auth"},
    {HELLO_SIGNATURE_ALGORITHMS_CERT, "signature_algorithms_cert"}, {HELLO_KEY_SHARE, "key_share"},
    {52, "transparency_info"}, {53, "connection_id_deprecated"}, {54, "connection_id"},
    {55, "external_id_hash"}, {56, "external_session_id"}, {57, "quic_transport_parameters"},
    {58, "ticket_request"}, {59, "dnssec_chain"}, {60, "sequence_number_encryption_algorithms"},
    {61, "rrc"}, {62, "tls_flags"}, {256, "ecjpake_kkpp"}, {13172, "next_protocol_negotiation"},
    {17513, "application_settings_old"}, {17613, "application_settings"}, {30032, "channel_id"},
    {0xfd00, "ech_outer_extensions"}, {HELLO_ENCRYPTED_CLIENT_HELLO, "encrypted_client_hello"},
    {HELLO_RENEGOTIATION_INFO, "renegotiation_info"},
};

static const struct named psk_mode_names[] = {{0, "psk_ke"}, {1, "psk_dhe_ke"}};
static const struct named point_format_names[] = {
    {0, "uncompressed"}, {1, "ansiX962_compressed_prime"}, {2, "ansiX962_compressed_char2"}};
static const struct named compression_names[] = {{0, "null"}, {1, "DEFLATE"}, {64, "LZS"}};
/* clang-format on */

static const char *find_name(const struct named *table, size_t count, uint16_t number)
{
  if (hello_is_grease(number)) return "GREASE";
  for (size_t i = 0; i < count; i++)
    if (table[i].number == number) return table[i].name;
  return NULL;
}

static const char *name_or_number(const char *name, uint16_t number, char out[HELLO_NAME])
{
  if (name != NULL) return name;
  snprintf(out, HELLO_NAME, "0x%04X", number);
  return out;
}

#define FIND(table, number) find_name(table, sizeof(table) / sizeof((table)[0]), number)

const char *hello_version_name(uint16_t version, char out[HELLO_NAME])
{
  return name_or_number(FIND(version_names, version), version, out);
}

const char *hello_group_name(uint16_t group, char out[HELLO_NAME])
{
  return name_or_number(FIND(group_names, group), group, out);
}

const char *hello_scheme_name(uint16_t scheme, char out[HELLO_NAME])
{
  return name_or_number(FIND(scheme_names, scheme), scheme, out);
}

const char *hello_extension_name(uint16_t extension, char out[HELLO_NAME])
{
  return name_or_number(FIND(extension_names, extension), extension, out);
}

const char *hello_psk_mode_name(uint16_t mode, char out[HELLO_NAME])
{
  return name_or_number(FIND(psk_mode_names, mode), mode, out);
}

const char *hello_point_format_name(uint16_t format, char out[HELLO_NAME])
{
  return name_or_number(FIND(point_format_names, format), format, out);
}

const char *hello_compression_name(uint16_t method, char out[HELLO_NAME])
{
  return name_or_number(FIND(compression_names, method), method, out);
}

bool hello_knows_extension(uint16_t extension)
{
  return FIND(extension_names, extension) != NULL;
}
