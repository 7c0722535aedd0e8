"""Wire shapes: strict types, camelCase names, and the envelope that every answer has."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

T = TypeVar("T")

DESCRIBED = 3  # problems; the first of them tell what is the matter


class WireModel(BaseModel):
    """A JSON object as clients send or receive it: no type is coerced, unknown keys are ignored."""

    model_config = ConfigDict(
        strict=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )


_BLANK = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # what str.strip() takes away
_READABLE = rf"^[^\x00]*[^\x00{_BLANK}][^\x00]*$"
"""What :func:`_readable` demands, for the document, as a pattern that means the same in every dialect."""


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half of a surrogate pair") from error
    return text


def _readable(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


StoredText = Annotated[str, AfterValidator(_storable)]
"""All text that PostgreSQL can hold: what another service accepted, and of which we keep a copy."""

Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000),
    AfterValidator(_storable),
    AfterValidator(_readable),
    Field(json_schema_extra={"pattern": _READABLE}),
]
"""Text that a person reads, 1 to 1000 characters."""

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_storable)]
"""What names something in a message, short enough for an index."""

OpaqueId = Annotated[str, StringConstraints(min_length=1)]
"""An id in a body: whatever text it is, it either names something or is not found."""


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 2008.0 is 2008, and 2008.5 stays what it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


IntegralFloat = BeforeValidator(_whole)
"""Stands behind the limits of a number, so that they are in its schema."""

Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), IntegralFloat]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


class MessageResponse(WireModel):
    status: Literal["success"] = "success"
    message: str


class DataResponse(WireModel, Generic[T]):
    status: Literal["success"] = "success"
    data: T


class CreatedResponse(WireModel, Generic[T]):
    status: Literal["success"] = "success"
    message: str
    data: T


def describe(error: ValidationError) -> str:
    """What is wrong, as ``field: problem``, in one line; the input itself is not repeated."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    told = [_describe_problem(".".join(map(str, problem["loc"])), problem["msg"]) for problem in problems[:DESCRIBED]]
    rest = len(problems) - DESCRIBED
    return "; ".join([*told, f"and {rest} more"] if rest > 0 else told)


def _describe_problem(field: str, message: str) -> str:
    told = message.removeprefix("Value error, ")
    return f"{field}: {told}" if field else told
