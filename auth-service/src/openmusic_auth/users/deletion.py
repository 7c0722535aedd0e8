from openmusic_auth.events import UserDeleted
from openmusic_auth.users.repository import Credentials, UserRepository
from openmusic_kit.database.database import Database
from openmusic_kit.messaging import outbox


async def delete_user(database: Database, credentials: Credentials) -> bool:
    """Deletes the user and all sessions. Other services delete their part when the event arrives.

    False if the password has changed since ``credentials`` were read, or the user is gone.
    """
    async with database.unit_of_work() as work:
        version = await UserRepository(work.connection).delete(credentials)
        if version is None:
            return False
        event = UserDeleted(user_id=credentials.user_id)
        await outbox.append(work.connection, event, aggregate_id=credentials.user_id, sequence=version)
        await work.commit()
    return True
