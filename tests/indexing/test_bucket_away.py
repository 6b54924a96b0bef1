"""A bucket that is away, goes away, or hangs: it is told at once, and nothing is lost."""

import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from sdindex import ArchiveUnavailableError, Index, OutputError, ReadingError
from tests.indexing.conftest import URL
from tests.support.bucket import Answer, Bucket, Request, refusal
from tests.support.counting import counts


@pytest.mark.parametrize("paths", [[URL], []], ids=["named", "known"])
def test_a_bucket_that_goes_away_while_it_is_listed_is_told_once(
    index: Index, bucket: Bucket, paths: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    index.update(URL)
    lists = count()

    def gone(request: Request) -> Answer | None:
        is_gone = request.verb == "list" and next(lists) > 0
        return refusal(400, "ExpiredToken") if is_gone else None

    bucket.fault = gone
    if paths:
        with pytest.raises(ArchiveUnavailableError, match=r"access denied \(ExpiredToken\)"):
            index.update(*paths)
    else:
        assert index.update().away == [URL]
        assert "access denied (ExpiredToken)" in caplog.text
    bucket.fault = lambda _: None
    assert counts(index.update(URL)) == {"unchanged": 12}


def test_what_is_not_there_is_told_before_anything_is_read(
    index: Index, bucket: Bucket, archive: Path, db: Path
) -> None:
    with pytest.raises(ArchiveUnavailableError, match="s3://bucket/none cannot be read"):
        index.update(archive, "s3://bucket/none")
    assert not db.exists()
    assert counts(index.update(archive)) == {"new": 12, "read": 12}
    with pytest.raises(ArchiveUnavailableError, match="s3://bucket/none cannot be read"):
        index.update(URL, "s3://bucket/none")
    assert bucket.requests["get"] == 0


def test_who_may_list_and_not_read_is_told_soon(index: Index, bucket: Bucket) -> None:
    for number in range(100):
        bucket.put(f"season 1/cam2/{number}.jpg", b"x")
    bucket.fault = lambda it: refusal(403, "AccessDenied") if it.verb == "get" else None
    with pytest.raises(ReadingError, match=r"20 files in a row .* access denied \(AccessDenied\)"):
        index.update(URL, workers=4)
    assert len({request.key for request in bucket.asked if request.verb == "get"}) < 100


def test_copies_are_given_up_where_the_store_refuses(
    index: Index, bucket: Bucket, tmp_path: Path
) -> None:
    index.update(URL)
    bucket.fault = lambda it: refusal(403, "AccessDenied") if it.verb == "head" else None
    bucket.forget()
    with pytest.raises(OutputError, match=r"IMG_1.JPG: access denied \(403\); log in"):
        index.put_files(index.select(12), tmp_path / "copies")
    assert {*bucket.requests} == {"head"}
    assert bucket.requests["head"] <= 12, "each is asked for once: what is refused stays refused"


def test_objects_that_lie_on_tape_are_each_their_own(index: Index, bucket: Bucket) -> None:
    for number in range(30):
        bucket.put(f"season 1/cam0/old {number}.jpg", b"x")
    cold = refusal(403, "InvalidObjectState")
    bucket.fault = lambda it: cold if it.verb == "get" and "old" in it.key else None
    assert counts(index.update(URL)) == {"new": 12, "unreadable": 30, "read": 42}
    assert {file.reason for file in index.errors()} == {
        "cannot be read: it is archived (InvalidObjectState): restore it, and index again"
    }


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is another thing there")
@pytest.mark.parametrize("verb", ["get", "list"])
def test_ctrl_c_ends_it_while_the_store_hangs(bucket: Bucket, db: Path, verb: str) -> None:
    hanging: list[Request] = []

    def hang(request: Request) -> Answer | None:
        if request.verb != verb or "delimiter" in request.query:
            return None
        hanging.append(request)
        return Answer(200, late=600)

    bucket.fault = hang
    command = [sys.executable, "-m", "sdindex", "--db", str(db), "index", URL]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not hanging:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        try:
            _, shown = process.communicate(timeout=20)  # of 30 that an answer may take
        finally:
            process.kill()
    assert process.returncode == 130
    assert shown == "interrupted; what was stored is kept, and the next run goes on\n"
