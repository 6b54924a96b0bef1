"""An image of a sample, for tests that need no index."""

from dataclasses import dataclass
from datetime import datetime

from sdindex.store.sampled import Box, SaidLabel


@dataclass(frozen=True)
class Image:
    relative_path: str
    archive: str = "/data/archive"
    camera: str = "cam1"
    taken_at: datetime | None = datetime(2024, 5, 1, 23, 59, 58)  # noqa: DTZ001
    labels: tuple[str, ...] = ()
    burst: str | None = None
    event: str | None = None
    number_in_burst: int | None = None
    burst_size: int | None = None
    motion: float | None = None
    boxes: tuple[Box, ...] = ()
    bucket: int = 3
    dhash: str = "3" * 16
    width: int = 640
    height: int = 480
    brightness: float = 100.0
    split: str | None = None
    more_said: tuple[SaidLabel, ...] = ()  # beside labels and boxes

    @property
    def said(self) -> tuple[SaidLabel, ...]:
        boxed = [SaidLabel(box.label, 0.9, "md", False, box) for box in self.boxes]
        without = {*self.labels} - {box.label for box in self.boxes}
        whole = [SaidLabel(name, None, "hand", True, None) for name in sorted(without)]
        return (*boxed, *whole, *self.more_said)

    @property
    def path(self) -> str:
        return f"{self.archive}/{self.relative_path}"
