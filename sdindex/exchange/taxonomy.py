"""The ranks of a classifier's categories, read from their descriptions."""

from collections.abc import Iterable, Mapping

_SPECIESNET = ("class", "order", "family", "genus", "species", "common")  # behind an id
_FROM_KINGDOM = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
# The example of MegaDetector's format has no genus of its own.
_WITHOUT_GENUS = ("kingdom", "phylum", "class", "order", "family", "species")
_KINGDOM = "animalia"


def ranks_of(description: str) -> dict[str, str]:
    """Return the name at each rank that a description gives, such as ``family`` and ``canidae``.

    Descriptions are ``id;class;order;family;genus;species;common name``, as SpeciesNet and
    AddaxAI write them, or begin with the kingdom; others mean nothing. A species is told by
    both its names: of the epithet alone there are several.
    """
    parts = [part.strip() for part in description.split(";")]
    if parts[0].lower() == _KINGDOM:
        ranks = _WITHOUT_GENUS if len(parts) == len(_WITHOUT_GENUS) else _FROM_KINGDOM
    else:
        ranks, parts = _SPECIESNET, parts[1:]
    if len(parts) != len(ranks):
        return {}
    found = {rank: part for rank, part in zip(ranks, parts, strict=True) if part}
    genus, species = found.get("genus"), found.get("species")
    if genus and species and not species.lower().startswith(f"{genus.lower()} "):
        found["species"] = f"{genus} {species}"
    return found


def taxonomy(described: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Return the ranks of labels, given the labels with their descriptions.

    Of a label with several descriptions only the ranks on which all of them agree.
    """
    found: dict[str, dict[str, str]] = {}
    for label, description in described:
        ranks = ranks_of(description)
        found[label] = _agreed(found[label], ranks) if label in found else ranks
    return {label: ranks for label, ranks in found.items() if ranks}


def _agreed(some: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    return {rank: name for rank, name in some.items() if others.get(rank) == name}
