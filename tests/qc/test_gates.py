"""Gates: what a file may say, what it is told where it does not, and what is flagged."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.errors import ConfigError
from cohelix.qc.gates import (
    DIRECTIONS,
    FLAGS,
    KINDS,
    METRICS,
    NotEvaluated,
    evaluate,
    gate_sets,
    load_gates,
    parse_gates,
)

ROOT = Path(__file__).resolve().parents[2] / "reference" / "qc"

GATE = '[[gate]]\nname = "g"\nmetric = "mean_coverage"\nat_least = 30\nsource = "here"\n'
OUTLIER = '[[outlier]]\nmetric = "n_snp"\nmads = 8\nside = "both"\npcs = 16\nsquares = true\nsource = "here"\n'


def _refused(text: str, kind: str = "samples") -> str:
    with pytest.raises(ConfigError) as caught:
        parse_gates(text, kind, "own gates")
    return str(caught.value)


@pytest.mark.parametrize("name", ["aou-v8", "gnomad-v4", "gnomad-v5"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_sets_that_come_with_cohelix_are_sound(name: str, kind: str) -> None:
    gates = load_gates(name, kind)
    assert (gates.name, gates.kind) == (name, kind)
    sources = {source["name"] for source in tomllib.loads((ROOT / name / "SOURCE.toml").read_text())["source"]}
    for entry in (*gates.gates, *gates.outliers, *gates.markers):
        assert any(entry.source.startswith(source) for source in sources), entry.source


def test_all_of_us_says_what_the_program_published() -> None:
    """The table of the 2024 paper's supplement, and run_sample_outlier_qc.wdl, typed in a second time."""
    found = {gate.metric: (gate.direction, gate.cutoff) for gate in load_gates("aou-v8", "samples").gates}
    assert found == {
        "fingerprint_llr": ("above", -3.0),
        "sex_concordant": ("is_one_of", ("yes", "not_stated")),
        "array_call_rate": ("above", 0.98),
        "contamination": ("below", 0.03),
        "array_contamination": ("at_most", 0.1),
        "mean_coverage": ("at_least", 30.0),
        "coverage_20x": ("at_least", 0.9),
        "hdr_coverage_20x": ("at_least", 0.95),
        "aligned_q30_bases": ("at_least", 8e10),
    }
    rules = load_gates("aou-v8", "samples").outliers
    names = (
        "snp_count ins_del_ratio del_count ins_count snp_het_homvar_ratio indel_het_homvar_ratio ti_tv_ratio singleton"
    )
    assert [rule.name for rule in rules] == names.split()
    assert {(rule.mads, rule.pcs, rule.squares, rule.strata) for rule in rules} == {(8.0, 16, True, True)}
    assert {rule.name for rule in rules if rule.side == "upper"} == {"singleton", "snp_het_homvar_ratio"}
    assert {rule.side for rule in rules} == {"upper", "both"}
    site = {gate.name: (gate.metric, gate.direction, gate.cutoff) for gate in load_gates("aou-v8", "variants").gates}
    assert site["ExcessHet"] == ("excess_het", "at_most", 54.69)
    assert site["LowQual"] == ("qual_approx", "at_least", 60.0)
    assert site["high_CALIBRATION_SENSITIVITY_SNP"] == ("sensitivity", "at_most", 0.997)


def test_own_gates_are_read_from_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "samples.toml").write_text(GATE + OUTLIER)
    one = load_gates(str(tmp_path / "samples.toml"), "samples")
    assert one == load_gates(str(tmp_path), "samples")
    assert one.outliers[0].name == "n_snp"
    (tmp_path / "again.toml").write_text("# a remark\n" + GATE.replace(" = ", "=") + OUTLIER)
    assert load_gates(str(tmp_path / "again.toml"), "samples").digest == one.digest
    (tmp_path / "other.toml").write_text(GATE.replace("30", "31") + OUTLIER)
    assert load_gates(str(tmp_path / "other.toml"), "samples").digest != one.digest


def test_an_unknown_set_is_told_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'aou-v8'"):
        load_gates("aou-8", "samples")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_gates(str(tmp_path / "absent.toml"), "samples")
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(ConfigError, match="no gate"):  # nothing asked is not everything passed
        load_gates(str(tmp_path / "empty.toml"), "samples")
    assert gate_sets() == sorted(path.name for path in ROOT.iterdir() if path.is_dir())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("at_least", "at_lest"), "'at_lest' is not known. Did you mean 'at_least'?"),
        (("mean_coverage", "mean_covrage"), "metric 'mean_covrage' is not measured of samples. Did you mean 'mean_cov"),
        (("at_least = 30", "at_least = 30\nabove = 2"), "expected exactly one of"),
        (("at_least = 30\n", ""), "found none"),
        (('source = "here"\n', ""), "source is missing"),
        (('source = "here"', 'source = " "'), "source is a text"),
        (('source = "here"', 'sorce = "here"'), "'sorce' is not known. Did you mean 'source'?"),
        (("30", '"30"'), "at_least is a number, found '30'"),
        (("30", "true"), "at_least is a number, found True"),
        (("30", "nan"), "at_least is a number"),
        (("mean_coverage", "karyotype"), "karyotype cannot be compared with at_least. Use is_one_of."),
        (("at_least = 30", 'is_one_of = ["XX"]'), "mean_coverage cannot be compared with is_one_of"),
        (("[[gate]]", "[gate]"), "gate is written as [[gate]]"),
        (("[[gate]]", "[[gates]]"), "'gates' is not known. Did you mean 'gate'?"),
        (("30", "30\nwhen = { mean_gq = [20] }"), "when asks for words, and mean_gq is a number"),
        (("30", '30\nwhen = "snp"'), "when is written as"),
        (("30", "= 30"), "not TOML"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused(change: tuple[str, str], says: str) -> None:
    assert says in _refused(GATE.replace(*change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('side = "both"', 'side = "botth"'), "side = 'botth' is not known. Did you mean 'both'?"),
        (("mads = 8", "mads = 0"), "mads = 0.0 is out of range"),
        (("mads = 8\n", ""), "mads is a number, found None"),
        (("mads", "mad"), "'mad' is not known. Did you mean 'mads'?"),
        (("pcs = 16", "pcs = -1"), "pcs is the number of components"),
        (("squares = true", "squares = 1"), "squares is true or false"),
        (("n_snp", "karyotype"), "karyotype is a word"),
        (("n_snp", "n_snps"), "Did you mean 'n_snp'?"),
    ],
)
def test_an_outlier_rule_that_cannot_be_meant_is_refused(change: tuple[str, str], says: str) -> None:
    assert says in _refused(OUTLIER.replace(*change))


def test_files_of_another_kind_are_refused() -> None:
    assert "'variants', and gates of 'samples' are needed" in _refused('kind = "variants"')
    assert "[[outlier]] is for samples" in _refused(OUTLIER, "arrays")
    assert "[[marker]] is for arrays" in _refused(GATE.replace("gate", "marker"))
    assert "two entries named 'g'" in _refused(GATE + GATE)


def test_every_direction_flags_what_it_says() -> None:
    values = np.array([0.0, 29.9, 30.0, 30.1, math.nan])
    failing = {"at_least": [0, 1], "above": [0, 1, 2], "at_most": [3], "below": [2, 3]}
    for direction, rows in failing.items():
        flags = evaluate(parse_gates(GATE.replace("at_least", direction), "samples", "x"), {"mean_coverage": values})
        assert flags.table.schema == FLAGS
        assert flags.table["row"].to_pylist() == rows
        assert flags.table["value"].to_pylist() == values[rows].tolist()
        assert set(flags.table["direction"].to_pylist()) == {direction}
        assert set(flags.table["cutoff"].to_pylist()) == {30.0}
        assert flags.not_evaluated == (NotEvaluated("g", "mean_coverage", "unknown", 1),)


def test_words_are_flagged_with_the_word() -> None:
    gates = parse_gates(
        '[[gate]]\nname = "k"\nmetric = "karyotype"\nis_one_of = ["XX", "XY"]\nsource = "s"', "samples", ""
    )
    words = np.array(["XX", "XXY", None, "XY", "", "X"], dtype=object)
    flags = evaluate(gates, {"karyotype": words})
    assert flags.table["row"].to_pylist() == [1, 5]
    assert flags.table["text"].to_pylist() == ["XXY", "X"]
    assert flags.table["value"].null_count == 2
    assert flags.table["allowed"].to_pylist() == ["XX, XY"] * 2
    assert flags.not_evaluated == (NotEvaluated("k", "karyotype", "unknown", 2),)


def test_a_gate_that_is_for_some_rows_asks_only_those() -> None:
    gates = load_gates("aou-v8", "variants")
    metrics = {
        "kind": np.array(["snp", "snp", "insertion", "deletion", None], dtype=object),
        "qual_approx": np.array([59.0, 60.0, 68.0, 69.0, 10.0]),
    }
    flags = evaluate(gates, metrics)
    rows = list(zip(flags.table["gate"].to_pylist(), flags.table["row"].to_pylist(), strict=True))
    assert rows == [("LowQual", 0), ("LowQual_indel", 2)]
    assert set(flags.table["kind"].to_pylist()) == {"variant"}
    unknown = {missing.gate: (missing.why, missing.count) for missing in flags.not_evaluated}
    assert unknown["LowQual"] == ("unknown", 1)
    assert unknown["ExcessHet"] == ("absent", 5)
    assert set(unknown) == {gate.name for gate in gates.gates}


def test_nothing_passes_silently() -> None:
    """Of every gate and row, one of three: flagged, not evaluated, or within the cut-off."""
    gates = load_gates("aou-v8", "samples")
    flags = evaluate(gates, {"mean_coverage": np.array([31.0, math.nan])})
    counts = {missing.gate: missing.count for missing in flags.not_evaluated}
    assert counts.pop("mean_coverage") == 1
    assert counts == {gate.name: 2 for gate in gates.gates if gate.metric != "mean_coverage"}
    assert evaluate(gates, {}).table.num_rows == 0


@given(
    st.lists(st.floats(allow_infinity=True) | st.just(math.nan), max_size=30),
    st.sampled_from([d for d in DIRECTIONS if d != "is_one_of"]),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_flags_are_those_of_a_plain_loop(values: list[float], direction: str, cutoff: float) -> None:
    text = GATE.replace("at_least = 30", f"{direction} = {cutoff!r}")
    flags = evaluate(parse_gates(text, "samples", "x"), {"mean_coverage": np.array(values, np.float64)})
    within = {
        "at_least": lambda v: v >= cutoff, "above": lambda v: v > cutoff,
        "at_most": lambda v: v <= cutoff, "below": lambda v: v < cutoff,
    }[direction]  # fmt: skip
    expected = [row for row, value in enumerate(values) if not math.isnan(value) and not within(value)]
    assert flags.table["row"].to_pylist() == expected
    unknown = sum(math.isnan(value) for value in values)
    assert [missing.count for missing in flags.not_evaluated] == ([unknown] if unknown else [])


def test_markers_have_gates_of_their_own() -> None:
    text = GATE.replace("mean_coverage", "call_rate") + GATE.replace("[[gate]]", "[[marker]]").replace(
        '"g"', '"m"'
    ).replace("mean_coverage", "maf")
    gates = parse_gates(text, "arrays", "x")
    flags = evaluate(gates, {"maf": np.array([0.1])}, of="markers")
    assert flags.table["gate"].to_pylist() == ["m"]
    assert flags.table["kind"].to_pylist() == ["marker"]


def test_metric_names_are_distinct() -> None:
    for names in METRICS.values():
        assert len(set(names)) == len(names)
