"""Small gVCFs, made record by record, and what tests of call stores need:

BGZF, manifests, and the bytes of a folder.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GRCH38 = {"chr21": 46709983, "chr22": 50818468}
GRCH37 = {"chr21": 48129895, "chr22": 51304566}
EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
FIRST = 10_510_001


@dataclass
class Gvcf:
    """A gVCF that can be edited:

    `meta` lines, `contigs`, the `columns` of the header line, and `records` as lists of fields.
    """

    sample: str
    contigs: dict[str, int] = field(default_factory=lambda: dict(GRCH38))
    meta: list[str] = field(default_factory=lambda: ["##fileformat=VCFv4.2"])
    columns: list[str] = field(default_factory=lambda: "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split())
    records: list[list[str]] = field(default_factory=list)

    def text(self, newline: str = "\n") -> bytes:
        contigs = [f"##contig=<ID={name},length={length}>" for name, length in self.contigs.items()]
        lines = [*self.meta, *contigs, "\t".join([*self.columns, self.sample]), *("\t".join(r) for r in self.records)]
        return (newline.join(lines) + newline).encode()

    def variant(self) -> list[str]:
        """The first variant record with one named alternate."""
        return next(r for r in self.records if r[4].count(",") == 1)

    def block(self) -> list[str]:
        """A reference block of some length, not the first."""
        return next(r for r in self.records[2:] if r[4] == "<NON_REF>" and _end(r) > int(r[1]) + 4)

    def set_value(self, record: list[str], key: str, value: str) -> None:
        keys, values = record[8].split(":"), record[9].split(":")
        values[keys.index(key)] = value
        record[9] = ":".join(values)


def _end(record: Sequence[str]) -> int:
    return int(record[7].removeprefix("END=")) if record[7].startswith("END=") else int(record[1]) + len(record[3]) - 1


def read(path: Path) -> Gvcf:
    """The gVCF at `path`, ready to be edited."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    gvcf = Gvcf("", {}, [])
    for line in lines:
        if line.startswith("##contig=<"):
            words = dict(word.split("=", 1) for word in line[10:-1].split(",") if "=" in word)
            gvcf.contigs[words["ID"]] = int(words["length"])
        elif line.startswith("##"):
            gvcf.meta.append(line)
        elif line.startswith("#"):
            gvcf.sample = line.split("\t")[9]
        else:
            gvcf.records.append(line.split("\t"))
    return gvcf


def block(
    contig: str, start: int, end: int, *, gq: int = 40, dp: int = 20, gt: str = "0/0", ref: str = "A"
) -> list[str]:
    """A reference block, 1-based with both ends in."""
    return [
        contig,
        str(start),
        ".",
        ref,
        "<NON_REF>",
        ".",
        ".",
        f"END={end}",
        "GT:DP:GQ:MIN_DP",
        f"{gt}:{dp}:{gq}:{dp}",
    ]


def variant(
    contig: str,
    position: int,
    ref: str,
    alts: str,
    gt: str,
    *,
    gq: int = 50,
    ad: str = "10,12,0",
    pl: str = "500,0,400,530,436,966",
) -> list[str]:
    value = f"{gt}:{ad}:22:{gq}:{pl}"
    return [contig, str(position), ".", ref, f"{alts},<NON_REF>", "50", "PASS", ".", "GT:AD:DP:GQ:PL", value]


def gvcf(
    number: int, *, sample: str = "", n: int = 60, contig: str = "chr22", first: int = FIRST, step: int = 3_000
) -> Gvcf:
    """A person's gVCF: blocks of `step` bases, cut by SNPs and deletions at places that people share, by a draw from
    `number`.
    """
    draw = random.Random(number)
    made = Gvcf(sample or f"made{number:03d}")
    at = first
    for i in range(n):
        begin, end = first + i * step, first + (i + 1) * step - 1
        cuts = [begin + offset for offset in (200, 900, 1500) if draw.random() < 0.4]
        for cut in cuts:
            made.records.append(
                block(contig, at, cut - 1, gq=draw.choice([0, 5, 20, 40, 60, 99]), dp=draw.randint(0, 40))
            )
            if cut == begin + 900:
                made.records.append(
                    variant(contig, cut, "ACGT", "A", draw.choice(["0/1", "1/1"]), gq=draw.randint(1, 99))
                )
                at = cut + 4
            else:
                made.records.append(variant(contig, cut, "C", draw.choice("AGT"), draw.choice(["0/1", "1/1", "0/0"])))
                at = cut + 1
        made.records.append(block(contig, at, end, gq=draw.choice([0, 12, 35, 60]), dp=draw.randint(0, 40)))
        at = end + 1
    return made


def bgzf(data: bytes, *, size: int = 4_000, ended: bool = True) -> bytes:
    """`data` in BGZF blocks of `size` bytes of text each, written from the SAM specification."""
    blocks = [bgzf_block(data[i : i + size]) for i in range(0, len(data), size)]
    return b"".join(blocks) + (EOF_BLOCK if ended else b"")


def bgzf_block(data: bytes) -> bytes:
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = deflater.compress(data) + deflater.flush()
    head = bytes.fromhex("1f8b08040000000000ff060042430200") + struct.pack("<H", len(body) + 25)
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


def block_starts(data: bytes) -> list[int]:
    """Where each block of a BGZF file starts, and its end."""
    starts = [0]
    while starts[-1] < len(data):
        starts.append(starts[-1] + struct.unpack_from("<H", data, starts[-1] + 16)[0] + 1)
    return starts


def write(
    folder: Path, gvcfs: Iterable[Gvcf], *, name: Callable[[Gvcf], str] = lambda made: made.sample
) -> list[tuple[str, Path]]:
    """BGZF files, and (sample id, path) of each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for made in gvcfs:
        path = folder / f"{name(made)}.g.vcf.gz"
        path.write_bytes(bgzf(made.text()))
        rows.append((made.sample, path))
    return rows


def manifest(path: Path, rows: Iterable[tuple[str, Path | str]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("sample_id\tpath\n" + "".join(f"{sample}\t{place}\n" for sample, place in rows))
    return str(path)


def tree(folder: Path | str) -> dict[str, str]:
    """sha256 of every file below `folder`, by its path there."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
