"""Genotypes and scores as the PGS Catalog's: people, sites, and thousands of scoring files, drawn from a fixed seed.

Sizes of scores follow a log-normal whose mean is seven times its median: most have some hundreds to some thousands of
rows, a few have nearly all sites. Files are those of the Catalog (format 2.0, harmonised columns); the same weights are
one wide table for plink2 (`wide`) and one table a score for gnomon (`native`). What is true of them is added up here
from the bytes of the BED, by plain definitions: none of the engines takes part in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa

SEED = 6
CHROMOSOMES, SPACING = 22, 50  # sites stand in equal shares on the autosomes
ALLELES = ("AC", "AG", "CT", "GT", "CA", "GA", "TC", "TG")  # REF and ALT; never A and T, or C and G
MISSING_SHARE = 0.01
DRAWN_SITES, TURN = 50_000, 37  # further sites have the same genotypes, the people turned by some bytes
MEDIAN_SHARE, SPREAD = 1 / 7, 1.97  # of sizes: the median beside the mean, and the log-normal's sigma
POOL = 1 << 16  # distinct weights
VALUES = np.array([2, 3, 1, 0])  # copies of the alternate by BED code; 3: missing
COLUMNS = ("rsID", "chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight", "hm_source", "hm_rsID",
           "hm_chr", "hm_pos", "hm_inferOtherAllele")  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """Weights by score: entries of score k are `first[k]` to `first[k + 1]`, sorted by site. site: int32. weight: int32
    places in `pool`, the weights as they are written; place 0 is "0". refers: the effect allele is REF."""

    first: np.ndarray
    site: np.ndarray
    weight: np.ndarray
    refers: np.ndarray
    pool: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first) - 1

    def name(self, score: int) -> str:
        return f"PGS{score + 1:06d}"


def draw_people(prefix: Path, n_people: int, n_sites: int) -> None:
    """A PLINK fileset at neutral frequencies, one genotype in a hundred missing; sites are named as chr1:50:A:C.

    Raises ValueError where people do not fill whole bytes, and blocks of them would have to be turned.
    """
    if n_sites > DRAWN_SITES and n_people % 4:
        raise ValueError(f"at more than {DRAWN_SITES} sites people come in fours, not {n_people}")
    rng = np.random.default_rng(SEED)
    with prefix.with_suffix(".bed").open("wb") as out:
        out.write(b"\x6c\x1b\x01")
        drawn: list[np.ndarray] = []
        for low in range(0, min(n_sites, DRAWN_SITES), 2048):
            drawn.append(_drawn(rng, min(2048, n_sites - low, DRAWN_SITES - low), n_people))
            out.write(drawn[-1].tobytes())
        for low in range(DRAWN_SITES, n_sites, DRAWN_SITES):
            left = n_sites - low
            for block in drawn:
                out.write(np.roll(block[: max(left, 0)], TURN * (low // DRAWN_SITES), axis=1).tobytes())
                left -= len(block)
    lines = (f"{number}\t{name}\t0\t{at}\t{alt}\t{ref}\n" for name, number, at, ref, alt in sites(n_sites))
    prefix.with_suffix(".bim").write_text("".join(lines))
    people = (f"0\tS{i:07d}\t0\t0\t{1 + i % 2}\t-9\n" for i in range(n_people))
    prefix.with_suffix(".fam").write_text("".join(people))


def sites(n_sites: int) -> Iterator[tuple[str, int, int, str, str]]:
    """Name, chromosome, position, REF and ALT."""
    share = -(-n_sites // CHROMOSOMES)
    for i in range(n_sites):
        number, at, (ref, alt) = 1 + i // share, 1000 + SPACING * (i % share), ALLELES[i % len(ALLELES)]
        yield f"chr{number}:{at}:{ref}:{alt}", number, at, ref, alt


def sizes(n_scores: int, n_entries: int, n_sites: int) -> np.ndarray:
    """int64 (scores,): rows of each score, ascending; about `n_entries` together, each at most `n_sites`.

    The quantiles of a log-normal rather than draws of it: the few large ones decide the sum.
    """
    deviates = [NormalDist().inv_cdf((place + 0.5) / n_scores) for place in range(n_scores)]
    shape = np.exp(SPREAD * np.array(deviates))
    scale = n_entries / n_scores * MEDIAN_SHARE
    for _ in range(50):  # what is cut off at the number of sites is spread over the others
        drawn = np.clip(np.rint(scale * shape), 1, n_sites).astype(np.int64)
        scale *= n_entries / drawn.sum()
    return drawn


def draw_scores(n_rows: np.ndarray, n_sites: int) -> Scores:
    """Each score has its `n_rows` sites, drawn evenly, large scores among small; half of effect alleles are REF."""
    rng = np.random.default_rng(SEED + 1)
    drawn = rng.permutation(n_rows)
    first = np.concatenate([[0], np.cumsum(drawn)])
    site = np.empty(first[-1], np.int32)
    for score, count in enumerate(drawn.tolist()):
        site[first[score] : first[score + 1]] = _some(rng, n_sites, count)
    numbers = rng.standard_normal(POOL - 1) * np.exp(rng.standard_normal(POOL - 1) - 4)
    pool = ("0", *(f"{number:.6g}" for number in numbers.tolist()))
    weight = rng.integers(1, POOL, first[-1], dtype=np.int32)
    return Scores(first, site, weight, rng.random(first[-1]) < 0.5, pool)


def dense_scores(n_scores: int, n_sites: int) -> Scores:
    """Scores that have every site each; ALT is every effect allele, so that one table can hold them all."""
    rng = np.random.default_rng(SEED + 2)
    scores = draw_scores(np.full(1, 1), n_sites)
    site = np.tile(np.arange(n_sites, dtype=np.int32), n_scores)
    weight = rng.integers(1, POOL, len(site), dtype=np.int32)
    first = np.arange(n_scores + 1, dtype=np.int64) * n_sites
    return Scores(first, site, weight, np.zeros(len(site), bool), scores.pool)


def write_catalogue(folder: Path, scores: Scores, n_sites: int) -> None:
    """One harmonised file of the PGS Catalog a score."""
    from isal import igzip

    folder.mkdir()
    before = _texts(_row_ends(n_sites, "{rs}\t{n}\t{at}\t{effect}\t{other}\t"))
    after = _texts(_row_ends(n_sites, "\tENSEMBL\t{rs}\t{n}\t{at}\t\n"))
    weights = _texts(scores.pool)
    for score in range(len(scores)):
        low, high = scores.first[score], scores.first[score + 1]
        ends = pa.array(2 * scores.site[low:high] + scores.refers[low:high])
        text = _joined(before.take(ends), weights.take(pa.array(scores.weight[low:high])), after.take(ends))
        head = _header(scores.name(score), int(high - low))
        (folder / f"{scores.name(score)}_hmPOS_GRCh38.txt.gz").write_bytes(
            igzip.compress(head + text, compresslevel=1, mtime=0)
        )


def write_wide(path: Path, scores: Scores, n_sites: int) -> None:
    """One table for plink2: name, ALT, and the weight of ALT in each score, 0 where the score has not the site.

    A weight of REF becomes the negated weight of ALT: sums differ by a constant of the score (`constants`).
    """
    order = np.argsort(scores.site, kind="stable")
    of_score = np.repeat(np.arange(len(scores), dtype=np.int32), np.diff(scores.first))[order]
    code = np.where(scores.refers, scores.weight + POOL, scores.weight)[order]
    first = np.searchsorted(scores.site[order], np.arange(n_sites + 1))
    negated = tuple(text[1:] if text.startswith("-") else f"-{text}" for text in scores.pool)
    tokens = _texts([f"{text}\t" for text in scores.pool + negated] + [f"{text}\n" for text in scores.pool + negated])
    heads = [f"{name}\t{alt}\t".encode() for name, _, _, _, alt in sites(n_sites)]
    with path.open("wb") as out:
        out.write("\t".join(["ID", "effect_allele", *map(scores.name, range(len(scores)))]).encode() + b"\n")
        row = np.zeros(len(scores), np.int32)
        for site in range(n_sites):
            row[:] = 0
            row[of_score[first[site] : first[site + 1]]] = code[first[site] : first[site + 1]]
            row[-1] += 2 * POOL
            out.write(heads[site] + _bytes(tokens.take(pa.array(row))))


def write_native(folder: Path, scores: Scores, n_sites: int) -> None:
    """One table of gnomon's own a score, sorted by place, which it need not convert."""
    folder.mkdir()
    before = _texts(_row_ends(n_sites, "{n}:{at}\t{effect}\t{other}\t"))
    weights = _texts([f"{text}\n" for text in scores.pool])
    for score in range(len(scores)):
        low, high = scores.first[score], scores.first[score + 1]
        ends = pa.array(2 * scores.site[low:high] + scores.refers[low:high])
        text = _joined(before.take(ends), weights.take(pa.array(scores.weight[low:high])))
        head = f"variant_id\teffect_allele\tother_allele\t{scores.name(score)}\n".encode()
        (folder / f"{scores.name(score)}.tsv").write_bytes(head + text)


def true_sums(prefix: Path, n_people: int, scores: Scores, people: list[int], of: list[int]) -> dict[str, np.ndarray]:
    """float64 (scores `of`, `people`): `mean` (a missing genotype counts as twice the frequency among the called),
    `drop` (as nothing), and `used` (rows of the score at which the person has a genotype)."""
    rows = np.memmap(prefix.with_suffix(".bed"), np.uint8, "r", offset=3).reshape(-1, -(-n_people // 4))
    frequency, copies = np.empty(len(rows)), np.empty((len(rows), len(people)), np.uint8)
    shifts = 2 * (np.array(people) % 4)
    tables = [_per_byte(value) for value in range(4)]
    for low in range(0, len(rows), 4096):
        part = np.array(rows[low : low + 4096])
        het, hom, missing = (table[part].sum(axis=1, dtype=np.int64) for table in tables[1:])
        hom -= -n_people % 4  # padding reads as two copies
        frequency[low : low + len(part)] = (het + 2 * hom) / (2 * (n_people - missing))
        copies[low : low + len(part)] = VALUES[part[:, np.array(people) // 4] >> shifts & 3]
    out = {name: np.zeros((len(of), len(people))) for name in ("mean", "drop", "used")}
    numbers = np.array([float(text) for text in scores.pool])
    for place, score in enumerate(of):
        entries = slice(scores.first[score], scores.first[score + 1])
        site, refers, weight = scores.site[entries], scores.refers[entries], numbers[scores.weight[entries]]
        called = copies[site] != 3
        alt = np.where(called, copies[site], 2 * frequency[site][:, None])
        of_effect = np.where(refers[:, None], 2 - alt, alt)
        out["mean"][place] = weight @ of_effect
        out["drop"][place] = weight @ np.where(called, of_effect, 0)
        out["used"][place] = called.sum(axis=0)
    return out


def constants(scores: Scores, of: list[int]) -> np.ndarray:
    """float64 (`of`,): what sums of the wide table lack, in which a weight of REF is one of ALT, negated."""
    numbers = np.array([float(text) for text in scores.pool])
    entries = [slice(scores.first[score], scores.first[score + 1]) for score in of]
    return np.array([2 * (numbers[scores.weight[at]] * scores.refers[at]).sum() for at in entries])


def _drawn(rng: np.random.Generator, n_sites: int, n_people: int) -> np.ndarray:
    """uint8 (sites, bytes): rows of a BED, by one number of 16 bits a genotype."""
    frequency = 0.5 * 1000 ** -rng.random((n_sites, 1))
    called = (1 - MISSING_SHARE) * 65536
    hom, het = called * frequency**2, called * (1 - (1 - frequency) ** 2)
    number = rng.integers(0, 65536, (n_sites, -(-n_people // 4) * 4), dtype=np.uint16)
    code = np.full(number.shape, 3, np.uint8)
    code[number < het.astype(np.uint16)] = 2
    code[number < hom.astype(np.uint16)] = 0
    code[number >= np.uint16(called)] = 1
    code[:, n_people:] = 0
    return np.asarray(code[:, 0::4] | code[:, 1::4] << 2 | code[:, 2::4] << 4 | code[:, 3::4] << 6)


def _some(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    """`count` different numbers below `n`, sorted."""
    if count > n // 8:
        return np.asarray(np.sort(rng.permutation(n)[:count]))
    found = np.unique(rng.integers(0, n, count))
    while len(found) < count:
        found = np.unique(np.concatenate([found, rng.integers(0, n, count - len(found))]))
    return np.asarray(found)


def _row_ends(n_sites: int, layout: str) -> list[str]:
    """A text by site and effect allele: of ALT at twice the site, of REF after it."""
    pairs = [
        (layout.format(rs=f"rs{i + 1}", n=n, at=at, effect=alt, other=ref),
         layout.format(rs=f"rs{i + 1}", n=n, at=at, effect=ref, other=alt))
        for i, (_, n, at, ref, alt) in enumerate(sites(n_sites))
    ]  # fmt: skip
    return [text for pair in pairs for text in pair]


def _header(name: str, n_rows: int) -> bytes:
    lines = (
        "###PGS CATALOG SCORING FILE - made data", "#format_version=2.0", "##POLYGENIC SCORE (PGS) INFORMATION",
        f"#pgs_id={name}", f"#pgs_name={name}_made", "#trait_reported=made",
        "#trait_mapped=made", "#trait_efo=EFO_0000000",
        "#genome_build=GRCh38", f"#variants_number={n_rows}", "#weight_type=beta", "##SOURCE INFORMATION",
        "#pgp_id=PGP000000", "#citation=made data", "##HARMONIZATION DETAILS", "#HmPOS_build=GRCh38",
        "#HmPOS_date=2026-01-01", '#HmPOS_match_chr={"True": null, "False": null}',
        '#HmPOS_match_pos={"True": null, "False": null}', "\t".join(COLUMNS),
    )  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def _texts(texts: list[str] | tuple[str, ...]) -> pa.Array:
    return pa.array(texts, pa.large_binary())


def _joined(*parts: pa.Array) -> bytes:
    import pyarrow.compute as pc

    return _bytes(pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary())))


def _bytes(texts: pa.Array) -> bytes:
    """All texts, one after the other: an array of them holds just that."""
    return bytes(texts.buffers()[2].to_pybytes()) if len(texts) else b""


def _per_byte(value: int) -> np.ndarray:
    """uint8 (256,): how many of the four genotypes of a byte are `value`."""
    each = VALUES[np.arange(256)[:, None] >> (2 * np.arange(4)) & 3]
    return np.asarray((each == value).sum(axis=1), np.uint8)
