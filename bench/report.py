"""Writes the tables and plots of ``bench/results/`` into ``docs/performance.md``, between its markers."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from plot import Chart
from results import load

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
PLOTS = DOCS / "performance"

Result = dict[str, Any]


def table(head: list[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(name: str, chart: Chart) -> str:
    chart.save(PLOTS / f"{name}.svg")
    return f"![{chart.title}]({PLOTS.name}/{name}.svg)"


def machine(result: Result) -> str:
    about = result["machine"]
    return (
        f"Measured {about['time'][:10]} on {about['processors']} × {about['processor']}, Python {about['python']}; "
        f"the load of the machine was {about['load before']} before."
    )


def reads(result: Result) -> str:
    parts = [machine(result)]
    found = [row for row in result["rows"] if row["kind"] != "write"]
    for connections in sorted({row["connections"] for row in found}):
        head = [f"read, {connections} connections", "", *_COLUMNS, "ratios"]
        rows = [[row["scenario"], row["kind"], *_cells(row), row["ratios"]] for row in found
                if row["connections"] == connections]  # fmt: skip
        parts.append(table(head, rows))
    return "\n\n".join(parts)


def writes(result: Result) -> str:
    found = [row for row in result["rows"] if row["kind"] == "write"]
    rows = [[row["scenario"], row["connections"], *_cells(row)] for row in found]
    peaks = ", ".join(f"{name} {peak:.0f}" for name, peak in sorted(result["peaks"].items()))
    return "\n\n".join(
        [
            table(["write, through the gateway", "connections", *_COLUMNS], rows),
            f"Exports drain at {result['drain']:.0f} mails/s with one worker. Peak memory in all of it, MB: {peaks}.",
        ]
    )


def first_reads(result: Result) -> str:
    rows = [
        [row["scenario"], row["read"]["p50"], row["read"]["p95"], row["query"]["p50"], row["allowed"]]
        for row in result["first reads"]
    ]
    return table(["first read after a change", "p50 ms", "p95 ms", "query alone, p50 ms", "twice that and 2 ms"], rows)


def search(result: Result) -> str:
    sizes = result["sizes"]
    small, large = sizes[0], sizes[-1]
    head = ["search", *(f"{size['songs']:,} songs: p50 / p95 ms" for size in sizes), "p95, last to first", "answer, kB"]

    def row(name: str, found: list[Result]) -> list[object]:
        ratio = f"{found[-1]['p95'] / found[0]['p95']:.1f}"
        answer = f"{found[0]['size'] / 1000:.1f} to {found[-1]['size'] / 1000:.1f}"
        return [name, *(f"{each['p50']} / {each['p95']}" for each in found), ratio, answer]

    rows = [row(kind, [size["search"][kind] for size in sizes]) for kind in small["search"]]
    rows.append(row("**all of these, mixed**", [size["search, all"] for size in sizes]))
    rows.append(row("**the same, 50 songs a page**", [size["search, short pages"] for size in sizes]))
    pages = [row(name, [size["pages"][name] for size in sizes]) for name in large["pages"]]
    lines = {
        "searches, p95": [(size["songs"], size["search, all"]["p95"]) for size in sizes],
        "searches, p50": [(size["songs"], size["search, all"]["p50"]) for size in sizes],
        **{name: [(size["songs"], size["pages"][name]["p50"]) for size in sizes] for name in large["pages"]},
    }
    chart = Chart("Latency as data grows", "songs", "ms", lines, logarithmic=True)
    rates = {name: [(size["songs"], size["reads"][name]) for size in sizes] for name in large["reads"]}
    throughput = Chart("Reads that never repeat, without edge cache", "songs", "req/s", rates, logarithmic=True)
    return "\n\n".join([machine(result), table(head, rows), table(["list of 100", *head[1:]], pages),
                        picture("latency-by-data", chart), picture("throughput-by-data", throughput)])  # fmt: skip


def connections(result: Result) -> str:
    found = result["connections"]
    kinds = ("edge cache", "without edge cache")
    rows = [
        [
            count,
            *(f"{found[kind][n]['rate']:,.0f} / {found[kind][n]['p50']} / {found[kind][n]['p99']}" for kind in kinds),
        ]
        for n, count in enumerate(found["connections"])
    ]
    lines = {
        kind: [(n, each["rate"]) for n, each in zip(found["connections"], found[kind], strict=True)] for kind in kinds
    }
    chart = Chart("Repeated playlist songs as connections grow", "connections", "req/s", lines, logarithmic=True)
    replicas = [
        [name, f"{each['rate']:,.0f}", each["p50"], each["p99"],
         ", ".join(f"{process} {busy}" for process, busy in each["processors"].items())]
        for name, each in result["replicas"].items()
    ]  # fmt: skip
    return "\n\n".join([
        table(["connections", *(f"{kind}: requests/s / p50 / p99 ms" for kind in kinds)], rows),
        picture("throughput-by-connections", chart),
        table(["playlist services", "requests/s", "p50 ms", "p99 ms", "processors in use"], replicas),
    ])  # fmt: skip


def long_playlist(result: Result) -> str:
    rows = [
        [f"{name}, {each['bytes']:,} bytes", f"{each['edge cache']:,.0f}", _speed(each, "edge cache"),
         f"{each['without edge cache']:,.0f}", _speed(each, "without edge cache"), each["first read"]["p50"],
         each["query"]["p50"]]
        for name, each in result["long playlist"].items()
    ]  # fmt: skip
    head = [
        "playlist",
        "kept at the edge: requests/s",
        "MB/s",
        "in Redis: requests/s",
        "MB/s",
        "first read, p50 ms",
        "its query alone",
    ]
    return table(head, rows)


def soak(result: Result) -> str:
    lines = {name: list(zip(result["seconds"], series, strict=True)) for name, series in result["memory"].items()}
    minutes = result["seconds"][-1] / 60
    load = result["load"]
    rows = [
        [name, *(series[len(series) * part // 4] for part in range(1, 4)), series[-1], max(series)]
        for name, series in result["memory"].items()
    ]
    head = ["process", "MB after a quarter", "a half", "three quarters", "at the end", "at the peak"]
    chart = Chart(f"Memory over {minutes:.0f} minutes of load", "seconds", "MB", lines)
    told = f"{load['rate']:,.0f} requests/s over {load['connections']} connections, {load['errors']} errors."
    return "\n\n".join([f"{machine(result)} {told}", picture("memory", chart), table(head, rows)])


def mix(result: Result) -> str:
    rows = []
    for cell in result["mix"]:
        other, ours = cell["monolith"], cell["OpenMusic"]
        spent = [sum(row["cpu"].values()) for row in (other, ours)]
        name = f"{cell['size']}, {cell['writes']} % writes" + (", searches" if cell["searches"] else "")
        rows.append([
            name, cell["connections"], f"{other['rate']:,.0f}", f"{ours['rate']:,.0f}", _ratio(ours, other),
            *(f"{each:.2f}" for each in spent), f"{spent[1] / spent[0]:.2f}", f"{ours['at edge']:.0%}",
            f"{ours['from_cache']:.0%}", f"{other['errors']} / {ours['errors']}",
        ])  # fmt: skip
    head = [
        "mix", "connections", "monolith, requests/s", "OpenMusic, requests/s", "ratio", "CPU ms a request", "ours",
        "ratio", "hits at the edge", "hits of all caches", "errors",
    ]  # fmt: skip
    by_process = [
        [f"{cell['size']}, {cell['writes']} % writes, {cell['connections']} connections",
         ", ".join(f"{name} {used:.2f}" for name, used in sorted(cell["OpenMusic"]["cpu"].items(), key=_second))]
        for cell in result["mix"]
    ]  # fmt: skip
    waits = [
        [f"{cell['size']}, {cell['writes']} % writes, {cell['connections']} connections", kind,
         *(f"{cell[name]['latencies'][kind][share]}" for name in ("monolith", "OpenMusic") for share in ("p50", "p99"))]
        for cell in result["mix"] for kind in cell["OpenMusic"]["latencies"] if kind in cell["monolith"]["latencies"]
    ]  # fmt: skip
    return "\n\n".join([
        machine(result), table(head, rows), table(["CPU ms a request, by process", ""], by_process),
        table(["", "read", "monolith p50 ms", "p99 ms", "OpenMusic p50 ms", "p99 ms"], waits),
    ])  # fmt: skip


def singles(result: Result) -> str:
    rows = [
        [f"{size}: {name}", f"{of['monolith']['rate']:,.0f}", f"{of['OpenMusic']['rate']:,.0f}",
         _ratio(of["OpenMusic"], of["monolith"]),
         *(f"{sum(of[system]['cpu'].values()):.2f}" for system in ("monolith", "OpenMusic"))]
        for size, found in result["singles"].items() for name, of in found.items()
    ]  # fmt: skip
    first = [[name, of["monolith"]["p50"], of["OpenMusic"]["p50"]] for name, of in result["first reads"].items()]
    return "\n\n".join([
        table(
            ["one kind of request", "monolith, requests/s", "OpenMusic, requests/s", "ratio", "CPU ms", "ours"], rows
        ),
        table(["first read, one client", "monolith p50 ms", "OpenMusic p50 ms"], first),
    ])  # fmt: skip


def _ratio(ours: Result, other: Result) -> str:
    return f"{ours['rate'] / other['rate']:.1f} ×"


def _second(pair: tuple[str, float]) -> float:
    return -pair[1]


_COLUMNS = ["requests/s", "p50 ms", "p99 ms", "errors", "CPU s / 1000 requests", "peak MB"]
SECTIONS = {
    "mix": (mix, singles),
    "run": (reads, writes, first_reads),
    "growth": (search, connections, long_playlist),
    "soak": (soak,),
}


def _cells(row: Result) -> list[object]:
    peaks = ", ".join(f"{name} {peak:.0f}" for name, peak in row["memory"].items())
    return [f"{row['rate']:,.0f}", row["p50"], row["p99"], row["errors"], f"{sum(row['cpu'].values()):.2f}", peaks]


def _speed(row: Result, kind: str) -> str:
    return f"{row['bytes'] * row[kind] / 1_000_000:,.0f}"


def _between(content: str, markers: re.Match[str]) -> str:
    return f"{markers[1]}{content}{markers[2]}"


def _wrapped(text: str) -> str:
    """Prose in lines of at most 100 characters; tables and pictures as they are."""
    lines = (line if line.startswith(("|", "!")) else textwrap.fill(line, 100) for line in text.splitlines())
    return "\n".join(lines)


def main() -> None:
    page = PAGE.read_text()
    for name, sections in SECTIONS.items():
        result = load(name)
        if result is None:
            continue
        for section in sections:
            pattern = rf"(<!-- {section.__name__} -->\n).*?(<!-- end -->)"
            content = f"\n{_wrapped(section(result))}\n\n"
            page, replaced = re.subn(pattern, partial(_between, content), page, flags=re.DOTALL)
            assert replaced, f"{PAGE} has no place for {section.__name__}"
    PAGE.write_text(page)
    print(f"{PAGE} is written anew")


if __name__ == "__main__":
    main()
