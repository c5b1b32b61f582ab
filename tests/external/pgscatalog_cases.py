"""One case of matching, by `pgscatalog-match` and by `cohelix prs match`, and where their decisions on a row differ."""

from __future__ import annotations

import csv
import gzip
import io
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cohelix.errors import InputError
from cohelix.genotypes.vcf import import_vcf
from cohelix.prs.matching.match_folder import open_match
from cohelix.prs.matching.run import match
from cohelix.prs.schema import MatchParams
from cohelix.runtime.local import LocalRuntime

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".peers" / "bin"
DATA = ROOT.parent / "shared" / "data" / "prs_formats"
COMPARED = ("site", "match_type", "status", "ambiguous", "multiallelic", "flipped", "several", "duplicate")
"""What is said of a row: chromosome, position, REF and ALT of its site; and, in our words, the columns of the log."""

POLICIES: dict[str, tuple[tuple[str, ...], MatchParams]] = {
    "default": ((), MatchParams(min_overlap=0.0)),
    "keep": (
        ("--keep_ambiguous", "--keep_multiallelic", "--keep_first_match"),
        MatchParams(min_overlap=0.0, palindromic="keep", multiallelic="keep", duplicates="first"),
    ),
    "no-flips": (("--ignore_strand_flips",), MatchParams(min_overlap=0.0, strand_flips="exclude")),
}
"""Options of theirs, and the same choices here."""


@dataclass(frozen=True)
class Site:
    chromosome: str
    position: int
    id: str
    ref: str
    alts: tuple[str, ...]


Said = dict[str, object]
Key = tuple[str, int]
"""Score, and number of the row."""


def text_of(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data).decode()
    if path.suffix == ".zst":
        return str(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read().decode())
    return data.decode()


def sites_of(pvar: Path) -> list[Site]:
    rows = [line.split("\t") for line in text_of(pvar).splitlines() if not line.startswith("#")]
    return [Site(row[0], int(row[1]), row[2], row[3], tuple(row[4].split(","))) for row in rows]


def write_pvar(path: Path, sites: Sequence[Site]) -> None:
    lines = [f"{site.chromosome}\t{site.position}\t{site.id}\t{site.ref}\t{','.join(site.alts)}" for site in sites]
    path.write_text("\n".join(["#CHROM\tPOS\tID\tREF\tALT", *lines]) + "\n")


def callset_of(sites: Sequence[Site], folder: Path, build: str) -> Path:
    """A callset of three people, in whom every alternate is seen."""
    ordered = sorted(sites, key=lambda site: (site.chromosome, site.position))
    contigs = sorted({site.chromosome for site in sites})
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += [f"##contig=<ID={name}>" for name in contigs]
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT p q r".split()))
    for site in ordered:
        alts = ",".join(site.alts)
        calls = [f"0/{min(1 + place, len(site.alts))}" for place in range(3)]
        fields = (site.chromosome, site.position, site.id, site.ref, alts, ".", ".", ".", "GT", *calls)
        lines.append("\t".join(map(str, fields)))
    vcf = folder / "target.vcf"
    vcf.write_text("\n".join(lines) + "\n")
    import_vcf(str(vcf), str(folder / "callset"), build=build)
    return folder / "callset"


def theirs(pvar: Path, scores: Path, folder: Path, options: Sequence[str]) -> dict[Key, Said]:
    """Their log: the best candidate of each row; rows without any are unmatched."""
    folder.mkdir()
    command = [PEERS / "pgscatalog-match", "-d", "x", "-s", scores, "-t", pvar, "--outdir", folder]
    done = subprocess.run([*map(str, command), "--min_overlap", "0", *options], capture_output=True, text=True)
    if done.returncode:
        assert "ZeroMatchesError" in done.stderr, done.stderr[-2000:]
        return {}
    said: dict[Key, Said] = {}
    with gzip.open(folder / "x_log.csv.gz", "rt") as handle:
        for row in csv.DictReader(handle):
            key = (row["accession"], int(row["row_nr"]))
            if row["match_status"] == "unmatched":
                said[key] = _nothing("unmatched")
            elif row["best_match"] == "true":
                said[key] = {
                    "site": (row["chr_name"], int(row["chr_position"]), row["REF"], row["ALT"]),
                    "match_type": row["match_type"],
                    "status": row["match_status"],
                    "ambiguous": row["ambiguous"] == "true",
                    "multiallelic": row["is_multiallelic"] == "true",
                    "flipped": row["match_flipped"] == "true",
                    "several": row["duplicate_best_match"] == "true",
                    "duplicate": row["duplicate_ID"] == "true",
                }
    return said


def ours(callset: Path, scores: Path, folder: Path, params: MatchParams) -> dict[Key, Said]:
    try:
        match([str(scores)], str(callset), str(folder), params, LocalRuntime(1))
    except InputError as error:
        assert "has a site in the callset" in str(error)
        return {}
    made = open_match(folder)
    ids = made.scores().column("id").to_pylist()
    sites = made.sites().to_pylist()
    said: dict[Key, Said] = {}
    for row in made.log(0).to_pylist():
        key = (ids[row["score"]], row["row"])
        if row["status"] in ("unmatched", "not_scorable"):
            said[key] = _nothing("unmatched")
            continue
        site = sites[row["site"]] if row["site"] is not None else None
        said[key] = {
            "site": (row["chr"], site["position"], site["ref"], site["alt"]) if site else None,
            "match_type": row["match_type"],
            "status": row["status"],
            "ambiguous": row["ambiguous"],
            "multiallelic": row["multiallelic"],
            "flipped": row["match_flipped"],
            "several": row["duplicate_best_match"],
            "duplicate": row["duplicate"],
        }
    return said


def _nothing(status: str) -> Said:
    return dict.fromkeys(COMPARED, None) | {"status": status}


def differences(their: dict[Key, Said], our: dict[Key, Said]) -> dict[str, int]:
    """Rows that differ, by column. A site is compared where both match the row."""
    assert set(their) == set(our) or not their or not our
    found: dict[str, int] = {}
    for key in set(their) | set(our):
        one, other = their.get(key, _nothing("unmatched")), our.get(key, _nothing("unmatched"))
        for column in COMPARED:
            if column == "site" and (one["status"], other["status"]) != ("matched", "matched"):
                continue
            if one[column] != other[column]:
                found[column] = found.get(column, 0) + 1
    return found


def combined(scores: Path, folder: Path, build: str) -> Path:
    """A scoring file in the catalogue's own long form."""
    made = folder / "combined"
    made.mkdir()
    command = [PEERS / "pgscatalog-format", "-s", scores, "-t", build, "-o", made, "-l", "log.json"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    (path,) = made.glob("*.txt*")
    out = folder / "scores.txt"
    out.write_text(text_of(path))
    return out


def drawn(folder: Path, seed: int, *, shared_places: bool) -> tuple[list[Site], Path]:
    """Sites and scores that try every branch: flips, palindromes, indels, repeats, no other allele; and, on request,
    sites with several alternates, in one record or in two.
    """
    rng = random.Random(seed)
    sites: list[Site] = []
    for place in range(400):
        position = 1000 + 10 * (place // 2 if shared_places and place % 7 == 0 else place)
        ref = rng.choice("ACGT") + ("" if rng.random() < 0.8 else "ACG"[: rng.randint(1, 3)])
        alts = [base for base in "ACGT" if base != ref[0]] if len(ref) == 1 else [ref[0]]
        if len(ref) == 1 and rng.random() < 0.15:
            alts = [ref + rng.choice(["A", "GT"])]
        rng.shuffle(alts)
        count = 2 if shared_places and len(alts) > 1 and rng.random() < 0.1 else 1
        chromosome = rng.choice(["1", "22", "X"])
        name = f"{chromosome}:{position}:{ref}:{','.join(alts[:count])}:{place}"
        sites.append(Site(chromosome, position, name, ref, tuple(alts[:count])))
    sites.sort(key=lambda site: (site.chromosome, site.position))
    other_strand = str.maketrans("ACGT", "TGCA")
    handle = io.StringIO()
    columns = (
        "chr_name chr_position effect_allele other_allele effect_weight effect_type is_duplicated accession row_nr"
    )
    handle.write("\t".join(columns.split()) + "\n")
    for score in range(4):
        for row in range(300):
            site = rng.choice(sites)
            pair = [site.ref, rng.choice(site.alts)]
            rng.shuffle(pair)
            if rng.random() < 0.2 and max(map(len, pair)) == 1:
                pair = [allele.translate(other_strand) for allele in pair]
            if rng.random() < 0.1:
                pair[1] = rng.choice("ACGT".replace(pair[0][0], ""))
            other = "" if rng.random() < 0.2 else pair[1]
            position = site.position + (5 if rng.random() < 0.1 else 0)
            kind = rng.choice(["additive"] * 4 + ["dominant", "recessive"])
            fields = (site.chromosome, position, pair[0], other, rng.gauss(0, 1), kind, False, f"S{score}", row)
            handle.write("\t".join(map(str, fields)) + "\n")
    path = folder / "drawn.txt"
    path.write_text(handle.getvalue())
    return sites, path
