#!/usr/bin/env python3
"""A front before an ACME CA that has each certificate signed by another intermediate than the last.

Directory, accounts and orders are those of the CA behind it; only the chain that is downloaded is
another, under a root of the lab's own. While the file "still" is there, the intermediate stays.
Standard library and the openssl command alone.
"""

import argparse
import http.client
import http.server
import pathlib
import random
import re
import ssl
import subprocess
import threading

CHAIN = "application/pem-certificate-chain"
END = b"-----END CERTIFICATE-----\n"


def openssl(*arguments, input=b""):
    return subprocess.run(["openssl", *arguments], input=input, stdout=subprocess.PIPE, check=True).stdout


class Intermediates:
    """Who signs."""

    def __init__(self, directory, names):
        self.directory, self.names = directory, names
        self.last, self.signed = names[0], {}
        self.lock = threading.Lock()

    def sign(self, path, leaf):
        """The chain at a path: the same however often it is asked for."""
        with self.lock:
            if path not in self.signed:
                if not (self.directory / "still").exists():
                    self.last = random.choice([name for name in self.names if name != self.last])
                self.signed[path] = self.chain(leaf, self.last)
                print(path, "is signed by", self.last, flush=True)
            return self.signed[path]

    def chain(self, leaf, name):
        """A certificate for the same names and key, and the intermediate's."""
        public_key, certificate = self.directory / "leaf.pub", self.directory / (name + ".pem")
        public_key.write_bytes(openssl("x509", "-noout", "-pubkey", input=leaf))
        names = re.findall("DNS:[^,\\s]+", openssl("x509", "-noout", "-ext", "subjectAltName", input=leaf).decode())
        extensions = self.directory / "leaf.ext"
        extensions.write_text("subjectAltName = %s\nextendedKeyUsage = serverAuth\n" % ", ".join(names)
                              + "authorityKeyIdentifier = keyid:always\n")
        signed = openssl("x509", "-new", "-force_pubkey", public_key, "-subj", "/CN=" + names[0][4:],
                         "-CA", certificate, "-CAkey", self.directory / (name + ".key"), "-days", "90",
                         "-set_serial", str(random.getrandbits(120)), "-extfile", extensions)
        return signed + certificate.read_bytes()


class Front(http.server.BaseHTTPRequestHandler):
    """Passes requests on, each by a connection of its own; `Host` included, so that URLs lead here."""

    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        behind = http.client.HTTPSConnection("127.0.0.1", self.server.behind, context=self.server.client)
        headers = {key: value for key, value in self.headers.items() if key != "Connection"}
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        content = answer.read()
        is_chain = answer.headers.get_content_type() == CHAIN
        if is_chain:
            content = self.server.intermediates.sign(self.path, content[: content.index(END) + len(END)])
        self.send_response_only(answer.status)
        for key, value in answer.getheaders():
            # Other chains would be by the CA's own intermediates.
            is_other_chain = is_chain and key == "Link" and "alternate" in value
            if key not in ("Content-Length", "Transfer-Encoding", "Connection") and not is_other_chain:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = pass_on


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--behind", type=int, required=True, help="the CA's port")
    parser.add_argument("--identity", type=pathlib.Path, required=True, help="where https.* are")
    parser.add_argument("--directory", type=pathlib.Path, required=True)
    parser.add_argument("intermediates", nargs="+")
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Front, False)
    server.behind = options.behind
    server.client = ssl.create_default_context(cafile=str(options.identity / "https-ca.pem"))
    server.intermediates = Intermediates(options.directory, options.intermediates)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.identity / "https.pem", options.identity / "https.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.server_bind()
    server.server_activate()
    server.serve_forever()


if __name__ == "__main__":
    main()
