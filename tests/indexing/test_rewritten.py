"""Labels and saved samples stay with a file that is written anew: that is said."""

import os
from concurrent.futures import Executor
from pathlib import Path

from sdindex import Index
from tests.conftest import LONG_AGO, make_image


def label(index: Index, folder: Path, *paths: str) -> None:
    lines = "".join(f"{path},fox\n" for path in paths)
    (folder / "labels.csv").write_text(f"path,label\n{lines}")
    index.import_labels(folder / "labels.csv")


def test_changed_images_with_labels_and_in_samples_are_told(
    index: Index, archive: Path, tmp_path: Path, threads: Executor
) -> None:
    assert "that show something else" not in str(index.update(archive, executor=threads))
    label(index, tmp_path, "cam0/IMG_1.JPG", "cam0/IMG_3.JPG", "cam0/IMG_5.JPG")
    index.select(12, save="all")
    make_image(archive / "cam0/IMG_1.JPG", 50)
    make_image(archive / "cam0/IMG_3.JPG", 51)
    make_image(archive / "cam1/IMG_2.JPG", 52)
    done = index.update(archive, executor=threads)
    assert (done.changed, done.labels_kept, done.samples_kept) == (3, 2, 3)
    assert str(done).endswith(
        "; of the changed images that show something else now 2 have labels and 3 are in a saved "
        "sample: look whether these still hold"
    )
    assert "that show something else" not in str(index.update(archive, executor=threads))


def test_what_shows_the_same_is_not_told(
    index: Index, archive: Path, tmp_path: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    label(index, tmp_path, "cam0/IMG_1.JPG", "cam0/IMG_3.JPG")
    os.utime(archive / "cam0/IMG_1.JPG", (LONG_AGO + 99, LONG_AGO + 99))
    (archive / "cam0/IMG_3.JPG").write_bytes(b"no picture")
    os.utime(archive / "cam0/IMG_3.JPG", (LONG_AGO, LONG_AGO))
    done = index.update(archive, executor=threads)
    assert (done.changed, done.unreadable, done.labels_kept) == (1, 1, 0)
    assert index.update(archive, method="exact", executor=threads).labels_kept == 0
