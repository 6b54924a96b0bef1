"""Faults of the program and of what it is built on: no image is blamed for them."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import imagehash
import numpy as np
from PIL import Image, ImageFile, ImageStat

from sdindex import Index
from sdindex.indexing.executors import Threads
from tests.torture.states import first_difference, opened, state, update
from tests.torture.support import Row, check, images

IMAGES = 12
PROBLEMS = (AttributeError, TypeError, KeyError, ImportError, NameError, RuntimeError)
BROKEN: dict[str, tuple[Any, str]] = {
    "imagehash": (imagehash, "dhash"),
    "numpy": (np, "packbits"),
    "Pillow's sums": (ImageStat, "Stat"),
    "Pillow's decoding": (ImageFile.ImageFile, "load"),
    "EXIF": (Image.Image, "getexif"),
}


def decoders(folder: Path, count: int, seed: int) -> Row:
    """Break what reads images, in this process; good images are not called damaged."""
    archive = images(folder / "archive", IMAGES)
    update(folder / "whole.db", archive)
    expected = state(folder / "whole.db")
    outcomes: Counter[str] = Counter()
    for trial in range(seed, seed + count):
        chance = random.Random(trial)
        name = chance.choice(list(BROKEN))
        kind = chance.choice(PROBLEMS)
        again = f"{kind.__name__} in {name}; seed {trial}"
        (folder / "working").mkdir()
        db = folder / "working" / "sdindex.db"
        outcomes[_broken(db, archive, name, Breaks(kind, chance.randrange(IMAGES)), again)] += 1
        update(db, archive)
        wrong = first_difference(state(db), expected)
        check(not wrong, f"after the next run, {wrong}; {again}")
        shutil.rmtree(folder / "working")
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "faults of the program in reading an image",
        f"{count:,}",
        f"no image is blamed for them, and the next run reads them all ({said})",
    )


class Breaks:
    """A function that works some times and then never again."""

    def __init__(self, kind: type[Exception], after: int) -> None:
        self.kind = kind
        self.left = after
        self.real: Any = None

    def __get__(self, instance: Any, _: object = None) -> Any:
        return partial(self, instance)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise self.kind("no such thing")
        return self.real(*arguments, **options)


def _broken(db: Path, archive: Path, name: str, breaks: Breaks, again: str) -> str:
    module, function = BROKEN[name]
    breaks.real = getattr(module, function)
    with (
        mock.patch.object(module, function, breaks),
        Index(db) as index,
        Threads(2) as threads,
    ):
        try:
            summary = index.update(archive, executor=threads)
        except Exception as problem:  # noqa: BLE001  (which it is, is the question)
            ended = f"ended by {type(problem).__name__}"
        else:
            check(holds=False, said=f"it ended as if nothing were: {summary}; {again}")
    if db.exists():
        with closing(opened(db)) as connection:
            query = "SELECT path, error FROM image WHERE error IS NOT NULL"
            blamed = connection.execute(query).fetchall()
        check(not blamed, f"{blamed}; {again}")
    return ended
