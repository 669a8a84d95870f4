"""The recurrence rules of ``dateutil`` as documents; its own text form loses time zones and knows no rule sets."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.serialization.common import zoned

if TYPE_CHECKING:
    from dateutil.rrule import rrule, rruleset

__all__ = ["read_rule", "written_rule"]

_SET_PARTS = ("rrules", "rdates", "exrules", "exdates")


def written_rule(rule: rrule | rruleset) -> dict[str, Any]:
    """
    Return *rule* as JSON-ready data.

    >>> from dateutil.rrule import DAILY, rrule
    >>> written_rule(rrule(DAILY, dtstart=datetime.datetime(2024, 1, 1), count=2))["count"]
    2
    """
    from dateutil.rrule import rruleset

    parts: Any = rule
    if isinstance(rule, rruleset):
        return {
            "rrules": [written_rule(one) for one in parts._rrule],
            "rdates": [_moment(date) for date in parts._rdate],
            "exrules": [written_rule(one) for one in parts._exrule],
            "exdates": [_moment(date) for date in parts._exdate],
        }
    by = {name: [_weekday_or_number(one) for one in _listed(given)] for name, given in parts._original_rule.items()}
    return {
        "freq": parts._freq,
        "dtstart": _moment(parts._dtstart),
        "interval": parts._interval,
        "wkst": parts._wkst,
        "count": parts._count,
        "until": _moment(parts._until),
        **{name: given for name, given in sorted(by.items()) if given},
    }


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _weekday_or_number(one: Any) -> Any:
    # dateutil's MO(+1) means "the first Monday": weekday and which.
    return [one.weekday, one.n] if hasattr(one, "weekday") else one


def _moment(date: datetime.datetime | None) -> dict[str, Any] | None:
    """Write a date that may be naive, which for a rule is different from being in UTC."""
    if date is None:
        return None
    return {"dt": date.isoformat(), "tz": None} if date.tzinfo is None else zoned(date)


def read_rule(document: Mapping[str, Any]) -> rrule | rruleset:
    """
    Make a rule from what :func:`written_rule` returned.

    Raises:
        ValueError: when *document* is not a rule.
    """
    from dateutil.rrule import rrule, rruleset, weekday

    if not isinstance(document, Mapping) or not ("freq" in document or set(_SET_PARTS) & set(document)):
        raise ValueError(f"{document!r} is not a serialized recurrence rule.")
    if "freq" not in document:
        collected: Any = rruleset()
        for part in _SET_PARTS:
            add = getattr(collected, part.removesuffix("s"))
            for one in document.get(part) or ():
                add(read_rule(one) if part.endswith("rules") else _read_moment(one))
        return collected  # type: ignore[no-any-return]
    given = dict(document)
    for name in ("dtstart", "until"):
        given[name] = _read_moment(given.get(name))
    if given.get("byweekday"):
        given["byweekday"] = [weekday(*one) if isinstance(one, list) else one for one in given["byweekday"]]
    return rrule(**given)


def _read_moment(document: Mapping[str, Any] | None) -> datetime.datetime | None:
    if document is None:
        return None
    moment = datetime.datetime.fromisoformat(document["dt"])
    name = document.get("tz")
    if moment.tzinfo is None or name is None or name[:1] in "+-":
        return moment
    from zoneinfo import ZoneInfo

    try:
        return moment.astimezone(ZoneInfo(name))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a known time zone; expected a name such as 'Europe/Paris'.") from error
