"""Processes that are timed: reading with and without the gate, the audit log, frequencies, containers.

`python -m benchmarks.release_steps STEP --at '{...}' --out counts.json`; what was counted, and the seconds of the part
that matters (`s`, without the start of Python and imports), is left in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

MIB = 1 << 20
KEY = b"\x07" * 32
Counts = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=sorted(STEPS))
    parser.add_argument("--at", type=json.loads, required=True)
    parser.add_argument("--out", type=Path, required=True)
    wish = parser.parse_args()
    wish.out.write_text(json.dumps(STEPS[wish.step](**wish.at)))


def stream(names: list[str], release: str = "", passport: str = "", trust: str = "", plain: str = "") -> Counts:
    """All bytes of files, a MiB at a time."""
    one, started = (None, time.perf_counter()) if plain else _release(release, passport, trust)
    n, crc, buffer = 0, 0, memoryview(bytearray(MIB))
    for name in names:
        with Path(plain, name).open("rb") if one is None else one.open(name) as handle:
            while got := handle.readinto(buffer):
                n, crc = n + got, zlib.crc32(buffer[: min(got, 4096)], crc)
    return _took(started, bytes=n, crc=crc)


def whole(names: list[str], release: str = "", passport: str = "", trust: str = "", plain: str = "") -> Counts:
    """Files, all bytes of each at once; through the gate they are compared with the manifest."""
    one, started = (None, time.perf_counter()) if plain else _release(release, passport, trust)
    n = crc = 0
    for name in names:
        data = Path(plain, name).read_bytes() if one is None else one.read(name)
        n, crc = n + len(data), zlib.crc32(data[:4096], crc)
    return _took(started, bytes=n, crc=crc)


def table(name: str, release: str = "", passport: str = "", trust: str = "", plain: str = "") -> Counts:
    """A Parquet table of the health records."""
    import pyarrow.parquet as pq

    if plain:
        started = time.perf_counter()
        read = pq.ParquetFile(Path(plain, name)).read()
    else:
        one, started = _release(release, passport, trust)
        read = one.read_table(name)
    return _took(started, rows=read.num_rows, bytes=read.nbytes)


def genotypes(
    names: list[str], n_people: int, release: str = "", passport: str = "", trust: str = "", plain: str = ""
) -> Counts:
    """Genotypes of all PGEN files decoded and counted; through the gate they are decrypted in memory."""
    from contextlib import nullcontext

    from cohelix.release.container import in_memory

    if plain:
        started = time.perf_counter()
        found = [_counted(str(Path(plain, name)), n_people) for name in names]
        return _took(started, ac=sum(ac for ac, _ in found), rows=sum(rows for _, rows in found))
    one, started = _release(release, passport, trust)
    ac = rows = 0
    for name in names:
        line = next(line for line in one.manifest.files if line.path.startswith(name))
        with nullcontext(one.admission.admit("read", one.manifest, name)):
            with in_memory(one.folder / line.path, one._key, line) as path:
                copies, sites = _counted(path, n_people)
        ac, rows = ac + copies, rows + sites
    return _took(started, ac=ac, rows=rows)


def _counted(path: str, n_people: int) -> tuple[int, int]:
    import numpy as np
    import pgenlib

    with pgenlib.PgenReader(path.encode(), raw_sample_ct=n_people) as reader:
        counts, n = np.empty(4, np.uint32), reader.get_variant_ct()
        row, ac = np.empty(n_people, np.int8), 0
        for at in range(n):
            reader.read(at, row)
            counts[:] = np.bincount(row + 9, minlength=12)[[9, 10, 11, 0]]
            ac += int(counts[1]) + 2 * int(counts[2])
    return ac, n


def audit(folder: str, readers: int, by: str) -> Counts:
    """A line of each reader, all at once: by processes, by threads, or one reader writes them all."""
    from cohelix.release.gate import audit as log

    entry = log.Entry("read", "R1", "controlled", "callset", "researcher", "0" * 32, True)
    took = _all_at_once(lambda: log.write(Path(folder), entry), readers, by)
    return {"lines": log.verify(Path(folder)), "s": took, "ms_a_line": round(1000 * took / readers, 3)}


def admit(release: str, passport: str, trust: str, readers: int, by: str) -> Counts:
    """A read of each reader, all at once: the grant is checked, a line is written, a small file decrypted."""
    from cohelix.release.gate import audit as log

    one, _ = _release(release, passport, trust)
    folder = one.admission.trust.audit
    before = log.verify(folder)
    took = _all_at_once(lambda: one.read("README.md"), readers, by)
    return {"lines": log.verify(folder) - before, "s": took, "ms_a_line": round(1000 * took / readers, 3)}


def _all_at_once(act: Callable[[], object], readers: int, by: str) -> float:
    if by == "one":
        started = time.perf_counter()
        for _ in range(readers):
            act()
        return time.perf_counter() - started
    return _threads(act, readers) if by == "threads" else _processes(act, readers)


def _threads(act: Callable[[], object], readers: int) -> float:
    start = threading.Event()
    threads = [threading.Thread(target=lambda: (start.wait(), act())) for _ in range(readers)]
    for one in threads:
        one.start()
    started = time.perf_counter()
    start.set()
    for one in threads:
        one.join()
    return time.perf_counter() - started


def _processes(act: Callable[[], object], readers: int) -> float:
    """All wait at the end of a pipe that is closed when the last is there."""
    wait, go = os.pipe()
    children = []
    for _ in range(readers):
        child = os.fork()
        if child == 0:
            os.close(go)
            code = 1
            try:
                os.read(wait, 1)
                act()
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    started = time.perf_counter()
    os.close(go)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    os.close(wait)
    if failed:
        raise SystemExit(f"{failed} readers failed")
    return time.perf_counter() - started


def frequencies(callset: str, ancestry: str, folder: str) -> Counts:
    """What a release tells of the sites of a callset. ancestry: a table of groups, "" for one group of all."""
    import numpy as np

    from cohelix.genotypes.callset import open_callset
    from cohelix.genotypes.inputs import read_groups
    from cohelix.release.aggregates import frequencies as made
    from cohelix.release.people import People
    from cohelix.release.schema import ReleaseParams

    ids = tuple(open_callset(callset).samples().column("sample_id").to_pylist())
    n, names, group = len(ids), (), np.full(len(ids), -1, np.int16)
    if ancestry:
        read = read_groups(ancestry, ids, "group")
        names, group = tuple(read.names), read.codes.astype(np.int16)
    place = np.arange(n, dtype=np.int32)
    people = People(
        place + 1, np.full(n, 0, np.int32), place, np.full(n, -1, np.int32), group, (1 + place % 2).astype(np.int8),
        names, ids, (), {}, 20_000,
    )  # fmt: skip
    started = time.perf_counter()
    files = made.public(callset, people, ReleaseParams(), None, Path(folder)).value
    return _took(started, rows=files[0].rows)


def seal(plain: str, sealed: str) -> Counts:
    from cohelix.release import container

    private = _private()
    started = time.perf_counter()
    n, digest = container.seal(Path(plain), Path(sealed), private.public_key(), KEY, "a|b|c")
    counts = _took(started, bytes=Path(plain).stat().st_size)
    Path(sealed + ".line").write_text(json.dumps([n, digest, container.head_digest(Path(sealed))]))
    return counts


def unseal(plain: str, sealed: str) -> Counts:
    from cohelix.release import container

    line, private = _line(sealed), _private()
    started = time.perf_counter()
    return _took(started, bytes=container.unseal(Path(sealed), Path(plain), private, line))


def stream_sealed(sealed: str) -> Counts:
    """As a reader streams a container: each segment is checked, the whole is not."""
    from cohelix.release import container

    line, private, n, buffer = _line(sealed), _private(), 0, memoryview(bytearray(MIB))
    started = time.perf_counter()
    with container.opened(Path(sealed), private, line) as handle:
        while got := handle.readinto(buffer):  # type: ignore[attr-defined]  # of every buffered file
            n += got
    return _took(started, bytes=n)


def peer_stream_sealed(sealed: str) -> Counts:
    import crypt4gh.lib

    private = _private()
    started = time.perf_counter()
    with open(sealed, "rb") as read, open(os.devnull, "wb") as write:
        crypt4gh.lib.decrypt([(0, private.private_bytes_raw(), None)], read, write)
    return _took(started)


def verify(sealed: str) -> Counts:
    """The digest alone, as `release verify` looks at each file."""
    from cohelix.release.stored import check_stored

    line = _line(sealed)
    started = time.perf_counter()
    check_stored(Path(sealed), line)
    return _took(started, bytes=line.bytes)


def peer_seal(plain: str, sealed: str) -> Counts:
    import crypt4gh.lib

    private = _private()
    started = time.perf_counter()
    with open(plain, "rb") as read, open(sealed, "wb") as write:
        crypt4gh.lib.encrypt([(0, private.private_bytes_raw(), private.public_key().public_bytes_raw())], read, write)
    return _took(started, bytes=Path(plain).stat().st_size)


def peer_unseal(plain: str, sealed: str) -> Counts:
    import crypt4gh.lib

    private = _private()
    started = time.perf_counter()
    with open(sealed, "rb") as read, open(plain, "wb") as write:
        crypt4gh.lib.decrypt([(0, private.private_bytes_raw(), None)], read, write)
    return _took(started, bytes=Path(plain).stat().st_size)


def _private() -> Any:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(KEY)


def _line(sealed: str) -> Any:
    from cohelix.release.lines import FileLine

    n, digest, head = json.loads(Path(sealed + ".line").read_text())
    return FileLine("made", n, digest, head=head)


def _release(release: str, passport: str, trust: str) -> tuple[Any, float]:
    """A release as a reader opens it, and when that began: after imports, before any look at a grant."""
    import jwt  # noqa: F401  # else counted with the first look at a visa

    from cohelix.release.gate.reading import open_release

    started = time.perf_counter()
    return open_release(release, passport, trust), started


def _took(started: float, **counts: Any) -> Counts:
    return counts | {"s": round(time.perf_counter() - started, 6)}


STEPS: dict[str, Callable[..., Counts]] = {
    "stream": stream, "whole": whole, "table": table, "genotypes": genotypes, "audit": audit, "admit": admit,
    "frequencies": frequencies, "seal": seal, "unseal": unseal, "verify": verify, "peer-seal": peer_seal,
    "peer-unseal": peer_unseal, "stream-sealed": stream_sealed, "peer-stream-sealed": peer_stream_sealed,
}  # fmt: skip

if __name__ == "__main__":
    main()
