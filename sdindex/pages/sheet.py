"""A contact sheet: thumbnails, made in processes, and the caption of each."""

from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import Future
from importlib.resources import files
from io import BytesIO
from typing import Any, TypeVar

from jinja2 import Environment, FunctionLoader, StrictUndefined
from PIL import Image

from sdindex.archive.names import printable, to_text
from sdindex.archive.roots import root_of
from sdindex.pages.decoding import decoders, picture_of
from sdindex.pages.thumbnails import Thumbnail, thumbnail
from sdindex.progress import bar
from sdindex.sampling.trim import stride
from sdindex.store.sampled import SampledImage
from sdindex.workers import IN_FLIGHT_PER_WORKER, completed

Item = TypeVar("Item")


def pictures(
    wanted: Sequence[tuple[SampledImage, int]], workers: int, progress: bool | None
) -> list[Thumbnail]:
    """Make thumbnails, several at once; each is a picture, or the reason why there is none."""
    made: list[Thumbnail] = [Thumbnail(None, "not made")] * len(wanted)
    if not wanted:
        return made
    with (
        decoders({image.archive for image, _ in wanted}, workers) as pool,
        bar(len(wanted), "thumbnails", show=progress) as shown,
    ):

        def submit(number: int) -> "Future[Thumbnail]":
            image, side = wanted[number]
            return pool.submit(
                thumbnail, root_of(image.archive), to_text(image.relative_path), side
            )

        jobs = iter(range(len(wanted)))
        in_flight = workers * IN_FLIGHT_PER_WORKER
        for done in completed(jobs, submit, in_flight=in_flight, wait_seconds=1.0):
            if done is not None:
                number, future = done
                made[number] = picture_of(future)
                shown.update()
    return made


def tile(image: SampledImage, picture: Thumbnail) -> dict[str, Any]:
    """Return what a template shows of an image; names are printable."""
    return {
        "path": printable(image.relative_path),
        "camera": printable(image.camera) or "the archive itself",
        "taken": image.taken_at.isoformat(" ", "seconds") if image.taken_at else "no time",
        "labels": ", ".join(map(printable, image.labels)),
        "boxes": [(printable(box.label), *(100 * side for side in box[1:])) for box in image.boxes],
        "shape": f"{_shape(image, picture):.4f}",
        "size": f"{image.width} x {image.height}",
        "motion": "" if image.motion is None else f"motion {image.motion:.2f}",
        "source": source(picture),
        "error": picture.error,
    }


def _shape(image: SampledImage, picture: Thumbnail) -> float:
    """Return the width of an upright picture divided by its height."""
    if picture.jpeg is None:
        return image.width / image.height
    with Image.open(BytesIO(picture.jpeg)) as small:
        return small.width / small.height


def lacking(made: Sequence[tuple[SampledImage, Thumbnail]]) -> list[str]:
    """Return lines on images without a picture, and why; a disk that is away is named once."""
    without = [(image, picture.error) for image, picture in made if picture.jpeg is None]
    away = {root for root in {image.archive for image, _ in without} if _is_away(root)}
    lines = [
        f"{printable(root)} is not there: "
        f"{sum(image.archive == root for image, _ in without):,} images of it have no picture"
        for root in sorted(away)
    ]
    others = [(image, error) for image, error in without if image.archive not in away]
    if others:
        (first, error), images = others[0], "image has" if len(others) == 1 else "images have"
        such = f"such as {printable(first.relative_path)}: {error}"
        lines.append(f"{len(others):,} {images} no picture, {such}")
    return lines


def _is_away(root: str) -> bool:
    try:
        root_of(root).identity()
    except OSError:
        return True
    return False


def source(picture: Thumbnail) -> str | None:
    """Return a picture as a data URL; None without one."""
    if picture.jpeg is None:
        return None
    return "data:image/jpeg;base64," + b64encode(picture.jpeg).decode("ascii")


def even(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most `count` of the items, evenly chosen."""
    return [items[position] for position in stride(len(items), min(len(items), count))]


def rendered(template: str, **content: Any) -> str:
    """Return a rendered template of this package; content is escaped."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(lambda name: text_of(f"templates/{name}")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(content)


def text_of(name: str) -> str:
    """Return a text file of this package."""
    return (files("sdindex.pages") / name).read_text(encoding="utf-8")
