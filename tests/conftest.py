"""What all tests share: the folder of real data, one JVM for the whole run, and honest skips.

A test marked `external` is skipped where its programs are not installed, and fails there when COHELIX_REQUIRE_TOOLS
is set (as in .ci/run). A test marked `real` is skipped only for somebody who has not got ../shared/data.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PROGRAMS = ("bcftools", "plink2")

# A first call compiles its kernel: seconds, which is no property of the example that meets it.
settings.register_profile("cohelix", deadline=None)
settings.load_profile("cohelix")

# Spark binds to the address its host name resolves to, which may be none; it is read when pyspark is first imported.
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and not DATA.is_dir():
        pytest.skip("../shared/data is not here (a clone of the project alone)")
    if item.get_closest_marker("external"):
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        if missing and os.environ.get("COHELIX_REQUIRE_TOOLS"):
            pytest.fail(f"not installed, though required here: {', '.join(missing)}")
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)} (`make tools`)")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """../shared/data; tests that use it are marked `real`."""
    if not DATA.is_dir():
        pytest.skip("../shared/data is not here (a clone of the project alone)")
    return DATA


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """The one SparkRuntime of the run (two local threads). Hail joins its session."""
    from cohelix.runtime.spark import SparkRuntime

    runtime = SparkRuntime(2)
    yield runtime
    runtime.close()


@pytest.fixture(scope="session")
def hail(spark: Any) -> Iterator[Any]:
    """The module hail with a running session, in the JVM of `spark`. Its log goes to a folder that is removed."""
    from cohelix.runtime import on_hail

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Hail warns that a running session cannot be configured: it was, by us
        module = on_hail.session(2)
    yield module
    on_hail.stop()
