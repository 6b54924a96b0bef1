"""Archives and indexes of any size, made at once for what is measured on them."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.costs import Cost, python, run

# Made in a process of its own, and so is an index: a process counts the memory of the one that
# started it as its own, so that this one must stay small.
NOISE = "from PIL import Image\nImage.merge('RGB', [Image.effect_noise((256, 192), 60)] * 3)"


def make_tree(tree: Path, files: int) -> None:
    """Make empty files in camera folders: a scan opens none."""
    for number, folder in enumerate(camera_folders(tree, files)):
        os.makedirs(folder)
        for file in range(min(1000, files - 1000 * number)):
            os.close(os.open(f"{folder}/IMG_{file + 1:04d}.JPG", os.O_CREAT | os.O_WRONLY))


def camera_folders(root: Path, files: int) -> Iterator[str]:
    """Yield the folders of the cards, 1,000 files each, of five cards a camera."""
    for number in range(-(-files // 1000)):
        camera, card = divmod(number, 5)
        yield f"{root}/site{camera // 10:04d}/camera{camera:05d}/DCIM/{100 + card}RECNX"


def index_of(db: Path, root: Path, images: int) -> Path:
    """Return the index of so many images below a root, written where it is not there yet."""
    if not db.exists():
        run([python(), "-m", "tests.bench.indexes", str(db), str(root), str(images)])
    return db


def make_image(path: Path, size: tuple[int, int] = (320, 240)) -> None:
    """Write a small JPEG of noise."""
    run([python(), "-c", f"{NOISE}.resize({size}).save({str(path)!r}, quality=80)"])


def run_with_new(
    index: Sequence[str], tree: Path, source: Path, *, images: int, batch: int
) -> Cost:
    """Add a folder of images to a tree, and return what indexing it costs then."""
    folder = tree / f"new{batch:03d}"
    folder.mkdir()
    for number in range(images):
        shutil.copy(source, folder / f"IMG_{number:04d}.JPG")
        os.utime(folder / f"IMG_{number:04d}.JPG", (1_700_000_000, 1_700_000_000 + number))
    return run(index)
