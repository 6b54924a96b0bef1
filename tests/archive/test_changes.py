from collections import Counter
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from sdindex.archive.changes import (
    HOUR_NS,
    AllUnchanged,
    Doubt,
    KnownImage,
    Reason,
    ToRead,
    Unchanged,
    Vanished,
    compare,
    same_files,
    shift,
)
from sdindex.archive.scan import Unlooked
from sdindex.archive.state import BY_ALL, BY_TIME, FoundFile

METHOD = "scaled-1"
LONG_AGO_NS = 1_600_000_000_000_000_000
states = st.tuples(*[st.integers(-2, 2)] * 4)
State = tuple[int, int, int, int]
paths = st.text("ab/.é\U0001f600", min_size=1, max_size=4).map(lambda path: path + "x.jpg")
files = st.dictionaries(paths, states, max_size=8)
rows = st.dictionaries(
    paths, st.tuples(states, st.sampled_from([METHOD, "exact-1"]), st.booleans()), max_size=8
)


def known_image(number: int, path: str, state: State, method: str, settled: bool) -> KnownImage:
    doubts = (Doubt.METHOD if method != METHOD else 0) | (0 if settled else Doubt.UNSETTLED)
    return KnownImage(path, *state, number, doubts)


def known_images(held: dict[str, tuple[State, str, bool]]) -> list[KnownImage]:
    return [
        known_image(number, path, *of) for number, (path, of) in enumerate(sorted(held.items()))
    ]


def in_runs(there: dict[str, State], lengths: list[int]) -> list[list[FoundFile] | Unlooked]:
    """Return files in runs of those lengths, over and over."""
    files = [FoundFile(path, *state) for path, state in sorted(there.items())]
    runs: list[list[FoundFile] | Unlooked] = []
    for length in cycle(lengths):
        if not files:
            return runs
        runs.append(files[:length])
        del files[:length]
    return runs


@given(files, rows, st.booleans(), st.lists(st.integers(1, 4), min_size=1), st.data())
def test_every_file_gets_its_due(
    there: dict[str, State],
    held: dict[str, tuple[State, str, bool]],
    strict: bool,
    lengths: list[int],
    data: st.DataObject,
) -> None:
    for path in data.draw(st.sets(st.sampled_from(sorted(there))) if there else st.just(set())):
        held[path] = (there[path], METHOD, True)  # or hardly a file would be as it was
    found = in_runs(there, lengths)
    unchanged, read, vanished, at_once = set(), set(), set(), 0
    for change in compare(found, known_images(held), fields=BY_ALL if strict else BY_TIME):
        match change:
            case AllUnchanged(files):
                at_once += files
            case Unchanged(known):
                unchanged.add(known.path)
            case ToRead(file):
                read.add(file.path)
            case Vanished(known):
                vanished.add(known.path)
    fields = 4 if strict else 2
    same = {
        path
        for path in there.keys() & held.keys()
        if there[path][:fields] == held[path][0][:fields] and held[path][1:] == (METHOD, True)
    }
    assert unchanged <= same
    assert len(unchanged) + at_once == len(same)
    assert read == there.keys() - same
    assert vanished == held.keys() - there.keys()


def one_reason(
    file: FoundFile, method: str = METHOD, *, settled: bool = True, strict: bool = False
) -> Reason | None:
    known = known_image(1, "a.jpg", (1, 1, 1, 1), method, settled)
    (change,) = compare([[file]], [known], fields=BY_ALL if strict else BY_TIME)
    return change.reason if isinstance(change, ToRead) else None


def test_the_reason_is_named() -> None:
    same = FoundFile("a.jpg", 1, 1, 1, 1)
    assert one_reason(same) is None
    assert one_reason(same._replace(size=2)) is Reason.SIZE
    assert one_reason(same._replace(mtime_ns=0)) is Reason.MTIME
    assert one_reason(same, "exact-1") is Reason.METHOD
    assert one_reason(same, settled=False) is Reason.UNSETTLED
    assert one_reason(same._replace(ctime_ns=2, inode=2)) is None
    assert one_reason(same._replace(ctime_ns=2), strict=True) is Reason.CTIME
    assert one_reason(same._replace(inode=2), strict=True) is Reason.INODE


def test_what_could_not_be_looked_at_is_left_as_it_was() -> None:
    paths = ["a.jpg", "a/b.jpg", "a/c/d.jpg", "a0.jpg"]
    held: dict[str, tuple[State, str, bool]] = dict.fromkeys(paths, ((1, 1, 1, 1), METHOD, True))
    found: list[list[FoundFile] | Unlooked] = [
        [FoundFile("a.jpg", 1, 1, 1, 1)],
        Unlooked("a/", "denied"),
    ]
    changes = list(compare(found, known_images(held)))
    vanished = [change.known.path for change in changes if isinstance(change, Vanished)]
    assert vanished == ["a0.jpg"]


def test_one_file_that_could_not_be_looked_at() -> None:
    held: dict[str, tuple[State, str, bool]] = dict.fromkeys(
        ["a.jpg", "a.jpg.jpg"], ((1, 1, 1, 1), METHOD, True)
    )
    changes = compare([Unlooked("a.jpg", "I/O error")], known_images(held))
    assert [type(change) for change in changes] == [Unlooked, Vanished]


HOURS = [-2 * HOUR_NS, -HOUR_NS, -HOUR_NS + 1, -1, 0, 1, HOUR_NS - 1, HOUR_NS, 2 * HOUR_NS]
a_file = st.tuples(
    st.sampled_from([HOUR_NS] * 12 + [-HOUR_NS] * 3 + HOURS),  # by how much its time is shifted
    st.sampled_from(["known"] * 6 + ["known broken", "known missing", "unsettled", "old method",
                                     "new", "resized", "gone"]),
)  # fmt: skip


@given(st.lists(a_file, max_size=6), st.lists(st.integers(1, 3), min_size=1))
def test_all_times_are_shifted_by_an_hour(files: list[tuple[int, str]], lengths: list[int]) -> None:
    there: dict[str, State] = {}
    held = []
    doubts = {"known broken": Doubt.UNREADABLE, "known missing": Doubt.MISSING,
              "unsettled": Doubt.UNSETTLED, "old method": Doubt.METHOD}  # fmt: skip
    for number, (by, kind) in enumerate(files):
        path = f"{number}.jpg"
        if kind != "gone":
            there[path] = (2 if kind == "resized" else 1, by, 1, 1)
        if kind != "new":
            held.append(KnownImage(path, 1, 0, 1, 1, number, doubts.get(kind, 0)))
    unchanged, reasons = 0, Counter[Reason]()
    for change in compare(in_runs(there, lengths), held):
        match change:
            case AllUnchanged(files=count):
                unchanged += count
            case Unchanged():
                unchanged += 1
            case ToRead(reason=why):
                reasons[why] += 1
    times = [by for by, kind in files if kind.startswith("known")]
    expected = None
    if len(times) >= 2 and set(times) == {HOUR_NS}:
        expected = Reason.LATER
    if len(times) >= 2 and set(times) == {-HOUR_NS}:
        expected = Reason.EARLIER
    assert shift(reasons, unchanged) is expected
    assert sum(reasons[one] for one in (Reason.LATER, Reason.EARLIER)) == sum(
        abs(by) == HOUR_NS for by in times
    )


CLOCK = 2_000_000_000
near = st.sampled_from([-CLOCK - 1, -CLOCK, -1, 0, 1, CLOCK, CLOCK + 1, HOUR_NS])


@given(st.dictionaries(paths, st.tuples(st.integers(0, 2), near), max_size=8))
def test_files_are_the_same_by_size_and_time_to_two_seconds(
    there: dict[str, tuple[int, int]],
) -> None:
    known = dict.fromkeys(there, (1, LONG_AGO_NS))
    found = [FoundFile(path, size, LONG_AGO_NS + by, 5, 6) for path, (size, by) in there.items()]
    same = [path for path, (size, by) in there.items() if size == 1 and abs(by) <= CLOCK]
    assert same_files([found, Unlooked("x.jpg", "denied")], known) == len(same)
