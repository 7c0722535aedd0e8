"""What a client accepts, by ``Accept`` or ``Accept-Encoding``."""

import re
from collections.abc import Mapping
from functools import lru_cache

_QUALITY = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)")


@lru_cache(maxsize=256)
def qualities(header: str) -> Mapping[str, float]:
    """Each value of the header, in lower case, with its quality (RFC 9110, section 12.4.2); 0 means "not this".

    Several fields must be joined by commas. A quality that is not valid is 0.
    """
    found = {}
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name:
            found[name] = min(map(_quality, parameters), default=1.0)
    return found


def _quality(parameter: str) -> float:
    if not parameter.startswith("q="):
        return 1.0
    return float(parameter[2:]) if _QUALITY.fullmatch(parameter) else 0.0
