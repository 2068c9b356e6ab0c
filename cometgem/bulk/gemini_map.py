"""A function of a batch of rows, for engines that distribute batches: Ray Data, Dask and others."""

from __future__ import annotations

import asyncio
import pickle
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cometgem.bulk.batch import add_columns, names_of, rows_of
from cometgem.bulk.limiter import MemoryLimiter
from cometgem.bulk.limits import Limits
from cometgem.bulk.pickled_type import check_pickled_type, make_picklable
from cometgem.bulk.process import PROCESS
from cometgem.errors import CometGemError, ConfigurationError, printable
from cometgem.options import GenerateOptions, check_call
from cometgem.request.arguments import shown
from cometgem.request.build import check_request
from cometgem.request.options import check_names
from cometgem.response.json_frame import unwrap
from cometgem.typed_single import type_of_call
from cometgem.types.checkpoint import Checkpoint
from cometgem.warn import warn_caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from typing import Unpack

    from cometgem.bulk.batch import Kind
    from cometgem.bulk.limiter import Limiter
    from cometgem.bulk.result import MapResult
    from cometgem.request.contents import Contents
    from cometgem.request.response_type import SchemaDialect

__all__ = ["GeminiMap"]

B = TypeVar("B")


class Outcome(NamedTuple):
    """What is added to a row; ``_COLUMNS`` has the same names."""

    answer: str | None = None
    error: str | None = None
    error_type: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    attempts: int = 0
    seconds: float = 0.0


_COLUMNS: dict[str, Kind] = {
    "answer": "string",
    "error": "string",
    "error_type": "string",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "total_tokens": "int64",
    "attempts": "int64",
    "seconds": "float64",
}


class GeminiMap:
    """Answers the rows of a batch, and returns the batch with the answers as further columns.

    It can be pickled, for the workers of a distributed engine. The key is not in the pickle: each
    worker has it in its environment, as ``COMETAPI_KEY``, and ``COMETAPI_BASE_URL`` likewise. All
    batches of a process share one client, which is made when it is first needed. A batch is a
    pandas DataFrame, a pyarrow Table or a dict of arrays; so is the result. See ``docs/bulk.md``.

    The columns are ``answer`` (a text, or JSON if there is a ``response_type``), ``error`` (a
    sentence), ``error_type`` (the name of its class), ``input_tokens``, ``output_tokens``,
    ``total_tokens``, ``attempts`` and ``seconds``. The answer or the error is null. The error of a
    row never raises: if all rows would fail with it, such as a wrong key, no more requests are
    sent for the batch, and each row without an answer has it in its column.

    Args:
        model: The model's name, such as ``gemini-3.8-flash``, with or without ``models/``.
        prompt: The name of the column with the prompt, or a function that gets a row as a dict and
            returns contents or a complete request, as for ``Client.map``. If it raises, that is
            the error of the row.
        response_type: As for ``Client.generate_content``. A struct or a dataclass must be in a
            module that the workers can import.
        schema_dialect: As for ``Client.generate_content``.
        reasks: As for ``Client.generate_content``.
        limits: The limits of each process, or a limiter that can be pickled: with a
            ``RedisLimiter``, all processes share one rate. ``concurrency`` is that of each batch.
        prefix: The names of the columns begin with it.
        **options: Those of ``Client.generate_content``, for every row.

    Raises:
        ConfigurationError: An argument is not valid.
    """

    def __init__(  # noqa: PLR0913  each is an option of its own
        self,
        model: str,
        *,
        prompt: str | Callable[[dict[str, Any]], Contents | Mapping[str, Any]],
        response_type: object = None,
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        limits: Limits | Limiter | None = None,
        prefix: str = "",
        **options: Unpack[GenerateOptions],
    ) -> None:
        for name in ("api_key", "base_url"):
            if name in options:
                raise ConfigurationError(
                    f"GeminiMap({name}=...) would be in its pickle: set COMETAPI_KEY and"
                    " COMETAPI_BASE_URL in the environment of the workers"
                )
        if not (isinstance(prompt, str) or callable(prompt)):
            raise ConfigurationError(
                f"prompt={shown(prompt)} is not valid: use the name of a column, or a function of"
                " the row"
            )
        if not isinstance(prefix, str):
            raise ConfigurationError(f"prefix={shown(prefix)} is not valid: use a string")
        _check(model, response_type, schema_dialect, reasks, options.copy())
        self._model = model
        self._prompt = prompt
        self._typed: dict[str, Any] = {}
        if response_type is not None:
            self._typed = {
                "response_type": response_type,
                "schema_dialect": schema_dialect,
                "reasks": reasks,
            }
        self._options = options
        self._limits = _checked(Limits() if limits is None else limits)
        # Limits that are equal are one limit, in whatever call: the rate of a model is found once.
        self._limit_name = _pickled(model, self._limits)
        self._token = uuid.uuid4().hex
        self._columns = {prefix + name: kind for name, kind in _COLUMNS.items()}

    def __repr__(self) -> str:
        return f"GeminiMap({self._model!r}, prompt={shown(self._prompt)}, limits={self._limits!r})"

    def __getstate__(self) -> dict[str, object]:
        make_picklable(self._typed.get("response_type"))
        return self.__dict__

    def __dask_tokenize__(self) -> str:
        # Otherwise Dask compares pickles, which differ each time for some classes of a script.
        return self._token

    async def __call__(self, batch: B) -> B:
        """Answer a batch in an event loop, as Ray Data does with the class in an actor pool.

        Args:
            batch: A pandas DataFrame, a pyarrow Table or a dict of arrays.

        Raises:
            ConfigurationError: It is none of these, lacks the column of the prompt or has one of
                those to be added, or the process has no key.
        """
        # Not in the caller's event loop: that of Ray blocks while a result waits to be taken.
        return self._complete(batch, await asyncio.wrap_future(self._submit(batch)))

    def run(self, batch: B) -> B:
        """Answer a batch without an event loop, as in Dask's ``map_partitions``.

        Args:
            batch: As for ``__call__``.

        Raises:
            ConfigurationError: As for ``__call__``.
        """
        future = self._submit(batch)
        try:
            return self._complete(batch, future.result())
        except BaseException:
            future.cancel()  # Ctrl-C, while it still runs
            raise

    def meta(self, frame: Any) -> Any:
        """Return an empty pandas DataFrame with all columns, for the ``meta`` of Dask.

        Without it, Dask would call the function with two made-up rows, which would be sent.

        Args:
            frame: The Dask or pandas DataFrame that is to be answered.
        """
        empty = getattr(frame, "_meta", frame).iloc[:0]
        self._check_columns(empty)
        return add_columns(empty, self._columns, [])

    def _check_columns(self, batch: object) -> None:
        names = names_of(batch)
        if isinstance(self._prompt, str) and self._prompt not in names:
            raise ConfigurationError(
                f"prompt={shown(self._prompt)} is not a column of the batch; its columns are"
                f" {', '.join(map(shown, names))}"
            )
        if twice := [name for name in self._columns if name in names]:
            raise ConfigurationError(
                f"the batch has a column {shown(twice[0])} already: use GeminiMap(prefix=...) to"
                " give the columns of the answers other names"
            )

    def _submit(self, batch: object) -> Future[dict[int, Outcome]]:
        self._check_columns(batch)
        check_pickled_type(self._typed.get("response_type"))
        prompts: dict[int, Any] = {}
        outcomes: dict[int, Outcome] = {}
        name = self._prompt
        for index, row in enumerate(rows_of(batch)):
            try:
                prompts[index] = row[name] if isinstance(name, str) else name(row)
            except Exception as error:  # noqa: BLE001  of the caller's own code: the row's error
                sentence = f"prompt=... raised {type(error).__name__}: {error}"
                outcomes[index] = _failed(error, printable(sentence))
        return PROCESS.submit(self._ask(prompts, outcomes))

    async def _ask(
        self, prompts: dict[int, Any], outcomes: dict[int, Outcome]
    ) -> dict[int, Outcome]:
        """Add what came of each prompt, by the index of its row."""
        async with PROCESS.client().map(
            self._model,
            prompts.items(),
            prompt=lambda row: row[1],
            limits=PROCESS.limiter(self._limit_name, self._limits),
            **self._typed,
            **self._options,
        ) as run:
            try:
                async for result in run:
                    outcomes[result.row[0]] = self._outcome(result)
            except CometGemError as error:  # all rows would fail with it
                failed = _failed(error, str(error))
                for index in prompts:
                    outcomes.setdefault(index, failed)
        return outcomes

    def _outcome(self, result: MapResult[Any, Any]) -> Outcome:
        usage = result.usage
        if result.error is not None:
            outcome = _failed(result.error, str(result.error))
        else:
            text = "" if result.response is None else result.response.text
            outcome = Outcome(answer=unwrap(text) if self._typed else text)
        return outcome._replace(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.total_tokens,
            attempts=result.attempts,
            seconds=result.seconds,
        )

    def _complete(self, batch: B, outcomes: dict[int, Outcome]) -> B:
        rows = [outcomes[index] for index in range(len(outcomes))]
        answered: B = add_columns(batch, self._columns, rows)
        return answered


def _check(
    model: str,
    response_type: object,
    schema_dialect: SchemaDialect,
    reasks: int,
    options: GenerateOptions,
) -> None:
    """Check what a request consists of, so that a mistake is found before workers are started."""
    check_names(options, GenerateOptions.__annotations__, also=("response_type", "schema_dialect"))
    check_call(options)
    if isinstance(options.get("continuation"), Checkpoint):
        raise ConfigurationError(
            "continuation=Checkpoint(...) is for one answer: use 'auto' or 'off'"
        )
    check_pickled_type(response_type)
    type_of_call(response_type, schema_dialect, reasks, options)
    warn_caller(check_request(model, options))


def _checked(limits: Limits | Limiter) -> Limits | Limiter:
    if isinstance(limits, MemoryLimiter):
        raise ConfigurationError(
            "limits=MemoryLimiter(...) is for one process: use Limits(...) to limit each process,"
            " or a RedisLimiter to limit all of them together"
        )
    if not (isinstance(limits, Limits) or callable(getattr(limits, "acquire", None))):
        raise ConfigurationError(
            f"limits={shown(limits)} is not valid: use Limits(rpm=..., tpm=...) or a RedisLimiter"
        )
    return limits


def _pickled(model: str, limits: Limits | Limiter) -> bytes:
    try:
        return pickle.dumps((model, limits))
    except Exception as error:
        raise ConfigurationError(
            f"limits={shown(limits)} cannot be pickled ({error}): use Limits(rpm=..., tpm=...) or a"
            " RedisLimiter"
        ) from error


def _failed(error: Exception, sentence: str) -> Outcome:
    return Outcome(error=sentence, error_type=type(error).__name__)
