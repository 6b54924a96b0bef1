"""Checking the words of a user's query on PostgreSQL before it is run.

Even in a read-only transaction, functions can read the server's files, call other servers and
change settings. So a query may call only the functions listed here; beside them it has names,
values and operators. What could be read in two ways is refused.
"""

import re

_TOKEN = re.compile(
    r"""
    (?P<space>\s+ | --[^\r\n]*)
    | (?P<comment>/\*)
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)
    | (?P<number>\d[\d_a-zA-Z.]*)
    | (?P<other>[^'"$\\])
    """,
    re.VERBOSE,
)
_FUNCTIONS = """
    abs acos age array_agg array_length array_position array_to_string array_upper asin atan atan2
    avg bit_and bit_count bit_length bit_or bit_xor bool_and bool_or btrim bucket cardinality
    cbrt ceil ceiling char_length character_length chr clock_timestamp coalesce concat concat_ws
    corr cos count covar_pop covar_samp cume_dist date_bin date_part date_trunc degrees dense_rank
    dhash_hex div encode every exp extract first_value floor format gcd generate_series get_bit
    get_byte greatest hamming initcap isfinite json_agg json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each
    json_each_text json_extract_path json_extract_path_text json_object_agg json_object_keys
    json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
    jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_typeof lag last_value lcm
    lead least left length ln log log10 lower ltrim make_date make_interval make_time
    make_timestamp max md5 min mod mode now nth_value ntile nullif octet_length overlay
    percent_rank percentile_cont percentile_disc pi position power radians random rank
    regexp_count regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_table
    regexp_substr regr_slope replace reverse right round row row_number rtrim sha256 sign sin
    split_part sqrt starts_with stddev stddev_pop stddev_samp string_agg string_to_array strpos
    substr substring sum tan to_char to_date to_hex to_json to_jsonb to_number to_timestamp
    translate trim trunc unnest upper var_pop var_samp variance width_bucket
"""
# Words before a bracket that are no functions: words of SQL, and types with a size.
_WORDS = """
    all and any array as asc between bit by case cast char character cross cube decimal desc
    distinct else end except exists filter from full group grouping having ilike in inner
    intersect interval is join lateral like limit materialized not numeric of offset on or order
    outer over overlaps partition recursive rollup select sets similar some then time timestamp
    to union using values varchar varying when where window with within
"""
_NAMES_COLUMNS = {"as", "with", "recursive"}  # the names after these may have columns in brackets
_OWN = {"pg_catalog", "sdindex"}


class ForbiddenError(ValueError):
    """A query that would do more than read, or may do so."""


def may_call(function: str) -> bool:
    """Say whether a query may call a function."""
    return function in _FUNCTIONS.split()


def looked_at(query: str) -> str:
    """Return a query that calls only functions listed here, without its final semicolon.

    Raises
    ------
    ForbiddenError
        When it calls another function, is more than one query, or cannot be parsed.
    """
    tokens = _tokens(query)
    if tokens and tokens[-1][1] == ";":
        query = query[: tokens.pop()[2]]
    for number, (_, text, _) in enumerate(tokens):
        if text == "(":
            _look_at_call([(kind, text) for kind, text, _ in tokens[max(number - 3, 0) : number]])
        if text == ";":
            raise ForbiddenError("one query at a time, please")
    return query


def _look_at_call(words: list[tuple[str, str]]) -> None:
    """Check the word before a bracket."""
    if not words:
        return
    kind, name = words[-1]
    before = [text for _, text in words[-3:-1]]
    if kind not in ("word", "quoted"):
        return
    is_word = kind == "word"
    name = name.lower() if is_word else name[1:-1]
    if before and before[-1] == ".":
        if len(before) < 2 or before[0].lower().strip('"') not in _OWN:
            raise ForbiddenError(f"the function {name} is not allowed here")
    elif (is_word and name in _WORDS.split()) or (before and before[-1].lower() in _NAMES_COLUMNS):
        return
    if not may_call(name):
        raise ForbiddenError(f"the function {name} is not allowed here")


def _tokens(query: str) -> list[tuple[str, str, int]]:
    """Return the tokens of a query, without spaces and comments: kind, text and offset."""
    found: list[tuple[str, str, int]] = []
    at, last_kind = 0, ""
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None:
            raise ForbiddenError(f"the query cannot be read from here on: {query[at : at + 20]!r}")
        kind, text, start, at = str(match.lastgroup), match.group(), at, match.end()
        if kind == "comment":
            at = _end_of_comment(query, at)
        elif kind in ("string", "quoted") and last_kind in ("word", "number", "ampersand"):
            raise ForbiddenError("a text or name may not follow a word without a space")
        elif kind != "space":
            found.append((kind, text, start))
        last_kind = "ampersand" if text == "&" else kind
    return found


def _end_of_comment(query: str, at: int) -> int:
    """Return where a comment ends; it may contain others."""
    depth = 1
    while depth:
        match = re.compile(r"/\*|\*/").search(query, at)
        if match is None:
            raise ForbiddenError("a comment has no end")
        depth += 1 if match.group() == "/*" else -1
        at = match.end()
    return at
