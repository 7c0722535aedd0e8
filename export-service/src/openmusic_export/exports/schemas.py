from openmusic_export.addresses import MailAddress
from openmusic_kit.schemas import WireModel


class ExportPayload(WireModel):
    target_email: MailAddress
