"""The functions that a query may use on PostgreSQL as on SQLite; see `sdindex.store.query`."""

_HASH = "(('x' || lpad({0}, 16, '0'))::bit(64)::bigint)"
_HAMMING = "SELECT bit_count(($1::bigint # $2::bigint)::bit(64))::integer"
_BUCKET = (
    "SELECT CASE WHEN $2 BETWEEN 1 AND 63 THEN ($1 >> (64 - $2)) & ~((-1)::bigint << $2) "
    "WHEN $2 = 64 THEN $1 END"
)
_HEX = "SELECT lpad(to_hex($1), 16, '0')"


def _defined(name: str, types: tuple[str, ...], gives: str, body: str) -> str:
    """Return the definition of a function; hexadecimal text is taken for a hash."""
    for number, kind in enumerate(types, 1):
        if kind == "text":
            body = body.replace(f"${number}::bigint", f"${number}")
            body = body.replace(f"${number}", _HASH.format(f"${number}"))
    return (
        f"CREATE OR REPLACE FUNCTION {name}({', '.join(types)}) RETURNS {gives} "
        f"LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS '{body.replace(chr(39), chr(39) * 2)}'"
    )


_KINDS = ("bigint", "text")
FUNCTIONS = (
    *(
        _defined("hamming", (one, other), "integer", _HAMMING)
        for one in _KINDS for other in _KINDS
    ),
    *(_defined("bucket", (one, "integer"), "bigint", _BUCKET) for one in _KINDS),
    *(_defined("dhash_hex", (one,), "text", _HEX) for one in _KINDS),
)  # fmt: skip
