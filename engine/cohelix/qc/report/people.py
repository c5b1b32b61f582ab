"""Sections about people: genomes, arrays, and how the two agree."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa

from cohelix.qc.report.aggregates import BATCH_EFFECT, Groups, boxes, density, distribution, effect_size
from cohelix.qc.report.disclosure import SMALL, shown, shown_parts
from cohelix.qc.report.figures import Figure, Section, Table
from cohelix.qc.report.gather import Made, numbers, words

ANCESTRY = ("ancestry", "ancestry_pred_other", "ancestry_pred", "group")
BATCH = ("batch", "site_id", "sample_source")

SAMPLE_PICTURES = (
    ("coverage", "Coverage", "How deep the genomes are read, and over how much of the called regions.", (
        ("mean_coverage", "Mean coverage", "reads over a base, mean"),
        ("coverage_20x", "Breadth at 20 reads", "share of bases with 20 reads or more"),
        ("mean_depth", "Depth of called genotypes", "reads, mean"),
    )),
    ("calls", "Calls", "How many sites have a call, and how sure these are.", (
        ("call_rate", "Call rate", "share of sites with a call"),
        ("mean_gq", "Genotype quality", "GQ, mean over calls"),
        ("share_gq20", "Calls of GQ 20 or more", "share of calls"),
    )),
    ("contamination", "Contamination", "Reads of somebody else.", (
        ("contamination", "Contamination, from reads of common variants", "share of foreign reads"),
        ("charr", "CHARR: reference reads at homozygous alternate sites", "CHARR"),
        ("array_contamination", "Contamination of the linked array", "share of foreign DNA"),
    )),
    ("variants-per-genome", "Variants per genome", "Counts and ratios that differ between groups, and little within.", (
        ("n_snp", "SNPs", "SNPs carried"),
        ("n_insertion", "Insertions", "insertions carried"),
        ("n_deletion", "Deletions", "deletions carried"),
        ("ti_tv", "Transitions per transversion", "ratio"),
        ("ins_del", "Insertions per deletion", "ratio"),
        ("het_hom_snp", "Heterozygous per homozygous SNP", "ratio"),
        ("het_hom_indel", "Heterozygous per homozygous indel", "ratio"),
        ("n_singleton", "Singletons", "alleles seen in this genome only"),
        ("n_novel", "Alleles absent from the frequency table", "alleles carried"),
        ("f_inbreeding", "Inbreeding coefficient", "F"),
    )),
)  # fmt: skip
ARRAY_PICTURES = (
    ("array_call_rate", "Call rate", "share of markers with a call"),
    ("het_rate", "Heterozygosity", "share of calls"),
    ("mean_gencall", "GenCall score", "mean over calls"),
    ("array_contamination", "Contamination, from intensities", "share of foreign DNA"),
    ("baf_deviation", "Spread of B allele frequencies", "standard deviation"),
    ("lrr_deviation", "Spread of log R ratios", "standard deviation"),
)
MARKER_PICTURES = (
    ("call_rate", "Call rate of markers", "share of arrays with a call"),
    ("gentrain_score", "GenTrain score", "score"),
    ("cluster_separation", "Cluster separation", "score"),
)
BATCH_METRICS = (
    ("mean_coverage", "Mean coverage"), ("call_rate", "Call rate"), ("contamination", "Contamination"),
    ("n_snp", "SNPs"), ("n_insertion", "Insertions"), ("n_deletion", "Deletions"),
    ("ti_tv", "Transitions per transversion"), ("ins_del", "Insertions per deletion"),
)  # fmt: skip


def sample_sections(made: Made) -> list[Section]:
    table = made.table("sample_metrics.parquet")
    assert table is not None
    labels = words(table, ANCESTRY)
    groups = Groups.of(labels if labels is not None else np.full(table.num_rows, "", np.str_))
    if not groups.names:
        text = f"The cohort has {SMALL} people or fewer: nothing of them is shown."
        return [Section("samples", "Samples", text)]
    sections = [_who(table, groups, labels is not None)]
    for name, title, text, pictures in SAMPLE_PICTURES:
        parts = [
            distribution(
                f"{name}-{metric}".replace("_", "-"), picture, axis, numbers(table, metric), groups, made.cuts(metric)
            )
            for metric, picture, axis in pictures
        ]
        if name == "calls":
            parts.append(_missingness(table, groups))
        sections.append(Section(name, title, text, tuple(part for part in parts if part is not None)))
    sections.append(_sex(table))
    sections.append(_batches(table))
    return [section for section in sections if section.parts]


def _who(table: pa.Table, groups: Groups, known: bool) -> Section:
    counts = {name: int((groups.codes == code).sum()) for code, name in enumerate(groups.names)}
    rows = tuple((name, shown(count)) for name, count in counts.items())
    total = (("all", shown(table.num_rows)),) if len(rows) > 1 else ()
    note = f"Groups of {SMALL} people or fewer are joined with the next larger." if known else ""
    part = Table("group-sizes", "Groups", ("group", "people"), rows + total, note, (1,))
    text = "Groups are those of the ancestry table." if known else "No ancestry table was given."
    return Section("people", "People", text, (part,))


def _missingness(table: pa.Table, groups: Groups) -> Figure | None:
    """Share of all genotypes that are missing, by reason, over everybody."""
    called, missing = np.nansum(numbers(table, "n_called")), np.nansum(numbers(table, "n_missing"))
    reasons = [name for name in table.column_names if name.startswith("missing_")]
    if not reasons or called + missing == 0:
        return None
    shares = {name: float(np.nansum(numbers(table, name)) / (called + missing)) for name in reasons}
    bars = tuple(
        (name.removeprefix("missing_").replace("_", " "), share) for name, share in shares.items() if share > 0
    )
    return Figure("calls-missing", "Why genotypes are missing", "share of genotypes", bars=bars) if bars else None


def _sex(table: pa.Table) -> Section:
    steps = (0.05, 0.1, 0.2, 1 / 3, 0.5)
    labels = ("copies of X, from depth", "copies of Y, from depth")
    x, y = numbers(table, "x_ploidy"), numbers(table, "y_ploidy")
    parts: list[Figure | Table | None] = [density("sex-ploidy", "Copies of X and Y", labels, x, y, steps)]
    for column, title in (("karyotype", "Sex chromosomes"), ("sex_concordant", "Agrees with the sex that was stated")):
        found = words(table, (column,))
        if found is not None:
            counts = dict(sorted(Counter(word or "not known" for word in found.tolist()).items()))
            rows = tuple(shown_parts(counts).items())
            parts.append(
                Table(f"sex-{column}".replace("_", "-"), title, (column.replace("_", " "), "people"), rows, "", (1,))
            )
    text = "Depth of X and Y outside the pseudo-autosomal regions, against chromosome 20."
    return Section("sex", "Sex", text, tuple(part for part in parts if part is not None))


def _batches(table: pa.Table) -> Section:
    labels = words(table, BATCH)
    text = "Bars from 25 to 75 per cent, lines from 5 to 95, a tick at the median, a dot at the mean."
    if labels is None:
        return Section("batches", "Batches", text)
    groups = Groups.of(labels)
    if len(groups.names) < 2:
        return Section("batches", "Batches", text)
    parts: list[Figure | Table | None] = []
    rows = []
    for metric, title in BATCH_METRICS:
        values = numbers(table, metric)
        picture = boxes(f"batch-{metric}".replace("_", "-"), title, "", values, groups)
        parts.append(picture)
        if picture is not None:
            effects = [effect_size(values, groups.codes == code) for code in range(len(groups.names))]
            known = [(abs(d), group) for d, group in zip(effects, groups.names, strict=True) if not math.isnan(d)]
            if known:
                size, group = max(known)
                rows.append((title, group, f"{size:.2f}", "yes" if size > BATCH_EFFECT else "no"))
    note = f"Cohen's d of a batch against all others; above {BATCH_EFFECT} it is called an effect."
    columns = ("metric", "batch that differs most", "d", "effect")
    effects_table = Table("batch-effects", "Batch effects", columns, tuple(rows), note, (2,))
    return Section("batches", "Batches", text, (effects_table, *(part for part in parts if part is not None)))


def array_sections(made: Made) -> list[Section]:
    table = made.table("array_metrics.parquet")
    assert table is not None
    groups = Groups.of(np.full(table.num_rows, "", np.str_))
    if not groups.names:
        return [Section("arrays", "Arrays", f"There are arrays of {SMALL} people or fewer: nothing of them is shown.")]
    parts: list[Figure | Table | None] = [
        distribution(
            f"arrays-{metric}".replace("_", "-"),
            title,
            axis,
            numbers(table, metric),
            groups,
            made.cuts(metric.removeprefix("array_")),
        )
        for metric, title, axis in ARRAY_PICTURES
    ]
    found = words(table, ("sex_concordant",))
    if found is not None:
        counts = dict(sorted(Counter(word or "not known" for word in found.tolist()).items()))
        rows = tuple(shown_parts(counts).items())
        parts.append(
            Table("array-sex", "Agrees with the sex that was stated", ("sex concordant", "arrays"), rows, "", (1,))
        )
    sections = [
        Section("arrays", "Arrays", "Genotyping arrays, one per sample.", tuple(p for p in parts if p is not None))
    ]
    markers = made.table("marker_metrics.parquet")
    if markers is not None:
        everything = Groups(("all",), np.zeros(markers.num_rows, np.int64))
        pictures = [
            distribution(
                f"marker-{metric}".replace("_", "-"),
                title,
                axis,
                numbers(markers, metric),
                everything,
                made.cuts(metric, markers=True),
            )
            for metric, title, axis in MARKER_PICTURES
        ]
        text = f"{markers.num_rows:,} markers."
        sections.append(Section("markers", "Markers", text, tuple(p for p in pictures if p is not None)))
    return [section for section in sections if section.parts]


def concordance_sections(made: Made) -> list[Section]:
    table = made.table("concordance.parquet")
    assert table is not None
    groups = Groups.of(np.full(table.num_rows, "", np.str_))
    if not groups.names:
        text = f"There are links of {SMALL} people or fewer: nothing of them is shown."
        return [Section("concordance", "Arrays and genomes", text)]
    parts: list[Figure | Table | None] = [
        distribution(
            "concordance-rate", "Concordance", "share of genotypes that agree",
            numbers(table, "genotype_concordance"), groups,
        ),
        distribution(
            "concordance-llr", "Fingerprint", "log10 likelihood ratio, same person against another",
            numbers(table, "fingerprint_llr"), groups,
        ),
    ]  # fmt: skip
    verdicts = words(table, ("verdict", "status", "result"))
    if verdicts is not None:
        counts = dict(sorted(Counter(word or "not known" for word in verdicts.tolist()).items()))
        parts.append(
            Table("concordance-verdicts", "Links", ("verdict", "links"), tuple(shown_parts(counts).items()), "", (1,))
        )
    text = "Each array and the genome that is said to be of the same person."
    return [Section("concordance", "Arrays and genomes", text, tuple(part for part in parts if part is not None))]
