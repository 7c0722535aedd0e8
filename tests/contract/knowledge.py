"""What schemathesis cannot know by itself: images that are images, names of what is there, and reasons to say no.

It loads this module as its hooks. ``FUZZ_KNOWN`` names a file with what is there, ``FUZZ_ANSWERED`` one to which each
answer is noted.
"""

import io
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies
from hypothesis.strategies import SearchStrategy
from PIL import Image
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import Case, HookContext, Response

from openmusic_testkit import plain_http

KNOWN: dict[str, dict[str, list[Any]]] = json.loads(Path(os.environ["FUZZ_KNOWN"]).read_text())
ANSWERED = Path(os.environ["FUZZ_ANSWERED"])
LONGEST = 128  # characters of anything that names
REJECTED = "Schema-valid request rejected"
VANISHED = "Created resource not found"
REMAINED = "Deleted resource still available"
UNAUTHORIZED = "Missing required header accepted"


def _image(kind: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(target, kind)
    return target.getvalue()


IMAGES = strategies.sampled_from([_image(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF")])
schemathesis.openapi.format("binary", IMAGES | strategies.binary(max_size=100))


def _with_what_is_there(context: HookContext, generated: Any) -> SearchStrategy[Any]:
    """The same, or with names of things that are there. What is no name stays, as it was meant to be wrong."""
    if not isinstance(generated, dict):
        return strategies.just(generated)
    there = KNOWN["everywhere"] | KNOWN.get(context.operation.label, {})
    named = strategies.fixed_dictionaries(
        {
            name: strategies.sampled_from(there[name])
            for name, value in generated.items()
            if _is_name(there, name, value)
        }
    )
    right = named.map(lambda names: generated | names)
    mostly_right = [right] * 4  # so that every operation succeeds at least once
    return strategies.one_of(*mostly_right, strategies.just(generated))


def _is_name(there: dict[str, list[Any]], name: str, value: Any) -> bool:
    """Or a list of different names."""
    names = value if isinstance(value, list) else [value]
    if name not in there or not all(isinstance(each, str) and each for each in names):
        return False
    return 0 < len(value) <= LONGEST and len({*names}) == len(names)


@schemathesis.hook
def flatmap_path_parameters(context: HookContext, path_parameters: Any) -> SearchStrategy[Any]:
    return _with_what_is_there(context, path_parameters)


@schemathesis.hook
def flatmap_body(context: HookContext, body: Any) -> SearchStrategy[Any]:
    return _with_what_is_there(context, body)


@schemathesis.hook
def filter_failure(_: HookContext, failure: Any, case: Case, response: Response) -> bool:
    """A request of the right shape may be refused for a reason that the document gives, such as a name that is taken.

    When several things can be missing, the one that was just created need not be the one. And what ``DELETE`` takes
    out of a list is no longer in it, but the list is still there. ``OPTIONS`` speaks of the path, whatever is there.
    A token that is given for all requests is not missing.
    """
    reasons = _reasons(case, response)
    if failure.title == REJECTED:
        # HEAD tells no reason, and what is wrong with a file follows the reason
        return case.method != "HEAD" and not response.json()["message"].startswith(tuple(reasons))
    if failure.title == UNAUTHORIZED:
        return "Authorization" not in response.request.headers
    if failure.title == REMAINED:
        return str(failure.operation).endswith("}") and case.method != "OPTIONS"
    return not (failure.title == VANISHED and len(reasons) > 1)


def _reasons(case: Case, response: Response) -> list[str]:
    document = case.operation.schema.raw_schema
    answer = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    reasons: list[str] = answer.get("description", "").split("; or ")
    return reasons


@schemathesis.hook
def before_call(_: HookContext, case: Case, options: dict[str, Any]) -> None:
    """What is there everywhere is not deleted: schemathesis also takes names from answers that it got.

    The account that is deleted is a new one. A session may have been ended by other requests, so the one to end is
    begun just before. For that the password stays what it is.
    """
    if re.fullmatch("[!-~]{1,255}", str((case.headers or {}).get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = secrets.token_hex(16)  # or it would be that of another request
    _let_conditions_hold(case)
    there = KNOWN.get(case.operation.label, {})
    match case.operation.label, case.path_parameters, case.body:
        case "DELETE /users/me/sessions/{session_id}", {"session_id": ended}, _ if ended in there.get("session_id", []):
            case.path_parameters["session_id"] = _new_session(case.operation.schema.get_base_url().rstrip("/"))
        case "DELETE /users/me", _, {"password": "secret"} if there:
            token = _new_user(case.operation.schema.get_base_url().rstrip("/"))
            options["auth"] = _Bearer(token)
        case "POST /albums/{album_id}/covers", {"album_id": album}, _ if album in _with_a_cover_that_stays():
            case.path_parameters["album_id"] = KNOWN["everywhere"]["album_id"][0]
        case "PUT /users/me/password", _, {"password": "secret", "newPassword": str()}:
            case.body["newPassword"] = "secret"
    doomed = KNOWN.get(case.operation.label, {}) if case.method == "DELETE" else {}
    for name, value in (case.path_parameters or {}).items():
        needed = (names.get(name, []) for label, names in KNOWN.items() if label != case.operation.label)
        if name in doomed and any(value in each for each in needed):
            case.path_parameters[name] = doomed[name][0]


def _with_a_cover_that_stays() -> list[Any]:
    return KNOWN.get("GET /covers/{folder}/{file}", {}).get("folder", [])


def _let_conditions_hold(case: Case) -> None:
    """No tag that is made up names what is there. What is no tag stays, as it was meant to be wrong."""
    if re.fullmatch(r'\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*', str((case.headers or {}).get("If-Match", ""))):
        case.headers["If-Match"] = "*"
    if "If-None-Match" in (case.headers or {}):
        case.headers["If-None-Match"] = '"another"'


class _Bearer(AuthBase):
    """Sends this token instead of the one that is given for all requests."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _new_user(url: str) -> str:
    """Returns an access token."""
    login = {"username": f"doomed_{secrets.token_hex(6)}", "password": "secret"}
    plain_http.post(f"{url}/users", json=login | {"fullname": "Doomed"}).raise_for_status()
    return str(plain_http.post(f"{url}/authentications", json=login).json()["data"]["accessToken"])


def _new_session(url: str) -> str:
    login = {name: values[0] for name, values in KNOWN["POST /authentications"].items()}
    token = plain_http.post(f"{url}/authentications", json=login).json()["data"]["accessToken"]
    listed = plain_http.get(f"{url}/users/me/sessions", headers={"Authorization": f"Bearer {token}"}).json()
    return max(str(session["id"]) for session in listed["data"]["sessions"])  # ids sort by time


@schemathesis.hook
def after_call(_: HookContext, case: Case, response: Response) -> None:
    with ANSWERED.open("a") as answered:
        answered.write(f"{case.method} {case.operation.path} {response.status_code}\n")
