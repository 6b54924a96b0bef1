"""A server on this machine that speaks S3 as far as images are read, slowly or faultily if asked.

The contract suite asks a server of others (moto); this one is for what no good server does, and
for measuring: it takes little of the machine's time.
"""

import asyncio
import os
import threading
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import md5
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape

PAGE = 1000
_MODIFIED = "2024-01-02T03:04:05.000Z"
_MODIFIED_HTTP = "Tue, 02 Jan 2024 03:04:05 GMT"


def package(name: str) -> Any:
    """Return a module of the extra `s3` or `test`; whoever lacks it skips the test, but not CI."""
    try:
        return import_module(name)
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        import pytest  # which a benchmark does without

        pytest.skip(f"{name.partition('.')[0]} is not installed: pip install -e '.[test]'")


class Request(NamedTuple):
    """What is asked: ``list``, ``get`` or ``head``; of a key, or of a prefix after a key."""

    verb: str
    key: str
    headers: dict[str, str]
    query: dict[str, str]


class Answer(NamedTuple):
    """What is answered; `cut` sends less than it promises, `late` seconds later."""

    status: int
    body: bytes = b""
    headers: tuple[str, ...] = ()
    cut: bool = False
    late: float = 0.0


Fault = Callable[[Request], Answer | None]


def refusal(status: int, code: str) -> Answer:
    """Return how S3 refuses."""
    body = f"<Error><Code>{code}</Code><Message>so it is</Message></Error>"
    return Answer(status, body.encode(), ("Content-Type: application/xml",))


@dataclass
class Bucket:
    """A bucket's objects, how it answers, and what it was asked."""

    name: str = "bucket"
    latency: float = 0.0  # seconds
    fault: Fault = lambda _: None
    objects: dict[str, bytes] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    bytes_sent: int = 0
    under_way: int = 0
    most_under_way: int = 0
    etags: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        if key not in self.objects:
            insort(self.keys, key)
        self.objects[key] = content
        self.etags[key] = f'"{md5(content, usedforsecurity=False).hexdigest()}"'

    def remove(self, key: str) -> None:
        """Remove an object."""
        del self.objects[key]
        self.keys.remove(key)

    @property
    def requests(self) -> Counter[str]:
        """How often each was asked since `forget`."""
        return Counter(request.verb for request in self.asked)

    def forget(self) -> None:
        """Count anew."""
        self.asked.clear()
        self.bytes_sent = self.most_under_way = 0

    def answer(self, request: Request) -> Answer:
        """Return what S3 would answer, or the fault."""
        fault = self.fault(request)
        if fault is not None:
            return fault
        if request.verb == "list":
            return self._list(request)
        content = self.objects.get(request.key)
        if content is None:
            return refusal(404, "NoSuchKey")
        etag = self.etags[request.key]
        if request.headers.get("if-match", etag) != etag:
            return refusal(412, "PreconditionFailed")
        about = (f"ETag: {etag}", f"Last-Modified: {_MODIFIED_HTTP}", "Content-Type: image/jpeg")
        span = request.headers.get("range")
        if span is None:
            return Answer(200, content, about)
        first, _, last = span.removeprefix("bytes=").partition("-")
        if int(first) >= len(content):
            return refusal(416, "InvalidRange")
        part = content[int(first) : int(last) + 1 if last else None]
        where = f"Content-Range: bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
        return Answer(206, part, (*about, where))

    def _list(self, request: Request) -> Answer:
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        at = bisect_right(self.keys, max(after, prefix[:-1] if prefix else ""))
        entries: list[str] = []
        last = ""
        folder: str | None = None
        more = False
        while at < len(self.keys):
            key = self.keys[at]
            at += 1
            if not key.startswith(prefix):
                if key > prefix:
                    break
                continue
            if folder is not None and key.startswith(folder):
                last = key
                continue
            if len(entries) == PAGE:
                more = True
                break
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            if end >= 0:
                folder = key[: end + 1]
                name = escape(quote(folder))
                entries.append(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>")
            else:
                size, etag = len(self.objects[key]), self.etags[key]
                entries.append(
                    f"<Contents><Key>{escape(quote(key))}</Key><Size>{size}</Size>"
                    f"<LastModified>{_MODIFIED}</LastModified><ETag>{escape(etag)}</ETag></Contents>"
                )
            last = key
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        body = (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"<EncodingType>url</EncodingType>{''.join(entries)}</ListBucketResult>"
        )
        return Answer(200, body.encode(), ("Content-Type: application/xml",))


async def _serve(
    bucket: Bucket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            request = _parsed(lines)
            bucket.asked.append(request)
            bucket.under_way += 1
            bucket.most_under_way = max(bucket.most_under_way, bucket.under_way)
            try:
                answer = bucket.answer(request)
                wait = bucket.latency + answer.late
                if wait:
                    await asyncio.sleep(wait)
            finally:
                bucket.under_way -= 1
            body = b"" if request.verb == "head" else answer.body
            head = [f"HTTP/1.1 {answer.status} so", f"Content-Length: {len(answer.body)}"]
            writer.write("\r\n".join([*head, *answer.headers, "", ""]).encode())
            writer.write(body[: len(body) // 2] if answer.cut else body)
            bucket.bytes_sent += len(body)
            if answer.cut:
                break
            await writer.drain()
    writer.close()


def _parsed(lines: list[str]) -> Request:
    verb, target, _ = lines[0].split(" ")
    path, _, text = target.partition("?")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    query = {name: values[0] for name, values in parse_qs(text).items()}
    _, _, key = path.lstrip("/").partition("/")
    if "list-type" in query:
        return Request("list", query.get("prefix", ""), headers, query)
    return Request("head" if verb == "HEAD" else "get", unquote(key), headers, query)


@contextmanager
def serving(bucket: Bucket) -> Iterator[str]:
    """Yield the address of a server of a bucket, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(
            lambda reader, writer: _serve(bucket, reader, writer), "127.0.0.1", 0
        )

    async def stop(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def spoken_to(address: str) -> Iterator[None]:
    """Have ``s3://`` mean the server at an address, in this process and those that it starts."""
    from sdindex.archive.object_stores import store_of

    ours = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    files = package("s3fs").S3FileSystem
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    store_of.cache_clear()
    files.clear_instance_cache()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        store_of.cache_clear()
        files.clear_instance_cache()
