"""The library's arguments: as forgiving and as strict as the command line's."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import sdindex
from sdindex import (
    Clock,
    Index,
    IndexMissingError,
    SampleError,
    SampleOptions,
    SdindexError,
    UsageError,
)
from sdindex.indexing.executors import Threads
from tests.conftest import make_image

OPTIONS = SampleOptions()
X = cast(Any, "x")
HALF = timezone(timedelta(seconds=30))
WRONG = {
    "no folder": (lambda index: index.update(exclude="x"), "for one archive: name its folder"),
    "a list of folders": (lambda index: index.update(["a"]), "folders must be a path"),
    "a folder of bytes": (lambda index: index.update(b"a"), "folders must be a path"),
    "no file": (lambda index: index.update_files([]), "update_files needs a file"),
    "files": (lambda index: index.update_files(7), "files must be a path, or several"),
    "workers": (lambda index: index.update("a", workers="4"), "workers must be a whole number"),
    "no worker": (lambda index: index.update("a", workers=0), "of at least 1, not 0"),
    "half a worker": (lambda index: index.update("a", workers=1.5), "workers must be"),
    "method": (lambda index: index.update(".", method="best"), "method must be one of scaled"),
    "strict": (lambda index: index.update("a", strict="no"), "strict must be True or False"),
    "progress": (lambda index: index.update("a", progress="no"), "progress must be True or"),
    "timeout": (lambda index: index.update("a", timeout="60"), "timeout must be a number of more"),
    "timeout 0": (lambda index: index.update("a", timeout=0), "timeout must be a number of more"),
    "executor": (lambda index: index.update("a", executor=4), "executor must have a submit"),
    "pattern": (lambda index: index.update("a", camera_pattern=4), "camera_pattern must be"),
    "count": (lambda index: index.select("10"), "count must be a whole number of at least 1"),
    "count 0": (lambda index: index.select(0), "count must be a whole number of at least 1"),
    "count True": (lambda index: index.select(True), "count must be a whole number"),
    "count 2.0": (lambda index: index.select(2.0), "count must be a whole number"),
    "option": (lambda index: index.select(2, lable="fox"), "there is no option 'lable'"),
    "save": (lambda index: index.select(2, save=3), "save must be a text"),
    "name": (lambda index: index.sample(3), "name must be a text"),
    "missing": (lambda index: index.missing_of(None), "name must be a text"),
    "drop": (lambda index: index.drop_sample(3), "name must be a text"),
    "quality": (lambda index: index.quality("10"), "count must be a whole number"),
    "quality of": (lambda index: index.quality(name=3), "name must be a text"),
    "buckets": (lambda index: index.buckets(0), "count must be a whole number"),
    "bits": (lambda index: index.buckets(bits="4"), "bits must be a whole number from 0 to 64"),
    "thumbnails": (lambda index: index.report(2, thumbnails=-1), "thumbnails must be a whole"),
    "report": (lambda index: index.report(2, workers=None), "workers must be a whole number"),
    "query": (lambda index: rows(index, 3), "query must be a text"),
    "seconds": (lambda index: rows(index, "SELECT 1", seconds="x"), "seconds must be a number"),
    "file": (lambda index: index.import_labels(None), "file must be a path"),
    "threshold": (lambda index: index.import_labels("a", threshold=2), "from 0 to 1, not 2"),
    "column": (lambda index: index.import_labels("a", column=2), "column must be a text"),
    "relative": (lambda index: index.import_labels("a", relative_to=2), "relative_to must be"),
    "source": (lambda index: index.drop_labels(2), "source must be a text"),
    "relocate": (lambda index: index.relocate(1, "a"), "old must be a path"),
    "prune": (lambda index: index.prune(1), "archive must be a path"),
    "hashes": (lambda index: index.hashes(3), "files must be a path, or several"),
    "no path": (lambda index: index.similar("a\0b"), "file must be a path that a file can have"),
    "no paths": (lambda index: index.update_files(["a\0b"]), "files must be a path that a file"),
    "no file of labels": (lambda index: index.import_labels("a\0b"), "file must be a path that"),
    "under": (lambda index: index.select(2, under="a\0b"), "under must be a path that a file"),
    "files of a list": (lambda index: index.select(2, files="a\0b"), "files must be a path that"),
    "listed": (lambda index: index.select(2, files=["a\0b"]), "files must be a path that a file"),
    "half a character": (lambda index: index.sample("a\ud800"), "name must be a text of whole"),
    "a byte in a name": (lambda index: index.sample("a\udcff"), "name must be a text of whole"),
    "half in a path": (lambda index: index.select(2, under="\ud800"), "under must be a path that"),
    "half in a query": (lambda index: rows(index, "SELECT '\ud800'"), "query must be a text of"),
    "stuck": (lambda index: Index("a", when_stuck=cast(Any, 3)), "when_stuck must be a function"),
    "a class": (lambda index: index.update("a", executor=ThreadPoolExecutor), "make one of the"),
    "paths": (lambda index: index.paths("x"), "count must be a whole number"),
    "paths saved": (lambda index: index.paths(2, save=3), "save must be a text"),
    "put nothing": (lambda index: index.put_files(None, "a"), "sample must be images as select"),
    "put numbers": (lambda index: index.put_files([1, 2], "a"), "sample must be images as select"),
    "put a text": (lambda index: index.put_files("abc", "a"), "sample must be images as select"),
    "put": (lambda index: index.put_files([], "a", how="move"), "how must be one of copy, link"),
    "labels to a path": (lambda index: index.export_labels("a.json"), "writing bytes, as by open("),
    "labels as text": (lambda index: index.export_labels(StringIO()), "not one for text"),
    "labels of 3": (lambda index: index.export_labels(BytesIO(), 3), "images must be images as"),
    "labels of a": (lambda index: index.export_labels(BytesIO(), ["a"]), "images must be images"),
    "export to 3": (lambda index: export(index, 3), "target must be a file that is open for"),
    "export as text": (lambda index: export(index, StringIO()), "target must be a file that is"),
    "export closed": (lambda index: export(index, closed()), "target must be a file that is"),
    "a wish": (lambda index: export(index, nowish=1), "there is no option 'nowish'; those of"),
    "a typo": (lambda index: export(index, utc_ofset="Z"), "there is no option 'utc_ofset'"),
    "copies in a file": (lambda index: export(index, how="copy"), "csv is a file, without images"),
    "an offset": (lambda index: export(index, utc_offset="2"), "of whole minutes from UTC, such"),
    "half a minute": (lambda index: export(index, utc_offset=HALF), "of whole minutes from UTC"),
    "exported wish": (lambda index: index.select(2).export("csv", BytesIO(), nowish=1), "'nowish'"),
    "units of 3": (lambda index: index.with_units(3, Clock()), "sample must be images as select"),
    "units by none": (lambda index: index.with_units([], None), "clock must be a sdindex.Clock"),
    "units by text": (lambda index: index.with_units([], Clock(X)), "seconds must be a whole"),
    "split in 3": (lambda index: index.split("s", 3), "into must be parts with their shares in"),
    "split by names": (lambda index: index.split("s", ["a", "b"]), "such as {'train': 80, 'val'"),
    "split in none": (lambda index: index.split("s", {}), "such as train=80,val=20, not none"),
    "two lines": (lambda index: index.import_labels("a", source="a\nb"), "source must be a name"),
    "no source": (lambda index: index.import_labels("a", source=""), "source must be a name, on"),
    "blanks": (lambda index: index.select(2, save=" a "), "give it without the blanks around it"),
    "a set of bits": (lambda index: index.select(2, order={27}), "27,28,35,36, not {27}"),
    "shares": (lambda index: index.select(2, share={"a": 5}), "share must be a text such as"),
    "draw": (lambda index: index.review().draw("x", OPTIONS), "or a share such as '10%', not 'x'"),
    "draw by none": (lambda index: index.review().draw(5, None), "options must be sdindex.Sample"),
    "draw by a dict": (lambda index: index.review().draw(5, {"bits": 4}), "options must be"),
    "in groups": (lambda index: index.review().draw(5, OPTIONS, "x"), "by must be one of camera"),
    "decide": (lambda index: decide(index, "no.jpg", "kept"), "image must be a whole number"),
    "decide what": (lambda index: decide(index, 1, "keep"), "what must be one of kept, rejected"),
    "decide within": (lambda index: decide(index, 1, "kept", within=3), "within is for what is"),
    "decide why": (lambda index: decide(index, 1, "kept", why=3), "why must be a text"),
    "note": (lambda index: index.review().annotate("x", "a", 5, OPTIONS), "image must be a whole"),
    "ids": (lambda index: index.review().images(["(select count(*) from image)"]), "ids must be a"),
    "no ids": (lambda index: index.review().images(3), "ids must be whole numbers"),
    "around": (lambda index: index.review().around("1"), "image must be a whole number"),
    "like": (lambda index: index.review().similar("1", OPTIONS, 5), "image must be a whole number"),
    "save 3": (lambda index: index.review().save(3, 5, OPTIONS), "name must be a text"),
    "save by": (lambda index: index.review().save("a", 5, None), "options must be sdindex.Sample"),
}  # fmt: skip


def export(index: Index, target: Any = None, **given: Any) -> object:
    return index.export(index.select(2), BytesIO() if target is None else target, "csv", **given)


def closed() -> BytesIO:
    file = BytesIO()
    file.close()
    return file


def decide(index: Index, image: Any, what: Any, **given: Any) -> None:
    index.review().decide(image, what, 5, OPTIONS, **given)


def rows(index: Index, query: Any, **options: Any) -> list[Any]:
    with index.sql(query, **options) as answer:
        return list(answer.rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("made")
    for seed in range(4):
        make_image(folder / "archive" / f"{seed}.jpg", seed, size=(64, 48))
    with Index(folder / "sdindex.db") as index, Threads(2) as threads:
        index.update(folder / "archive", executor=threads)
        yield index


@pytest.mark.parametrize(("call", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_says_what_is_allowed(
    made: Index, call: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(SdindexError) as raised:
        call(made)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_index_is_named_by_a_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="db must be a path"):
        Index(3)  # type: ignore[arg-type]
    assert repr(Index(tmp_path / "a.db")) == f"Index({str(tmp_path / 'a.db')!r})"


def test_no_folder_makes_no_index(index: Index, db: Path) -> None:
    with pytest.raises(IndexMissingError):
        index.update()
    with pytest.raises(UsageError):
        index.update_files([])
    assert not db.exists()


def test_an_error_of_an_argument_is_a_value_error_too(made: Index) -> None:
    with pytest.raises(ValueError, match="threshold"):
        made.import_labels("a", threshold=2)
    with pytest.raises(SampleError, match="since"):
        made.select(2, since="2021-01-02", until="2021-01-01")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"target_count": "3"}, "target_count must be a whole number"),
        ({"image_paths": 3}, "image_paths must be a path, or several"),
        ({"image_paths": [3]}, "image_paths must be a path"),
        ({"hash_size": 1}, "hash_size must be a whole number of at least 2"),
        ({"n_workers": "4"}, "n_workers must be a whole number of at least 1"),
        ({"show_progress": "no"}, "show_progress must be True or False"),
        ({"index": 3}, "index must be a path"),
    ],
)
def test_the_functions_of_smartdownsample_too(wrong: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"image_paths": [], "target_count": 3, "show_progress": False}
    with pytest.raises(SdindexError, match=said):
        sdindex.sample_diverse(**given | wrong)


BARS = [{"original_size": 2, "kept": 1, "excluded": 1}]


@pytest.mark.parametrize(
    ("plot", "given", "options", "said"),
    [
        ("plot_bucket_distribution", 3, {}, "bucket_stats must be what"),
        ("plot_bucket_distribution", [{}], {}, "bucket_stats must be what"),
        ("plot_bucket_distribution", BARS, {"figsize": 3}, "figsize must be a width and a height"),
        ("plot_bucket_distribution", BARS, {"figsize": (3, "a")}, "figsize must be a number"),
        ("plot_bucket_distribution", BARS, {"save_path": 3}, "save_path must be a path"),
        ("plot_bucket_distribution", BARS, {"title": 3}, "title must be a text"),
        ("plot_hash_similarity_scatter", {}, {}, "selection_data must be what"),
        ("plot_hash_similarity_scatter", 3, {}, "selection_data must be what"),
    ],
)
def test_the_plots_too(plot: str, given: object, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        getattr(sdindex, plot)(given, **options)


def test_a_sample_that_can_be_read_once_is_put_whole(made: Index, tmp_path: Path) -> None:
    sample = made.select(3)
    put = made.put_files(iter(sample), tmp_path / "put")
    assert isinstance(put, sdindex.FilesPut)
    assert (put.new, put.changed) == (3, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_that_is_no_text_is_a_path(made: Index, tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    assert made.put_files(made.select(2), folder).new == 2
    with Index(f"{folder}/sdindex.db") as index, Threads(1) as threads:
        assert index.update(folder, executor=threads).found == 2
        assert len(index.select(5, under=folder)) == 2


def test_whoever_takes_paths_may_write_meanwhile(made: Index) -> None:
    made.select(2, save="dropped")
    assert next(made.paths(2))
    paths = made.paths(4)
    next(paths)
    made.drop_sample("dropped")
    assert len([*paths]) == 3


def test_bits_may_be_any_numbers_in_their_order(made: Index) -> None:
    bits = [27, 28, 35, 36]
    for order in (tuple(bits), np.array(bits), iter(bits), "27,28,35,36"):
        assert made.select(3, order=order) == made.select(3, order=bits)


def test_an_offset_may_be_a_text(made: Index, tmp_path: Path) -> None:
    offsets: list[Any] = ["+02:00", timezone(timedelta(hours=2))]
    for number, offset in enumerate(offsets):
        with pytest.raises(sdindex.OutputError, match="no EXIF time"):
            made.select(2).export("camtrap-dp", tmp_path / str(number), utc_offset=offset)


def test_a_sample_of_a_review_may_be_a_share(made: Index) -> None:
    sheet = made.review().draw("50%", OPTIONS)
    assert (sheet.asked, sheet.images) == (2, 4)


def test_whose_labels_are_exported_may_be_said(made: Index) -> None:
    with pytest.raises(SampleError, match="ann"):
        made.select(2).export("megadetector-results", BytesIO(), source="ann")


def test_groups_of_duplicates_are_told_in_a_line(made: Index) -> None:
    assert repr(made.duplicates(0)) == "Duplicates(within=0, groups=0, images=0)"


def test_paths_saves_the_sample_before_they_are_asked_for(made: Index) -> None:
    paths = made.paths(2, save="early")
    try:
        assert [sample.name for sample in made.samples()] == ["early"]
        assert list(paths) == [image.path for image in made.sample("early")]
    finally:
        made.drop_sample("early")


def test_a_copy_onto_itself_is_told_at_once(made: Index, tmp_path: Path) -> None:
    assert made.file is not None
    other = tmp_path / "other.db"
    other.symlink_to(made.file)
    for same in (made.file, other, made.file.parent / "archive" / ".." / made.file.name):
        with pytest.raises(sdindex.IndexUnusableError, match="is the index that is to be copied"):
            made.copy(same)
