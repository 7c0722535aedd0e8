from datetime import datetime

from openmusic_kit.web.schemas import WireModel


class DirectUploadForm(WireModel):
    """Send these fields to ``url`` as a multipart form, then the field ``file`` with the image."""

    upload_id: str
    url: str
    fields: dict[str, str]
    max_bytes: int
    expires_at: datetime
