"""Asks GnuTLS's DANE library whether it accepts a chain; Debian's libgnutls-dane.

The questions and answers are those of oracle.py. Of a question it needs neither the key nor the name.
"""

import ctypes
import json
import sys
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_long, c_uint, c_void_p

gnutls = ctypes.CDLL("libgnutls.so.30", mode=ctypes.RTLD_GLOBAL)
dane = ctypes.CDLL("libgnutls-dane.so.0")

X509 = 1


class Datum(Structure):
    _fields_ = [("data", c_char_p), ("size", c_uint)]


def data(octets):
    return Datum(octets, len(octets))


@ctypes.CFUNCTYPE(c_long, POINTER(c_long))
def clock(result):
    if result:
        result[0] = now
    return now


def record(text):
    usage, selector, matching_type, *parts = text.split()
    return bytes([int(usage), int(selector), int(matching_type)]) + bytes.fromhex("".join(parts))


def verdict(state, query, chain):
    status = c_uint(0)
    failure = dane.dane_verify_crt_raw(state, chain, len(chain), X509, query, 0, 0, byref(status))
    if failure:
        return dane.dane_strerror(failure).decode()
    if status.value == 0:
        return "accepted"
    text = Datum()
    dane.dane_verification_status_print(status, byref(text), 0)
    return text.data.decode().strip()


def judge(case):
    global now
    now = case["now"]
    records = [record(text) for text in case["records"]]
    state, query = c_void_p(), c_void_p()
    assert dane.dane_state_init(byref(state), 0) == 0
    pointers = (c_char_p * (len(records) + 1))(*records, None)
    lengths = (c_int * (len(records) + 1))(*map(len, records), 0)
    failure = dane.dane_raw_tlsa(state, byref(query), pointers, lengths, 1, 0)
    chain = (Datum * len(case["chain"]))(*[data(bytes.fromhex(text)) for text in case["chain"]])
    answer = dane.dane_strerror(failure).decode() if failure else verdict(state, query, chain)
    dane.dane_query_deinit(query)
    dane.dane_state_deinit(state)
    return answer


now = 0
dane.dane_strerror.restype = c_char_p
gnutls.gnutls_global_set_time_function(clock)
for line in sys.stdin:
    print(judge(json.loads(line)), flush=True)
