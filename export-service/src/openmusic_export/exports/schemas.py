from openmusic_export.addresses import MailAddress
from openmusic_kit.web.schemas import WireModel


class ExportPayload(WireModel):
    target_email: MailAddress
