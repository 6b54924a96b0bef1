"""What a review makes of a sample, held against a plain statement of the rule."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from sdindex.sampling.blocks import NO_MOTION
from sdindex.sampling.frame import Frame, buckets_of
from sdindex.sampling.options import SHOWN, UNITS
from sdindex.sampling.review import Decided
from sdindex.sampling.sample import Candidates, draw
from sdindex.sampling.strata import Strata

LEADING = (0,)


def best(left: Sequence[int], image: int, found: Candidates, motions: Sequence[int]) -> int:
    """Return what stands for what is left of a burst."""
    by_motion = found.show == "moved" if found.unit != "image" else found.prefers_motion
    if by_motion:
        return max(left, key=lambda one: (motions[one], -one))
    if found.unit == "image":
        return min(left, key=lambda one: (abs(one - image), one))
    return {"first": left[0], "middle": left[len(left) // 2], "last": left[-1]}[found.show]


class Plain:
    """A sample that is reviewed image by image."""

    def __init__(
        self, found: Candidates, sample: Sequence[int], count: int, motions: Sequence[int]
    ) -> None:
        self.found, self.count, self.motions = found, count, motions
        images = range(len(found))
        bucket = buckets_of(found.frame.hashes, found.leading).tolist()
        self.nest = [(*(int(key[at]) for key in found.keys), bucket[at]) for at in images]
        self.unit = found.groups["burst" if found.unit == "image" else found.unit].tolist()
        self.chosen, self.gone = set(sample), set[int]()

    def around(self, image: int, some: Sequence[int]) -> Sequence[int]:
        """Return those of some images that share the most strata with one."""
        near = (
            [at for at in some if self.nest[at][:level] == self.nest[image][:level]]
            for level in range(len(self.nest[image]), -1, -1)
        )
        return next(filter(None, near), [])

    def instead(self, image: int) -> int | None:
        least = len(self.found.strata) if self.found.at_most is not None else 0
        free = [
            at
            for at in sorted(set(range(len(self.found))) - self.chosen - self.gone)
            if self.nest[at][:least] == self.nest[image][:least]
        ]
        mates = [at for at in free if self.unit[at] == self.unit[image]]
        shown = {self.unit[at] for at in self.chosen}
        new = [at for at in free if self.unit[at] not in shown]
        if not mates and new and self.found.unit != "image":
            of_unit = self.unit[near(image, self.around(image, new))]
            mates = [at for at in new if self.unit[at] == of_unit]
        if mates:
            return best(mates, image, self.found, self.motions)
        return near(image, self.around(image, free)) if free else None

    def reject(self, images: Sequence[int]) -> None:
        self.gone |= set(images)
        out = sorted(self.chosen & set(images))
        self.chosen -= set(out)
        for image in out:
            other = self.instead(image)
            self.chosen |= set() if other is None else {other}

    def keep(self, image: int, kept: Sequence[int]) -> None:
        if image not in self.chosen and len(self.chosen) >= self.count:
            may_go = sorted(self.chosen - set(kept))
            may_go = [at for at in may_go if at not in self.found.fixed] or may_go
            mates = [at for at in may_go if self.unit[at] == self.unit[image]]
            self.chosen.remove(near(image, mates or self.around(image, may_go)))
        self.chosen.add(image)


def near(image: int, some: Sequence[int]) -> int:
    return min(some, key=lambda one: (abs(one - image), one))


def plain(
    found: Candidates, sample: Sequence[int], decided: Decided, count: int, motions: Sequence[int]
) -> list[int]:
    """Return the sample that a review makes, image by image."""
    review = Plain(found, sample, count, motions)
    for images in decided.rejected:
        review.reject(images.tolist())
    for image in decided.kept:
        review.keep(image, decided.kept)
    return sorted(review.chosen)


@st.composite
def reviews(draw_one: st.DrawFn) -> tuple[Candidates, int, list[int]]:
    """Draw images in strata, buckets and bursts, and decisions on them."""
    images = draw_one(st.integers(1, 30))
    some = st.lists(st.integers(0, 2), min_size=images, max_size=images)
    depth = draw_one(st.integers(0, 2))
    strata = [Strata(np.array(draw_one(some), np.uint8), ["a", "b", "c"]) for _ in range(depth)]
    hashes = np.array([draw_one(st.booleans()) << 63 for _ in range(images)], np.uint64)
    motions = draw_one(st.lists(st.integers(0, 3), min_size=images, max_size=images))
    begins = draw_one(st.lists(st.booleans(), min_size=images, max_size=images))
    bursts = np.maximum.accumulate(np.where(begins, np.arange(images), 0))
    positions = st.integers(0, images - 1)
    rejecting = st.lists(positions, min_size=1, max_size=4, unique=True)
    rejected = draw_one(st.lists(rejecting, max_size=12))
    kept = draw_one(st.lists(positions, max_size=6, unique=True))
    kept = [at for at in kept if at not in {one for some in rejected for one in some}]
    fixed = sorted(draw_one(st.sets(positions, max_size=3)))
    count = draw_one(st.integers(1, images + 2))
    assume(max(len(fixed), len(kept)) <= count)
    unit = draw_one(st.sampled_from(UNITS[:2]))
    found = Candidates(
        Frame(
            np.arange(100, 100 + images),
            hashes,
            motions=np.array([one or NO_MOTION for one in motions], np.uint16),
        ),
        LEADING,
        strata,
        np.array(fixed, np.int64),
        {"burst": bursts},
        unit,
        show=draw_one(st.sampled_from(SHOWN)),
        prefers_motion=draw_one(st.booleans()),
        at_most=draw_one(st.sampled_from([None, 3])) if strata else None,
        decided=Decided([np.array(sorted(one)) for one in rejected], kept),
    )
    return found, count, motions


@given(reviews())
def test_a_review_makes_of_a_sample_what_the_plain_rule_says(
    review: tuple[Candidates, int, list[int]],
) -> None:
    found, count, motions = review
    assert found.decided is not None
    before = draw(replace(found, decided=None), count).positions.tolist()
    after = draw(found, count).positions.tolist()
    assert after == plain(found, before, found.decided, count, motions)
    gone = {at for some in found.decided.rejected for at in some.tolist()}
    assert gone.isdisjoint(after)
    assert set(found.decided.kept) <= set(after)
    if found.at_most is None:
        assert len(after) == min(max(len(before), len(found.decided.kept)), len(found) - len(gone))


@given(reviews(), st.data())
def test_a_decision_on_an_image_of_a_sample_changes_that_image_alone(
    review: tuple[Candidates, int, list[int]], data: st.DataObject
) -> None:
    found, count, _ = review
    assert found.decided is not None
    only_rejected = Decided(found.decided.rejected, ())
    found = replace(found, decided=only_rejected)
    sample = draw(found, count).positions.tolist()
    assume(sample)
    image = data.draw(st.sampled_from(sample))
    rejected = [*only_rejected.rejected, np.array([image])]
    others = replace(found, decided=Decided(rejected, ()))
    assert len(set(sample) - set(draw(others, count).positions.tolist())) == 1
    kept = replace(found, decided=Decided(only_rejected.rejected, [image]))
    assert draw(kept, count).positions.tolist() == sample
