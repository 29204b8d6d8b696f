"""JSON values in the text of an answer, as models write it. Pure.

Models put prose, code fences or their reasoning around the JSON, end it with a trailing comma, quote it
with apostrophes or leave out the last bracket. The library json-repair reads what is not quite JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

# `</think>` and its relatives: what comes before the last one is reasoning, even without an opening tag.
_REASONING_ENDS = re.compile(
    r"</\s*(?:think|thinking|thought|reasoning|reflection|analysis)\s*>|\[/THINK\]|<\|channel\|>final<\|message\|>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
MOST_STARTS = 200  # brackets at which a value is looked for
LONGEST_REPAIR = 50_000  # characters: the repair is not linear
_DECODER = json.JSONDecoder(strict=False)  # a raw line break inside a string is common


def without_reasoning(text: str) -> str:
    """The text after the model's reasoning."""
    return _REASONING_ENDS.split(text)[-1].strip().removeprefix("\ufeff")


def json_values(text: str, *, repair: bool = True) -> Iterator[object]:
    """The values that the text may mean, the likeliest first; after them the list of all that were found.

    With `repair`, what is not quite JSON is read too; without it only what is complete.
    """
    text = without_reasoning(text)
    try:
        yield json.loads(text, strict=False)
    except (ValueError, RecursionError):
        pass
    else:
        return
    blocks = [block for block in reversed(_FENCE.findall(text)) if "{" in block or "[" in block]
    found = [value for block in (*blocks, text) for value in reversed(list(_complete(block)))]
    yield from found
    if len(found) > 1:
        yield found[::-1]
    if repair:
        for block in (*blocks, text):
            yield from _repaired(block)


def _complete(text: str) -> Iterator[object]:
    """Objects and arrays in the text, in their order; of what is broken outside, the parts inside."""
    position = 0
    for _ in range(MOST_STARTS):
        starts = [start for start in (text.find("{", position), text.find("[", position)) if start >= 0]
        if not starts:
            return
        try:
            value, position = _DECODER.raw_decode(text, min(starts))
        except (ValueError, RecursionError):
            position = min(starts) + 1
        else:
            yield value


def _repaired(text: str) -> Iterator[object]:
    start = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if start < 0 or len(text) - start > LONGEST_REPAIR:
        return
    import json_repair  # only here: most runs never need it

    try:
        value = json_repair.loads(text[start:], skip_json_loads=True)
    except (ValueError, RecursionError):
        return
    if isinstance(value, list):
        yield from (each for each in reversed(value) if isinstance(each, dict))
    yield value
