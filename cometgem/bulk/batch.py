"""The rows of a batch, and a batch with more columns, in the formats of distributed engines.

A batch is a pandas DataFrame, a pyarrow Table, or a dict of numpy arrays or lists. None of these
packages is imported: who passes a batch has imported what it is made of.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Kind", "add_columns", "names_of", "rows_of"]

Kind: TypeAlias = Literal["string", "int64", "float64"]
"""What a column holds, by the name that pandas and pyarrow both have for it."""


def names_of(batch: Any) -> list[Any]:
    """Return the names of the columns.

    Raises:
        ConfigurationError: It is not a batch.
    """
    if isinstance(batch, Mapping):
        return list(batch)
    if _is("pandas", "DataFrame", batch):
        return list(batch.columns)
    if _is("pyarrow", "Table", batch):
        return list(batch.column_names)
    raise ConfigurationError(
        f"a batch is a pandas DataFrame, a pyarrow Table or a dict of arrays, got"
        f" {type(batch).__name__}"
    )


def rows_of(batch: Any) -> list[dict[Any, Any]]:
    """Return the rows, as dicts of Python's own values."""
    if not isinstance(batch, Mapping):
        is_frame = _is("pandas", "DataFrame", batch)
        return list(batch.to_dict("records") if is_frame else batch.to_pylist())
    columns = [_values(column) for column in batch.values()]
    return [dict(zip(batch, row, strict=True)) for row in zip(*columns, strict=True)]


def add_columns(batch: Any, columns: Mapping[str, Kind], rows: Sequence[Sequence[Any]]) -> Any:
    """Return a batch of the same format with more columns; the one that was given is not changed.

    Args:
        batch: The batch.
        columns: What each new column holds, by its name.
        rows: The values of the new columns, for each row of the batch.
    """
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    added = [(name, kind, of) for (name, kind), of in zip(columns.items(), values, strict=True)]
    if isinstance(batch, Mapping):
        are_arrays = any(_is("numpy", "ndarray", one) for one in batch.values())
        made = {name: _array(of, kind) if are_arrays else list(of) for name, kind, of in added}
        return {**batch, **made}
    if _is("pandas", "DataFrame", batch):
        array = sys.modules["pandas"].array
        return batch.assign(**{name: array(of, dtype=kind) for name, kind, of in added})
    array = sys.modules["pyarrow"].array
    for name, kind, of in added:
        batch = batch.append_column(name, array(of, type=kind))
    return batch


def _is(package: str, name: str, value: object) -> bool:
    # A module that another thread is importing may not have the name yet.
    return isinstance(value, getattr(sys.modules.get(package), name, ()))


def _values(column: Any) -> list[Any]:
    """Return the values of a column; those of an array with more dimensions are arrays."""
    return column.tolist() if getattr(column, "ndim", 0) == 1 else list(column)


def _array(values: Sequence[Any], kind: Kind) -> Any:
    numpy = sys.modules["numpy"]
    return numpy.array(values, dtype=object if kind == "string" else kind)
