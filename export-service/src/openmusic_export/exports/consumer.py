"""Deletes the exports of users who are deleted. That is idempotent, so no inbox is needed."""

from typing import ClassVar

from openmusic_export.exports.service import ExportService
from openmusic_kit.messaging.events import Envelope, EventData
from openmusic_kit.messaging.subscription import Subscription
from openmusic_kit.web.schemas import ShortText


class UserDeleted(EventData):
    event_type: ClassVar[str] = "user.deleted"
    event_version: ClassVar[int] = 1
    user_id: ShortText


async def delete_exports(exports: ExportService, event: UserDeleted, _: Envelope) -> None:
    await exports.delete_all(event.user_id)


SUBSCRIPTION = Subscription[ExportService]("export.users", {UserDeleted: delete_exports})
