"""The difference of two JSON values, and the second from the first and the difference."""

from __future__ import annotations

from tuiha.watch.recording.codec import DecodeError, Json

SAME = object()
"""The difference of equal values."""
_WHOLE = ""  # the key under which a whole new object stands; no field has that name


def difference(old: Json, new: Json) -> Json:
    """What turns `old` into `new`; SAME when they are equal.

    Of objects with the same keys it is an object of the keys that changed, of lists of the same length an object of
    the places that changed; of all else the new value.
    """
    if isinstance(new, dict):
        return _of_objects(old, new) if isinstance(old, dict) and old.keys() == new.keys() else {_WHOLE: new}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return _of_objects(dict(enumerate(old)), dict(enumerate(new)))
    return SAME if type(old) is type(new) and old == new else new


def _of_objects(old: dict[Json, Json], new: dict[Json, Json]) -> Json:
    changed = {}
    for key, value in new.items():
        found = difference(old[key], value)
        if found is not SAME:
            changed[str(key)] = found
    return changed or SAME


def applied(old: Json, change: Json) -> Json:
    """The value that `old` became; `old` itself stays as it is. Raises DecodeError when they do not fit together."""
    if not isinstance(change, dict):
        return change
    if _WHOLE in change:
        return change[_WHOLE]
    try:
        if isinstance(old, dict):
            return {**old, **{key: applied(old[key], part) for key, part in change.items()}}
        if isinstance(old, list):
            whole = list(old)
            for place, part in change.items():
                whole[int(place)] = applied(whole[int(place)], part)
            return whole
        raise DecodeError(f"a difference of {len(change)} parts is based on neither an object nor a list")
    except (KeyError, IndexError, ValueError):
        raise DecodeError("a difference does not fit what it is based on") from None
