"""SpeciesNet's own predictions, read as MegaDetector's results.

There (https://github.com/google/cameratrapai) an image as a whole has a species, written
``id;class;order;family;genus;species;common name``. Here, as in SpeciesNet's own conversion, the
image's detections get it, and a blank image has no detections.
"""

from collections.abc import Mapping
from typing import IO, Any

from sdindex.exchange.detections import (
    CATEGORIES,
    DESCRIPTIONS,
    INFO,
    PREDICTIONS,
    SPECIES,
    Header,
)
from sdindex.exchange.json_stream import JsonError, pieces

_ANIMAL = "1"
_CATEGORIES = {_ANIMAL: "animal", "2": "human", "3": "vehicle"}
_CATEGORY_OF = {name: number for number, name in _CATEGORIES.items()}
_BLANK, _UNKNOWN = "blank", "no cv result"
_MOST = 100_000  # species at most; SpeciesNet knows some thousands


def header_of(file: IO[bytes]) -> Header:
    """Return the header that MegaDetector's results would have for these predictions.

    Empty where there are none.

    Raises
    ------
    JsonError
        When the file is damaged, or has more species than there can be.
    """
    numbers: dict[str, str] = {}
    version: str | None = None
    for name, prediction in pieces(file, (PREDICTIONS,)):
        if name != PREDICTIONS:  # of a list
            return {}
        version = version or ""
        if isinstance(prediction, dict):  # else reading the images tells it
            version = version or str(prediction.get("model_version") or "")
            description = _species_of(prediction)[0]
            if description:
                numbers.setdefault(description, str(len(numbers)))
        if len(numbers) > _MOST:
            raise JsonError(f"it has more than {_MOST:,} species")
    if version is None:
        return {}
    return {
        INFO: {"classifier": f"SpeciesNet {version}".rstrip()},
        CATEGORIES: dict(_CATEGORIES),
        SPECIES: {number: _name_of(said) for said, number in numbers.items()},
        DESCRIPTIONS: {number: said for said, number in numbers.items()},
    }


class Predictions:
    """Turns predictions into images of results.

    Parameters
    ----------
    header
        The header of the same file.
    least
        The least confidence of a detection. A species without such a detection is given without a
        box.
    """

    def __init__(self, header: Header, least: float) -> None:
        self._least = least
        described = header.get(DESCRIPTIONS, {})
        self._numbers = {said: number for number, said in described.items()}

    def image(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Return an image's prediction in the form of MegaDetector's results.

        Raises
        ------
        AttributeError, LookupError, TypeError
            When it is not as SpeciesNet writes it.
        """
        image = {"file": prediction["filepath"]}
        detections = [
            {name: value for name, value in detection.items() if name != "label"}
            for detection in prediction.get("detections") or ()
        ]
        said, score = _species_of(prediction)
        if not said and "detections" not in prediction:
            why = ", ".join(prediction.get("failures") or ["nothing is predicted"])
            return {**image, "failure": why, "detections": None}
        name = _name_of(said)
        if name == _BLANK:
            detections = []
        elif said and name != _UNKNOWN:
            category = _CATEGORY_OF.get(name, _ANIMAL)
            shown = [each for each in detections if each["category"] == category]
            if all(each["conf"] < self._least for each in shown):
                shown.append({"category": category, "conf": score})
                detections.append(shown[-1])
            for detection in shown:
                detection["classifications"] = [[self._numbers[said], score]]
        return {**image, "detections": detections}


def _species_of(prediction: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the description of the species and its confidence; empty where there is none.

    If only the classifier ran, it is the likeliest class.
    """
    if prediction.get("prediction"):
        return str(prediction["prediction"]), prediction.get("prediction_score")
    found = prediction.get("classifications") or {}
    classes, scores = found.get("classes") or [""], found.get("scores") or [None]
    return str(classes[0]), scores[0]


def _name_of(description: str) -> str:
    """Return the common name, or the name at the lowest rank that has one."""
    names = [part.strip() for part in description.split(";") if part.strip()]
    return names[-1] if names else ""
