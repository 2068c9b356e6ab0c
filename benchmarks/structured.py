"""Structured answers that arrive in chunks: the value so far, the items, and the whole.

python benchmarks/structured.py [--rounds 5] [--quick] [--json results.json]

An answer is a list of objects, cut into pieces of 40 characters. All that is measured runs in one
process, in turn, and each result is compared with the list; a wrong one fails the run. What is
compared is CPU time. Packages that are not installed are left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from cometgem.request.response_type import ResponseType
from cometgem.response.json_items import JSONItems
from cometgem.response.partial_json import PartialJSON
from cometgem.response.typed import TypedResponse
from cometgem.types import Candidate, Content, GenerateContentResponse, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OBJECTS = 648
CHUNK = 40  # characters
WORDS = ["amber", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "harbour", "indigo"]
# instructor parses and validates all text so far at each chunk, so it gets shorter answers.
INSTRUCTOR = {"400 chunks": 8, "1,600 chunks": 2}  # what part of the objects


class Product(msgspec.Struct):
    """An object of the list."""

    id: int
    name: str
    price: float
    stock: int
    active: bool
    tags: list[str]
    note: str


class WrongError(Exception):
    """A result is not the list."""


class Answer:
    """The text of an answer, its pieces, and what it means."""

    def __init__(self, objects: int) -> None:
        random = Random(objects)  # noqa: S311  the same each time
        self.values = [
            {
                "id": at,
                "name": " ".join(random.choices(WORDS, k=2)),
                "price": round(random.uniform(1, 1000), 2),
                "stock": random.randrange(100_000),
                "active": random.random() < 0.5,
                "tags": random.sample(WORDS, 3),
                "note": " ".join(random.choices(WORDS, k=10)),
            }
            for at in range(objects)
        ]
        self.text = json.dumps(self.values)
        self.chunks = [self.text[at : at + CHUNK] for at in range(0, len(self.text), CHUNK)]
        self.products = msgspec.convert(self.values, list[Product])


def cometgem_partial(answer: Answer) -> object:
    """Read the value so far at each chunk."""
    partial = PartialJSON()
    for chunk in answer.chunks:
        partial.feed(chunk)
        value = partial.value
    return value


def jiter_partial(answer: Answer) -> object:
    """Parse all text so far at each chunk, with a parser in Rust that takes JSON that is cut."""
    from jiter import from_json  # noqa: PLC0415  may not be installed

    text = ""
    value = None
    for chunk in answer.chunks:
        text += chunk
        value = from_json(text.encode(), partial_mode="trailing-strings")
    return value


def instructor_partial(answer: Answer) -> object:
    """Do what instructor's ``create_partial`` does with the chunks of a stream."""
    from instructor.dsl.partial import Partial  # noqa: PLC0415  may not be installed

    model = Partial[_instructor_models()["list"]]
    value: Any = None
    wrapped = ['{"items": ', *answer.chunks, "}"]
    for value in model.model_from_chunks(wrapped):  # noqa: B007  the last is the answer
        pass
    return [one.model_dump() for one in value.items]


def cometgem_items(answer: Answer) -> object:
    """Decode each object as soon as it is complete."""
    items = JSONItems()
    decode = msgspec.json.Decoder(Product).decode
    found: list[Product] = []
    for chunk in answer.chunks:
        found += map(decode, items.feed(chunk))
    return found


def instructor_items(answer: Answer) -> object:
    """Do what instructor's ``create_iterable`` does with the chunks of a stream."""
    from instructor.dsl.iterable import IterableModel  # noqa: PLC0415  may not be installed

    model: Any = IterableModel(_instructor_models()["one"])
    found = model.tasks_from_chunks(['{"tasks": ', *answer.chunks, "}"])
    return msgspec.convert([one.model_dump() for one in found], list[Product])


def cometgem_whole(answer: Answer) -> object:
    """Decode the whole as ``response.parsed`` does."""
    content = Content(role="model", parts=[Part(text=answer.text)])
    candidate = Candidate(content=content, finish_reason="STOP")
    return TypedResponse.of(GenerateContentResponse(candidates=[candidate]), PRODUCTS).parsed


def msgspec_whole(answer: Answer) -> object:
    """Decode the whole with msgspec alone."""
    return DECODER.decode(answer.text.encode())


PRODUCTS: ResponseType[list[Product]] = ResponseType(list[Product])
DECODER = msgspec.json.Decoder(list[Product])
REPEATED = {cometgem_whole: 20, msgspec_whole: 20}  # half a millisecond each


def _instructor_models() -> dict[str, Any]:
    if not _MODELS:
        import pydantic  # noqa: PLC0415  may not be installed

        fields: dict[str, Any] = {
            name: (kind, ...) for name, kind in get_type_hints(Product).items()
        }
        one = pydantic.create_model("Product", **fields)
        _MODELS["one"] = one
        _MODELS["list"] = pydantic.create_model("Products", items=(list[one], ...))  # type: ignore[valid-type]
    return _MODELS


_MODELS: dict[str, Any] = {}

Row = tuple[str, "Callable[[Answer], object]", Answer]


def rows(objects: int) -> Iterator[Row]:
    """Yield what is measured: a name, a function, and the answer that it reads."""
    answer, twice = Answer(objects), Answer(2 * objects)
    yield "partial", cometgem_partial, answer
    yield "partial, twice the length", cometgem_partial, twice
    yield "items", cometgem_items, answer
    yield "items, twice the length", cometgem_items, twice
    yield "whole", cometgem_whole, answer
    yield "whole, msgspec", msgspec_whole, answer
    if find_spec("jiter"):
        yield "partial, jiter", jiter_partial, answer
    if find_spec("instructor"):
        for name, share in INSTRUCTOR.items():
            yield f"partial, instructor, {name}", instructor_partial, Answer(objects // share)
            yield f"items, instructor, {name}", instructor_items, Answer(objects // share)


def measure(what: list[Row], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each round."""
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in what}
    warm_up = Answer(2)
    for _, function, _ in what:
        function(warm_up)  # imports, models
    for _ in range(rounds):
        for name, function, answer in what:
            gc.collect()
            times = REPEATED.get(function, 1)
            began = time.process_time()
            for _ in range(times):
                result = function(answer)
            seconds[name].append((time.process_time() - began) / times)
            if result not in (answer.values, answer.products):
                raise WrongError(f"{name}: the result is not what was sent")
            del result  # which is not part of the next measurement
    return seconds


def goals(
    seconds: dict[str, list[float]], chunks: dict[str, int]
) -> Iterator[tuple[str, float, str]]:
    """Yield each ratio, with its goal; ratios are of the same round."""

    def ratio(one: str, other: str, *, per_chunk: bool = True) -> float:
        scale = chunks[other] / chunks[one] if per_chunk else 1
        pairs = zip(seconds[one], seconds[other], strict=True)
        return median(first / second * scale for first, second in pairs)

    for name in ("partial", "items"):
        twice = ratio(f"{name}, twice the length", name, per_chunk=False)
        yield f"{name}: twice the length costs", twice, "at most 2.3"
    yield (
        "whole: decoding costs, relative to msgspec",
        ratio("whole", "whole, msgspec"),
        "at most 1.15",
    )
    if "partial, jiter" in seconds:
        yield "partial: jiter costs", ratio("partial, jiter", "partial"), "at least 25"
    for name in seconds:
        if "instructor" in name:
            own = name.partition(",")[0]
            goal = "at least 100" if own == "items" else ""
            yield f"{own}: {name.partition(', ')[2]} costs", ratio(name, own), goal


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description="Structured answers that arrive in chunks.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small answers, one round")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    what = list(rows(16 if options.quick else OBJECTS))
    seconds = measure(what, 1 if options.quick else options.rounds)
    chunks = {name: len(answer.chunks) for name, _, answer in what}
    each = {name: median(seconds[name]) / chunks[name] * 1e6 for name in seconds}
    print(f"Python {sys.version.split()[0]}, msgspec {msgspec.__version__}\n")
    for name, micros in each.items():
        print(f"{name:36} {micros:10.2f} µs/chunk   {chunks[name]:6,} chunks")
    ratios = list(goals(seconds, chunks))
    print()
    for name, value, goal in ratios:
        print(f"{name:54} {value:8.2f} times   {goal}")
    if options.json:
        found = {name: round(value, 3) for name, value, _ in ratios}
        options.json.write_text(json.dumps({"micros_per_chunk": each, "ratios": found}, indent=1))


if __name__ == "__main__":
    main()
