"""What lists are asked for."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from openmusic_kit.web.schemas import StoredText

_NO_NUL = {"pattern": r"^[^\x00]*$"}

SearchText = Annotated[StoredText, Field(max_length=1000, json_schema_extra=_NO_NUL)]
"""A part of a text. Nothing is filtered when it is empty."""

ExactText = Annotated[StoredText, Field(max_length=100, json_schema_extra=_NO_NUL)]
"""A whole text or an id, likewise."""

Year = Annotated[
    int | None,
    Field(ge=-(2**31), le=2**31 - 1),
    WithJsonSchema({"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}),
]
"""A year to filter by. Nothing is filtered when it is None."""
