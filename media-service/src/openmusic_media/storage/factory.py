from openmusic_media.settings import Settings
from openmusic_media.storage.folder import FolderStorage
from openmusic_media.storage.interface import Storage
from openmusic_media.storage.s3 import S3Storage


def create_storage(settings: Settings) -> Storage:
    return S3Storage(settings) if settings.storage == "s3" else FolderStorage(settings.storage_folder)
