"""GeminiMap: batches in and out, what is in its pickle, and one client in each process."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict

import msgspec
import pytest

from cometgem import CometGemWarning, ConfigurationError, RetryPolicy
from cometgem.bulk import GeminiMap, Limits, MemoryLimiter, RedisLimiter
from cometgem.bulk.pickled_type import check_pickled_type
from cometgem.bulk.process import PROCESS
from cometgem.testing import FakeServer, RecordedRequest, Reply, ServerLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "gemini-3.8-flash"

FAST = Limits(rpm=600_000, concurrency=20)

COLUMNS = [
    *("answer", "error", "error_type", "input_tokens", "output_tokens", "total_tokens"),
    *("attempts", "seconds"),
]


class Kind(msgspec.Struct):
    kind: str


def ask_for(row: dict[str, Any]) -> str:
    """Return the prompt of a row; for a pickle, it must be a function of a module."""
    return f"What is {row['text']}?"


def asked(request: RecordedRequest) -> str:
    return str(request.body["contents"][-1]["parts"][0]["text"])


def echo(request: RecordedRequest) -> Reply:
    return Reply.text(f"re: {asked(request)}").usage(
        {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}
    )


@pytest.fixture
def server(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """The server that the environment names; its answers repeat the prompt."""
    monkeypatch.setenv("COMETAPI_KEY", fake_server.api_key)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    fake_server.respond = echo
    yield fake_server
    PROCESS.close()


def gemini(**options: Any) -> GeminiMap:
    return GeminiMap(MODEL, **{"prompt": "text", "limits": FAST, **options})


# Batches


def test_a_dict_of_lists(server: FakeServer) -> None:
    batch = {"id": [1, 2, 3], "text": ["a", "b", "c"]}
    out = gemini().run(batch)
    assert list(out) == ["id", "text", *COLUMNS]
    assert list(batch) == ["id", "text"]
    assert out["id"] == [1, 2, 3]
    assert out["answer"] == ["re: a", "re: b", "re: c"]
    assert out["error"] == out["error_type"] == [None, None, None]
    assert out["input_tokens"] == [3, 3, 3]
    assert out["output_tokens"] == [4, 4, 4]
    assert out["total_tokens"] == [7, 7, 7]
    assert out["attempts"] == [1, 1, 1]
    assert all(seconds > 0 for seconds in out["seconds"])
    assert len(server.requests) == 3


def test_a_dict_of_arrays(server: FakeServer) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    batch = {
        "text": numpy.array(["a", "b"], dtype=object),
        "number": numpy.array([1, 2]),
        "pixels": numpy.zeros((2, 3, 3)),
    }
    seen = []

    def prompt(row: dict[str, Any]) -> str:
        seen.append(row)
        return f"{row['text']} {row['number']} {row['pixels'].shape}"

    out = gemini(prompt=prompt).run(batch)
    assert list(out["answer"]) == ["re: a 1 (3, 3)", "re: b 2 (3, 3)"]
    assert type(seen[0]["number"]) is int
    assert out["pixels"] is batch["pixels"]
    assert [str(out[name].dtype) for name in COLUMNS] == [
        *("object", "object", "object", "int64", "int64", "int64", "int64", "float64")
    ]
    assert len(server.requests) == 2


def test_a_pandas_frame(server: FakeServer) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"text": ["a", None, "c"], "n": [1, 2, 3]}, index=[10, 20, 30])
    out = gemini().run(frame)
    assert list(out.columns) == ["text", "n", *COLUMNS]
    assert list(frame.columns) == ["text", "n"]
    assert list(out.index) == [10, 20, 30]
    assert out["answer"].tolist() == ["re: a", pandas.NA, "re: c"]
    assert out["error"].isna().tolist() == [True, False, True]
    assert out["error_type"].tolist() == [pandas.NA, "ConfigurationError", pandas.NA]
    assert len(server.requests) == 2


def test_meta_has_the_columns_and_types_of_the_result(server: FakeServer) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"text": ["a"]})
    one = gemini(prefix="gemini_")
    meta = one.meta(frame)
    assert len(meta) == 0
    assert len(server.requests) == 0
    assert dict(meta.dtypes) == dict(one.run(frame).dtypes)
    assert list(meta.columns) == ["text", *(f"gemini_{name}" for name in COLUMNS)]

    class Lazy:
        _meta = frame

    assert one.meta(Lazy()).equals(meta)


def test_a_pyarrow_table(server: FakeServer) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    out = gemini().run(pyarrow.table({"text": ["a", ""]}))
    assert out.column_names == ["text", *COLUMNS]
    assert [str(out.schema.field(name).type) for name in COLUMNS] == [
        *("string", "string", "string", "int64", "int64", "int64", "int64", "double")
    ]
    assert out["answer"].to_pylist() == ["re: a", None]
    assert out["error_type"].to_pylist() == [None, "ConfigurationError"]
    assert len(server.requests) == 1


def test_an_empty_batch_gets_the_columns(server: FakeServer) -> None:
    out = gemini().run({"text": []})
    assert out == {"text": [], **{name: [] for name in COLUMNS}}
    assert not server.requests


def test_rows_answered_out_of_order_stay_where_they_were(server: FakeServer) -> None:
    server.respond = lambda request: echo(request).delay(
        headers=0.2 if asked(request) == "a" else 0
    )
    out = gemini().run({"text": ["a", "b", "c"]})
    assert out["answer"] == ["re: a", "re: b", "re: c"]


async def test_batches_in_an_event_loop(server: FakeServer) -> None:
    # Ray Data looks at the class.
    assert inspect.iscoroutinefunction(GeminiMap.__call__)
    one = gemini(prompt=ask_for)
    outs = await asyncio.gather(*(one({"text": [f"{n}"]}) for n in range(5)))
    assert [out["answer"] for out in outs] == [[f"re: What is {n}?"] for n in range(5)]
    assert len(server.requests) == 5


async def test_a_call_that_is_cancelled_stops_its_requests(server: FakeServer) -> None:
    server.respond = lambda request: echo(request).delay(headers=30)
    task = asyncio.create_task(gemini()({"text": ["a"]}))  # type: ignore[arg-type]
    await server.wait_request(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.requests[0].wait_gone()


def test_a_type_makes_the_answer_json(server: FakeServer) -> None:
    server.respond = lambda _: Reply.text('```json\n{"kind": "request"}\n```')
    out = gemini(response_type=Kind, reasks=1).run({"text": ["a"]})
    assert out["answer"] == ['{"kind": "request"}']
    schema = server.requests[0].body["generationConfig"]["responseJsonSchema"]
    assert schema["properties"].keys() == {"kind"}


# Errors


def test_errors_are_columns(server: FakeServer) -> None:
    replies = {
        "bad": Reply.error(400),
        "cut": Reply.text("half").finish("MAX_TOKENS"),
        "down": Reply.error(503),
    }
    server.respond = lambda request: replies.get(asked(request)) or echo(request)
    texts = ["good", "bad", "cut", "down", 7]
    out = gemini(retry=RetryPolicy(attempts=2, initial=0.01)).run({"text": texts})
    assert out["answer"] == ["re: good", None, None, None, None]
    assert out["error_type"] == [
        *(None, "BadRequestError", "IncompleteAnswerError", "ServerError", "ConfigurationError")
    ]
    assert all(out["error"][1:])
    assert "MAX_TOKENS" in out["error"][2]
    assert out["output_tokens"][2] > 0
    assert out["attempts"] == [1, 1, 1, 2, 0]


def test_an_answer_that_does_not_match_its_type_is_an_error(server: FakeServer) -> None:
    server.respond = lambda _: Reply.text('{"size": 1}')
    out = gemini(response_type=Kind).run({"text": ["a"]})
    assert out["answer"] == [None]
    assert out["error_type"] == ["OutputValidationError"]


def test_a_prompt_function_that_raises_is_the_error_of_its_row(server: FakeServer) -> None:
    def prompt(row: dict[str, Any]) -> str:
        if row["n"] == 0:
            raise ValueError("half a pair: \ud83d")
        return str(row["n"])

    out = gemini(prompt=prompt).run({"n": [0, 1]})
    assert out["answer"] == [None, "re: 1"]
    # Arrow does not take a surrogate.
    assert out["error"] == ["prompt=... raised ValueError: half a pair: \\ud83d", None]
    assert out["error_type"] == ["ValueError", None]
    assert len(server.requests) == 1


def test_an_error_that_all_rows_share_stops_the_batch(server: FakeServer) -> None:
    server.respond = lambda _: Reply.error(401)
    one = gemini(limits=Limits(rpm=600_000, concurrency=3))
    out = one.run({"text": ["a"] * 50})
    assert out["answer"] == [None] * 50
    assert set(out["error_type"]) == {"AuthenticationError"}
    assert len(set(out["error"])) == 1
    assert 1 <= len(server.requests) <= 3
    server.respond = echo  # the next batch tries again
    assert one.run({"text": ["b"]})["answer"] == ["re: b"]


def test_answers_before_such_an_error_are_kept(server: FakeServer) -> None:
    server.respond = lambda request: Reply.error(403) if asked(request) == "c" else echo(request)
    out = gemini(limits=Limits(rpm=600_000, concurrency=1)).run({"text": list("abcd")})
    assert out["answer"] == ["re: a", "re: b", None, None]
    assert out["error_type"] == [None, None, "PermissionDeniedError", "PermissionDeniedError"]
    assert len(server.requests) == 3


def test_refused_rows_are_sent_again(monkeypatch: pytest.MonkeyPatch, server: FakeServer) -> None:
    with FakeServer(limits=ServerLimits(requests=5, seconds=0.5, retry_after=False)) as limited:
        limited.respond = echo
        monkeypatch.setenv("COMETAPI_BASE_URL", limited.url)
        out = gemini().run({"text": [f"{n}" for n in range(12)]})
        assert out["answer"] == [f"re: {n}" for n in range(12)]
        assert out["attempts"] == [1] * 12
        assert limited.refused > 0
    assert not server.requests


# Arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": "sk-secret"}, "would be in its pickle: set COMETAPI_KEY"),
        ({"base_url": "https://example.com"}, "would be in its pickle"),
        ({"prompt": 1}, "prompt=1 is not valid"),
        ({"prefix": None}, "prefix=None is not valid: use a string"),
        ({"limits": 5}, "limits=5 is not valid: use Limits"),
        ({"limits": MemoryLimiter()}, "is for one process"),
        ({"reasks": 1}, r"reasks=\.\.\. needs response_type"),
        ({"max_hops": 0}, "max_hops=0 is not valid"),
        ({"headers": {"x-goog-api-key": "sk-secret"}}, "headers must not set"),
    ],
)
def test_arguments_are_checked_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        gemini(**options)
    assert "sk-secret" not in str(caught.value)


def test_a_mistyped_option_gets_the_right_name() -> None:
    with pytest.raises(TypeError, match="use generation_config="):
        gemini(temperature=1)
    with pytest.warns(CometGemWarning):
        GeminiMap("gemini-2.5-pro", prompt="text", thinking="off")


def test_a_limiter_that_cannot_be_pickled_is_refused() -> None:
    class Own(MemoryLimiter):
        pass

    limiter = type("Hidden", (), {"acquire": lambda _: None})()
    with pytest.raises(ConfigurationError, match="cannot be pickled"):
        gemini(limits=limiter)
    with pytest.raises(ConfigurationError, match="is for one process"):
        gemini(limits=Own())


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([{"text": "a"}], "a batch is a pandas DataFrame, .* got list"),
        ({"words": ["a"]}, "prompt='text' is not a column of the batch; .* 'words'"),
        ({"text": ["a"], "error": [""]}, r"has a column 'error' already: use .*prefix="),
    ],
)
def test_a_batch_that_can_never_work_is_refused(
    server: FakeServer, batch: Any, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        gemini().run(batch)
    assert not server.requests


def test_a_process_without_a_key_says_so(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMETAPI_KEY")
    with pytest.raises(ConfigurationError, match="no API key"):
        gemini().run({"text": ["a"]})
    for key in ("sk-wrong", "sk-right"):  # as in a notebook
        server.respond = (lambda _: Reply.error(401)) if key == "sk-wrong" else echo
        monkeypatch.setenv("COMETAPI_KEY", key)
        out = gemini().run({"text": ["a"]})
        assert out["error_type"] == [None if key == "sk-right" else "AuthenticationError"]
    assert len(server.requests) == 2
    assert server.connections == 2


# Pickles and processes


def test_a_pickle_works_and_has_no_key(server: FakeServer) -> None:
    one = gemini(prompt=ask_for, response_type=None, thinking="low")
    before = pickle.dumps(one)
    one.run({"text": ["a"]})
    after = pickle.dumps(one)
    assert before == after
    assert server.api_key.encode() not in after
    copy = pickle.loads(after)  # noqa: S301  made here
    assert repr(copy) == repr(one)
    assert server.api_key not in repr(one)
    assert copy.run({"text": ["a"]})["answer"] == ["re: What is a?"]
    assert server.requests[1].body == server.requests[0].body


UNPICKLE = """
import json, pickle, sys
for copy in pickle.load(sys.stdin.buffer):
    try:
        print(json.dumps([copy.run({"text": ["you"]}) for _ in range(2)]))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def python(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(  # noqa: S603  our own scripts
        [sys.executable, *arguments], input=stdin, stdout=subprocess.PIPE, timeout=60, check=True
    ).stdout


def test_the_classes_of_a_script_are_pickled_whole_or_refused(server: FakeServer) -> None:
    pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")
    right = '[{"name": "Ada", "kind": "a", "mood": "good", "place": [1, 2]}]'
    server.respond = None
    server.add(Reply.text(right), Reply.text('[{"name": "Ada"}]'))
    pickled = python(str(Path(__file__).with_name("pickled_types.py")))
    assert server.api_key.encode() not in pickled
    (first, second), *refused = map(json.loads, python("-c", UNPICKLE, stdin=pickled).splitlines())
    assert first["answer"] == [right]
    assert second["error_type"] == ["OutputValidationError"]
    assert [asked(request) for request in server.requests] == ["Hi you", "Hi you"]
    assert len(refused) == 4
    for sentence in refused:
        assert "was changed when it was pickled" in sentence


def test_a_type_that_was_pickled_still_works_here(server: FakeServer) -> None:
    one = gemini(response_type=Listed)
    server.respond = lambda _: Reply.text('{"name": "Ada"}')
    for _ in range(2):
        pickle.dumps(one)
        assert one.run({"text": ["you"]})["answer"] == ['{"name": "Ada"}']


class Listed(TypedDict):
    name: str


class Outer(TypedDict):
    kinds: list[Kind]


@dataclass
class Made:
    kind: str


def test_classes_of_a_module_are_as_they_were() -> None:
    class Sound(msgspec.Struct, rename="camel"):
        first_name: str
        more: ClassVar[int] = 1
        unknown: list[int] = []

    for kind in (Kind, Made, Outer, Sound, list[int], "text", None, Literal["a"]):
        check_pickled_type(kind)


def test_dask_recognizes_copies() -> None:
    tokenize = pytest.importorskip("dask.tokenize", reason="dask is not installed").tokenize
    one = gemini(response_type=Listed)
    copy = pickle.loads(pickle.dumps(one))  # noqa: S301  made here
    token = tokenize(one.run, ensure_deterministic=True)
    assert token == tokenize(copy.run, ensure_deterministic=True)
    assert token != tokenize(gemini(response_type=Listed).run)


def test_copies_share_a_client_and_a_limiter(server: FakeServer) -> None:
    data = pickle.dumps(gemini(limits=Limits(rpm=600)))
    began = time.monotonic()
    for _ in range(6):
        pickle.loads(data).run({"text": ["a"]})  # noqa: S301  made here
    assert time.monotonic() - began > 0.45  # ten a second
    assert server.connections == 1


def test_threads_share_one_event_loop(server: FakeServer) -> None:
    one = gemini()
    with ThreadPoolExecutor(8) as pool:
        outs = list(pool.map(lambda n: one.run({"text": [f"{n}"] * 5}), range(8)))
    assert [out["answer"] for out in outs] == [[f"re: {n}"] * 5 for n in range(8)]
    assert [thread.name for thread in threading.enumerate()].count("cometgem-bulk") == 1
    assert len(server.requests) == 40


def test_closing_ends_the_thread_and_the_connections(server: FakeServer) -> None:
    gemini().run({"text": ["a"]})
    assert server.open_connections == 1
    PROCESS.close()
    PROCESS.close()
    assert "cometgem-bulk" not in [thread.name for thread in threading.enumerate()]
    assert gemini().run({"text": ["a"]})["answer"] == ["re: a"]
    assert server.connections == 2


def test_a_redis_limiter_can_be_given() -> None:
    pytest.importorskip("redis", reason="redis is not installed")
    limiter = RedisLimiter("redis://:geheim@127.0.0.1:1/0", "name", Limits(rpm=60))
    one = gemini(limits=limiter)
    assert "geheim" not in repr(one)
    assert repr(pickle.loads(pickle.dumps(one))) == repr(one)  # noqa: S301  made here


def test_redis_that_cannot_be_reached_is_the_error_of_each_row(server: FakeServer) -> None:
    pytest.importorskip("redis", reason="redis is not installed")
    out = gemini(limits=RedisLimiter("redis://127.0.0.1:1/0", "name")).run({"text": ["a", "b"]})
    assert out["error_type"] == ["ConfigurationError"] * 2
    assert "Redis at redis://127.0.0.1:1/0 cannot be used" in out["error"][0]
    assert not server.requests


FORKED = """
import json, multiprocessing, os, warnings
from cometgem.bulk import GeminiMap, Limits

warnings.simplefilter("ignore")  # that a process with threads forks
gemini = GeminiMap("gemini-3.8-flash", prompt="text", limits=Limits(rpm=600_000))

def ask(text):
    return os.getpid(), gemini.run({"text": [text]})["answer"]

if __name__ == "__main__":
    found = [ask("before")]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found += pool.map(ask, ["one", "two", "three"], chunksize=1)
    found += [ask("after")]
    print(json.dumps(found))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
async def test_a_forked_child_makes_its_own_client(server: FakeServer) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-c", FORKED),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    assert not err, err.decode()
    found = json.loads(out)
    words = ["before", "one", "two", "three", "after"]
    assert [answer for _, answer in found] == [[f"re: {word}"] for word in words]
    pids = [pid for pid, _ in found]
    assert pids[0] == pids[-1] == process.pid
    assert process.pid not in pids[1:4]
    # The parent and one or both children have a connection each, and no one is disturbed.
    assert server.connections == len(set(pids))
    assert len(server.requests) == 5
