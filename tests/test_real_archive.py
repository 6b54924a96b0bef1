"""On real camera-trap images, where they are on this machine."""

import csv
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sdindex import Index, SampledImage
from sdindex.indexing.executors import Threads
from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.frame import Coded, Frame
from sdindex.sampling.options import Clock
from sdindex.sampling.quality import nearest
from sdindex.sampling.sample import Candidates, draw
from sdindex.sampling.strata import Strata
from sdindex.sampling.units import taken
from sdindex.store.sqlite_query import hamming
from tests.conftest import CHECKOUT, LONG_AGO, REAL_DATA
from tests.hashing.test_image import signed
from tests.support.counting import counts
from tests.support.reading import read

NAMES = (".jpg", ".jpeg")


def images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in NAMES)


@pytest.fixture
def copy(real_archive: Path, tmp_path: Path) -> Path:
    """The real archive, writable, with times of long ago."""
    target = tmp_path / "archive"
    shutil.copytree(real_archive, target, copy_function=shutil.copyfile)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (LONG_AGO, LONG_AGO))
    return target


def test_exactly_the_right_files_are_read(
    copy: Path, index: Index, threads: Executor, opened: list[str]
) -> None:
    def update() -> dict[str, int]:
        opened.clear()
        return counts(index.update(copy, executor=threads))

    assert update() == {"new": 270, "unreadable": 1, "read": 271}
    assert sorted(opened) == sorted(map(str, images(copy)))
    assert [one.relative_path for one in index.errors()] == ["odd/error_img.JPG"]
    assert update() == {"unchanged": 270, "unreadable": 1}
    assert opened == []

    touched, replaced, deleted = images(copy / "missouri")[:3]
    os.utime(touched)
    added = Path(shutil.copyfile(touched, copy / "peru" / "added.JPG"))
    size = replaced.stat().st_size
    replaced.write_bytes(images(copy / "peru")[1].read_bytes()[:size].ljust(size, b"\0"))
    deleted.unlink()
    (copy / "camtrapR").rename(copy / "Borneo")
    assert update() == {
        "new": 1, "changed": 1, "moved": 68, "unchanged": 199, "missing": 1, "unreadable": 2,
        "read": 3,
    }  # fmt: skip
    assert sorted(opened) == sorted(map(str, [touched, replaced, added]))


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not on this machine")
def test_worker_processes_open_each_file_once(copy: Path, db: Path, tmp_path: Path) -> None:
    import subprocess

    log = tmp_path / "opens"
    for wanted in (271, 0):
        subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", str(log),
             sys.executable, "-m", "sdindex", "--db", str(db), "index", "--quiet", str(copy)],
            check=True,
        )  # fmt: skip
        opens = [line for line in log.read_text().splitlines() if ".jpg" in line.lower()]
        assert len(opens) == wanted


@pytest.fixture(scope="module")
def references(real_archive: Path) -> dict[Path, imagehash.ImageHash]:
    """Return what imagehash makes of each image that Pillow reads."""
    found = {}
    for path in images(real_archive):
        try:
            with Image.open(path) as image:
                found[path] = imagehash.dhash(image.convert("RGB"), hash_size=8)
        except UnidentifiedImageError:
            continue
    return found


@pytest.fixture(scope="module")
def known(real_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Return an index of the real archive, for all that only draw from it."""
    db = tmp_path_factory.mktemp("known") / "sdindex.db"
    with Index(db) as index, Threads(2) as executor:
        index.update(real_archive, executor=executor)
        yield index


def test_exact_is_imagehash_and_scaled_is_near_it(
    real_archive: Path, references: dict[Path, imagehash.ImageHash]
) -> None:
    distances: dict[str, list[int]] = {}
    for path, reference in references.items():
        exact, scaled = (
            read(path, "exact").picture,
            read(path, "scaled").picture,
        )
        assert exact is not None
        assert scaled is not None
        assert exact.dhash == signed(reference)
        source = path.relative_to(real_archive).parts[0]
        distances.setdefault(source, []).append(hamming(exact.dhash, scaled.dhash) or 0)
    assert sum(map(len, distances.values())) == 270
    for of_source in distances.values():
        assert max(of_source) <= 4
        assert sum(of_source) / len(of_source) <= 0.45


def reached(labels: dict[str, str], buckets: dict[str, int], sample: list[str]) -> tuple[int, int]:
    return len({buckets[path] for path in sample}), len({labels[path] for path in sample})


def test_a_sample_of_40_beside_smartdownsample(
    real_archive: Path,
    known: Index,
    references: dict[Path, imagehash.ImageHash],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer: Callable[..., list[str]] = pytest.importorskip("smartdownsample").sample_diverse

    def opened(path: str) -> AbstractContextManager[SimpleNamespace]:
        return nullcontext(SimpleNamespace(mode="RGB", path=Path(path)))

    def dhash(image: SimpleNamespace, *, hash_size: int) -> imagehash.ImageHash:
        assert hash_size == 8
        return references[image.path]

    # It reads every file for each sample: it is given the hashes that it would make of them.
    monkeypatch.setattr("smartdownsample.core.Image", SimpleNamespace(open=opened))
    monkeypatch.setattr("smartdownsample.core.imagehash", SimpleNamespace(dhash=dhash))
    with (REAL_DATA / "labels.csv").open(encoding="utf-8") as file:
        labels = {row["path"]: row["label"] for row in csv.DictReader(file)}
    buckets = {one.relative_path: one.bucket for one in known.select(1000)}
    every = reached(labels, buckets, list(buckets))
    files = [str(real_archive / path) for path in buckets]
    table = []
    for count in (20, 40, 80):
        ours = reached(labels, buckets, [one.relative_path for one in known.select(count)])
        chosen = peer(files, count, show_progress=False)
        theirs = reached(
            labels, buckets, [Path(path).relative_to(real_archive).as_posix() for path in chosen]
        )
        assert ours[0] == every[0], "every bucket is in the sample"
        table.append(
            f"| {count} | **{ours[0]}** of {every[0]} | {theirs[0]} of {every[0]} "
            f"| **{ours[1]}** of {every[1]} | {theirs[1]} of {every[1]} |"
        )
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert "\n".join(table) in readme


def k_centre(hashes: NDArray[np.uint64], count: int) -> list[int]:
    chosen = [0]
    while len(chosen) < count:
        chosen.append(int(nearest(hashes, hashes[chosen]).argmax()))
    return chosen


def test_bursts_are_nearer_than_k_centre_and_share_nothing(
    known: Index,
) -> None:
    hashes = np.array([int(one.dhash, 16) for one in known.select(1000)], np.uint64)
    for count in (14, 27):  # 5 and 10%
        figures = {
            unit: {one.measure: one.sample for one in known.quality(count, unit=unit).measures}
            for unit in ("image", "burst")
        }
        centred = nearest(hashes, hashes[k_centre(hashes, count)]).mean()
        assert figures["burst"]["mean distance in bits"] <= centred
        assert not figures["burst"]["share a burst"]
        assert figures["image"]["share a burst"] > 0


@pytest.mark.parametrize("distance", [None, 10], ids=["image", "burst"])
def test_a_sample_that_is_extended_stays_near_a_fresh_one(
    known: Index, distance: int | None
) -> None:
    every = known.select(1000)
    hashes = np.array([int(one.dhash, 16) for one in every], np.uint64)
    folders = sorted({os.path.dirname(one.path) for one in every})
    ratios = []
    for seed in range(5):
        np.random.default_rng(seed).shuffle(folders)
        came = sorted(range(270), key=lambda one: folders.index(os.path.dirname(every[one].path)))
        kept: set[int] = set()
        for images in (168, 184, 203, 223, 245, 270):  # each time by a tenth
            there = sorted(came[:images])
            extended = drawn(every, there, kept, distance)
            assert kept <= extended
            kept = extended
        assert len(kept) == 27
        fresh = drawn(every, there, set(), distance)
        means = [nearest(hashes, hashes[sorted(one)]).mean() for one in (kept, fresh)]
        ratios.append(means[0] / means[1])
    assert max(ratios) <= 1.1


def drawn(
    every: list[SampledImage], there: list[int], fixed: set[int], distance: int | None
) -> set[int]:
    """Return a tenth of what is there, with what is fixed, fair to cameras."""
    cameras = sorted({one.camera for one in every})
    folders = sorted({os.path.dirname(one.path) for one in every})
    in_folder = [folders.index(os.path.dirname(every[one].path)) for one in there]
    by_camera = np.array([cameras.index(every[one].camera) for one in there], np.uint8)
    frame = Frame(
        np.array(there),
        np.array([int(every[one].dhash, 16) for one in there], np.uint64),
        times=np.full(len(there), NO_TIME),
        folders=Coded(np.array(in_folder, np.int32), [(1, folder) for folder in folders]),
        cameras=Coded(by_camera.astype(np.int32), [(1, camera) for camera in cameras]),
    )
    found = Candidates(
        frame,
        strata=[Strata(by_camera, cameras)],
        fixed=np.array([there.index(one) for one in sorted(fixed)], np.int64),
        groups={"burst": taken(frame, Clock(distance=distance)).bursts()},
        unit="image" if distance is None else "burst",
    )
    places = draw(found, round(len(there) / 10)).positions.tolist()
    return {there[place] for place in places}


@pytest.mark.parametrize("count", [14, 27, 40, 60, 81, 86])
def test_no_camera_gets_less_than_half_its_even_share_while_it_has_unseen_bursts(
    known: Index, count: int
) -> None:

    def camera(one: SampledImage) -> tuple[str, str]:
        return one.archive, one.camera

    every = known.select(1000, with_bursts=True)
    there = Counter(camera for camera, _ in {(camera(one), one.burst) for one in every})
    sample = known.select(count, unit="burst", balance="camera", with_bursts=True)
    assert len({one.burst for one in sample}) == min(count, sum(there.values()))
    got = Counter(map(camera, sample))
    even = count // len(there)
    assert all(got[one] >= min(bursts, even / 2) for one, bursts in there.items())
    if even:
        assert len(got) == len(there)
