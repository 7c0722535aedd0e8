from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A row for each client that has played the story."""
    played = [
        name_and_steps
        for report in terminalreporter.stats.get("passed", [])
        for name_and_steps in report.user_properties
        if "test_clients.py" in report.nodeid
    ]
    if played:
        terminalreporter.section("real clients")
        for name, steps in played:
            terminalreporter.line(f"{name:28} {steps:3} steps, all as the contract says")
