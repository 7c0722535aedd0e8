"""Tokens that somebody made up, altered, kept too long or took for something else: none of them opens anything."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm

from openmusic_kit.identity.token_verifier import LEEWAY
from openmusic_testkit import plain_http
from openmusic_testkit.tokens import TokenIssuer, generate_key, public_jwk
from openmusic_testkit.waiting import wait_until

MINUTE = 60


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _json(part: dict[str, Any]) -> str:
    return _encoded(json.dumps(part).encode())


def _unsigned(mint: TokenIssuer, algorithm: str) -> str:
    return f"{_json(mint.header(alg=algorithm))}.{_json(mint.claims())}."


def _with_the_public_key_as_secret(mint: TokenIssuer, form: str) -> str:
    """HS256, as if the public key were a shared secret."""
    public = mint.key.public_key()
    secret = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "raw": public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        "jwk": OKPAlgorithm.to_jwk(public).encode(),
    }[form]
    signed = f"{_json(mint.header(alg='HS256'))}.{_json(mint.claims())}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), secret)
    return f"{signed}.{_encoded(signature)}"


def _by_somebody_else(mint: TokenIssuer, **header: Any) -> str:
    key = generate_key()
    public = public_jwk(mint.kid, key)
    told = {name: public if value == "jwk" else value for name, value in header.items()}
    return jwt.encode(mint.claims(), key, "EdDSA", headers=mint.header(**told))


def _with_claims_of_another(mint: TokenIssuer) -> str:
    header, _, signature = mint.token().split(".")
    return f"{header}.{_json(mint.claims(sub='user-' + '0' * 32))}.{signature}"


def _flipped(mint: TokenIssuer, part: int, bit: int) -> str:
    parts = mint.token().split(".")
    content = bytearray(_decoded(parts[part]))
    content[(bit // 8) % len(content)] ^= 1 << bit % 8
    parts[part] = _encoded(bytes(content))
    return ".".join(parts)


def _with_stray_bits(mint: TokenIssuer) -> str:
    """The last letter of the signature stands for two bits and has room for six."""
    *start, last = mint.token()
    return "".join(start) + {"A": "B", "Q": "R", "g": "h", "w": "x"}[last]


FORGERIES: dict[str, Callable[[Any], str]] = {
    "alg none": lambda mint: _unsigned(mint, "none"),
    "alg None": lambda mint: _unsigned(mint, "None"),
    "alg EdDSA without a signature": lambda mint: _unsigned(mint, "EdDSA"),
    "HS256 with the public key as PEM": lambda mint: _with_the_public_key_as_secret(mint, "pem"),
    "HS256 with the public key as DER": lambda mint: _with_the_public_key_as_secret(mint, "der"),
    "HS256 with the public key as it is": lambda mint: _with_the_public_key_as_secret(mint, "raw"),
    "HS256 with the public key as JWK": lambda mint: _with_the_public_key_as_secret(mint, "jwk"),
    "an unknown kid": lambda mint: mint.token(header={"kid": "unknown"}),
    "a kid that is a path": lambda mint: mint.token(header={"kid": "../../etc/passwd"}),
    "no kid": lambda mint: mint.token(header={"kid": None}),
    "another issuer": lambda mint: mint.token(iss="somebody"),
    "no issuer": lambda mint: mint.token(iss=None),
    "another audience": lambda mint: mint.token(aud="somebody"),
    "no audience": lambda mint: mint.token(aud=None),
    "another type": lambda mint: mint.token(header={"typ": "JWT"}),
    "the type of a refresh token": lambda mint: mint.token(header={"typ": "rt+jwt"}),
    "no type": lambda mint: mint.token(header={"typ": None}),
    "expired": lambda mint: mint.token(iat=int(time.time()) - 2 * MINUTE, exp=int(time.time() - 2 * LEEWAY)),
    "expires at a text": lambda mint: mint.token(exp="never"),
    "not yet valid": lambda mint: mint.token(nbf=int(time.time()) + MINUTE),
    "issued in the future": lambda mint: mint.token(iat=int(time.time()) + MINUTE),
    "no exp": lambda mint: mint.token(exp=None),
    "no sub": lambda mint: mint.token(sub=None),
    "a key of its own, in the header": lambda mint: _by_somebody_else(mint, jwk="jwk"),
    "a key of its own, at an address": lambda mint: _by_somebody_else(mint, jku="http://127.0.0.1:1/jwks.json"),
    "a certificate of its own": lambda mint: _by_somebody_else(mint, x5c=["MIIB"], x5u="http://127.0.0.1:1/x"),
    "signed by somebody else": _by_somebody_else,
    "the signature of another token": _with_claims_of_another,
    **{
        f"bit {bit} of part {part} flipped": lambda mint, part=part, bit=bit: _flipped(mint, part, bit)  # type: ignore[misc]
        for part in (0, 1, 2)
        for bit in (0, 7, 83, 214, 401)
    },
    "stray bits behind the signature": _with_stray_bits,
    "padding behind the signature": lambda mint: mint.token() + "==",
    "other characters in the signature": lambda mint: mint.token()[:-4] + "!*!*" + mint.token()[-4:],
    "cut off": lambda mint: mint.token()[:-1],
    "without its signature": lambda mint: mint.token().rpartition(".")[0],
    "twice": lambda mint: mint.token() * 2,
    "twice, with a dot": lambda mint: f"{mint.token()}.{mint.token()}",
    "twice, with a space": lambda mint: f"{mint.token()} {mint.token()}",
    "twice, with a comma": lambda mint: f"{mint.token()}, Bearer {mint.token()}",
    "a space inside": lambda mint: mint.token().replace(".", ". ", 1),
    "a space in the signature": lambda mint: mint.token()[:-5] + " " + mint.token()[-5:],
    "a tab in the signature": lambda mint: mint.token()[:-5] + "\t" + mint.token()[-5:],
    "dots": lambda _: "..",
    "too long": lambda mint: mint.token(more="x" * 5000),
}


@pytest.fixture(params=["gateway", "playlist"])
def door(request: pytest.FixtureRequest, stack: Any, mint: TokenIssuer) -> str:
    """The gateway, and a service past it."""
    door: str = stack.url if request.param == "gateway" else stack.service_url(request.param)
    assert asked(door, mint.token()).status_code == 200, "what follows is refused for its flaw alone"
    return door


def asked(door: str, token: str, **more: Any) -> httpx.Response:
    return plain_http.get(f"{door}/playlists", headers={"Authorization": f"Bearer {token}"}, **more)


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == "fail"
    assert answer.json()["message"]


@pytest.mark.parametrize("flaw", FORGERIES)
def test_a_flawed_access_token_is_refused(door: str, mint: TokenIssuer, flaw: str) -> None:
    answer = asked(door, FORGERIES[flaw](mint))

    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Basic", "Token", "Bearer:", "", "Bear er"])
def test_a_good_token_in_another_scheme_is_refused(door: str, mint: TokenIssuer, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {mint.token()}".strip()}

    refused(plain_http.get(f"{door}/playlists", headers=headers), 401)


def test_two_tokens_at_once_are_refused(url: str, mint: TokenIssuer, owner: Any) -> None:
    """The gateway and the service could take different ones for the one that counts."""
    both = [("Authorization", f"Bearer {token}") for token in (mint.token(), owner.access_token)]

    refused(plain_http.get(f"{url}/playlists", headers=both), 401)


def test_a_token_elsewhere_than_in_its_header_is_not_looked_at(door: str, mint: TokenIssuer) -> None:
    path = f"{door}/playlists"

    refused(plain_http.get(path, params={"access_token": mint.token()}), 401)
    refused(plain_http.get(path, cookies={"Authorization": f"Bearer {mint.token()}"}), 401)


def test_a_refresh_token_is_no_access_token(door: str, owner: Any) -> None:
    refused(asked(door, owner.refresh_token), 401)


@pytest.mark.parametrize("where", ["gateway", "auth"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_access_token_is_no_refresh_token(
    stack: Any, owner: Any, mint: TokenIssuer, method: str, where: str
) -> None:
    door = stack.url if where == "gateway" else stack.service_url(where)
    for token in (owner.access_token, mint.token(), mint.token(header={"typ": "rt+jwt"})):
        answer = plain_http.request(method, f"{door}/authentications", json={"refreshToken": token})
        refused(answer, 400)


def test_a_token_of_a_key_that_was_rotated_out_is_refused_everywhere(
    stack: Any, url: str, mint: TokenIssuer, new_key: Callable[[], Any]
) -> None:
    doors = (url, stack.service_url("playlist"))
    with new_key() as (kid, key):
        token = TokenIssuer(subject=mint.subject, keys={kid: key}).token()
        for door in doors:
            wait_until(lambda door=door: asked(door, token).status_code == 200)  # type: ignore[misc]

    for door in doors:
        # An unknown key makes a process look for newer ones at once; without that it takes a minute.
        wait_until(
            lambda door=door: (
                asked(door, mint.token(header={"kid": "unknown"})).status_code == 401  # type: ignore[misc]
                and asked(door, token).status_code == 401
            )
        )
        assert asked(door, mint.token()).status_code == 200
