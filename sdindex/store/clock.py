"""The time now, as it is stored."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time in UTC, without saying so: databases differ in how they keep zones."""
    return datetime.now(UTC).replace(tzinfo=None)
