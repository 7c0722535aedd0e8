"""Wire shapes: strict types, camelCase names, and the envelope that every answer has."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

T = TypeVar("T")


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


def _readable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000),
    AfterValidator(_readable),
    Field(json_schema_extra={"pattern": _READABLE}),
]
"""Text that a person reads, 1 to 1000 characters."""

AnyId = Annotated[str, StringConstraints(min_length=1)]
"""An id in a body: whatever text it is, it either names something or is not found."""


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 2008.0 is 2008, and 2008.5 stays what it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
"""Stands behind the limits of a number, so that they are in its schema."""

Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), Whole]


class Done(WireModel):
    status: Literal["success"] = "success"
    message: str


class Answer(WireModel, Generic[T]):
    status: Literal["success"] = "success"
    data: T


class Created(WireModel, Generic[T]):
    status: Literal["success"] = "success"
    message: str
    data: T
