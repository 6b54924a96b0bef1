"""What every root must do: one suite for the local one and for those of tests."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from io import SEEK_END
from multiprocessing import Pipe
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest

from sdindex.archive.beside import Beside
from sdindex.archive.names import from_text, to_text
from sdindex.archive.object_root import ObjectRoot
from sdindex.archive.object_stores import store_of
from sdindex.archive.roots import (
    LocalRoot,
    NotFetchedError,
    Root,
    made_by,
    root_at,
    root_of,
    stored_root,
)
from sdindex.archive.scan import Span, Unlooked
from sdindex.archive.state import FoundFile
from sdindex.errors import ArchiveError
from tests.contracts.conftest import Client
from tests.support.bucket import package
from tests.support.roots import ActingRoot, FailingRoot, FarRoot, SlowRoot

Kind = Callable[[str], Root]
NAMES = ["a.jpg", "a/b.JPG", "a/c/d.webp", "a-b/x.png", "a.b/x.tif", "é.bmp", "z/empty.jpeg"]
REFUSED = "refused/1.jpg"


def refusing(folder: str) -> Root:
    return FailingRoot(folder, refused=frozenset([REFUSED]))


def far(folder: str) -> Root:
    bucket, name = os.path.split(folder)
    return FarRoot(f"far://{os.path.basename(bucket)}/{name}", os.path.dirname(bucket))


def disk_of(root: Root) -> Path:
    """Return the folder on this machine that a root's files are really in."""
    if isinstance(root, FarRoot):
        return Path(root.disk, *root.location().split("/")[2:])
    return Path(root.location())


def write(root: Root, name: str, content: bytes) -> None:
    if isinstance(root, ObjectRoot):
        package("fsspec").filesystem(root.url.split(":")[0]).pipe_file(
            f"{root.url}/{name}", content
        )
        return
    (disk_of(root) / name).parent.mkdir(parents=True, exist_ok=True)
    (disk_of(root) / name).write_bytes(content)


def content_of(name: str) -> bytes:
    return b"" if "empty" in name else name.encode()


LOCAL: list[Kind] = [LocalRoot, refusing, SlowRoot, ActingRoot, far]


@pytest.fixture(params=[*LOCAL, "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    made: Root
    if isinstance(request.param, str):
        if request.param == "s3":
            request.getfixturevalue("s3")
        made = root_of(f"{request.param}://{tmp_path.name.replace('_', '-').lower()}/season 1")
        package("fsspec").filesystem(request.param).mkdir(made.outermost())
    else:
        kind: Kind = request.param
        made = kind(str(tmp_path / "archive"))
    for name in [*NAMES, "notes.txt", "a/movie.mp4"]:
        write(made, name, content_of(name))
    yield made
    if isinstance(made, ObjectRoot):
        package("fsspec").filesystem(request.param).rm(made.outermost(), recursive=True)


def files(found: Iterator[object]) -> list[FoundFile]:
    return [file for item in found if isinstance(item, list) for file in item]


def test_a_scan_gives_every_image_once_in_the_order_of_the_paths(root: Root) -> None:
    assert [file.path for file in files(root.scan())] == sorted(NAMES)
    assert [file.path for file in files(root.scan("a/"))] == ["a/b.JPG", "a/c/d.webp"]


def test_litter_and_what_is_excluded_is_passed_over_and_counted(root: Root) -> None:
    for name in ["a/@eaDir/b.JPG/x.jpg", "a/._b.JPG", "a-b/y.png"]:
        write(root, name, b"x")
    found = list(root.scan(excluded=("a-b/",)))
    kept = [name for name in NAMES if not name.startswith("a-b/")]
    assert [file.path for file in files(iter(found))] == sorted(kept)
    (beside,) = (item for item in found if isinstance(item, Beside))
    assert str(beside) == "1 .MP4; 1 file in @eaDir; 1 ._*; 1 folder excluded"


def test_spans_of_paths_share_it(root: Root) -> None:
    spans = [Span("", "a/"), Span("a/", "a/c/"), Span("a/c/", None)]
    found = [file.path for span in spans for file in files(root.scan(span=span))]
    assert found == sorted(NAMES)


def test_a_look_at_single_files_gives_those_that_are_there(root: Root) -> None:
    wanted = ["z/empty.jpeg", "nothing.jpg", "a/none/x.jpg", "a.jpg", "a"]
    assert [file.path for file in files(root.look_at(wanted))] == ["a.jpg", "z/empty.jpeg"]


def test_one_state_whoever_is_asked(root: Root) -> None:
    scanned = {file.path: file.state for file in files(root.scan())}
    looked = {file.path: file.state for file in files(root.look_at(NAMES))}
    assert scanned == looked == {name: root.state(name) for name in NAMES}
    for name in NAMES:
        with root.open(name) as file:
            assert root.state_of(file) == scanned[name]
            file.read()
            assert root.state_of(file) == scanned[name]


def test_a_file_that_changes_while_it_is_open_shows_it(root: Root) -> None:
    with root.open("a.jpg") as file:
        before = root.state_of(file)
        write(root, "a.jpg", b"something longer")
        if isinstance(root, ObjectRoot):  # it has what it was, whatever is written later
            assert (root.state_of(file), file.read()) == (before, b"a.jpg")
        else:
            assert root.state_of(file) != before
    assert root.state("a.jpg") != before


def test_what_is_opened_are_the_files_bytes(root: Root) -> None:
    for name in NAMES:
        with root.open(name) as file:
            assert file.read() == content_of(name)
            file.seek(1)
            assert file.read(3) == content_of(name)[1:4]
    with root.open("z/empty.jpeg", 3) as file:
        assert file.read() == b""


def test_of_a_file_opened_for_its_head_all_can_be_read(root: Root) -> None:
    for name in NAMES:
        with root.open(name, 3) as file:
            assert file.read(3) == content_of(name)[:3]
            assert file.read() == content_of(name)[3:]
            assert file.seek(0, SEEK_END) == len(content_of(name))
            file.seek(1)
            assert file.read(3) == content_of(name)[1:4]


def test_what_is_fetched_is_read_by_a_worker(root: Root) -> None:
    for head in (None, 2):
        fetched = ForkingPickler.loads(ForkingPickler.dumps(root.fetched("a/b.JPG", head)))
        with fetched.open("a/b.JPG", head) as file:
            assert fetched.state_of(file) == root.state("a/b.JPG")
            assert file.read(2) == b"a/"
            if head is None or not root.is_far:
                assert file.read() == b"b.JPG"
            elif isinstance(root, ObjectRoot):
                with pytest.raises(NotFetchedError):
                    file.read()
    with pytest.raises(FileNotFoundError):
        root.fetched("none.jpg").open("none.jpg")


@pytest.mark.parametrize("path", ["none.jpg", "none/none.jpg"])
def test_what_is_not_there_is_not_found(root: Root, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        root.state(path)
    with pytest.raises(FileNotFoundError):
        root.open(path)
    with pytest.raises(FileNotFoundError):
        root.identity("none/")
    (unlooked,) = root.scan("none/")
    assert isinstance(unlooked, Unlooked)
    assert unlooked.path == "none/"


def test_a_folder_is_itself_and_no_other(root: Root, tmp_path: Path) -> None:
    assert root.identity() == root.identity() != root.identity("a/")
    if isinstance(root, ObjectRoot):
        package("fsspec").filesystem(root.url.split(":")[0]).rm(root.location(), recursive=True)
        with pytest.raises(FileNotFoundError):
            root.identity()
        return
    os.rename(disk_of(root), tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        root.identity()
    (tmp_path / "archive").mkdir()
    other = root.identity()
    assert other != LocalRoot(str(tmp_path / "away")).identity()


def test_a_worker_gets_the_same_root(root: Root) -> None:
    sent, got = Pipe()
    sent.send(root)
    there: Root = got.recv()
    sent.close()
    got.close()
    assert list(there.scan()) == list(root.scan())
    assert there.location("a/b.JPG") == root.location("a/b.JPG")


def test_a_file_is_no_folder(root: Root) -> None:
    with pytest.raises(NotADirectoryError):
        root.identity("a.jpg")
    with pytest.raises(FileNotFoundError):
        root.identity("a.jpg/below/")


def test_locations_are_absolute_names(root: Root) -> None:
    start = root.location()
    assert root.absolute() == root.real() == start
    assert root.location("a/").replace(os.sep, "/") == f"{start}/a".replace(os.sep, "/")
    assert root.location("a/b.JPG").replace(os.sep, "/") == f"{start}/a/b.JPG".replace(os.sep, "/")


def test_a_location_leads_back_to_its_path(root: Root) -> None:
    for path in ["a.jpg", "a/b.JPG", "é.bmp", "", r"caf\xe9.jpg", "a/c/d.webp"]:
        assert root.within(root.location(path)) == path
    assert root.within(root.location("a/")) == "a"
    start = root.location()
    for elsewhere in [f"{start}2", f"{start}2/a.jpg", root.outermost(), "far:/"]:
        assert root.within(elsewhere) is None


def test_a_root_is_found_by_what_is_stored_of_it(root: Root) -> None:
    with made_by(lambda folder: replace(root, **{fields(root)[0].name: folder})):  # type: ignore[type-var, arg-type]
        there = stored_root(root.stored())
        assert there == root == root_at(root.location())
        assert there.location() == root.location()
        outermost = root_of(root.outermost())
        assert outermost.within(root.location()) is not None
        assert outermost.outermost() == outermost.location() == root.outermost()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such names are Linux's")
@pytest.mark.parametrize("root", LOCAL, indirect=True)
def test_names_that_are_no_text_can_be_opened(root: Root) -> None:
    folder = disk_of(root) / "a"
    raw = [b"caf\xe9.jpg", b"caf\xc3\xa9.jpg", b"new\nline.jpg", b"back\\slash.jpg", b"-rf .jpg"]
    for name in raw:
        (folder / os.fsdecode(name)).write_bytes(name)
    stored = [f"a/{to_text(os.fsdecode(name))}" for name in raw]
    assert {file.path for file in files(root.scan("a/"))} >= set(stored)
    for path, name in zip(stored, raw, strict=True):
        assert root.state(path).size == len(name)
        with root.open(path) as file:
            assert file.read() == name


def test_what_is_refused_is_told_and_nothing_else_with_it(tmp_path: Path) -> None:
    for name in [*NAMES, REFUSED, "refused/2.jpg"]:
        write(LocalRoot(str(tmp_path)), name, content_of(name))
    root = FailingRoot(str(tmp_path), refused=frozenset([REFUSED, "a/"]))
    found = list(root.scan())
    assert [item.path for item in found if isinstance(item, Unlooked)] == ["a/", REFUSED]
    assert [file.path for file in files(iter(found))] == sorted(
        {*NAMES, "refused/2.jpg"} - {"a/b.JPG", "a/c/d.webp"}
    )
    for path in (REFUSED, "a/b.JPG"):
        with pytest.raises(OSError, match="Input/output error"):
            root.open(path)
        with pytest.raises(OSError, match="Input/output error"):
            root.state(path)


def test_the_root_at_a_location_can_be_another_kind(tmp_path: Path) -> None:
    here, elsewhere = str(tmp_path / "a"), str(tmp_path / "b")
    with made_by(SlowRoot, here):
        assert root_of(here) == SlowRoot(here)
        assert root_of(elsewhere) == LocalRoot(elsewhere)
    assert root_of(here) == LocalRoot(here)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.jpg")
    with pytest.raises(FileNotFoundError):
        LocalRoot(str(tmp_path)).open("1.jpg")


def test_a_local_root_is_named_as_people_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    for name in ["b", "./b/", "../a/b", str(tmp_path / "a/./b")]:
        assert root_at(name) == LocalRoot(str(tmp_path / "a" / "b"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave there")
def test_a_local_root_is_found_through_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    assert root_at(str(tmp_path / "link")).real() == os.path.realpath(tmp_path / "a")


ODD = ["../x.jpg", "./x.jpg", "a//b.jpg", "//c.jpg", "back\\slash.jpg", "#1.jpg", "a*?.jpg",
       "a b+c%20.jpg", "key.jpg", "key.jpg/below.jpg",
       "é/ü.jpg", "[x].jpg", "~.jpg"]  # fmt: skip


def test_a_bucket_has_names_that_a_disk_has_not(s3: Client) -> None:
    s3.create_bucket(Bucket="odd")
    for key in [*ODD, "folder.jpg/"]:
        s3.put_object(Bucket="odd", Key=f"p/{key}", Body=key.encode())
    root = root_of("s3://odd/p")
    found = [file.path for file in files(root.scan())]
    assert found == sorted(found) == sorted(to_text(key) for key in ODD)
    for path in found:
        assert root.state(path).size == len(from_text(path).encode())
        with root.open(path, 2) as file:
            assert file.read() == from_text(path).encode()
        assert root.within(root.location(path)) == path
    assert [file.path for file in files(root.look_at(found))] == found
    assert [file.path for file in files(root.scan("a//"))] == ["a//b.jpg"]
    assert root.identity("key.jpg") == root.identity("key.jpg/")


@pytest.mark.parametrize("name", ["s3://me:secret@bucket/x", "sftp://me:secret@host/x"])
def test_a_url_with_a_password_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(ArchiveError, match="must hold no password") as refused:
        root_at(name)
    assert "secret" not in str(refused.value)


def test_a_url_names_a_bucket_and_no_folder_of_this_machine() -> None:
    with pytest.raises(ArchiveError, match="write s3://BUCKET"):
        root_at("s3://")
    with pytest.raises(ArchiveError, match="name it without file://"):
        root_at("file:///data")
    assert root_at("S3://bucket/a//").location() == "s3://bucket/a"


def test_what_knows_no_such_url_says_so_when_it_is_looked_at() -> None:
    with pytest.raises(ArchiveError, match=r"nosuch:// (cannot be read|need a package)"):
        root_at("nosuch://bucket/x").identity()


@pytest.mark.parametrize(("scheme", "extra"), [("s3", "s3"), ("gs", "gcs"), ("abfs", "azure")])
def test_a_package_that_is_missing_is_named(
    scheme: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package("fsspec")
    for name in ("s3fs", "gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
    store_of.cache_clear()
    with pytest.raises(ArchiveError, match=rf"pip install 'sdindex\[{extra}\]'$"):
        root_at(f"{scheme}://bucket/x").identity()
    store_of.cache_clear()
