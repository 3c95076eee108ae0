"""Asks OpenSSL's own DANE client whether it accepts a chain; Debian's libssl, TLS 1.3 in memory.

One case a line on standard input, in JSON:
    {"chain": [hex of DER...], "key": hex of PKCS #8, "records": ["2 1 1 ..."], "base": name, "now": seconds}
One answer a line on standard output: "accepted" or the error's text.
"""

import ctypes
import json
import sys
from ctypes import byref, c_char_p, c_int, c_long, c_size_t, c_ubyte, c_uint8, c_ulong, c_void_p

crypto = ctypes.CDLL("libcrypto.so.3", mode=ctypes.RTLD_GLOBAL)
ssl = ctypes.CDLL("libssl.so.3")


def function(library, name, result, *arguments):
    found = getattr(library, name)
    found.restype, found.argtypes = result, arguments
    return found


P = c_void_p
d2i_X509 = function(crypto, "d2i_X509", P, P, P, c_long)
X509_free = function(crypto, "X509_free", None, P)
d2i_AutoPrivateKey = function(crypto, "d2i_AutoPrivateKey", P, P, P, c_long)
EVP_PKEY_free = function(crypto, "EVP_PKEY_free", None, P)
BIO_new = function(crypto, "BIO_new", P, P)
BIO_s_mem = function(crypto, "BIO_s_mem", P)
BIO_up_ref = function(crypto, "BIO_up_ref", c_int, P)
ERR_clear_error = function(crypto, "ERR_clear_error", None)
ERR_get_error = function(crypto, "ERR_get_error", c_ulong)
ERR_reason_error_string = function(crypto, "ERR_reason_error_string", c_char_p, c_ulong)
X509_VERIFY_PARAM_set_time = function(crypto, "X509_VERIFY_PARAM_set_time", None, P, c_long)
X509_verify_cert_error_string = function(crypto, "X509_verify_cert_error_string", c_char_p, c_long)
TLS_method = function(ssl, "TLS_method", P)
SSL_CTX_new = function(ssl, "SSL_CTX_new", P, P)
SSL_CTX_free = function(ssl, "SSL_CTX_free", None, P)
SSL_CTX_ctrl = function(ssl, "SSL_CTX_ctrl", c_long, P, c_int, c_long, P)
SSL_CTX_set_security_level = function(ssl, "SSL_CTX_set_security_level", None, P, c_int)
SSL_CTX_use_certificate = function(ssl, "SSL_CTX_use_certificate", c_int, P, P)
SSL_CTX_use_PrivateKey = function(ssl, "SSL_CTX_use_PrivateKey", c_int, P, P)
SSL_CTX_dane_enable = function(ssl, "SSL_CTX_dane_enable", c_int, P)
SSL_CTX_set_verify = function(ssl, "SSL_CTX_set_verify", None, P, c_int, P)
SSL_new = function(ssl, "SSL_new", P, P)
SSL_free = function(ssl, "SSL_free", None, P)
SSL_set_bio = function(ssl, "SSL_set_bio", None, P, P, P)
SSL_set_accept_state = function(ssl, "SSL_set_accept_state", None, P)
SSL_set_connect_state = function(ssl, "SSL_set_connect_state", None, P)
SSL_do_handshake = function(ssl, "SSL_do_handshake", c_int, P)
SSL_get_error = function(ssl, "SSL_get_error", c_int, P, c_int)
SSL_get0_param = function(ssl, "SSL_get0_param", P, P)
SSL_dane_enable = function(ssl, "SSL_dane_enable", c_int, P, c_char_p)
SSL_dane_set_flags = function(ssl, "SSL_dane_set_flags", c_ulong, P, c_ulong)
SSL_dane_tlsa_add = function(
    ssl, "SSL_dane_tlsa_add", c_int, P, c_uint8, c_uint8, c_uint8, c_char_p, c_size_t
)
SSL_get_verify_result = function(ssl, "SSL_get_verify_result", c_long, P)
SSL_get0_dane_authority = function(ssl, "SSL_get0_dane_authority", c_int, P, P, P)

EXTRA_CHAIN_CERT, MODE, NO_AUTO_CHAIN = 14, 33, 8
VERIFY_PEER, WANT_READ, NO_DANE_EE_NAMECHECKS = 1, 2, 1


def der(library_reader, octets):
    """The object that `library_reader` makes of DER."""
    buffer = (c_ubyte * len(octets)).from_buffer_copy(octets)
    pointer = c_void_p(ctypes.addressof(buffer))
    read = library_reader(None, ctypes.cast(byref(pointer), P), len(octets))
    assert read, "not DER"
    return read


def server_context(case):
    context = SSL_CTX_new(TLS_method())
    SSL_CTX_set_security_level(context, 0)
    SSL_CTX_ctrl(context, MODE, NO_AUTO_CHAIN, None)
    leaf, *rest = [der(d2i_X509, bytes.fromhex(text)) for text in case["chain"]]
    assert SSL_CTX_use_certificate(context, leaf) == 1
    X509_free(leaf)
    key = der(d2i_AutoPrivateKey, bytes.fromhex(case["key"]))
    assert SSL_CTX_use_PrivateKey(context, key) == 1
    EVP_PKEY_free(key)
    for certificate in rest:
        assert SSL_CTX_ctrl(context, EXTRA_CHAIN_CERT, 0, certificate) == 1
    return context


def client_session(context, case):
    session = SSL_new(context)
    assert SSL_dane_enable(session, case["base"].encode()) == 1
    # As Postfix and Exim do: usage 3 disregards names (RFC 7672, section 3.1.1).
    SSL_dane_set_flags(session, NO_DANE_EE_NAMECHECKS)
    usable = 0
    for record in case["records"]:
        usage, selector, matching_type, *data = record.split()
        data = bytes.fromhex("".join(data))
        numbers = int(usage), int(selector), int(matching_type)
        usable += SSL_dane_tlsa_add(session, *numbers, data, len(data)) == 1
    X509_VERIFY_PARAM_set_time(SSL_get0_param(session), case["now"])
    return session, usable


def shake_hands(client, server):
    """Passes messages to and fro until nothing moves; the outcome is in the sessions."""
    to_server, to_client = BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())
    BIO_up_ref(to_server), BIO_up_ref(to_client)
    SSL_set_bio(client, to_client, to_server)
    SSL_set_bio(server, to_server, to_client)
    SSL_set_connect_state(client)
    SSL_set_accept_state(server)
    for _ in range(4):
        outcome = SSL_do_handshake(client)
        if outcome == 1:
            return True
        if SSL_get_error(client, outcome) != WANT_READ:
            return False
        SSL_do_handshake(server)
    return False


def judge(case):
    ERR_clear_error()
    server_side = server_context(case)
    client_side = SSL_CTX_new(TLS_method())
    assert SSL_CTX_dane_enable(client_side) == 1
    SSL_CTX_set_verify(client_side, VERIFY_PEER, None)
    server = SSL_new(server_side)
    client, usable = client_session(client_side, case)
    if not usable:
        answer = "no usable record"
    elif shake_hands(client, server) and SSL_get0_dane_authority(client, None, None) >= 0:
        answer = "accepted"
    else:
        result = SSL_get_verify_result(client)
        answer = X509_verify_cert_error_string(result).decode()
        if result == 0:
            answer = f"handshake: {ERR_reason_error_string(ERR_get_error())}"
    for session in (client, server):
        SSL_free(session)
    for context in (client_side, server_side):
        SSL_CTX_free(context)
    return answer


for line in sys.stdin:
    print(judge(json.loads(line)), flush=True)
