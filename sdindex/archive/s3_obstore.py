"""Reading objects of S3 through obstore, where it is installed: in a tenth of s3fs's time.

obstore is asked first, but only for keys of plain names: it takes no others, and cannot list a
bucket that has any. Whatever it refuses is asked of s3fs, whose error tells why. Server, region and
credentials are those of s3fs.
"""

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sdindex.archive.names import printable

log = logging.getLogger("sdindex")

_PLAIN = re.compile(r"(?:[\w() -][\w.() -]*/)*[\w() -][\w.() -]*", re.ASCII)
_HOLD = timedelta(minutes=5)  # for which credentials that expire are kept


class ObstoreReads:
    """Reads objects of one bucket; obstore must be installed."""

    def __init__(self, files: Any, bucket: str, connect_seconds: float, seconds: float) -> None:
        from fsspec.asyn import sync
        from obstore.exceptions import BaseError, NotFoundError, PreconditionError
        from obstore.store import S3Store

        self._files = files
        self._problem = BaseError
        self._of_the_object = (NotFoundError, PreconditionError)
        self._works = False
        client = sync(files.loop, self._client, bucket)
        own = client.meta.endpoint_url
        server = {} if "amazonaws.com" in own else {"endpoint": own}
        if files.anon:
            login: dict[str, Any] = {"skip_signature": True}
        else:
            login = {"credential_provider": lambda: sync(files.loop, self._login)}
        self._store: Any = S3Store(
            bucket,
            region=client.meta.region_name or "us-east-1",
            client_options={
                "allow_http": own.startswith("http:"),
                "connect_timeout": timedelta(seconds=connect_seconds),
                "timeout": timedelta(seconds=seconds),
            },
            retry_config={"max_retries": 0},
            **server,
            **login,
        )

    def get(
        self, key: str, start: int, end: int | None, version: str
    ) -> tuple[bytes, dict[str, Any]] | None:
        """Return an object's bytes and its attributes in S3; None where s3fs is to be asked."""
        if self._store is None or not _PLAIN.fullmatch(key):
            return None
        asked: dict[str, Any] = {"if_match": version} if version else {}
        if start or end is not None:
            asked["range"] = {"offset": start} if end is None else (start, end)
        try:
            answer = self._store.get(key, options=asked)
            content = bytes(answer.bytes())
        except (self._problem, ValueError) as problem:
            is_of_object = isinstance(problem, self._of_the_object)
            if not (self._works or is_of_object):  # the bucket may be in another region
                log.info("obstore is not used: %s", printable(str(problem).partition("\n")[0]))
                self._store = None
            return None
        self._works = True
        said = answer.meta
        return content, {
            "Size": said["size"],
            "LastModified": said["last_modified"],
            "ETag": said["e_tag"] or "",
        }

    async def _client(self, bucket: str) -> Any:
        await self._files.set_session()
        return await self._files.get_s3(bucket)

    async def _login(self) -> dict[str, Any]:
        files = self._files
        if files.key:
            key, secret, token = files.key, files.secret, files.token
        else:
            found = await files.session.get_credentials()
            now = await found.get_frozen_credentials()
            key, secret, token = now.access_key, now.secret_key, now.token
        ends = datetime.now(UTC) + _HOLD if token else None
        return {
            "access_key_id": key,
            "secret_access_key": secret,
            "token": token,
            "expires_at": ends,
        }
