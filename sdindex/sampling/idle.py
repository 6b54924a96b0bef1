"""Options that have no effect on the unit that is drawn: found, and refused."""

from collections.abc import Mapping
from typing import Any

from sdindex.errors import Option, SampleError
from sdindex.sampling.options import SampleOptions, Unit

# The units for which an option has an effect.
_OF_UNITS: dict[str, tuple[Unit, ...]] = {
    **dict.fromkeys(("show", "burst_seconds", "burst_distance"), ("burst", "event")),
    "event_minutes": ("event",),
}


def refuse_idle(
    given: Mapping[str, Any], options: SampleOptions, *, with_bursts: bool = False
) -> None:
    """Refuse an option that was given and has no effect: it is for another unit.

    Parameters
    ----------
    with_bursts
        Whether bursts and events are written or stored with the images, whatever is drawn; then
        their limits have an effect.

    Raises
    ------
    SampleError
        When there is one.
    """
    for name in idle(options, with_bursts=with_bursts):
        if given.get(name) is not None:
            units = _OF_UNITS[name]
            what = "bursts and events" if "burst" in units else "events"
            raise SampleError(
                Option(name), f" is for {what}: give ", Option("unit"),
                f" {' or '.join(units)}, too, or leave it out",
            )  # fmt: skip


def idle(options: SampleOptions, *, with_bursts: bool) -> list[str]:
    """Return the options that have no effect; `with_bursts` as for `refuse_idle`."""
    return [
        name
        for name, units in _OF_UNITS.items()
        if options.unit not in units and not (with_bursts and name != "show")
    ]
