from openmusic_kit.commands.output import Json, done
from openmusic_kit.version import VERSION


def version(as_json: Json = False) -> None:
    """Shows which release this is. `GET /version` of the gateway shows which one runs."""
    done(f"OpenMusic {VERSION}", as_json, version=VERSION)
