"""The rules of the house that no import contract can hold."""

import subprocess
import sys

import pytest
from support import REPOSITORY, environment

import hwmodels.registry
import tensorcodecs.registry

CODECS = REPOSITORY / "codecs" / "tensorcodecs"
FAMILIES = sorted(path.parent for path in CODECS.glob("*/__init__.py") if path.parent.name != "kernels")
NO_PLUG_INS = {"lines/learned.py", "nested/provided.py", "nested/pipeline.py"}
"""A second base, an API of a codec's users, and the codec that specs name by `|` alone."""


def plug_ins(folder):
    return {
        f"{folder.name}/{path.name}"
        for path in folder.glob("*.py")
        if not path.name.startswith("_") and path.name != "base.py"
    }


@pytest.mark.parametrize("folder", FAMILIES, ids=lambda path: path.name)
def test_every_file_of_a_family_is_a_codec(folder):
    targets = (target.partition(":")[0] for _, target, _ in tensorcodecs.registry._LINES)
    registered = {"/".join(target.split(".")[1:]) + ".py" for target in targets}
    assert plug_ins(folder) - NO_PLUG_INS == {
        name for name in registered if name.startswith(f"{folder.name}/")
    }


def test_every_engine_is_a_hardware_model():
    targets = (target.partition(":")[0] for _, target, _ in hwmodels.registry._LINES)
    registered = {"/".join(target.split(".")[1:]) + ".py" for target in targets}
    assert plug_ins(REPOSITORY / "hwmodels" / "engines") == registered


def test_no_codecs_package_hides_the_standard_library_s():
    assert not (REPOSITORY / "codecs" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("suite.reporting.render", ("numba", "llvmlite", "pebble", "torch", "suite.measuring")),
        ("suite.reporting.site.writing", ("numba", "llvmlite", "pebble", "torch", "suite.measuring")),
        ("suite.cli", ("numba", "polars", "h5py", "numpy", "torch")),
        ("suite.measuring.run", ("torch", "suite.reporting")),
        ("tensorcodecs.registry", ("numba", "numcodecs")),
        ("tracegen.corpus.writing", ("numba", "torch")),
    ],
)
def test_importing_loads_no_more_than_is_needed(module, never):
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & set(never)
