"""Parquet files of `cometgem batch`: rows are read from one, and results written to one.

Nothing can be appended to a Parquet file. While a batch runs, its results are JSON lines in a file
beside it, of which the Parquet file is made at the end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cometgem.bulk.lines import error_of, response_of
from cometgem.bulk.results import last_results
from cometgem.cli.batch_rows import Row, as_key
from cometgem.cli.sentences import UsageError
from cometgem.types.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.bulk.lines import Line

__all__ = ["ParquetRows", "is_parquet", "lines_beside", "write_parquet"]

_COLUMNS = ("id", "key", "prompt", "request")
_COUNTS = Usage.__struct_fields__
_AT_ONCE = 1000  # rows in memory
_INT64 = range(-(1 << 63), 1 << 63)


def is_parquet(path: str) -> bool:
    """Return whether a name is that of a Parquet file."""
    return path.endswith(".parquet")


def lines_beside(path: str) -> str:
    """Return the name of the file of JSON lines that a Parquet file is made of.

    Raises:
        UsageError: pyarrow is missing, or there is a Parquet file, but not its lines.
    """
    _pyarrow()
    lines = f"{path}.jsonl"
    if Path(path).exists() and not Path(lines).exists():
        raise UsageError(
            f"{path!r} exists, but {lines!r}, which it would be made of, does not:"
            " give the name of another file"
        )
    return lines


class ParquetRows:
    """The rows of a Parquet file, which is read a part at a time, each time it is iterated over.

    It has a column "prompt" or "request" (a request's JSON, or a struct); keys are in a column "id"
    or "key". Nulls are left out.

    Args:
        path: The path of the file.

    Raises:
        UsageError: pyarrow is missing, the file cannot be read, or a row is not valid.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._arrow, self._parquet = _pyarrow()
        # Read once before anything is sent: all rows are checked, and their number is known.
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        try:
            with self._parquet.ParquetFile(self._path) as file:
                yield from self._rows(file)
        except OSError as error:
            why = error.strerror or error
            raise UsageError(
                f"cannot read {self._path!r} ({why}): give the path of a readable file"
            ) from error
        except self._arrow.ArrowException as error:
            raise UsageError(f"{self._path!r} is not a Parquet file: {error}") from error

    def _rows(self, file: Any) -> Iterator[Row]:
        names = file.schema_arrow.names
        columns = [name for name in _COLUMNS if name in names]
        if not {"prompt", "request"} & {*columns}:
            raise UsageError(
                f"{self._path!r} has no column 'prompt' or 'request': its columns are"
                f" {', '.join(map(repr, names))}"
            )
        index = 0
        for batch in file.iter_batches(_AT_ONCE, columns=columns):
            for values in batch.to_pylist():
                try:
                    yield _row(_without_nulls(values), index)
                except (ValueError, RecursionError) as error:
                    raise UsageError(f"{self._path}, row {index + 1}: {error}") from error
                index += 1


def write_parquet(lines: str, path: str) -> None:
    """Write the results in a file of JSON lines to a Parquet file, one for each key.

    Raises:
        UsageError: It cannot be written.
    """
    arrow, parquet = _pyarrow()
    keys = (result.key for result in last_results(lines))
    integers = all(isinstance(key, int) and key in _INT64 for key in keys)
    schema = arrow.schema(
        [
            ("key", arrow.int64() if integers else arrow.string()),
            *((name, arrow.string()) for name in ("text", "response", "error")),
            ("usage", arrow.struct([(name, arrow.int64()) for name in _COUNTS])),
        ]
    )
    half = Path(f"{path}.tmp")
    try:
        with parquet.ParquetWriter(half, schema) as writer:
            rows: list[dict[str, Any]] = []
            for result in last_results(lines):
                rows.append(_columns(result, as_text=not integers))
                if len(rows) == _AT_ONCE:
                    writer.write(arrow.Table.from_pylist(rows, schema))
                    rows.clear()
            writer.write(arrow.Table.from_pylist(rows, schema))
        half.replace(path)
    except OSError as error:
        raise UsageError(
            f"cannot write {path!r} ({error.strerror or error}): the results are in {lines!r}"
        ) from error
    finally:
        half.unlink(missing_ok=True)


def _row(values: dict[str, Any], index: int) -> Row:
    key = as_key(values.get("key", values.get("id", index)))
    request = values.get("request")
    if isinstance(request, str):
        request = json.loads(request)
    if isinstance(request, dict) and "contents" in request:
        return Row(key, request)
    if "prompt" in values:
        return Row(key, values["prompt"])
    raise ValueError("it has neither a prompt nor a request with contents")


def _columns(result: Line, *, as_text: bool) -> dict[str, Any]:
    error = error_of(result)
    response = response_of(result.response) if result.response else None
    arrived = response if error is None else error.partial
    usage = Usage() if arrived is None else arrived.usage
    return {
        "key": str(result.key) if as_text else result.key,
        "text": None if response is None else response.text,
        "response": bytes(result.response).decode() if result.response else None,
        "error": bytes(result.error).decode() if result.error else None,
        "usage": {name: getattr(usage, name) for name in _COUNTS},
    }


def _without_nulls(value: Any) -> Any:
    """Return a value without the fields that a struct has because other rows have them."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415  optional, and slow to import
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "Parquet files need pyarrow: install it with pip install 'cometgem[parquet]'"
        ) from error
    return pa, parquet
