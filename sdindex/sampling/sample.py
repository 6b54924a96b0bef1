"""Which images a sample takes: pure, from columns of numbers, in natural order.

The sample is shared out over the strata (cameras, folders, labels), one within the other, then over
the buckets; in each bucket images are drawn evenly along natural order. Drawn are single images, or
bursts or events, of which one image each is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.errors import SampleError
from sdindex.sampling import levels
from sdindex.sampling.frame import Frame, Numbers, moved
from sdindex.sampling.levels import Key, Wishes
from sdindex.sampling.options import Show, Unit
from sdindex.sampling.order import top_bits
from sdindex.sampling.review import Decided, Kin, reviewed
from sdindex.sampling.strata import Strata
from sdindex.sampling.stratum_kinds import Quotas
from sdindex.sampling.units import Units, units_of

# When a unit is drawn: units of a later value only after all earlier ones.
USUAL, COMPANION, EXCLUDED = range(3)


def _none() -> Numbers:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Candidates:
    """The images that a sample is drawn from, and how it is drawn.

    Attributes
    ----------
    frame
        The images, in natural order.
    leading
        The bits of a hash that make a bucket.
    strata
        The strata of each level, the outermost first.
    fixed
        The positions, in order, of the images that the sample takes in any case.
    groups
        For ``"burst"`` and ``"event"``: for each image, the position (among all images there are)
        of the first image of its burst or event.
    unit
        The unit that is drawn, or ``"image"``.
    all_ids
        The ids of all images there are; None where these are the images of the frame.
    later
        When each image's unit is drawn: `USUAL` or later; None for all `USUAL`.
    show
        Which image of a unit is shown.
    prefers_motion
        Whether the image with the most motion is taken at each step of the stride.
    at_most
        The most images drawn of each innermost stratum.
    quotas
        Fixed shares of the outermost strata, and these strata's numbers by name.
    decided
        The decisions of a review, if any; then `groups` has the bursts.
    """

    frame: Frame
    leading: Sequence[int] = top_bits(4)
    strata: Sequence[Strata] = ()
    fixed: Numbers = field(default_factory=_none)
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    unit: Unit = "image"
    all_ids: Numbers | None = None
    later: NDArray[np.uint8] | None = None
    show: Show = "moved"
    prefers_motion: bool = False
    at_most: int | None = None
    quotas: tuple[Quotas, dict[str, int]] | None = None
    decided: Decided | None = None

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def least(self) -> int:
        """The least size of a sample: how many images are fixed, or kept by a review."""
        kept = () if self.decided is None else self.decided.kept
        return max(len(self.fixed), len(kept))

    @cached_property
    def kin(self) -> Kin:
        """How a review finds the next best image."""
        by_unit = self.unit != "image"
        by_motion = self.show == "moved" if by_unit else self.prefers_motion
        motions = self.frame.motions if by_motion else None
        outermost = 0 if self.quotas is None else 1
        return Kin(
            [*self.keys, self.frame.buckets(self.leading)],
            self.groups[self.unit if by_unit else "burst"],
            show=self.show if by_unit else None,
            moved=None if motions is None else moved(motions),
            outermost=outermost if self.at_most is None else len(self.strata),
        )

    @property
    def keys(self) -> list[Key]:
        """The numbers of the strata, the outermost first."""
        return [strata.numbers for strata in self.strata]

    def wishes(self, count: int, positions: NDArray[Any] | slice = slice(None)) -> Wishes:
        """Return the limits, fixed shares and motions of a sample of `count` of these images."""
        motions = self.frame.motions if self.prefers_motion else None
        quotas = None
        if self.quotas is not None:
            asked, numbers = self.quotas
            quotas = {numbers[name]: part for name, part in asked.counts(count).items()}
        return Wishes(self.at_most, quotas, None if motions is None else moved(motions[positions]))


class Drawn(NamedTuple):
    """A sample: positions among the candidates, in order, and the ids of its units.

    Where single images are drawn there are no units.
    """

    positions: Numbers
    units: NDArray[Any] | None = None


def draw(candidates: Candidates, count: int) -> Drawn:
    """Return a sample of the candidates, or all of them when there are fewer.

    Raises
    ------
    SampleError
        When more images are fixed than are wanted, or there are too few images for a fixed share.
    """
    kept = () if candidates.decided is None else candidates.decided.kept
    require_room(len(candidates.fixed), len(kept), count)
    positions = _drawn(candidates, count)
    if candidates.decided is not None:
        positions = reviewed(positions, candidates.decided, candidates.kin, count, candidates.fixed)
    if candidates.unit == "image":
        return Drawn(positions)
    firsts = candidates.groups[candidates.unit]
    all_ids = candidates.frame.ids if candidates.all_ids is None else candidates.all_ids
    return Drawn(positions, all_ids[firsts[positions]])


def require_room(fixed: int, kept: int, count: int) -> None:
    """Refuse a sample that is smaller than its fixed images, or those that a review keeps.

    Raises
    ------
    SampleError
        When it is.
    """
    if fixed > count:
        raise SampleError(
            f"{fixed:,} images are fixed already, more than the {count:,} that "
            "are wanted; ask for more, or fix fewer"
        )
    if kept > count:
        raise SampleError(
            f"the review keeps {kept:,} images, more than the {count:,} that are wanted; "
            "ask for more, or keep fewer"
        )


def _drawn(candidates: Candidates, count: int) -> NDArray[Any]:
    """Return the positions of a sample, before a review."""
    if candidates.unit == "image":
        keys = [*candidates.keys, candidates.frame.buckets(candidates.leading)]
        positions = levels.drawn(keys, candidates.fixed, count, candidates.wishes(count))
        _require_shares(candidates, _at(candidates.keys, positions), count, "images")
        return positions
    units = units_of(candidates.groups[candidates.unit])
    shown = units.shown_by(candidates.show, candidates.frame.motions)
    return _draw_units(candidates, units, shown, count)


def _draw_units(
    candidates: Candidates, units: Units, shown: NDArray[Any], count: int
) -> NDArray[Any]:
    """Return the positions of images, one of each unit; where all units fit, of more images.

    A unit with a fixed image counts as taken. Where not all units fit, units are balanced and
    trimmed. Where they do, one image of each is taken, and then more images.
    """
    fixed = candidates.fixed
    taken = _in_order(len(units), units.unit_of[fixed])
    room = count - len(fixed) + len(taken)
    chosen = _in_turn(candidates, shown, taken, room)
    is_new = np.zeros(len(units), bool)
    is_new[chosen] = True
    is_new[taken] = False
    positions = _in_order(len(candidates), shown[is_new], fixed)
    keys = _at(candidates.keys, shown)
    if room <= len(units):
        _require_shares(candidates, _at(keys, chosen), room, "units")
        return positions
    of_images = _at(keys, units.unit_of)
    positions = levels.drawn(
        [*of_images, units.unit_of], positions, count, candidates.wishes(count)
    )
    _require_shares(candidates, _at(of_images, positions), count, "images")
    return positions


def _in_turn(
    candidates: Candidates, shown: NDArray[Any], taken: NDArray[Any], room: int
) -> NDArray[Any]:
    """Return the numbers of `room` units, those taken already among them.

    They come in the order of the images that show them. A unit that is to be drawn later is only
    drawn when all others are.
    """
    in_order = np.argsort(shown, kind="stable")  # events of two folders may overlap
    later = np.zeros(len(shown), np.uint8)
    if candidates.later is not None:
        later = candidates.later[shown]
        later[taken] = USUAL
    buckets = candidates.frame.buckets(candidates.leading)
    chosen = taken
    for turn in np.flatnonzero(np.bincount(later)):
        if len(chosen) >= room:
            break
        offered = in_order[later[in_order] <= turn]
        images = shown[offered]
        is_chosen = np.zeros(len(shown), bool)
        is_chosen[chosen] = True
        fixed = np.flatnonzero(is_chosen[offered])
        wishes = candidates.wishes(room, images)
        keys = [*_at(candidates.keys, images), buckets[images]]
        chosen = offered[levels.drawn(keys, fixed, room, wishes)]
    return chosen


def _require_shares(candidates: Candidates, keys: Sequence[Key], count: int, things: str) -> None:
    """Refuse a sample in which a stratum did not get its fixed share.

    Raises
    ------
    SampleError
        When it has too few images, or too many fixed ones.
    """
    if candidates.quotas is None:
        return
    quotas, numbers = candidates.quotas
    wanted = quotas.counts(count)
    drawn = np.bincount(keys[0], minlength=len(candidates.strata[0].names)).tolist()
    for name, number in numbers.items():
        of_it = f"{quotas.kind}:{name} is to be {wanted[name]:,} of {count:,} {things}"
        if drawn[number] > wanted[name]:
            raise SampleError(f"{of_it}, and {drawn[number]:,} are fixed already; fix fewer")
        if drawn[number] < wanted[name]:
            raise SampleError(
                f"{of_it}, and there are {drawn[number]:,}: enough for a sample of "
                f"{quotas.most(name, drawn[number]):,}"
            )
    rest, asked = sum(drawn) - sum(wanted.values()), count - sum(wanted.values())
    if rest > asked or (rest < asked and candidates.at_most is None):
        raise SampleError(
            f"what share does not name is to be {asked:,} of {count:,} {things}, and there are "
            f"{rest:,}"
        )


def _in_order(size: int, *positions: NDArray[Any]) -> Numbers:
    """Return positions, all below `size`, in order and each once."""
    is_there = np.zeros(size, bool)
    for some in positions:
        is_there[some] = True
    return np.flatnonzero(is_there)


def _at(keys: Iterable[Key], positions: NDArray[Any]) -> list[Key]:
    return [key[positions] for key in keys]
