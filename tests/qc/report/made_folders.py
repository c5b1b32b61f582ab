"""Folders as `cohelix qc` makes them, with made people and known numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import dataset
from cohelix.genotypes.callset import parquet_bytes
from cohelix.qc.gates import evaluate, load_gates, record
from cohelix.qc.report.gather import SITE_QC

PEOPLE = 400


def ids(count: int = PEOPLE) -> list[str]:
    return [f"PERSON{i:05d}X" for i in range(count)]


def samples(folder: Path, people: int = PEOPLE, seed: int = 1) -> Path:
    """Genomes of four groups (the last of 7 people), three batches, a few aneuploidies and contaminations."""
    draw = np.random.default_rng(seed)
    group = np.array(["eur"] * (people // 2) + ["afr"] * (people // 4) + ["eas"] * people)[:people]
    group[-7:] = "mid"
    male = np.arange(people) % 2 == 0
    x, y = np.where(male, 1.0, 2.0) + draw.normal(0, 0.01, people), np.where(male, 1.0, 0.02)
    karyotype = np.where(male, "XY", "XX").astype(object)
    karyotype[:3], x[:3], y[:3] = "XXY", 2.0, 1.0
    metrics = {
        "mean_coverage": draw.normal(38, 3, people),
        "coverage_20x": np.clip(draw.normal(0.95, 0.01, people), 0, 1),
        "call_rate": 1 - draw.gamma(2, 0.001, people),
        "contamination": np.where(np.arange(people) < 30, 0.05, draw.gamma(1.5, 0.001, people)),
        "n_snp": draw.normal(4e6, 5e4, people).round(),
        "ti_tv": draw.normal(2.05, 0.01, people),
        "x_ploidy": x,
        "y_ploidy": y,
        "n_called": np.full(people, 990),
        "n_missing": np.full(people, 10),
        "missing_no_data": np.full(people, 4),
        "missing_gq0": np.full(people, 6),
    }
    metrics["mean_coverage"][::3] += 4
    words = {
        "sample_id": ids(people),
        "ancestry": group.tolist(),
        "batch": np.where(np.arange(people) % 3 == 0, "one", "two").tolist(),
        "karyotype": karyotype.tolist(),
        "sex_concordant": np.where(np.arange(people) < 5, "no", "yes").tolist(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(words | metrics), folder / "sample_metrics.parquet")
    gates = load_gates("aou-v8", "samples")
    flags = evaluate(gates, metrics | {"sex_concordant": np.array(words["sex_concordant"], object)})
    pq.write_table(flags.table, folder / "sample_flags.parquet")
    said = {"kind": "samples", "gates": record(gates, flags.table, flags.not_evaluated)}
    (folder / "qc.json").write_text(json.dumps(said))
    return folder


def arrays(folder: Path, people: int = PEOPLE) -> Path:
    """Arrays whose record names its gates only, and markers."""
    draw = np.random.default_rng(2)
    folder.mkdir(parents=True)
    metrics = {
        "array_call_rate": np.where(np.arange(people) < 25, 0.97, 0.995),
        "het_rate": draw.normal(0.3, 0.01, people),
    }
    pq.write_table(pa.table({"sample_id": ids(people)} | metrics), folder / "array_metrics.parquet")
    gates = load_gates("aou-v8", "arrays")
    flags = evaluate(gates, {"call_rate": metrics["array_call_rate"]})
    pq.write_table(flags.table, folder / "array_flags.parquet")
    missing = [vars(entry) for entry in flags.not_evaluated]
    said = {"kind": "arrays", "gates": {"name": gates.name, "digest": gates.digest}, "not_evaluated": missing}
    (folder / "qc.json").write_text(json.dumps(said))
    markers = {"name": [f"rs{i}" for i in range(500)], "call_rate": draw.uniform(0.9, 1, 500)}
    pq.write_table(pa.table(markers), folder / "marker_metrics.parquet")
    return folder


def concordance(folder: Path, people: int = PEOPLE) -> Path:
    """Links of which four do not match."""
    folder.mkdir(parents=True)
    bad = np.arange(people) < 4
    columns = {
        "array_sample_id": [f"ARRAY{i:05d}" for i in range(people)],
        "wgs_sample_id": ids(people),
        "verdict": np.where(bad, "mismatch", "match").tolist(),
        "fingerprint_llr": np.where(bad, -40.0, 35.0),
        "genotype_concordance": np.where(bad, 0.6, 0.998),
    }
    pq.write_table(pa.table(columns), folder / "concordance.parquet")
    (folder / "qc.json").write_text(json.dumps({"kind": "concordance"}))
    return folder


def site_table(seed: int = 4, rows: int = 2000) -> pa.Table:
    """Sites of a shard: SNPs, a few indels, groups with p values."""
    draw = np.random.default_rng(seed)
    change = draw.choice(["AG", "CT", "AC", "GT", "A+", "-A"], rows)
    kind = np.select([change == "A+", change == "-A"], ["insertion", "deletion"], "snp")
    an = np.full(rows, 800)
    ac = np.minimum(draw.geometric(0.02, rows), 800)
    return pa.table(
        {
            "ref": [one[0].replace("-", "CA") for one in change.tolist()],
            "alt": [one[1].replace("+", "CA") for one in change.tolist()],
            "kind": kind.tolist(),
            "call_rate": draw.uniform(0.8, 1, rows),
            "filters": draw.choice(["PASS", "LowQual", "ExcessHet;LowQual"], rows, p=[0.9, 0.07, 0.03]).tolist(),
        }
        | {
            f"{name}_{group}_raw": values
            for group in ("all", "eur", "mid")
            for name, values in (("ac", ac), ("an", an))
        }
        | {f"hwe_p_{group}": draw.uniform(1e-4, 1, rows) for group in ("all", "eur", "mid")}
    )


def sites(root: Path) -> tuple[Path, pa.Table]:
    """A data set of two shards, and both tables in one. Group mid has 7 people."""
    writer = dataset.begin(str(root), SITE_QC, {"made": "for a test"}, after=0)
    tables = [site_table(4), site_table(5)]
    files = [writer.put(f"sites/{n}", ".parquet", parquet_bytes(table)) for n, table in enumerate(tables)]
    gates = load_gates("aou-v8", "variants")
    rules = [
        {"gate": gate.name, "metric": gate.metric, "source": gate.source, "failed": 3, "not_evaluated": 0}
        for gate in gates.gates
    ]
    meta = {
        "groups": {"all": 400, "eur": 200, "mid": 7},
        "gates": {"name": gates.name, "digest": gates.digest, "rules": rules},
        "shards": [{"name": str(n), "sites": entry.path} for n, entry in enumerate(files)],
    }
    writer.commit(files, meta, {}, after=0)
    return root, pa.concat_tables(tables)
