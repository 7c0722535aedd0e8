from typing import Annotated

from pydantic import Field

from openmusic_export.addresses import MailAddress
from openmusic_kit.web.schemas import WireModel


class ExportPayload(WireModel):
    target_email: Annotated[MailAddress, Field(json_schema_extra={"format": "email"})]
