"""Ways to draw a sample of a part of an archive: sdindex's own, and others to compare with."""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdindex import Index
from sdindex.sampling.trim import trim
from tests.bench.probe import Features, Numbers

OURS: dict[str, dict[str, Any]] = {
    "select": {},
    "--order centre": {"order": "centre"},
    "--order even": {"order": "even"},
    "--bits 0 (a plain stride)": {"bits": 0},
    "--prefer motion": {"prefer": "motion"},
    "--balance camera": {"balance": "camera"},
    "--unit burst": {"unit": "burst"},
    "--unit burst --show first": {"unit": "burst", "show": "first"},
    "--unit burst --show middle": {"unit": "burst", "show": "middle"},
    "--unit burst --show last": {"unit": "burst", "show": "last"},
    "--unit burst --order centre": {"unit": "burst", "order": "centre"},
    "--unit burst --order even": {"unit": "burst", "order": "even"},
    "--unit burst --bits 0": {"unit": "burst", "bits": 0},
    "--unit event": {"unit": "event"},
    "--unit event --bits 0": {"unit": "event", "bits": 0},
    "--for labelling": {"purpose": "labelling"},
    "--for labelling --bits 0": {"purpose": "labelling", "bits": 0},
}
PEER = "smartdownsample 1.1.1"
# Each picture is opened once, by its own code; from then on its hash is known.
PEER_CALL = """
import json, sys
from smartdownsample import core
class Known:
    mode = "RGB"
    def __init__(self, path): self.path = path
    def __enter__(self): return self
    def __exit__(self, *_): pass
opened, hashed, hashes = core.Image.open, core.imagehash.dhash, {}
def hash_of(known, hash_size):
    if known.path not in hashes:
        with opened(known.path) as image:
            hashes[known.path] = hashed(image.convert("RGB"), hash_size=hash_size)
    return hashes[known.path]
core.imagehash.dhash = hash_of
core.Image = type("Opened", (), {"open": Known})
print(json.dumps([
    [core.sample_diverse(paths, count, show_progress=False) for count in counts]
    for paths, counts in json.load(sys.stdin)
]))
"""
THRESHOLD = 0.5  # the cosine distance at which smartdownsample 2 lets clusters be


@dataclass(frozen=True)
class Pool:
    """The part of an archive that samples are drawn from: the positions of its images.

    Paths, hashes and numbers of cameras and events are of all images, in natural order.
    """

    index: Index
    paths: Sequence[str]
    hashes: NDArray[np.uint64]
    cameras: Numbers
    events: Numbers
    positions: Numbers

    def ours(self, count: int, options: dict[str, Any]) -> list[str]:
        """Return the paths of what sdindex draws."""
        given = [self.paths[at] for at in self.positions]
        return [one.path for one in self.index.select(count, files=given, **options)]


Draw = Callable[[Pool, int, np.random.Generator], Numbers]


def at_random(pool: Pool, count: int, random: np.random.Generator) -> Numbers:
    return random.permutation(pool.positions)[:count]


def at_random_per_camera(pool: Pool, count: int, random: np.random.Generator) -> Numbers:
    """Draw as many of each camera, as far as there are as many."""
    mixed = random.permutation(pool.positions)
    of_camera = {one: mixed[pool.cameras[mixed] == one] for one in pool.cameras[mixed].tolist()}
    keeps = trim({one: len(images) for one, images in of_camera.items()}, count)
    return np.concatenate([of_camera[one][:keep] for one, keep in keeps.items()])


def one_per_event(pool: Pool, count: int, random: np.random.Generator) -> Numbers:
    """Draw an image of each event, then a second one of each."""
    mixed = random.permutation(pool.positions)
    seen: dict[int, int] = {}
    turn = []
    for event in pool.events[mixed].tolist():
        seen[event] = seen.get(event, 0) + 1
        turn.append(seen[event])
    return mixed[np.argsort(turn, kind="stable")][:count]


def k_centre_of_hashes(pool: Pool, count: int, _: np.random.Generator) -> Numbers:
    hashes = pool.hashes[pool.positions]
    chosen = farthest(lambda at: np.bitwise_count(hashes ^ hashes[at]).astype(float), 0, count)
    return pool.positions[chosen]


OTHERS: dict[str, Draw] = {
    "random": at_random,
    "random per camera": at_random_per_camera,
    "one per event": one_per_event,
    "k-centre on hashes": k_centre_of_hashes,
}


def farthest(apart: Callable[[int], NDArray[np.float64]], first: int, count: int) -> list[int]:
    """Return positions: the first, then always the one that is farthest from all before it."""
    chosen, least = [first], apart(first)
    while len(chosen) < min(count, len(least)):
        chosen.append(int(least.argmax()))
        np.minimum(least, apart(chosen[-1]), out=least)
        least[chosen] = -1
    return chosen


def k_centre_of(features: Features) -> Draw:
    """Return a way to draw by features: always the farthest image."""

    def draw(pool: Pool, count: int, _: np.random.Generator) -> Numbers:
        return pool.positions[_spread(features[pool.positions], count, 0)]

    return draw


def clustered_by(features: Features) -> Draw:
    """Return smartdownsample 2's rule on features: of each cluster one, the rest by its size.

    Clusters are of average linkage, to a cosine distance of 0.5; in each, the image nearest to
    the centre comes first, then always the farthest from all before it.
    """

    def draw(pool: Pool, count: int, _: np.random.Generator) -> Numbers:
        hierarchy: Any = import_module("scipy.cluster.hierarchy")
        tree = hierarchy.linkage(features[pool.positions], "average", "cosine")
        numbers = hierarchy.fcluster(tree, THRESHOLD, "distance")
        clusters = [pool.positions[numbers == number] for number in np.unique(numbers)]
        clusters.sort(key=len, reverse=True)
        clusters = clusters[:count]
        free = np.array([len(cluster) - 1 for cluster in clusters])
        exact = free * (count - len(clusters)) / max(free.sum(), 1)
        extra = np.minimum(np.floor(exact), free).astype(int)
        by_rest = np.argsort(extra - exact, kind="stable")
        extra[by_rest[: count - len(clusters) - extra.sum()]] += 1
        chosen: list[int] = []
        for cluster, more in zip(clusters, extra.tolist(), strict=True):
            own = features[cluster]
            central = int(np.linalg.norm(own - own.mean(axis=0), axis=1).argmin())
            chosen += cluster[_spread(own, 1 + more, central)].tolist()
        return np.array(chosen)

    return draw


def _spread(features: Features, count: int, first: int) -> list[int]:
    return farthest(lambda at: 1 - features @ features[at], first, count)


def of_peer(python: str, asked: Sequence[tuple[Sequence[str], Sequence[int]]]) -> Any:
    """Return what smartdownsample draws of paths, for each of several counts."""
    done = subprocess.run(
        [python, "-c", PEER_CALL], input=json.dumps(asked), text=True, stdout=subprocess.PIPE,
        check=True,
    )  # fmt: skip
    return json.loads(done.stdout)
