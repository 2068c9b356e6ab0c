"""The whole table, in the order of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults.before import BEFORE
from faults.error_bodies import ERROR_BODIES
from faults.error_events import ERROR_EVENTS
from faults.foreign import FOREIGN, INCOMPLETE
from faults.forms import FORMS
from faults.framing import FRAMING
from faults.long_answers import LONG_ANSWERS
from faults.midstream import ENDINGS, FLOODS
from faults.statuses import STATUSES

if TYPE_CHECKING:
    from faults.rows import Row

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True)
class Section:
    """Rows that belong together.

    Attributes:
        title: Its heading on the page.
        when: What precedes each row's own words, such as "after k chunks".
        rows: The faults.
    """

    title: str
    when: str
    rows: list[Row]


SECTIONS = [
    Section("Before a response arrives", "", BEFORE),
    Section("Error responses", "", STATUSES),
    Section("The body of an error response", "an error response arrives and", ERROR_BODIES),
    Section("Valid streams in every form", "", FORMS),
    Section("Broken HTTP, and bodies that are not streams", "", FRAMING),
    Section("JSON that is not the response", "the status is 200, and the body", FOREIGN),
    Section("Incomplete responses", "", INCOMPLETE),
    Section("In the middle of a stream", "after k chunks", ENDINGS),
    Section("Errors in the middle of a stream", "an error follows k chunks and", ERROR_EVENTS),
    Section("Long answers of several hops", "", LONG_ANSWERS),
    Section("Too much data", "", FLOODS),
]
