"""The whole table, in the order of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults.before import BEFORE
from faults.error_bodies import ERROR_BODIES
from faults.foreign import FOREIGN, INCOMPLETE
from faults.framing import FORMS, FRAMING
from faults.midstream import ENDINGS, ERRORS, FLOODS
from faults.statuses import STATUSES

if TYPE_CHECKING:
    from faults.rows import Row

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True)
class Section:
    """Rows that belong together.

    Attributes:
        title: Of the section.
        when: What the rows' names go on from; they are in the middle of a sentence.
        rows: The faults.
    """

    title: str
    when: str
    rows: list[Row]


SECTIONS = [
    Section("Before the answer", "", BEFORE),
    Section("Refusals", "", STATUSES),
    Section("The body of a refusal", "a refusal's body:", ERROR_BODIES),
    Section("Good streams, in all their forms", "", FORMS),
    Section("Broken HTTP, and no stream at all", "", FRAMING),
    Section("JSON that is not the answer", "the body, with status 200:", FOREIGN),
    Section("Answers that are not complete", "", INCOMPLETE),
    Section("In the middle of a stream", "after k chunks", ENDINGS),
    Section("Errors in the middle of a stream", "an error comes after k chunks:", ERRORS),
    Section("Too much", "", FLOODS),
]
