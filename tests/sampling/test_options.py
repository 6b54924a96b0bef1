"""The options of a sample, as forgiving and as strict as the command line's."""

from contextlib import suppress
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex import SampleError
from sdindex.sampling.count import sample_count
from sdindex.sampling.idle import refuse_idle
from sdindex.sampling.options import SampleOptions, sample_options
from sdindex.sampling.spelled import command
from sdindex.sampling.stratum_kinds import Kind, Quotas


def options(**given: Any) -> SampleOptions:
    return sample_options(**given)


def test_times_are_read_and_a_day_stays_one() -> None:
    day = options(since="2020-07-01", until="2020-07-01")
    assert day.since == day.until == date(2020, 7, 1)
    assert not isinstance(day.since, datetime)
    assert options(since="2020-07-01T12:30:05").since == datetime.fromisoformat(
        "2020-07-01T12:30:05"
    )
    assert options(since=date(2020, 7, 1)).since == date(2020, 7, 1)


def test_one_or_several_and_texts_or_paths() -> None:
    assert options(label="fox") == options(labels=["fox"]) == options(labels=("fox",))
    assert options(not_label="fox") == options(not_labels={"fox"})
    assert options(under=Path("cam0")) == options(under="cam0") == options(under=["cam0"])
    assert options(files=Path("list.txt")) == options(files="list.txt")
    assert options(files=[Path("a.jpg"), "b.jpg"]).files == ("a.jpg", "b.jpg")
    assert options(exclude="first") == options(exclude=["first"])


def test_none_is_not_given() -> None:
    nothing = dict.fromkeys(SampleOptions.__dataclass_fields__)
    assert options(**nothing) == SampleOptions()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bits": 65}, "bits must be a whole number from 0 to 64, not 65"),
        ({"bits": "4"}, "bits must be a whole number from 0 to 64, not '4'"),
        ({"bits": True}, "bits must be a whole number from 0 to 64, not True"),
        ({"bits": 4.0}, "bits must be a whole number"),
        ({"burst_distance": -1}, "burst_distance must be a whole number from 0 to 64, not -1"),
        ({"unit": "herd"}, "unit must be one of image, burst, event, not 'herd'"),
        ({"balance": "colour"}, "balance is camera, label, label:RANK"),
        ({"balance": 3}, "balance must be"),
        ({"balance": ["day", "camera", "day"]}, "balance has the same twice: day, camera, day"),
        ({"balance": "folder:0"}, "balance is camera"),
        ({"at_most": 5}, "at_most limits each stratum: give balance, too, such as camera"),
        ({"share": "deer=20%"}, "share is KIND:NAME=PERCENT%"),
        ({"share": "label:deer=20"}, "a share is more than 0% and at most 100%"),
        ({"share": "label:deer=60%,fox=41%"}, "the shares add up to 101%"),
        ({"share": "label:deer=6%,deer=4%"}, "share names each stratum once"),
        ({"share": "day:2024-05-01=6%", "balance": ["camera", "day"]}, "give day as the first"),
        (
            {"order": "left"},
            "order must be top, centre, even, or numbers of bits from 0 to 63, such",
        ),
        ({"order": 3}, "order must be top, centre, even, or numbers of bits .* 27,28,35,36, not 3"),
        ({"order": "1,1"}, "order has each bit once"),
        ({"order": [0, 64]}, "order must be a whole number from 0 to 63, not 64"),
        ({"order": [1, 2, 3]}, "order has 3 bits, fewer than bits asks for: 4"),
        ({"purpose": "talk"}, "purpose must be one of labelling, not 'talk'"),
        ({"since": "yesterday"}, "since must be a time such as 2026-04-03"),
        ({"until": 2020}, "until must be a time such as 2026-04-03"),
        ({"since": datetime.now(UTC)}, "without a time zone"),
        ({"label": 3}, "labels must be a text, or several, not 3"),
        ({"labels": ["fox", 3]}, "labels must be a text, not 3"),
        ({"under": b"cam0"}, "under must be a path"),
        ({"files": 7}, "files must be a path"),
        ({"where": 1}, "where must be a text"),
        ({"within": Path("a")}, "within must be a text"),
        ({"lable": "fox"}, "there is no option 'lable'; the options are purpose, bits"),
        ({"label": "a", "labels": "b"}, "give labels once"),
    ],
)
def test_what_is_wrong_says_what_is_allowed(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SampleError, match=said.replace("(", r"\(")) as raised:
        options(**wrong)
    assert "\n" not in str(raised.value)


TIMES = st.one_of(st.dates(), st.datetimes())


@given(TIMES, TIMES)
def test_since_after_until_is_refused_and_nothing_else_is(since: date, until: date) -> None:
    def moments(time: date) -> tuple[datetime, datetime]:
        if isinstance(time, datetime):
            return time, time
        return (
            datetime.fromisoformat(f"{time}T00:00:00"),
            datetime.fromisoformat(f"{time}T23:59:59.999999"),
        )

    if moments(since)[0] <= moments(until)[1]:
        assert options(since=since, until=until).since == since
    else:
        with pytest.raises(SampleError, match="is after until"):
            options(since=since, until=until)


@pytest.mark.parametrize("count", [0, -1, "10", True, 1.5, None, float("nan")])
def test_a_count_is_a_whole_number_from_1_on(count: object) -> None:
    with pytest.raises(SampleError, match="count must be a whole number of at least 1"):
        sample_count(count)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
                 st.lists(st.one_of(st.integers(), st.text())), st.dates()),
       st.sampled_from([*SampleOptions.__dataclass_fields__, "label", "other"]))  # fmt: skip
def test_whatever_is_given_it_is_taken_or_refused_in_one_line(value: object, name: str) -> None:
    with suppress(SampleError):
        options(**{name: value})


def test_what_was_given_is_said_short_and_in_one_line() -> None:
    for value in (np.zeros((9, 9)), list(range(10**6)), "x" * 1000):
        with pytest.raises(SampleError) as raised:
            options(bits=value)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 150


def test_a_purpose_is_what_is_not_said_otherwise() -> None:
    meant = options(unit="burst", show="moved", order="centre", balance="camera")
    assert options(purpose="labelling") == meant
    assert options(purpose="labelling", bits=None, unit=None) == meant
    chosen = options(purpose="labelling", unit="event", order="even", balance=["label", "day"])
    assert (chosen.unit, chosen.order, chosen.balance) == ("event", "even", ("label", "day"))
    assert options(purpose="labelling", balance=()).balance == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"show": "first"}, "show is for bursts and events: give unit burst or event, too, or"),
        ({"show": "moved"}, "show is for bursts and events"),
        ({"burst_seconds": 10}, "burst_seconds is for bursts and events"),
        ({"burst_distance": 0}, "burst_distance is for bursts and events"),
        ({"event_minutes": 5}, "event_minutes is for events: give unit event, too, or leave it"),
        ({"event_minutes": 5, "unit": "burst"}, "event_minutes is for events"),
        ({"show": "first", "unit": "image", "purpose": "labelling"}, "show is for bursts"),
    ],
)
def test_what_changes_nothing_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SampleError, match=said):
        refuse_idle(given, options(**given))
    if "show" not in given:
        refuse_idle(given, options(**given), with_bursts=True)


@pytest.mark.parametrize(
    "given",
    [
        {"show": "first", "purpose": "labelling"},
        {"show": "first", "unit": "event"},
        {"burst_seconds": 5, "event_minutes": 9, "unit": "event"},
        {"burst_seconds": 5, "purpose": "labelling"},
        {"show": None, "burst_seconds": None},
        {"purpose": "labelling", "unit": "image"},
    ],
)
def test_what_changes_something_is_not(given: dict[str, Any]) -> None:
    refuse_idle(given, options(**given))


def test_a_command_that_draws_again_has_no_idle_options() -> None:
    kept = options(show="first", burst_seconds=5, bits=3)
    assert command("", 9, kept) == "sdindex select -n 9 --bits 3"
    assert command("", 9, kept, "--save", "it").endswith(
        "-n 9 --bits 3 --burst-seconds 5 --save it"
    )
    drawn = options(show="first", burst_seconds=5, unit="burst")
    assert command("", 9, drawn).endswith("-n 9 --unit burst --show first --burst-seconds 5")


def test_what_has_fixed_shares_is_the_outermost() -> None:
    named = options(share="folder:2:site:1/a=20%,b=3.5%", balance=["camera"])
    assert [str(kind) for kind in named.strata] == ["folder:2", "camera"]
    assert named.quotas is not None
    assert [*named.quotas.percent] == ["site:1/a", "b"]
    rank = options(share="label:genus:vulpes=50%", balance=["label:genus", "day"])
    assert [str(kind) for kind in rank.strata] == ["label:genus", "day"]
    assert options(share="label:genus=50%").quotas == Quotas(Kind("label"), {"genus": Fraction(50)})
