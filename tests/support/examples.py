"""How many random examples a test takes: a few at each run, many by the profile `thorough`."""

from hypothesis import settings

MANY = 100  # of the profile `thorough`, by which each test takes as many as it asks for
FEW = 20
LEAST = 5


def load_profile() -> None:
    """Have tests take few examples, unless pytest is given another profile."""
    settings.register_profile("thorough", deadline=None, max_examples=MANY)
    settings.register_profile("few", deadline=None, max_examples=FEW)  # a slow machine is no fault
    settings.load_profile("few")


def examples(many: int) -> int:
    """Return this number by the profile `thorough`, else a fifth of it."""
    return max(min(LEAST, many), many * settings().max_examples // MANY)
