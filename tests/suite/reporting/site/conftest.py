import shutil

import pytest
from site_runs import FIGURES, PUBLISHED, small_cells, write_run

from suite.reporting import report, site


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A run's folder with its page; two hardware models have an area and an energy."""
    folder = write_run(
        tmp_path_factory.mktemp("small") / "run",
        [
            *small_cells(),
            *(
                c | {"codec": "hw/bdi:line_bytes=64", "coded_bits": c["coded_bits"] + 900}
                for c in small_cells()
                if c["codec"].startswith("hw/")
            ),
        ],
        hardware=dict.fromkeys(("hw/zvc:line_bytes=64", "hw/bdi:line_bytes=64"), FIGURES),
    )
    site.write_site(report.load(folder), folder)
    return folder


@pytest.fixture(scope="session")
def current(tmp_path_factory):
    """A copy of the last published report, with its page."""
    folder = tmp_path_factory.mktemp("current") / PUBLISHED[-1].name
    shutil.copytree(PUBLISHED[-1], folder)
    site.write_site(report.load(folder), folder, png=False)
    return folder
