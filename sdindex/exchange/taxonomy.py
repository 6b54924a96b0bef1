"""Reading the taxonomy of a classifier's categories from their descriptions."""

from collections.abc import Iterable, Mapping

_SPECIESNET = ("class", "order", "family", "genus", "species", "common")  # behind an id
_FROM_KINGDOM = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
# In the example of MegaDetector's format the species includes the genus.
_WITHOUT_GENUS = ("kingdom", "phylum", "class", "order", "family", "species")
_KINGDOM = "animalia"


def ranks_of(description: str) -> dict[str, str]:
    """Return the name at each rank that a description gives, such as ``family`` and ``canidae``.

    A description is ``id;class;order;family;genus;species;common name``, as SpeciesNet and AddaxAI
    write it, or begins with the kingdom; others give nothing. A species has both its names, as
    several have the same epithet.
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

    A label with several descriptions gets only the ranks on which all agree.
    """
    found: dict[str, dict[str, str]] = {}
    for label, description in described:
        ranks = ranks_of(description)
        found[label] = _agreed(found[label], ranks) if label in found else ranks
    return {label: ranks for label, ranks in found.items() if ranks}


def _agreed(some: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    return {rank: name for rank, name in some.items() if others.get(rank) == name}
