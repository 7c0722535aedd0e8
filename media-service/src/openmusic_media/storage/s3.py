"""S3-compatible storage. The SDK is synchronous, so each call runs in a worker thread."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import urllib3
from anyio import CapacityLimiter, to_thread
from minio import Minio
from minio.datatypes import PostPolicy
from minio.error import MinioException, S3Error

from openmusic_kit.errors import Unavailable
from openmusic_media.settings import Settings
from openmusic_media.storage.interface import ObjectNotFound, StoredObject, UploadForm

T = TypeVar("T")

THREADS = 16
TIMEOUT = urllib3.Timeout(connect=1.0, read=5.0)
GONE = frozenset({"NoSuchKey", "NoSuchObject"})


class S3Storage:
    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.s3_bucket
        self._limiter = CapacityLimiter(THREADS)
        self._client = Minio(
            endpoint=settings.s3_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3_secure,
            region=settings.s3_region,
            http_client=urllib3.PoolManager(timeout=TIMEOUT, maxsize=THREADS, retries=urllib3.Retry(1)),
        )
        self._public_endpoint = settings.s3_public_endpoint.rstrip("/")
        self._has_bucket = False

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        def put() -> None:
            self._client.put_object(
                bucket_name=self._bucket,
                object_name=key,
                data=io.BytesIO(content),
                length=len(content),
                content_type=content_type,
            )

        await self._run(put)

    async def get(self, key: str) -> StoredObject:
        def get() -> StoredObject:
            with _missing(key):
                answer = self._client.get_object(bucket_name=self._bucket, object_name=key)
            try:
                content = answer.read()
                if answer.headers.get("Content-Length") != str(len(content)):
                    raise ConnectionError("the answer is truncated")  # urllib3 accepts one cut off within its headers
                return StoredObject(content, answer.headers.get("Content-Type", "application/octet-stream"))
            finally:
                answer.close()
                answer.release_conn()

        return await self._run(get)

    async def delete(self, key: str) -> None:
        await self._run(lambda: self._client.remove_object(bucket_name=self._bucket, object_name=key))

    async def delete_all(self, prefix: str) -> None:
        def delete_all() -> None:
            while names := names_of_all():  # again: a thumbnail may have been stored before its cover was deleted
                for name in names:
                    self._client.remove_object(bucket_name=self._bucket, object_name=name)

        def names_of_all() -> list[str]:
            found = self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True)
            return [each.object_name for each in found]  # a few: an album has one current cover

        await self._run(delete_all)

    async def keys(self, prefix: str = "") -> list[str]:
        def keys() -> list[str]:
            found = self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True)
            return [each.object_name for each in found if each.object_name]

        return await self._run(keys)

    async def upload_form(self, key: str, max_bytes: int, expires_at: datetime) -> UploadForm | None:
        if not self._public_endpoint:
            return None

        def sign() -> dict[str, str]:
            policy = PostPolicy(self._bucket, expires_at)
            policy.add_equals_condition("key", key)
            policy.add_content_length_range_condition(1, max_bytes)
            signed: dict[str, str] = self._client.presigned_post_policy(policy)
            return signed

        return UploadForm(f"{self._public_endpoint}/{self._bucket}", {"key": key, **await self._run(sign)})

    async def modified_at(self, key: str) -> datetime:
        def modified_at() -> datetime:
            with _missing(key):
                found = self._client.stat_object(bucket_name=self._bucket, object_name=key)
            return found.last_modified or datetime.now(UTC)

        return await self._run(modified_at)

    async def ping(self) -> None:
        self._has_bucket = False  # checks for it again
        await self._run(lambda: None, abandon_on_cancel=True)

    def _ensure_bucket(self) -> None:
        if self._has_bucket:
            return
        if not self._client.bucket_exists(bucket_name=self._bucket):
            try:
                self._client.make_bucket(bucket_name=self._bucket)
            except S3Error as error:  # another process created it first
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise
        self._has_bucket = True

    async def _run(self, call: Callable[[], T], *, abandon_on_cancel: bool = False) -> T:
        def run() -> T:
            self._ensure_bucket()
            return call()

        try:
            return await to_thread.run_sync(run, limiter=self._limiter, abandon_on_cancel=abandon_on_cancel)
        except S3Error as error:
            if error.code == "NoSuchBucket":  # it was deleted; the next call creates it again
                self._has_bucket = False
            raise Unavailable("The cover storage refused") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable("The cover storage is not available") from error


@contextmanager
def _missing(key: str) -> Iterator[None]:
    """Raises ObjectNotFound if the storage says so."""
    try:
        yield
    except S3Error as error:
        if error.code in GONE:
            raise ObjectNotFound(key) from error
        raise
