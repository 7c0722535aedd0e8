"""How long a login takes that fails for an unknown user, and one that fails for a wrong password: it must not tell.

.venv/bin/python bench/login_times.py        on a stack of its own, about a minute
"""

import secrets
import statistics
import time

import httpx
from own_stack import own_stack

ROUNDS = 300
USERS = 20


def measure(http: httpx.Client) -> dict[str, list[float]]:
    """Milliseconds of each login. The two kinds take turns, so that what else the machine does strikes both."""
    known = [f"known {secrets.token_hex(6)}" for _ in range(USERS)]
    for name in known:
        http.post("/users", json={"username": name, "password": "secret", "fullname": name}).raise_for_status()
    times: dict[str, list[float]] = {"unknown user": [], "wrong password": []}
    for turn in range(ROUNDS):
        for kind, name in (("unknown user", f"known {secrets.token_hex(6)}"), ("wrong password", known[turn % USERS])):
            started = time.perf_counter()
            answer = http.post("/authentications", json={"username": name, "password": "mistaken"})
            times[kind].append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 401
    return times


def report(times: dict[str, list[float]]) -> None:
    print("| login that fails | median ms | quartiles ms | fastest ms |\n|---|---|---|---|")
    for kind, found in times.items():
        first, median, third = statistics.quantiles(found, n=4)
        print(f"| {kind} | {median:.2f} | {first:.2f} to {third:.2f} | {min(found):.2f} |")
    unknown, wrong = times.values()
    faster = sum(one < other for one, other in zip(unknown, wrong, strict=True)) / len(wrong)
    apart = statistics.median(unknown) - statistics.median(wrong)
    print(
        f"\nThe medians of {ROUNDS} each are {apart:+.2f} ms apart; "
        f"the unknown user was faster in {faster:.0%} of the pairs."
    )


def main() -> None:
    with own_stack() as stack, httpx.Client(base_url=stack.url, timeout=20, trust_env=False) as http:
        report(measure(http))


if __name__ == "__main__":
    main()
