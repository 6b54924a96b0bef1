import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from natsort import natsort_keygen

from sdindex import ArchiveError, Index, SampledImage, SampleError
from sdindex.sampling.trim import stride, trim
from sdindex.store.database import Store
from sdindex.store.tables import image as image_table
from tests.conftest import make_image
from tests.support.examples import examples
from tests.support.indexes import Archives, forget_frames, image_row, make_frames, write_index


def sample_by_the_rule(archives: Archives, count: int, bits: int) -> list[tuple[str, str]]:
    """The documented rule in plain Python, natural order from natsort itself."""
    natural = natsort_keygen()
    ordered = sorted(
        ((root, path) for root, images in archives.items() for path in images),
        key=lambda one: (natural(one[0]), one[0], natural(one[1]), one[1].encode()),
    )
    buckets: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for root, path in ordered:
        buckets[(archives[root][path] % 2**64) >> (64 - bits)].append((root, path))
    keep = trim({bucket: len(images) for bucket, images in buckets.items()}, count)
    chosen = {
        buckets[bucket][place]
        for bucket, images in keep.items()
        for place in stride(len(buckets[bucket]), images)
    }
    return [one for one in ordered if one in chosen]


def names(sample: Sequence[SampledImage]) -> list[tuple[str, str]]:
    return [(one.archive, one.relative_path) for one in sample]


signed_hashes = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, -1, 2**63 - 1, -(2**63), 2**60, 1])
)
image_paths = st.builds(
    "{}/IMG_{}.JPG".format, st.sampled_from(["cam1", "cam2", "cam10", "é", "e\u0301"]),
    st.integers(0, 200),
)  # fmt: skip
some_archives = st.dictionaries(
    st.sampled_from(["/data/b", "/data/a 10", "/data/a 9"]),
    st.dictionaries(image_paths, signed_hashes, min_size=1, max_size=30),
    min_size=1,
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_archives, st.integers(1, 100), st.one_of(st.just(4), st.integers(1, 64)), st.booleans())
def test_a_sample_is_what_the_rule_says(
    tmp_path_factory: pytest.TempPathFactory,
    archives: Archives,
    count: int,
    bits: int,
    in_order: bool,
) -> None:
    db = tmp_path_factory.mktemp("select") / "sdindex.db"
    write_index(db, archives, in_order=in_order)
    with Index(db) as index:
        sample = index.select(count, bits=bits)
        again = index.select(count, bits=bits)
    assert names(sample) == sample_by_the_rule(archives, count, bits)
    assert sample == again
    assert len(sample) == min(count, sum(map(len, archives.values())))
    for one in sample:
        pattern = archives[one.archive][one.relative_path] % 2**64
        assert (one.bucket, one.dhash) == (pattern >> (64 - bits), f"{pattern:016x}")


@pytest.fixture
def skewed(db: Path) -> Archives:
    """1,000 images in one bucket, and a few in others, of two archives."""
    archives = {
        "/data/north": {f"cam1/IMG_{n}.JPG": -(2**63) + n for n in range(700)},
        "/data/south": {f"cam{n % 3}/IMG_{n}.JPG": -(2**63) + n for n in range(300)},
    }
    archives["/data/south"] |= {f"rare/{n}.jpg": n * 2**60 for n in range(5)}
    write_index(db, archives)
    return archives


def test_every_count_is_exact(index: Index, skewed: Archives) -> None:
    for count in [1, 2, 5, 6, 7, 100, 999, 1004, 1005]:
        assert len(index.select(count)) == count
    assert len(index.select(5000)) == 1005


def test_small_buckets_are_whole_and_both_archives_take_part(
    index: Index, skewed: Archives
) -> None:
    sample = index.select(105)
    assert Counter(one.bucket for one in sample) == {8: 100, 0: 1, 1: 1, 2: 1, 3: 1, 4: 1}
    assert Counter(one.archive for one in sample if one.bucket == 8) == {
        "/data/north": 70,
        "/data/south": 30,
    }


def test_under_a_folder(index: Index, skewed: Archives) -> None:
    inside = index.select(10, under=["/data/south/cam1"])
    assert {one.relative_path.partition("/")[0] for one in inside} == {"cam1"}
    assert {one.archive for one in inside} == {"/data/south"}
    assert len(index.select(5000, under=["/data/north"])) == 700
    assert len(index.select(5000, under=["/data"])) == 1005
    assert len(index.select(5000, under=["rare"])) == 5
    assert len(index.select(5000, under=["/data/north", "/data/south/rare"])) == 705


def test_under_a_folder_is_not_under_one_whose_name_begins_the_same(db: Path, index: Index) -> None:
    write_index(db, {"/data": {"a/1.jpg": 1, "a-b/2.jpg": 2, "a b/3.jpg": 3, "a0/4.jpg": 4}})
    assert names(index.select(9, under=["/data/a"])) == [("/data", "a/1.jpg")]


def test_under_nothing_known_names_the_archives(index: Index, skewed: Archives) -> None:
    with pytest.raises(ArchiveError, match=r"no image below /data/east.*/data/north, /data/south"):
        index.select(5, under=["/data/east"])


def test_neither_missing_nor_unreadable_images_are_drawn(
    index: Index, archive: Path, threads: Executor
) -> None:
    make_image(archive / "cam0/broken.jpg").write_bytes(b"")
    index.update(archive, executor=threads)
    (archive / "cam0/IMG_1.JPG").unlink()
    index.update(archive, executor=threads)
    drawn = {one.relative_path for one in index.select(100)}
    assert len(drawn) == 11
    assert not drawn & {"cam0/broken.jpg", "cam0/IMG_1.JPG"}


def test_two_methods_never_mix(db: Path, index: Index, skewed: Archives) -> None:
    with Store(db).writing() as connection:
        connection.execute(image_table.insert(), image_row(1, "one.jpg", 1, "exact-1"))
        forget_frames(connection)
        make_frames(connection)
        connection.commit()
    with pytest.raises(SampleError, match=r"two methods.*1 exact-1, 1,005 scaled-1"):
        index.select(10)
    assert len(index.select(10, under=["/data/south"])) == 10


@pytest.mark.parametrize(("count", "bits"), [(0, 4), (-1, 4), (5, -1), (5, 65)])
def test_what_cannot_be_drawn(index: Index, skewed: Archives, count: int, bits: int) -> None:
    with pytest.raises(SampleError):
        index.select(count, bits=bits)


def test_no_image_is_opened_and_no_folder_looked_at(
    index: Index, archive: Path, threads: Executor, opened: list[str]
) -> None:
    index.update(archive, executor=threads)
    opened.clear()
    archive.rename(archive.parent / "unplugged")
    sample = index.select(5, under=[archive / "cam0"])
    assert len(sample) == 5
    assert opened == []


def test_a_sampled_image_can_be_opened_as_it_is(
    index: Index, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    for one in index.select(3):
        assert Path(one).samefile(archive / one.relative_path)
        assert os.fspath(one) == one.path


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no such names there")
def test_every_name_comes_out_byte_for_byte(tmp_path: Path, db: Path, threads: Executor) -> None:
    folder = tmp_path / "archive"
    raw = [b"caf\xe9.jpg", b"caf\xc3\xa9.jpg", b"cafe\xcc\x81.jpg", b"new\nline.jpg", b"-n .jpg",
           b"q'\"uote.jpg", b"back\\slash.jpg", b"back\\x2fslash.jpg", b"\xff\xfe.jpg"]  # fmt: skip
    for seed, name in enumerate(raw):
        target = make_image(tmp_path / f"{seed}.jpg", seed)
        folder.mkdir(exist_ok=True)
        target.rename(folder / os.fsdecode(name))
    with Index(db) as index:
        index.update(folder, executor=threads)
        sample = index.select(100)
    assert {os.fsencode(Path(one).name) for one in sample} == set(raw)
    assert all(Path(one).is_file() for one in sample)
