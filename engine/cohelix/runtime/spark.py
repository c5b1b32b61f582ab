"""The same tasks on Spark. The only module that names pyspark.

Descriptions of tasks go out, small results come back, and genotypes are read and written by the tasks themselves.
A task may run twice, even at the same time (speculation, retries): what it writes is named by its content, and the
driver commits.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cohelix import errors
from cohelix.errors import CohelixError, ConfigError
from cohelix.runtime.java import find_java

T = TypeVar("T")
R = TypeVar("R")

_APP = "cohelix"


class SparkRuntime:
    """The Spark session of this process: the one that is active, or a new one.

    Under spark-submit, and where a session is active, master and settings are those given there. Otherwise
    `cores` local threads (default: what this process may use) with the defaults of spark-conf/local.conf.
    """

    name = "spark"

    def __init__(self, cores: int | None = None) -> None:
        self.cores = cores
        self._owned = _active_session() is None
        self._session = session(cores)
        context = self._session.sparkContext
        if context.master.startswith("local") and "PYSPARK_PYTHON" not in os.environ:
            context.pythonExec = sys.executable  # a session that Hail or a notebook began would use any python3

    def map(self, function: Callable[[T], R], tasks: Sequence[T], *, label: str) -> Iterator[R]:
        if not tasks:
            return iter(())
        from pyspark import cloudpickle

        context = self._session.sparkContext
        context.setJobDescription(label)
        # Tasks are pickled here by cloudpickle, as the function is: Spark's own pickler for data cannot carry
        # classes of the main script.
        packed = [cloudpickle.dumps(task) for task in tasks]
        outcomes = context.parallelize(packed, numSlices=len(packed)).map(_Guarded(function)).collect()
        results = []
        for outcome in outcomes:
            if isinstance(outcome, _Refusal):
                raise outcome.error()
            results.append(outcome)
        return iter(results)

    def share(self, value: R) -> Callable[[], R]:
        return _Shared(self._session.sparkContext.broadcast(value))

    def describe(self) -> dict[str, Any]:
        context = self._session.sparkContext
        return {"runtime": self.name, "master": context.master, "cores": context.defaultParallelism}

    def close(self) -> None:
        """Stop the session where this runtime started it."""
        if self._owned:
            self._session.stop()


class _Shared:
    """Gives a broadcast value back, on the driver or in a task."""

    def __init__(self, broadcast: Any) -> None:
        self._broadcast = broadcast

    def __call__(self) -> Any:
        return self._broadcast.value


class _Refusal:
    """An error raised on purpose in a task: it comes back as a value, is not retried, and keeps its type."""

    def __init__(self, error: CohelixError) -> None:
        self.kind = type(error).__name__
        self.message = str(error)

    def error(self) -> CohelixError:
        kind = getattr(errors, self.kind, CohelixError)
        return kind(self.message)


class _Guarded:
    """Runs `function` on a packed task; a CohelixError becomes a `_Refusal`."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __call__(self, packed: bytes) -> Any:
        from pyspark import cloudpickle

        try:
            return self.function(cloudpickle.loads(packed))
        except CohelixError as error:
            return _Refusal(error)


def session(cores: int | None = None) -> Any:
    """The active SparkSession, or a new one.

    A new local session can be used by Hail too, where Hail is installed: a process has one JVM, and its class path
    is settled when it starts. Raises ConfigError where pyspark or a fitting Java is missing.
    """
    active = _active_session()
    if active is not None:
        return active
    if importlib.util.find_spec("pyspark") is None:
        raise ConfigError("expected the package pyspark, found none. Install it with `pip install 'cohelix[spark]'`.")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(_APP)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # not under spark-submit: the JVM is ours to start
        os.environ["JAVA_HOME"] = str(find_java())
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = builder.master(os.environ.get("MASTER") or f"local[{cores or _usable_cores()}]")
        for key, value in {**read_conf("local.conf"), **_logging(), **_hail_conf()}.items():
            builder = builder.config(key, value)
    return builder.getOrCreate()


def read_conf(name: str) -> dict[str, str]:
    """Settings of one of the files of spark-conf/, by key."""
    settings = {}
    for line in (conf_folder() / name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            key, value = line.split(None, 1)
            settings[key] = value.strip()
    return settings


def conf_folder() -> Path:
    """Where spark-conf/ lies: inside the installed package, or beside `engine/` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_spark_conf"
    return packaged if packaged.is_dir() else package.parents[1] / "spark-conf"


def _active_session() -> Any:
    if "pyspark" not in sys.modules and "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context = SparkContext._active_spark_context
    return SparkSession(context) if context is not None else None


def _logging() -> dict[str, str]:
    configuration = (conf_folder() / "log4j2.properties").as_uri()
    return {
        # Hail's trees of operations are deep: -Xss4M is what its own launcher sets.
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={configuration} -Xss4M",
        "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
    }


def _hail_conf() -> dict[str, str]:
    """What Hail needs in the JVM, without importing it; empty where it is not installed."""
    found = importlib.util.find_spec("hail")
    if found is None or found.origin is None:
        return {}
    jar = Path(found.origin).parent / "backend" / "hail-all-spark.jar"
    return {
        "spark.jars": str(jar),
        "spark.driver.extraClassPath": str(jar),
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.kryo.registrator": "is.hail.kryo.HailKryoRegistrator",
    }


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
