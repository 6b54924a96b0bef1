"""Label files that are nested without end, cut short, or hold what is no label."""

from __future__ import annotations

import json
import random
import resource
from collections import Counter
from pathlib import Path
from typing import Any

from tests.torture.states import update
from tests.torture.support import Row, check, check_refusal, command, ended, images, write

DEPTHS = (50, 2000, 100_000, 2_000_000)
MEMORY = 300 << 20  # bytes
SECONDS = 20.0
_DETECTION = {"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1]}


def nested(folder: Path, count: int, seed: int) -> Row:
    """Import and select by files of nothing but brackets, in each part of a label file."""
    update(folder / "sdindex.db", images(folder / "archive", 14))
    file = folder / "labels.json"
    outcomes: Counter[str] = Counter()
    most = 0
    for trial in range(seed, seed + count):
        chance = random.Random(trial)
        content, depth = _content(chance)
        write(file, content)
        program: list[Any] = ["labels", "import", file]
        if chance.random() < 0.3:
            program = ["select", "-n", 5, "--from", file]
        again = f"{program[0]}, {content[:80]!r}, {depth} deep; seed {trial}"
        program = command(folder / "sdindex.db", *program)
        done = ended(program, before=_keep_within, seconds=SECONDS)
        check(done.status in (0, 1), f"it ended with {done.status}: {done.said[-900:]}; {again}")
        if done.status:
            check_refusal(done.status, done.said, again)
        memory = f"{done.most_memory / 1e6:,.0f} MB"
        check(done.most_memory <= MEMORY, f"it took {memory}; {again}")
        most = max(most, done.most_memory)
        outcomes["refused" if done.status else "read"] += 1
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "label files and lists of nested brackets",
        f"{count:,}",
        f"refused in a line, or read, in {most / 1e6:,.0f} MB at most ({said})",
    )


def _keep_within() -> None:
    """Have no more memory than this machine can spare, should there be no bound."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def _content(chance: random.Random) -> tuple[bytes, int]:
    """Return a label file with brackets in some part of it, and how deep these are."""
    depth = chance.choice(DEPTHS)
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("[1,", "]")))
    brackets = opening * depth
    if chance.random() < 0.5:
        brackets += "1" + closing * depth
    known: dict[str, Any] = {
        "info": {},
        "detection_categories": {"1": "animal"},
        "images": [{"file": "0/IMG_0.JPG", "detections": [_DETECTION]}],
    }
    mark = "BRACKETS"
    match chance.randrange(7):
        case 0:
            return brackets.encode(), depth
        case 1:
            known["info"] = mark
        case 2:
            known["images"][0]["file"] = mark
        case 3:
            known["images"][0]["detections"] = mark
        case 4:
            known["images"][0]["detections"] = [_DETECTION | {"bbox": mark}]
        case 5:
            known["detection_categories"] = {"1": mark}
        case _:
            known = {"unknown": mark} | known
    return json.dumps(known).replace(f'"{mark}"', brackets).encode(), depth
