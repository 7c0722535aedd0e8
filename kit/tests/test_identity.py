import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from openmusic_kit.errors import Unauthenticated
from openmusic_kit.identity.token_verifier import LEEWAY, MEMO_SIZE, TokenVerifier, bearer_token
from openmusic_testkit.tokens import TokenIssuer, generate_key


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer("issuer", "audience", keys={"first": generate_key()})


@dataclass
class Clock:
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(issuer: TokenIssuer, clock: Clock) -> TokenVerifier:
    return TokenVerifier(issuer.publish, "issuer", "audience", clock)


async def test_a_good_token_names_its_user_and_keys_are_fetched_once(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    token = issuer.token()

    assert [await verifier.verify(token) for _ in range(5)] == ["user-1"] * 5
    assert issuer.fetches == 1


def _unsigned(issuer: TokenIssuer) -> str:
    return jwt.encode(jwt.decode(issuer.token(), options={"verify_signature": False}), "", algorithm="none")


def _signed_with_the_public_key(issuer: TokenIssuer) -> str:
    public = issuer.keys["first"].public_key()
    pem = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    return jwt.encode(claims, pem, algorithm="HS256", headers={"kid": "first", "typ": "at+jwt"})


def _signed_by_somebody_else(_: TokenIssuer) -> str:
    return TokenIssuer("issuer", "audience", keys={"first": generate_key()}).token()


def _with_another_subject(issuer: TokenIssuer) -> str:
    header, payload, signature = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"sub": "user-2"}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{forged}.{signature}"


def _with_stray_bits(issuer: TokenIssuer) -> str:
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
        lambda issuer: issuer.token(exp=int(time.time() - LEEWAY) - 1),
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
        lambda issuer: issuer.token(iat=time.time() + LEEWAY + 3),
        lambda issuer: issuer.token(iat=int(time.time()) + 60),
        lambda _: "é" * 10,
        lambda _: "a" * 10_000,
    ],
)
async def test_a_bad_token_names_nobody(
    issuer: TokenIssuer, verifier: TokenVerifier, forge: Callable[[TokenIssuer], str]
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(issuer))


async def test_whichever_bit_is_flipped_the_token_names_nobody(issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    token = issuer.token()
    assert await verifier.verify(token) == "user-1"
    accepted = []
    for position in range(0, 8 * len(token), 5):  # one or two of each character, and not always the same ones
        text = bytearray(token.encode())
        text[position // 8] ^= 1 << position % 8
        flipped = text.decode("latin-1")
        try:
            await verifier.verify(flipped)
        except Unauthenticated:
            continue
        accepted.append(flipped)

    assert accepted == []


async def test_clocks_five_seconds_apart_refuse_no_token_that_its_issuer_takes_for_good(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    made_in_the_future = issuer.token(iat=time.time() + 5, nbf=time.time() + 5)
    just_expired_here = issuer.token(exp=time.time() - 4)

    assert await verifier.verify(made_in_the_future) == "user-1"
    assert await verifier.verify(just_expired_here) == "user-1"


async def test_a_remembered_token_is_good_for_as_long_as_one_that_is_looked_at(
    issuer: TokenIssuer, verifier: TokenVerifier, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(exp=int(clock.now) + 600)
    await verifier.verify(token)
    looked_at = []
    decode = jwt.decode
    monkeypatch.setattr(jwt, "decode", lambda *args, **kwargs: looked_at.append(args) or decode(*args, **kwargs))

    clock.now = int(clock.now) + 600 + LEEWAY - 0.001
    await verifier.verify(token)
    assert looked_at == []
    clock.now += 0.001
    await verifier.verify(token)
    assert len(looked_at) == 1, "its time is over"


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    issuer: TokenIssuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MEMO_SIZE == 10_000
    monkeypatch.setattr("openmusic_kit.identity.token_verifier.MEMO_SIZE", 3)
    tokens = [issuer.token(number=number) for number in range(5)]
    for token in tokens:
        await verifier.verify(token)
    assert list(verifier._memo) == tokens[2:]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer   ", "Basic abc", "token"])
def test_a_header_without_a_bearer_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        bearer_token(header)


def test_the_scheme_may_be_written_in_any_case() -> None:
    assert bearer_token("bEARER abc") == "abc"
