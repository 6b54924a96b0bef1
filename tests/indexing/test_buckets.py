"""Archives in a bucket: what is asked of it, and what a server does that is in trouble."""

import re
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from sdindex import ArchiveError, ArchiveUnavailableError, Index, OutputError, ReadingError
from sdindex.archive import object_stores
from tests.conftest import make_image
from tests.indexing.conftest import URL
from tests.support.archives import encode
from tests.support.bucket import Answer, Bucket, Request, refusal
from tests.support.commands import run
from tests.support.counting import counts


def once_each(fault: Answer, verb: str = "get") -> Callable[[Request], Answer | None]:
    """Return what gives each question its fault, and its answer when it is asked again."""
    seen: set[Request | str] = set()

    def answer(request: Request) -> Answer | None:
        asked = f"{request.verb} {request.key} {request.query}"
        if request.verb != verb or asked in seen:
            return None
        seen.add(asked)
        return fault

    return answer


def always(fault: Answer, verb: str = "get", key: str = "") -> Callable[[Request], Answer | None]:
    return lambda request: fault if request.verb == verb and key in request.key else None


def after(requests: int, fault: Answer) -> Callable[[Request], Answer | None]:
    """Return what answers so many reads, and nothing at all any more."""
    reads = count()
    gone: list[bool] = []

    def answer(request: Request) -> Answer | None:
        if request.verb == "get" and next(reads) >= requests:
            gone.append(True)
        return fault if gone else None

    return answer


def test_each_object_is_read_once_and_never_again(index: Index, bucket: Bucket) -> None:
    assert counts(index.update(URL, workers=8)) == {"new": 12, "read": 12}
    assert bucket.requests["get"] == 12
    assert bucket.requests["head"] == 0
    readers = {it.headers["user-agent"] for it in bucket.asked if it.verb == "get"}
    assert all(reader.startswith("object_store") for reader in readers)
    bucket.forget()
    assert counts(index.update(URL)) == {"unchanged": 12}
    assert bucket.requests.keys() == {"list"}
    pages, folders = 2, 1  # of those in the folder, and the folder itself
    assert bucket.requests["list"] == pages + folders
    bucket.forget()
    assert counts(index.update()) == {"unchanged": 12}
    assert bucket.requests == {"list": pages + folders}


@pytest.mark.parametrize("by", ["own", "threads"])
def test_each_object_is_asked_for_as_it_was_listed(index: Index, bucket: Bucket, by: str) -> None:
    with ThreadPoolExecutor(1) as executor:
        index.update(URL, executor=None if by == "own" else executor)
    reads = [request for request in bucket.asked if request.verb == "get"]
    assert len(reads) == 12
    assert all(read.headers["if-match"] == bucket.etags[read.key] for read in reads)


def test_an_object_that_is_replaced_once_it_was_listed_is_read_next_time(
    index: Index, bucket: Bucket
) -> None:
    keys = [f"season 1/cam0/IMG_{number}.JPG" for number in (1, 3)]
    new = bucket.objects["season 1/cam1/IMG_2.JPG"]

    def replace(request: Request) -> None:
        if request.verb == "get" and request.key in keys:
            bucket.put(request.key, new)

    bucket.fault = replace
    assert counts(index.update(URL)) == {"new": 10, "unreadable": 2, "read": 12}
    assert {"replaced while it was read" in file.reason for file in index.errors()} == {True}
    bucket.fault = lambda _: None
    assert counts(index.update(URL)) == {"unchanged": 10, "changed": 2, "read": 2}
    bucket.forget()
    assert counts(index.update(URL)) == {"unchanged": 12}
    assert bucket.requests["get"] == 0


def test_a_listing_that_changes_under_way_is_right_in_the_end(
    index: Index, bucket: Bucket, tmp_path: Path
) -> None:
    small = make_image(tmp_path / "small.png", 1, (9, 8)).read_bytes()
    folder = "season 1/cam2"
    for number in range(1100):
        bucket.put(f"{folder}/{number:04}.png", small)

    def change(request: Request) -> None:
        if "continuation-token" in request.query and f"{folder}/0000.png" in bucket.objects:
            for name in ("0000.png", "1099.png"):
                bucket.remove(f"{folder}/{name}")
            for name in ("0000a.png", "1098a.png"):
                bucket.put(f"{folder}/{name}", small)

    bucket.fault = change
    found = counts(index.update(URL, workers=32))
    assert found == {"new": 12 + 1099, "skipped": 1, "read": 12 + 1099}
    assert counts(index.update(URL)) == {"new": 1, "unchanged": 12 + 1099, "read": 1}
    bucket.forget()
    assert counts(index.update(URL)) == {"unchanged": 12 + 1100}
    assert bucket.requests == {"list": 1 + 1 + 1 + 2}  # pages of the top folder, and those in it


def test_it_is_as_from_the_disk(
    index: Index, bucket: Bucket, archive: Path, tmp_path: Path
) -> None:
    index.update(URL)
    with Index(tmp_path / "other.db") as other:
        other.update(archive)
        here = [(image.relative_path, image.dhash) for image in other.select(8)]
    assert [(image.relative_path, image.dhash) for image in index.select(8)] == here


def test_a_new_etag_is_read_and_a_new_time_is_not(
    index: Index, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(URL)
    monkeypatch.setattr("tests.support.bucket._MODIFIED", "2025-01-02T03:04:05.000Z")
    assert counts(index.update(URL)) == {"unchanged": 12}
    bucket.etags["season 1/cam0/IMG_1.JPG"] = '"another"'
    assert counts(index.update(URL)) == {"unchanged": 11, "changed": 1, "read": 1}
    assert counts(index.update(URL)) == {"unchanged": 12}


def test_an_object_with_another_key_is_not_read_again(index: Index, bucket: Bucket) -> None:
    index.update(URL)
    bucket.put("season 1/cam9/IMG_1.JPG", bucket.objects["season 1/cam0/IMG_1.JPG"])
    bucket.remove("season 1/cam0/IMG_1.JPG")
    assert counts(index.update(URL)) == {"unchanged": 11, "moved": 1}


def test_a_thumbnail_takes_64_kb_and_no_more(index: Index, bucket: Bucket) -> None:
    for key in list(bucket.keys):
        with Image.open(BytesIO(bucket.objects[key])) as picture:
            content = encode(picture, datetime(2024, 1, 2, tzinfo=UTC), "a", "b", 90)
        bucket.put(key, content + b"\0" * 200_000)
    index.update(URL, method="thumbnail")
    reads = [request for request in bucket.asked if request.verb == "get"]
    assert [request.headers["range"] for request in reads] == ["bytes=0-65535"] * 12
    assert bucket.bytes_sent <= 12 * 65_536 + 30_000  # of listings
    assert len(set(index.paths(12))) == 12


def test_what_has_no_thumbnail_is_read_as_a_whole(
    index: Index, bucket: Bucket, tmp_path: Path
) -> None:
    key = "season 1/cam0/IMG_1.JPG"
    for name in list(bucket.keys):
        bucket.remove(name)
    bucket.put(key, make_image(tmp_path / "x.jpg", 5, (2000, 1500)).read_bytes())
    assert len(bucket.objects[key]) > 65_536
    assert counts(index.update(URL, method="thumbnail")) == {"new": 1, "read": 1}
    first, rest = (request.headers for request in bucket.asked if request.verb == "get")
    assert (first["range"], rest.get("range")) == ("bytes=0-65535", None)


def test_what_is_read_on_is_of_the_same_version(
    index: Index, bucket: Bucket, tmp_path: Path, threads: Executor
) -> None:
    key = "season 1/cam0/IMG_1.JPG"
    bucket.put(key, make_image(tmp_path / "x.jpg", 5, (2000, 1500)).read_bytes())
    index.update(URL, method="thumbnail", executor=threads)
    parts = [it.headers for it in bucket.asked if it.verb == "get" and it.key == key]
    assert [part["range"] for part in parts] == ["bytes=0-65535", "bytes=65536-"]
    assert [part["if-match"] for part in parts] == [bucket.etags[key]] * 2


def test_an_object_that_is_replaced_while_it_is_read_is_read_next_time(
    index: Index, bucket: Bucket, tmp_path: Path, threads: Executor
) -> None:
    key = "season 1/cam0/IMG_1.JPG"
    old, new = (make_image(tmp_path / "x.jpg", n, (2000, 1500)).read_bytes() for n in (5, 6))
    bucket.put(key, old)

    def replace(request: Request) -> None:
        if request.verb == "get" and request.headers.get("range") == "bytes=65536-":
            bucket.put(key, new)

    bucket.fault = replace
    summary = index.update(URL, method="thumbnail", executor=threads)
    assert counts(summary) == {"new": 11, "unreadable": 1, "read": 12}
    assert ["replaced while it was read" in file.reason for file in index.errors()] == [True]
    bucket.fault = lambda _: None
    assert counts(index.update(URL, executor=threads)) == {"unchanged": 11, "changed": 1, "read": 1}


@pytest.mark.parametrize(
    "fault",
    [refusal(503, "SlowDown"), refusal(500, "InternalError"), refusal(429, "TooManyRequests"),
     Answer(200, b"x" * 1000, cut=True)],
    ids=["503", "500", "429", "cut"],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["get", "list"])
def test_what_fails_once_is_asked_again(
    index: Index, bucket: Bucket, fault: Answer, verb: str
) -> None:
    bucket.fault = once_each(fault, verb)
    assert counts(index.update(URL, workers=4)) == {"new": 12, "read": 12}
    assert counts(index.update(URL)) == {"unchanged": 12}


@pytest.mark.parametrize(
    ("fault", "why"),
    [(refusal(503, "SlowDown"), "503 SlowDown, after 5 tries"),
     (Answer(200, b"x" * 1000, cut=True), "connection to the store fails"),
     (refusal(403, "AccessDenied"), "access denied (AccessDenied)"),
     (refusal(501, "NotImplemented"), "the store answers 501")],
    ids=["503", "cut", "403", "501"],
)  # fmt: skip
def test_what_fails_each_time_is_told_and_tried_at_the_next_update(
    index: Index, bucket: Bucket, fault: Answer, why: str
) -> None:
    bucket.fault = always(fault, key="IMG_3.JPG")
    assert counts(index.update(URL)) == {"new": 11, "unreadable": 1, "read": 12}
    (error,) = index.errors()
    assert why in error.reason
    bucket.fault = lambda _: None
    assert counts(index.update(URL)) == {"unchanged": 11, "changed": 1, "read": 1}


def test_what_hangs_is_given_up(
    index: Index, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_stores, "ANSWER_SECONDS", 0.3)
    object_stores.store_of.cache_clear()
    bucket.fault = always(Answer(200, late=2), key="IMG_3.JPG")
    assert counts(index.update(URL)) == {"new": 11, "unreadable": 1, "read": 12}
    assert "does not answer in time" in index.errors()[0].reason


def test_a_store_that_gives_nothing_any_more_ends_the_update(index: Index, bucket: Bucket) -> None:
    for number in range(30):
        bucket.put(f"season 1/cam2/{number}.jpg", b"x")
    bucket.fault = always(refusal(500, "InternalError"))
    with pytest.raises(ReadingError, match=r"20 files in a row .* its store may be failing"):
        index.update(URL)


def test_an_object_that_is_gone_when_it_is_to_be_read_is_left_out(
    index: Index, bucket: Bucket
) -> None:
    bucket.fault = always(refusal(404, "NoSuchKey"), key="IMG_3.JPG")
    assert counts(index.update(URL)) == {"new": 11, "skipped": 1, "read": 11}


@pytest.mark.parametrize(
    ("fault", "why"),
    [(refusal(404, "NoSuchBucket"), "there is no such bucket"),
     (refusal(403, "AccessDenied"), "access denied (AccessDenied); log in"),
     (refusal(400, "ExpiredToken"), "access denied (ExpiredToken); log in")],
    ids=["gone", "403", "expired"],
)  # fmt: skip
def test_a_bucket_that_goes_away_in_the_middle_loses_nothing(
    index: Index, bucket: Bucket, fault: Answer, why: str
) -> None:
    index.update(URL, workers=1)
    bucket.fault = after(2, fault)
    with pytest.raises(ArchiveUnavailableError, match=re.escape(why)):
        index.update(URL, method="exact", workers=1)
    with pytest.raises(ArchiveUnavailableError, match=re.escape(why)):
        index.update(URL)
    bucket.fault = lambda _: None
    assert index.status().archives[0].missing == 0
    index.update(URL)
    assert index.status().archives[0].missing == 0
    assert len(list(index.paths(12))) == 12


def test_a_folder_that_cannot_be_listed_is_kept_and_told(index: Index, bucket: Bucket) -> None:
    index.update(URL)
    bucket.fault = always(refusal(503, "SlowDown"), "list", "cam1")
    summary = index.update(URL)
    assert counts(summary) == {"unchanged": 6}
    assert [refused.path for refused in summary.unlooked] == [f"{URL}/cam1/"]
    bucket.fault = lambda _: None
    assert counts(index.update(URL)) == {"unchanged": 12}


def test_a_listing_that_fails_in_the_middle_loses_nothing(index: Index, bucket: Bucket) -> None:
    for number in range(1100):
        bucket.put(f"season 1/cam2/{number:04}.jpg", b"")
    index.update(URL)
    bucket.fault = lambda request: (
        refusal(500, "InternalError") if "continuation-token" in request.query else None
    )
    index.update(URL)
    assert index.status().archives[0].missing == 0


def test_a_bucket_is_emptied_and_nothing_is_forgotten(index: Index, bucket: Bucket) -> None:
    index.update(URL)
    for key in list(bucket.keys):
        bucket.remove(key)
    with pytest.raises(ArchiveUnavailableError, match="nothing is there"):
        index.update(URL)
    assert index.status().archives[0].missing == 0


def test_the_command_line_says_in_one_line_what_is_wrong(db: Path, bucket: Bucket) -> None:
    bucket.fault = always(refusal(403, "AccessDenied"), "list")
    result = run("index", URL, db=db)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "access denied (AccessDenied); log in as AWS programs do (AWS_PROFILE" in result.stderr


def test_so_many_requests_as_workers_are_under_way(index: Index, bucket: Bucket) -> None:
    content = bucket.objects["season 1/cam0/IMG_1.JPG"]
    for number in range(200):
        bucket.put(f"season 1/cam2/{number:04}.jpg", content)
    bucket.latency = 0.1
    index.update(URL, workers=64)
    assert 40 <= bucket.most_under_way <= 64


def test_it_moves_between_a_disk_and_a_bucket_and_nothing_is_read_again(
    index: Index, bucket: Bucket, archive: Path
) -> None:
    index.update(archive)
    make_image(archive / "cam0/IMG_1.JPG", 55, (100, 80))
    with pytest.raises(ArchiveError, match="does not hold the images"):
        index.relocate(archive, "s3://bucket")
    index.relocate(archive, URL)
    assert counts(index.update(URL)) == {"unchanged": 12}
    assert bucket.requests["get"] == 0
    assert index.select(12)[0].path == f"{URL}/cam0/IMG_1.JPG"
    index.relocate(URL, archive)
    assert counts(index.update(archive)) == {"unchanged": 11, "changed": 1, "read": 1}


def test_a_report_and_copies_have_its_pictures(
    index: Index, bucket: Bucket, tmp_path: Path
) -> None:
    index.update(URL)
    assert index.report(6).count("data:image/jpeg") >= 6
    sample = index.select(4)
    bucket.forget()
    assert index.put_files(sample, tmp_path / "copies").new == 4
    assert bucket.requests["get"] == 4
    assert index.put_files(sample, tmp_path / "copies").kept == 4
    for image in sample:
        copy = tmp_path / "copies" / image.relative_path
        assert copy.read_bytes() == bucket.objects[f"season 1/{image.relative_path}"]
        assert copy.stat().st_mtime == 1704164645  # as the store says: LastModified


@pytest.mark.parametrize("how", ["link", "symlink"])
def test_nothing_can_link_to_an_object(
    index: Index, bucket: Bucket, tmp_path: Path, how: Literal["link", "symlink"]
) -> None:
    index.update(URL)
    with pytest.raises(OutputError, match="lie in a store, to which no link leads; use --copy-to"):
        index.put_files(index.select(4), tmp_path / "copies", how=how)
    assert not (tmp_path / "copies").exists()


def test_keys_that_obstore_does_not_take_are_read_all_the_same(
    index: Index, bucket: Bucket, tmp_path: Path
) -> None:
    for number, name in enumerate(["a//b.jpg", "../c.jpg", "new\nline.jpg", "#.jpg", "%41.jpg"]):
        bucket.put(f"season 1/{name}", bucket.objects[f"season 1/cam0/IMG_{2 * number + 1}.JPG"])
    assert counts(index.update(URL)) == {"new": 17, "read": 17}
    assert counts(index.update(URL)) == {"unchanged": 17}
    refused = [f"{URL}/../c.jpg", f"{URL}/a//b.jpg"]
    with pytest.raises(OutputError, match=rf"{URL}/\.\./c\.jpg and 1 more: no file here can"):
        index.put_files(index.select(17), tmp_path / "copies")
    assert index.put_files(index.select(17, exclude=refused), tmp_path / "copies").new == 15
