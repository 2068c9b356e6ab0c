"""Results as tables for the terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from scenarios import COLUMNS, GENAI, OURS, Limit

if TYPE_CHECKING:
    from measure import Figure, Result
    from scenarios import Column

__all__ = ["as_json", "summary", "table", "text_table"]

WORDS = {
    "ratio": "{0:.2f} times {2} (at most {1:g})",
    "better": "{0:.1f} times better than {2} (at least {1:g})",
    "over": "{0:+.0f} to {2} (at most {1:+g})",
    "value": "{0:.2f} (at most {1:g})",
}


def table(result: Result) -> str:
    """Return the figures of all clients in one scenario, the first with its spread."""
    scenario = result.scenario
    columns = COLUMNS[scenario.kind]
    head = ["", *(column.title for column in columns)]
    head += [f"/ {scenario.floor}"] * bool(scenario.floor) + [f"better than {GENAI}"]
    rows = [head]
    for client in result.clients:
        figures = [result.figure(client, column.key) for column in columns]
        row = [client, _spread(figures[0], columns[0])]
        row += [_number(f.median, c) for f, c in zip(figures[1:], columns[1:], strict=True)]
        if scenario.floor:
            row.append(_ratio(result.against(client, scenario.floor)))
        row.append(_ratio(result.against(client, GENAI, "better")))
        rows.append(row)
    lines = [f"{scenario.name}: {scenario.title}", text_table(rows)]
    lines += [f"{client}: fails, {error}" for client, error in result.errors.items()]
    lines += [_sentence(result, limit) for limit in scenario.limits if OURS in result.clients]
    return "\n".join(filter(None, lines)) + "\n"


def summary(results: list[Result]) -> str:
    """Return cometgem's results, one line for each scenario."""
    lines = []
    for result in results:
        if OURS not in result.clients:
            continue
        said = [_sentence(result, limit) for limit in result.scenario.limits]
        if not said:
            limits = [Limit("ratio", 0, result.scenario.floor), Limit("better", 0, GENAI)]
            said = [_sentence(result, limit).partition(" (")[0] for limit in limits]
        lines.append(f"{result.scenario.name:18} {'; '.join(filter(None, said))}")
    return "\n".join(lines)


def text_table(rows: list[list[str]]) -> str:
    """Return rows as text, the first column aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def as_json(result: Result) -> dict[str, Any]:
    """Return all figures of a scenario, of each round too, and whether its limits are met."""
    scenario = result.scenario
    clients = {}
    for client in result.clients:
        floor = result.against(client, scenario.floor)
        genai = result.against(client, GENAI, "better")
        clients[client] = {
            "figures": {
                key: asdict(result.figure(client, key)) for key in result.rounds[client][0]
            },
            "to_floor": floor and asdict(floor),
            "better_than_google_genai": genai and asdict(genai),
            "rounds": result.rounds[client],
        }
    reached = [(limit, result.reached(OURS, limit)) for limit in scenario.limits]
    return {
        "title": scenario.title,
        "floor": scenario.floor,
        "clients": clients,
        "errors": result.errors,
        "limits": [
            {**asdict(limit), "measured": asdict(holds[0]), "holds": holds[1]}
            for limit, holds in reached
            if holds is not None
        ],
    }


def _sentence(result: Result, limit: Limit) -> str:
    reached = result.reached(OURS, limit)
    if reached is None:
        return ""
    words = WORDS[limit.how].format(reached[0].median, limit.value, limit.than)
    column = next(c for c in COLUMNS[result.scenario.kind] if limit.key in ("", c.key))
    return f"{column.title}: {words}" + ("" if reached[1] else ", MISSED")


def _spread(figure: Figure, column: Column) -> str:
    least, most = _number(figure.least, column), _number(figure.most, column)
    return f"{_number(figure.median, column)} ({least}-{most})"


def _number(value: float, column: Column) -> str:
    return f"{value:,.{column.digits}f}"


def _ratio(figure: Figure | None) -> str:
    return "" if figure is None else f"{figure.median:.2f}"
