"""An OpenID Connect provider of our own, over TLS on loopback."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1

from tests.services.iam.certificates import Certified, certify


class Issuer:
    """Signs tokens and shows its keys. `answers` are the documents by path; a test may change them."""

    def __init__(self, port: int, certificate: Certified) -> None:
        self.url = f"https://localhost:{port}/realm"
        self.thumbprint = certificate.certificate.fingerprint(SHA1()).hex()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {
            "/realm/.well-known/openid-configuration": self.document(issuer=self.url, jwks_uri=f"{self.url}/keys"),
            "/realm/keys": self.document(keys=[{**public, "kid": "one", "use": "sig"}]),
        }

    @staticmethod
    def document(**content: Any) -> tuple[int, dict[str, str], bytes]:
        return 200, {"content-type": "application/json"}, json.dumps(content).encode()

    def token(self, key: Any = None, algorithm: str = "RS256", kid: str = "one", **claims: Any) -> str:
        """A token for the audience `app`, good for five minutes."""
        now = int(time.time())
        content = {"iss": self.url, "aud": "app", "sub": "subject-1", "iat": now, "exp": now + 300, **claims}
        return jwt.encode(content, key or self.key, algorithm, headers={"kid": kid})


@contextmanager
def running(folder: Path, address: str = "127.0.0.1") -> Iterator[Issuer]:
    """An issuer that answers until the block ends."""
    certificate = certify("localhost")
    (folder / "tls.pem").write_text(certificate.pem + certificate.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            status, headers, body = issuer.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    issuer = Issuer(server.server_port, certificate)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield issuer
    server.shutdown()
    server.server_close()
    thread.join()
