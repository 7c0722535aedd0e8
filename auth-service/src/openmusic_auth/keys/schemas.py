from typing import Literal

from openmusic_kit.web.schemas import WireModel


class PublicKey(WireModel):
    """A key of RFC 8037."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class KeySet(WireModel):
    keys: list[PublicKey]
