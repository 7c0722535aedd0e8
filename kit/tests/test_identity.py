import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from openmusic_kit.errors import Unauthenticated, Unavailable
from openmusic_kit.identity import KEYS_LIFETIME, TokenVerifier, bearer_token


@dataclass
class Issuer:
    """Publishes whatever keys it holds; ``down`` makes it fail."""

    keys: dict[str, Ed25519PrivateKey] = field(default_factory=lambda: {"first": Ed25519PrivateKey.generate()})
    down: bool = False
    fetches: int = 0

    async def publish(self) -> bytes:
        self.fetches += 1
        if self.down:
            raise Unavailable("down")
        keys = [OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid} for kid, key in self.keys.items()]
        return json.dumps({"keys": keys}).encode()

    def token(self, kid: str = "first", header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        payload = {"sub": "user-1", "iss": "issuer", "aud": "audience", "iat": now, "exp": now + 600} | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        headers = {"kid": kid, "typ": "at+jwt"} | (header or {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return jwt.encode(payload, self.keys[kid], algorithm="EdDSA", headers=headers)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@dataclass
class Clock:
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(issuer: Issuer, clock: Clock) -> TokenVerifier:
    return TokenVerifier(issuer.publish, "issuer", "audience", clock)


async def test_a_good_token_names_its_user_and_keys_are_fetched_once(issuer: Issuer, verifier: TokenVerifier) -> None:
    token = issuer.token()

    assert [await verifier.verify(token) for _ in range(5)] == ["user-1"] * 5
    assert issuer.fetches == 1


def _unsigned(issuer: Issuer) -> str:
    return jwt.encode(jwt.decode(issuer.token(), options={"verify_signature": False}), "", algorithm="none")


def _signed_with_the_public_key(issuer: Issuer) -> str:
    public = issuer.keys["first"].public_key()
    pem = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    return jwt.encode(claims, pem, algorithm="HS256", headers={"kid": "first", "typ": "at+jwt"})


def _signed_by_somebody_else(_: Issuer) -> str:
    return Issuer().token()


def _with_another_subject(issuer: Issuer) -> str:
    header, payload, signature = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"sub": "user-2"}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{forged}.{signature}"


def _with_stray_bits(issuer: Issuer) -> str:
    """The last letter of a signature stands for two bits and has room for six."""
    *start, last = issuer.token()
    return "".join(start) + {"A": "B", "Q": "R", "g": "h", "w": "x"}[last]


@pytest.mark.parametrize(
    "forge",
    [
        _unsigned,
        _signed_with_the_public_key,
        _signed_by_somebody_else,
        _with_another_subject,
        lambda issuer: issuer.token(iss="else"),
        lambda issuer: issuer.token(aud="else"),
        lambda issuer: issuer.token(exp=int(time.time()) - 5),
        lambda issuer: issuer.token(nbf=int(time.time()) + 60),
        lambda issuer: issuer.token(exp=None),
        lambda issuer: issuer.token(sub=None),
        lambda issuer: issuer.token(header={"typ": "JWT"}),
        lambda issuer: issuer.token(header={"kid": "unknown"}),
        lambda issuer: issuer.token()[:-3],
        lambda _: "",
        lambda _: "a.b.c",
        _with_stray_bits,
        lambda issuer: issuer.token() + "==",
        lambda issuer: issuer.token()[:-4] + "!!!!" + issuer.token()[-4:],
        lambda issuer: issuer.token()[:-4] + "\n" + issuer.token()[-4:],
        lambda issuer: issuer.token() * 2,
        lambda issuer: issuer.token(header={"kid": None}),
        lambda issuer: issuer.token(iat=int(time.time()) + 60),
        lambda _: "é" * 10,
        lambda _: "a" * 10_000,
    ],
)
async def test_a_bad_token_names_nobody(
    issuer: Issuer, verifier: TokenVerifier, forge: Callable[[Issuer], str]
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(issuer))


async def test_whichever_bit_is_flipped_the_token_names_nobody(issuer: Issuer, verifier: TokenVerifier) -> None:
    token = issuer.token()
    assert await verifier.verify(token) == "user-1"
    accepted = []
    for position in range(8 * len(token)):
        text = bytearray(token.encode())
        text[position // 8] ^= 1 << position % 8
        flipped = text.decode("latin-1")
        try:
            await verifier.verify(flipped)
        except Unauthenticated:
            continue
        accepted.append(flipped)

    assert accepted == []


async def test_a_remembered_token_still_expires(issuer: Issuer, verifier: TokenVerifier, clock: Clock) -> None:
    token = issuer.token(exp=int(clock.now) + 5)
    await verifier.verify(token)

    clock.now += 6

    known = await verifier.verify(issuer.token())
    assert known == "user-1"
    assert token in verifier._memo
    assert verifier._memo[token].expires_at < clock.now


async def test_a_new_key_is_found_and_a_withdrawn_one_stops_working(
    issuer: Issuer, verifier: TokenVerifier, clock: Clock
) -> None:
    old = issuer.token()
    await verifier.verify(old)
    issuer.keys["second"] = Ed25519PrivateKey.generate()
    clock.now += 2

    assert await verifier.verify(issuer.token("second")) == "user-1"
    assert await verifier.verify(old) == "user-1"

    del issuer.keys["first"]
    clock.now += KEYS_LIFETIME + 1
    with pytest.raises(Unauthenticated):
        await verifier.verify(old)


async def test_unknown_keys_do_not_make_us_flood_the_issuer(issuer: Issuer, verifier: TokenVerifier) -> None:
    await verifier.verify(issuer.token())
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await verifier.verify(issuer.token(header={"kid": "unknown"}))

    assert issuer.fetches == 1


async def test_without_the_issuer_known_keys_go_on_and_without_keys_it_is_unavailable(
    issuer: Issuer, verifier: TokenVerifier, clock: Clock
) -> None:
    issuer.down = True
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token())

    issuer.down = False
    assert await verifier.verify(issuer.token()) == "user-1"

    issuer.down = True
    clock.now += KEYS_LIFETIME + 1
    assert await verifier.verify(issuer.token()) == "user-1"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer   ", "Basic abc", "token"])
def test_a_header_without_a_bearer_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        bearer_token(header)


def test_the_scheme_may_be_written_in_any_case() -> None:
    assert bearer_token("bEARER abc") == "abc"
