import importlib.util
import pathlib

import pytest

from tensorcodecs import registry

ROOT = pathlib.Path(__file__).parents[2]


def load_golden():
    path = ROOT / "tests/golden/write.py"
    spec = importlib.util.spec_from_file_location("golden_write", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOLDEN = load_golden()


def pytest_generate_tests(metafunc):
    """Every test that asks for a spec, name or block codec runs for each that the registry lists."""
    if "spec" in metafunc.fixturenames:
        metafunc.parametrize("spec", [if_installed(spec) for spec in GOLDEN.specs()])
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", [if_installed(name) for name in registry.names()])
    if "block_spec" in metafunc.fixturenames:
        codecs = (registry.get_codec(name) for name in registry.names() if not GOLDEN.missing(name))
        metafunc.parametrize("block_spec", [codec.spec for codec in codecs if hasattr(codec, "block_bits")])


def if_installed(spec):
    """Return the parameter `spec`, skipped with the reason where its package is not installed."""
    reason = GOLDEN.missing(spec)
    return pytest.param(spec, marks=[pytest.mark.skip(reason=reason)] if reason else [])


@pytest.fixture
def codec(spec):
    return registry.get_codec(spec)


@pytest.fixture
def golden():
    return GOLDEN


@pytest.fixture
def root():
    return ROOT
