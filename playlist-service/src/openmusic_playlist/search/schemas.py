from typing import Annotated

from pydantic import Field

from openmusic_kit.web.schemas import Text

MAX_RESULTS = 50
Query = Annotated[Text, Field(max_length=200)]
Results = Annotated[int, Field(ge=1, le=MAX_RESULTS)]
