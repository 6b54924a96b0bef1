"""A species classifier's results, imported into a large index; run as a program, it writes them."""

import json
import random
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.costs import in_turn, median, python, run
from tests.bench.made import camera_folders, index_of
from tests.bench.rows import Row
from tests.bench.sizes import Sizes

_SPECIES = 500
_ID = "5c7ce479-8a45-40b3-ae21-7c97dfae{:04x}"


def labels(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Import results of SpeciesNet's form of every image, then the same again."""
    db = index_of(folder / "labelled.db", Path("/data/large"), sizes.images)
    results = folder / "results.json"
    run([python(), "-m", "tests.bench.labels", str(results), str(sizes.images)])
    command = ["sdindex", "--db", str(db), "labels", "import", str(results)]
    what = f"labels import of {sizes.images:,} images"
    for again, target in (("", "30 s, 150 MB of 1,000,000"), (", again", "")):
        (cost,) = in_turn(0, partial(run, command))
        taken = f"{median(cost, 'wall'):.1f} s, {median(cost, 'memory'):.0f} MB"
        yield Row(f"{what}{again}", taken, target=target)
    results.unlink()
    db.unlink()


def write_results(file: Path, images: int) -> None:
    """Write results with boxes and five species each, 0.3 KB an image."""
    chance = random.Random(1)
    numbers = [str(number) for number in range(_SPECIES)]
    header: dict[str, Any] = {
        "info": {"format_version": "1.4", "classifier": "SpeciesNet v4.0.1a"},
        "detection_categories": {"1": "animal", "2": "human", "3": "vehicle"},
        "classification_categories": {number: f"species {number}" for number in numbers},
        "classification_category_descriptions": {
            number: f"{_ID.format(int(number))};mammalia;carnivora;family {int(number) % 50};"
            f"genus {int(number) % 200};epithet {number};species {number}"
            for number in numbers
        },
    }
    paths = (
        f"{card.strip('./')}/IMG_{number + 1:04d}.JPG"
        for at, card in enumerate(camera_folders(Path(), images))
        for number in range(min(1000, images - 1000 * at))
    )
    with file.open("w") as output:
        output.write(json.dumps(header)[:-1] + ', "images": [\n')
        for number, path in enumerate(paths):
            output.write(",\n" if number else "")
            output.write(json.dumps({"file": path, "detections": list(_seen(chance, numbers))}))
        output.write("\n]}\n")


def _seen(chance: random.Random, numbers: list[str]) -> Iterator[dict[str, Any]]:
    """Yield nothing for three images of ten, else a detection or two."""
    for _ in range(chance.choice((0, 0, 0, 1, 1, 1, 1, 1, 1, 2))):
        sure = round(chance.uniform(0.2, 1), 4)
        yield {
            "category": "1",
            "conf": round(chance.uniform(0.1, 1), 3),
            "bbox": [round(chance.random() / 2, 4) for _ in range(4)],
            "classifications": [
                [number, round(sure / 2**at, 4)]
                for at, number in enumerate(chance.sample(numbers, 5))
            ],
        }


if __name__ == "__main__":
    write_results(Path(sys.argv[1]), int(sys.argv[2]))
