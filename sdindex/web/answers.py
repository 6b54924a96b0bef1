"""Samples and images as the page gets them: plain values for JSON."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from sdindex.archive.names import printable
from sdindex.arguments import whole
from sdindex.errors import UsageError
from sdindex.exchange.formats.registry import FORMATS
from sdindex.reviewing import Review
from sdindex.sampling.options import PURPOSES, SampleOptions, sample_options
from sdindex.sampling.spelled import command
from sdindex.store.sampled import SampledImage

if TYPE_CHECKING:
    from sdindex.labelling import Labelling

# Options that name files of this machine: the page may not set them.
_OURS = ("files", "include", "review")
_TOLD_LABELS = 500
COPY = "copy"  # the images themselves, among the formats


@dataclass(frozen=True)
class Asked:
    """What a request asks for: a sample, and how it is grouped."""

    count: int
    options: SampleOptions
    by: str

    @classmethod
    def of(cls, question: dict[str, Any], review: Review) -> "Asked":
        """Read a request.

        Raises
        ------
        SampleError, UsageError
            When an option is unknown or out of range.
        """
        given = question["options"]
        if not isinstance(given, dict) or any(name in given for name in _OURS):
            raise UsageError("that is no option that a page may give")
        begun = {name: getattr(review.options, name) for name in _OURS}
        options = replace(sample_options(**given), **begun)
        if not {*options.exclude} <= {*review.options.exclude, *review.saved_names()}:
            raise UsageError("exclude names what is no saved sample")
        return cls(whole("count", question["count"], 1), options, str(question.get("by", "camera")))


def start_of(index: "Labelling", review: Review) -> dict[str, Any]:
    """Return what a page needs when it is opened."""
    labels = index.labels()
    usual = SampleOptions()
    options = {
        field.name: plain(getattr(review.options, field.name))
        for field in fields(SampleOptions)
        if field.name not in _OURS
        and getattr(review.options, field.name) != getattr(usual, field.name)
    }
    return {
        "count": review.draw(review.count, review.options).asked,
        "options": options,
        "purposes": PURPOSES,
        "observer": review.observer,
        "samples": sorted(review.saved_names()),
        "labels": [*dict.fromkeys(one.label for one in labels if one.label)][:_TOLD_LABELS],
        "sources": [*dict.fromkeys(one.source for one in labels)][:_TOLD_LABELS],
        "formats": [
            *({"name": form.name, "summary": form.summary,
               "flags": f"--format {form.name} -o {'FOLDER' if form.is_folder else 'FILE'}",
               "isFile": not form.is_folder and not form.needs,
               "isFolder": form.is_folder and not form.needs}
              for form in FORMATS.values()),
            {"name": COPY, "summary": "the images themselves, in a folder",
             "flags": "--copy-to FOLDER", "isFile": False, "isFolder": True},
        ],
    }  # fmt: skip


def plain(value: Any) -> Any:
    """Return the value of an option as JSON has it."""
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def sheet_of(review: Review, given: Asked, db: str) -> dict[str, Any]:
    """Return a sample as the page shows it."""
    sheet = review.draw(given.count, given.options, given.by)
    sampled = sum(len(ids) for _, _, ids in sheet.groups)
    made = [one.what for one in sheet.decisions.values()]
    return {
        "count": sampled,
        "asked": sheet.asked,
        "least": max(1, sheet.least),
        "images": sheet.images,
        "figures": [[one.number, one.of, one.what] for one in sheet.figures],
        "groups": [[printable(name), images, ids] for name, images, ids in sheet.groups],
        "decisions": {row: [one.what, one.why, one.within] for row, one in sheet.decisions.items()},
        "kept": made.count("kept"),
        "rejected": made.count("rejected"),
        "review": review.name,
        "command": command(db, sheet.asked, sheet.options),
    }


def described(row: int, image: SampledImage) -> dict[str, Any]:
    """Return what the page shows of an image."""
    return {
        "id": row,
        "path": printable(image.relative_path),
        "camera": printable(image.camera),
        "taken": image.taken_at.isoformat(" ", "seconds") if image.taken_at else "",
        "width": image.width,
        "height": image.height,
        "labels": [printable(label) for label in image.labels],
        "boxes": [[printable(box.label), box.x, box.y, box.width, box.height]
                  for box in image.boxes],
    }  # fmt: skip
