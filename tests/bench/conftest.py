"""What the timings can be told on the command line."""

DEFAULT = "raw,zstd:level=1,huffman,squeeze:effort=1"


def pytest_addoption(parser):
    parser.addoption("--bench-codecs", default=DEFAULT, help="specs that test_traces.py times, by commas")


def pytest_generate_tests(metafunc):
    if "board_spec" in metafunc.fixturenames:
        specs = metafunc.config.getoption("--bench-codecs").split(",")
        metafunc.parametrize("board_spec", ["raw", *(spec for spec in specs if spec != "raw")])
