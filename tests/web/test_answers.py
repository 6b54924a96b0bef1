"""What the page is answered: samples, decisions, pictures, exports."""

import csv
import io
import os
import shlex
from concurrent.futures import Executor
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from sdindex import Index
from sdindex.cli.main import cli
from sdindex.exchange.formats.registry import FORMATS
from sdindex.sampling.options import SampleOptions, sample_options
from sdindex.sampling.sheet import GROUPINGS
from sdindex.sampling.spelled import spelled
from sdindex.web.cache import Cache
from tests.conftest import make_image
from tests.web.conftest import Asking, asking


def paths(ask: Asking, ids: list[int]) -> list[str]:
    return [image.relative_path for image in ask.review.images(ids).values()]


@pytest.mark.parametrize("by", GROUPINGS)
def test_a_sample_is_that_of_select_in_groups(ask: Asking, by: str) -> None:
    found = ask("sample", by=by, count=9, options={"balance": ["camera"]})
    shown = [row for _, _, ids in found["groups"] for row in ids]
    assert sorted(paths(ask, shown)) == sorted(
        image.relative_path for image in ask.index.select(9, balance="camera")
    )
    assert len(set(shown)) == found["count"] == 9
    assert all(len(ids) <= images for _, images, ids in found["groups"])
    assert found["figures"][0] == [9, 36, "images"]
    assert [3, 3, "cameras"] in found["figures"]


def test_groups_have_the_names_of_what_they_are_of(ask: Asking) -> None:
    def names(by: str) -> list[str]:
        return [name for name, _, _ in ask("sample", by=by, count=36)["groups"]]

    assert names("camera") == ["cam0", "cam1", "cam2"]
    assert names("label") == ["deer", "fox", ""]
    assert names("day") == [""]
    assert all(len(name) == 4 for name in names("bucket"))


def test_a_rejected_image_is_replaced_and_never_drawn_again(ask: Asking) -> None:
    before = ask.ids()
    found = ask("decide", image=before[0], what="rejected", why="blurred")
    after = [row for _, _, ids in found["groups"] for row in ids]
    assert len(after) == len(before)
    assert set(before) - set(after) == {before[0]}
    for count in range(1, 36):
        assert before[0] not in ask.ids(count=count)
    assert (found["rejected"], found["kept"]) == (1, 0)
    assert ask("undo")["undone"] == before[0]
    assert ask.ids() == before
    assert ask("undo")["undone"] is None


def test_what_is_kept_stays_whatever_the_sample_is(ask: Asking) -> None:
    image = ask.ids()[2]
    ask("decide", image=image, what="kept")
    for options in ({}, {"balance": ["camera"]}, {"labels": ["fox"]}, {"unit": "burst"}):
        for count in (1, 4, 20):
            assert image in ask.ids(count=count, options=options)
    ask("undo")


def test_a_note_is_of_the_decision_or_of_leaving_it(ask: Asking) -> None:
    image = str(ask.ids()[0])
    assert ask("note", image=image, why="a fox?")["decisions"][image] == ["left", "a fox?", None]
    assert ask("decide", image=image, what="kept")["decisions"][image] == ["kept", "a fox?", None]
    ask("undo")
    ask("undo")


def test_none_like_this_takes_all_that_are_alike(ask: Asking) -> None:
    image = ask.ids(count=36)[0]  # each is alike with two others
    found = ask("decide", image=image, what="rejected", within=0, count=36)
    assert found["count"] == 33
    ask("undo")


def test_what_is_around_and_what_is_similar(ask: Asking) -> None:
    image = ask.ids()[0]
    around = ask("around", image=image)
    assert image in [one["id"] for one in around if one["inBurst"]]
    assert len(around) > len([one for one in around if one["inBurst"]])
    similar = ask("similar", image=image)
    assert [one["bits"] for one in similar] == sorted(one["bits"] for one in similar)
    assert image not in [one["id"] for one in similar]
    assert ask("around", image=10**9) == ask("similar", image=10**9) == []


def test_the_command_draws_what_is_shown(ask: Asking, shared: Path) -> None:
    options = {"balance": ["camera"], "unit": "burst", "labels": ["fox"], "bits": 2}
    image = ask.ids(options=options)[0]
    found = ask("decide", image=image, what="rejected", options=options)
    program, *words = shlex.split(found["command"])
    assert program == "sdindex"
    assert "--review" in words
    assert "--db" in words
    done = CliRunner().invoke(cli, [*words, "--relative"])
    shown = [row for _, _, ids in found["groups"] for row in ids]
    assert sorted(done.stdout.splitlines()) == sorted(paths(ask, shown))
    ask("undo")


@pytest.mark.parametrize(
    "given",
    [
        {}, {"labels": ["a b", "-x"], "not_labels": "'"}, {"order": [3, 1, 2, 0], "bits": 2},
        {"since": "2026-04-01", "until": "2026-04-02T12:00:01", "under": ["x/y", "z"]},
        {"balance": ["camera", "folder:2"], "at_most": 3, "share": "camera:a=5%"},
        {"files": "list.txt", "sources": ["s"], "min_confidence": 0.25, "unit": "burst",
         "burst_distance": 0},
    ],
)  # fmt: skip
def test_options_are_spelled_as_the_command_line_reads_them(
    given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = sample_options(**given)  # type: ignore[arg-type]
    read: list[SampleOptions] = []

    def draw(_: object, __: object, **given: object) -> list[str]:
        read.append(sample_options(**given))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(
        Index, "paths", lambda *args, relative, save, when_drawn, **given: draw(*args, **given)
    )
    CliRunner().invoke(cli, ["select", "-n", "1", *spelled(options)])
    assert read == [options]


def test_pictures_are_whole_and_no_larger_than_they_are_asked(ask: Asking, tmp_path: Path) -> None:
    by_path = {
        image.relative_path: row for row, image in ask.review.images(ask.ids(count=36)).items()
    }
    for side in (360, 1600):
        answer = ask.client.get(f"/picture/{side}/{by_path['cam0/IMG_6.JPG']}")
        assert answer.headers["content-type"] == "image/jpeg"
        with Image.open(BytesIO(answer.content)) as picture:
            assert picture.size == (240, 320)
    assert len([*tmp_path.iterdir()]) == 1


def test_the_sample_is_saved_and_drawn_again_from_the_index(ask: Asking) -> None:
    options = {"balance": ["camera"], "unit": "burst"}
    image = ask.ids(options=options)[0]
    found = ask("decide", image=image, what="rejected", options=options)
    assert ask("save", name="chosen", options=options) == {"images": 6}
    shown = [row for _, _, ids in found["groups"] for row in ids]
    saved = [image.relative_path for image in ask.index.sample("chosen")]
    assert sorted(saved) == sorted(paths(ask, shown))
    (kept,) = [one for one in ask.index.samples() if one.name == "chosen"]
    again = ask.index.select(kept.asked, **kept.options)
    assert [image.relative_path for image in again] == saved
    assert ask.index.decisions("chosen")[-1].what == "rejected"
    answer = ask.client.post("/api/save", json={"count": 6, "options": {}, "name": "chosen"})
    assert answer.status_code == 400
    assert "there is a sample 'chosen' already" in answer.json()["error"]
    # A review of a saved sample begins with what it has, and keeps the rest of its options.
    review = ask.index.review("chosen")
    assert sorted(paths(ask, review.sample(6, review.options)[0])) == sorted(saved)
    ask.index.drop_sample("chosen")
    ask("undo")


@pytest.mark.parametrize("form", [name for name, form in FORMATS.items() if not form.is_folder])
def test_it_is_exported_in_every_format_of_a_file(ask: Asking, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    answer = ask.client.post(f"/export/{form}", json={"count": 5, "options": {}, "by": "camera"})
    assert answer.status_code == 200
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert len(rows) == 5
        assert all(row["burst"] for row in rows)


def test_it_is_written_into_a_folder_and_over_nothing(ask: Asking, tmp_path: Path) -> None:
    copies, dataset = tmp_path / "copies", tmp_path / "new/dataset"
    (said,) = ask("put", form="copy", folder=str(copies))["said"]
    assert said == f"6 images put in {copies}"
    assert len([*copies.rglob("*.JPG")]) == 6
    *_, said = ask("put", form="yolo", folder=str(dataset))["said"]
    assert said == f"6 images put in {dataset}"
    assert (dataset / "data.yaml").exists()
    *_, said = ask("put", form="fiftyone", folder=f" {tmp_path / 'fo'} ")["said"]
    assert said == f"written in {tmp_path / 'fo'}"
    (copies / "sdindex-manifest.csv").write_text("mine")
    asked = {"count": 6, "options": {}, "by": "camera"}
    for given, why in (
        ({"form": "copy", "folder": str(copies)}, "is no manifest of sdindex"),
        ({"form": "fiftyone", "folder": str(copies)}, "name a new folder"),
        ({"form": "copy", "folder": " "}, "name a folder"),
        ({"form": "copy", "folder": str(ask.index.status().archives[0].root)}, "archive"),
        ({"form": "camtrap-dp", "folder": str(tmp_path / "dp")}, "utc_offset"),
        ({"form": "csv", "folder": str(tmp_path / "c")}, "csv is a file"),
        ({"form": "nothing", "folder": str(tmp_path / "c")}, "not understood"),
        ({"form": "copy", "folder": 3}, "folder must be"),
    ):
        answer = ask.client.post("/api/put", json={**asked, **given})
        assert answer.status_code == 400
        assert why in answer.json()["error"]
    assert {one.name for one in tmp_path.iterdir()} >= {"copies", "new", "fo"}
    assert not (tmp_path / "dp").exists()
    assert not (tmp_path / "c").exists()


def test_a_review_goes_on_where_it_was(ask: Asking) -> None:
    options = {"balance": ["camera"]}
    image = ask.ids(options=options)[0]
    found = ask("decide", image=image, what="rejected", options=options)
    other = ask.index.review(found["review"])
    assert (other.count, other.options) == (6, sample_options(balance="camera"))
    sheet = other.draw(6, other.options)
    assert [list(group) for group in sheet.groups] == found["groups"]
    assert other.undo() is None  # it is somebody else's
    ask("undo")


def test_an_index_that_changes_meanwhile_is_seen(
    tmp_path: Path, archive: Path, index: Index, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    for ask in asking(index, index.review(observer="ann"), tmp_path / "cache", read_only=False):
        before = ask.ids(count=100)
        make_image(archive / "cam1" / "IMG_77.JPG", 77)
        (archive / "cam0" / "IMG_1.JPG").unlink()
        index.update(archive, executor=threads)
        index.prune()
        after = ask.ids(count=100)
        assert len(after) == len(before) == 12
        assert after != before


def test_a_broken_picture_costs_itself_alone(
    tmp_path: Path, archive: Path, index: Index, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    (archive / "cam0" / "IMG_1.JPG").write_bytes(b"nothing any more")
    (archive / "cam0" / "IMG_3.JPG").unlink()
    for ask in asking(index, index.review(observer="ann"), tmp_path / "cache", read_only=False):
        answers = [ask.client.get(f"/picture/360/{row}") for row in ask.ids(count=12)]
        assert [answer.status_code for answer in answers].count(200) == 10
        assert "the file is not there" in {
            answer.text for answer in answers if not answer.is_success
        }


def test_the_cache_is_bounded_and_what_was_not_read_for_longest_goes(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "thumbnails", most=1000)
    for number in range(9):
        cache.put(f"key {number}", bytes(100))
        for file in (tmp_path / "thumbnails").iterdir():
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 10))
    assert cache.get("key 0") == bytes(100)  # and is the newest now
    for number in range(9, 12):
        cache.put(f"key {number}", bytes(100))
    assert cache.get("key 0") == bytes(100)
    assert cache.get("key 1") is None
    assert sum(file.stat().st_size for file in (tmp_path / "thumbnails").iterdir()) <= 1000
    assert Cache(tmp_path / "sdindex.db" / "no folder").get("key") is None


def test_a_password_is_in_no_command_that_a_page_shows() -> None:
    pytest.importorskip("psycopg")
    with Index("postgresql+psycopg://ann:secret@host/db") as index:
        shown = index.review(observer="ann").db
    assert "secret" not in shown
    assert shown.startswith("postgresql+psycopg://ann:")
