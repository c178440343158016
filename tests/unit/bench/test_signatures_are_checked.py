import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from bench.signatures import Samples

KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
PUBLISHED = {**json.loads(ECAlgorithm.to_jwk(KEY.public_key())), "kid": "one", "alg": "ES256"}


class Jwks(BaseHTTPRequestHandler):
    """Answers with the published key."""

    def do_GET(self) -> None:
        body = json.dumps({"keys": [PUBLISHED]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def jwks() -> Iterator[str]:
    """The address of a key set."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Jwks) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def token(key: ec.EllipticCurvePrivateKey, kid: str = "one") -> str:
    """A token signed by a key."""
    return jwt.encode({"sub": "a"}, key, algorithm="ES256", headers={"kid": kid})


def test_sampled_tokens_that_are_signed_pass(jwks: str) -> None:
    """The first token and every 97th after it are checked, and forgotten then."""
    samples, good = Samples(), token(KEY)
    for _ in range(98):
        samples.note(good)
    assert [samples.check(jwks), samples.check(jwks)] == [2, 0]


@pytest.mark.parametrize("bad", [token(OTHER), token(OTHER, "two")], ids=["forged", "unknown key"])
def test_a_bad_signature_is_an_error(jwks: str, bad: str) -> None:
    """A server that signs with another key than it publishes has no figure."""
    samples = Samples()
    samples.note(bad)
    with pytest.raises(jwt.InvalidTokenError):
        samples.check(jwks)
