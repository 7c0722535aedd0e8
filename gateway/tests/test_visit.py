import json

import pytest

from openmusic_gateway.pipeline.visit import Visit
from openmusic_gateway.routes import ROUTES


@pytest.mark.parametrize("address", ["192.0.2.1", "unknown", 'fe80::1%"}\\'])
def test_the_members_for_the_access_log_are_json_whatever_the_address_is(address: str) -> None:
    assert json.loads(f'{{"status": 404{Visit(address).as_members()}}}') == {
        "status": 404,
        "client": address,
        "user": "",
        "route": "",
    }
    visit = Visit(address, "user-1", next(route for route in ROUTES if route.pattern == "/playlists/{id}"))
    assert json.loads(f'{{"status": 200{visit.as_members()}}}') == {
        "status": 200,
        "client": address,
        "user": "user-1",
        "route": "/playlists/{id}",
    }
