"""The campaign: who takes part, and the table at its end."""

import os
from collections import defaultdict

import pytest

from faults.tally import PROPERTY, SEED
from faults.workplace import Supplies

MARKER = "faults"
TRIES = int(os.environ.get("RECOLOR_FAULTS_TRIES", "20"))


def pytest_collection_modifyitems(config, items):
    """Leave the campaign out, unless it is asked for by its marker."""
    if MARKER in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker(MARKER)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter):
    """Print what was tried, and how much of it held."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    table = defaultdict(lambda: [0, 0])
    for report in reports:
        if getattr(report, "when", None) == "call":
            for name, (fault, tried, held) in report.user_properties:
                if name == PROPERTY:
                    table[fault][0] += tried
                    table[fault][1] += held
    if not table:
        return
    terminalreporter.section(f"faults, seed {SEED}")
    width = max(map(len, table))
    terminalreporter.write_line(f"{'fault':{width}}  tried   held")
    for fault, (tried, held) in sorted(table.items()):
        terminalreporter.write_line(f"{fault:{width}}  {tried:>5}  {held:>5}")


@pytest.fixture(scope="session")
def supplies(forge, tmp_path_factory) -> Supplies:
    """What commands are given."""
    return Supplies.make(forge, tmp_path_factory.mktemp("supplies"))


@pytest.fixture(scope="session")
def tries() -> int:
    """How often each command is killed."""
    return TRIES
