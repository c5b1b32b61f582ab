"""Polygenic scores of 5,000 made people against the truth, from genotypes to accuracy by ancestry; minutes.

python benchmarks/prove_prs.py [FOLDER]

Everything is done by commands, as a user would; nobody is related, so that tests over groups may take people as
independent. `verdicts` says what must be shown: it fails where one is not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from cohelix.simulate.compare_scores import Comparison, compare_scores

PERSONS = 5000
COHORT = {
    "persons": PERSONS, "genotypes": "callset", "region_count": 220, "region_bases": 5000, "haplotypes": 1000,
    "private_sites": 0.0, "related": 0.0, "duplicates": 0.0, "reference_people": 250, "reference_admixed": 250,
    "arrays.share": 0.0, "sequencing.share": 1.0, "sequencing.second_sample": 0.0, "traits.training": 4000,
    "traits.causal": 100,
}  # fmt: skip
SEED = 11


def run(*words: object) -> None:
    line = ["cohelix", *map(str, words)]
    print("$", *line, flush=True)
    subprocess.run([Path(sys.executable).parent / line[0], *line[1:]], check=True)


def prove(folder: Path) -> Comparison:
    """Makes all of it in `folder`; what was found beside the truth."""
    cohort, callset = folder / "cohort", folder / "cohort/cohort.callset"
    settings = [f"--set=simulate.{name}={_toml(value)}" for name, value in COHORT.items()]
    run("simulate", "cohort", "-o", cohort, "--seed", SEED, *settings)
    run("genotypes", "import", cohort / "panel/genotypes.pgen", "-o", folder / "panel.callset")
    reference, pca, projected = folder / "reference.callset", folder / "pca", folder / "projected"
    labels, unlinked = ("--labels", cohort / "panel/labels.tsv"), ("--set", "genotypes.select.ld_r2=0.3")
    run("ancestry", "panel", folder / "panel.callset", *labels, "-o", reference, *unlinked)
    run("ancestry", "fit", reference, "-o", pca, "--preset", "aou-v8")
    run("ancestry", "project", pca, callset, "-o", projected)
    run("ancestry", "assign", pca, projected, "-o", folder / "ancestry", "--preset", "aou-v8")
    scores, adjusted, evaluation = folder / "prs", folder / "adjusted", folder / "evaluation"
    run("prs", "score", callset, "--scores", cohort / "prs/scores", "-o", scores, "--preset", "plink2")
    components = ("--pcs", projected / "scores.tsv")
    groups = ("--ancestry", folder / "ancestry/ancestry_preds.tsv")
    # Six populations are told apart by five components.
    everybody = ("--train", projected / "scores.tsv", "--set", "prs.adjust.n_pcs=5")
    run("prs", "adjust", scores, "-o", adjusted, *components, *groups, *everybody)
    traits = ("--phenotypes", cohort / "phenotypes.tsv", "--set", "prs.evaluate.centre_group=eur")
    run("prs", "evaluate", scores, "-o", evaluation, *components, *groups, *traits)
    tables = ("--scores", scores, "--adjusted", adjusted, "--evaluation", evaluation)
    run("simulate", "compare-prs", cohort, *tables)
    return compare_scores(cohort, scores, adjusted, evaluation)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def verdicts(found: Comparison) -> dict[str, bool]:
    """What must be shown, and whether it is."""
    least = 0.05 / sum(line.value == "z_norm2" for line in found.shifts)  # as many tests as there are scores
    raw = {line.score: line for line in found.shifts if line.value == "sum"}
    full = [line for line in found.shifts if line.value == "z_norm2"]
    share = sum(line.inside for line in found.measured) / len(found.measured)
    return {
        "true weights: the genetic value in 99 % of people of one source": all(
            line.n > 0 and line.equal >= 0.99 * line.n and line.correlation > 0.999 for line in found.exact
        ),
        "raw scores differ between groups in mean and spread": all(
            min(line.p_means, line.p_spreads) < least for line in raw.values()
        ),
        "Z_norm2 does not differ between groups in mean": all(line.p_means > least for line in full),
        "Z_norm2 does not differ between groups in spread": all(line.p_spreads > least for line in full),
        # dividing each by an own SD weighs the people of a mixed group anew: of 36 scores, 0.0115 at most
        "Z_norm2 loses at most 0.02 of r2 inside groups": all(raw[line.score].r2 - line.r2 < 0.02 for line in full),
        "measured r2 holds what the truth lets expect in 93 % of 95 % intervals": share >= 0.93,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as own:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(own)
        told = verdicts(prove(folder))
    print()
    for what, shown in told.items():
        print("shown    " if shown else "NOT SHOWN", what)
    sys.exit(not all(told.values()))


if __name__ == "__main__":
    main()
