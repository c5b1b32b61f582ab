"""plink2 finds in made people what the truth says was put there: families, groups, causal variants, frequencies.

One cohort of 600 people straight from the haplotypes. Bars are below what seeds 1, 2 and 3 all give (in brackets).
"""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cohelix.genotypes import plink_out
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.selection import select
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.simulate.cohort.plan import make_plan
from cohelix.simulate.people.person import SOURCES

pytestmark = pytest.mark.external

PERSONS, SEED = 600, 1
TRAITS = ("height", "body_mass_index", "ldl_cholesterol", "hdl_cholesterol", "systolic_blood_pressure")
# Many short regions: kinship and ancestry are estimated from stretches that are inherited apart.
WISHES = [
    "simulate.genotypes=callset", "simulate.arrays.share=0", "simulate.region_count=374", "simulate.region_bases=1500",
    "simulate.haplotypes=200", "simulate.related=0.2", "simulate.duplicates=0.02", 'simulate.star_alleles=""',
    f"simulate.traits.quantitative={json.dumps(TRAITS)}", "simulate.traits.binary=[]",
    "simulate.traits.causal=5", "simulate.traits.heritability=0.6", "simulate.traits.training=0",
    "simulate.traits.effect_correlation=1.0",  # a regression has one slope for people of all groups
]  # fmt: skip
DISTINCT = ("afr", "amr", "eas", "eur", "sas")  # mid lies between eur and the others, oth is a mixture of any two
N_PCS = 6
CHI2_SURELY_FOUND = 60.0  # a test of 5e-8 has 30; expectation from the truth leaves room for chance
SIGNIFICANT = 5e-8
NEAR = 2_000  # bases: more than a region, less than the way to the next


@dataclass(frozen=True)
class Study:
    """prefix: fileset of all samples. samples: by sample_id, with the columns of the person. unrelated: sample ids, one
    of each family. people: truth, by person."""

    folder: Path
    prefix: Path
    samples: pd.DataFrame
    unrelated: list[str]

    def truth(self, name: str) -> pd.DataFrame:
        return truth(self.folder, name)


def truth(folder: Path, name: str) -> pd.DataFrame:
    return pq.read_table(folder / "truth" / f"{name}.parquet").to_pandas()


def plink2(*arguments: object) -> None:
    done = subprocess.run(["plink2", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t").rename(columns=lambda name: name.lstrip("#"))


def make_study(out: Path, seed: int) -> Study:
    make_cohort(out / "cohort", make_plan(load_wishes(None, None, WISHES), persons=PERSONS, seed=seed), cores=2)
    callset = open_callset(str(out / "cohort" / "cohort.callset"))
    plink_out.export_pgen(callset, str(out / "all"), select(callset))
    people = truth(out / "cohort", "people")
    samples = (
        truth(out / "cohort", "samples")[["sample_id", "person"]].merge(people, on="person").set_index("sample_id")
    )
    unrelated = samples.reset_index().drop_duplicates("family").sample_id.tolist()
    (out / "unrelated").write_text("\n".join(["#IID", *unrelated]) + "\n")
    return Study(out / "cohort", out / "all", samples, unrelated)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("people"), SEED)


@pytest.fixture(scope="module")
def components(study: Study) -> pd.DataFrame:
    """Principal components of unrelated people by plink2, by sample id."""
    out = study.prefix.with_name("components")
    options = ("--autosome", "--snps-only", "--maf", 0.05, "--pca", N_PCS)
    plink2("--pfile", study.prefix, "--keep", study.prefix.with_name("unrelated"), *options, "--out", out)
    return table(Path(f"{out}.eigenvec")).set_index("IID").filter(like="PC")


@pytest.fixture(scope="module")
def pairs(study: Study) -> pd.DataFrame:
    """All pairs of samples: plink2's estimates, and truth. within: KING's form for pairs of one family, which divides
    by the heterozygosity of both (the robust form takes the lesser and is low where it is noisy)."""
    out = study.prefix.with_name("king")
    plink2("--pfile", study.prefix, "--autosome", "--make-king-table", "--out", out)
    plink2("--pfile", study.prefix, "--autosome", "--sample-counts", "cols=het", "--out", out)
    found = table(Path(f"{out}.kin0"))
    het = table(Path(f"{out}.scount")).set_index("IID").iloc[:, 0]
    both = het.loc[found.IID1].to_numpy() + het.loc[found.IID2].to_numpy()
    found["within"] = (found.HETHET - 2 * found.IBS0) * found.NSNP / both
    one, other = study.samples.loc[found.IID1], study.samples.loc[found.IID2]
    low, high = np.sort([one.person, other.person], axis=0)
    found["person1"], found["person2"] = low, high
    unmixed = [(part[list(SOURCES)].max(axis=1) > 0.999).to_numpy() for part in (one, other)]
    found["unmixed"] = unmixed[0] & unmixed[1] & (one.group.to_numpy() == other.group.to_numpy())
    found["family"] = one.family.to_numpy() == other.family.to_numpy()
    return found.merge(study.truth("kinship"), on=["person1", "person2"], how="left")


def test_king_recovers_degrees(pairs: pd.DataFrame) -> None:
    one_genome = pairs[pairs.relationship.isin(["duplicate", "monozygotic twins"]) | (pairs.person1 == pairs.person2)]
    assert len(one_genome) >= 10 and (one_genome.KINSHIP > 0.354).all()
    first = pairs[pairs.relationship.isin(["parent-child", "full sibs"])]
    assert len(first) >= 30
    assert first.KINSHIP.between(0.177, 0.354).mean() > 0.95  # (1.00, 0.97, 1.00)
    parents = first[first.relationship == "parent-child"]
    assert (parents.IBS0 < 0.001).all()  # a child has an allele of each parent
    strangers = pairs[~pairs.family]
    assert len(strangers) > 100_000
    assert (strangers.KINSHIP < 0.0884).mean() > 0.995  # (0.998, 0.998, 0.999)


def test_king_estimates_the_kinship_of_the_truth(pairs: pd.DataFrame) -> None:
    """In people of one unadmixed group; between groups the robust form is low, as in real people."""
    relatives = pairs[pairs.unmixed & pairs.relationship.notna()]
    assert len(relatives) >= 25
    error = relatives.KINSHIP - relatives.kinship_made
    assert abs(error.mean()) < 0.02  # (-0.013, -0.011, -0.010)
    assert error.std() < 0.04  # (0.025, 0.032, 0.030)
    assert abs((relatives.within - relatives.kinship_made).mean()) < 0.01  # (-0.005, 0.001, -0.001)
    assert np.corrcoef(relatives.KINSHIP, relatives.kinship_made)[0, 1] > 0.95  # (0.98, 0.97, 0.98)
    strangers = pairs[pairs.unmixed & ~pairs.family]
    assert abs(strangers.within.mean()) < 0.005  # (-0.002, -0.000, 0.001)


def test_components_separate_the_groups(study: Study, components: pd.DataFrame) -> None:
    group = study.samples.loc[components.index].group
    here = group.isin(DISTINCT).to_numpy()
    values, named = components.to_numpy()[here], group.to_numpy()[here]
    centres = np.array([values[named == one].mean(axis=0) for one in DISTINCT])
    nearest = np.array(DISTINCT)[((values[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)]
    assert (nearest == named).mean() > 0.9  # (0.95, 0.94, 0.92)
    for one, least in {"afr": 0.9, "eas": 0.9, "eur": 0.9, "sas": 0.9, "amr": 0.7}.items():  # amr: from eur to nat
        assert (nearest == named)[named == one].mean() > least, one


def test_components_tell_the_ancestry_of_admixed_people(study: Study, components: pd.DataFrame) -> None:
    people = study.samples.loc[components.index]
    design = np.column_stack([np.ones(len(components)), components])
    for source, least in {"afr": 0.95, "eur": 0.75, "nat": 0.4}.items():  # (0.97, 0.83, 0.50) at least
        share = people[source].to_numpy(float)
        rest = share - design @ np.linalg.lstsq(design, share, rcond=None)[0]
        assert 1 - rest.var() / share.var() > least, source


def association(study: Study, components: pd.DataFrame, trait: str, *conditions: object) -> pd.DataFrame:
    """plink2's tests of a trait on unrelated people of all groups, sex and components as covariates."""
    out = study.prefix.with_name(trait)
    components.to_csv(study.prefix.with_name("covariates"), sep="\t", index_label="#IID")
    plink2(
        "--pfile", study.prefix, "--keep", study.prefix.with_name("unrelated"), "--autosome", "--mac", 20,
        "--pheno", study.folder / "phenotypes.tsv", "--pheno-name", trait,
        "--covar", study.prefix.with_name("covariates"), "--covar-variance-standardize",
        "--glm", "sex", "hide-covar", *conditions, "--out", out,
    )  # fmt: skip
    rows = table(Path(f"{out}.{trait}.glm.linear"))
    return rows.assign(contig="chr" + rows.CHROM.astype(str))


def expected_chi2(people: pd.DataFrame, effects: pd.DataFrame, liability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(C,) chi-squares that a regression is expected to give for the causal variants, and expected (C,) copies of the
    rarer allele, from true effects, frequencies and ancestry. liability (n,): of `people`; its variance within groups
    is what is left to explain once components are out."""
    shares = people[list(SOURCES)].to_numpy(float)
    effect, frequency = (
        shares @ effects[[f"{name}_{source}" for source in SOURCES]].to_numpy(float).T
        for name in ("effect", "frequency")
    )
    weight = 2 * frequency * (1 - frequency)
    slope = (weight * effect).sum(axis=0) / weight.sum(axis=0)  # what one slope for all people estimates
    explained = slope**2 * weight.mean(axis=0)
    within = pd.Series(liability).groupby(people.group.to_numpy())
    total = float((within.var(ddof=0) * within.size()).sum() / len(people))
    copies = 2 * np.minimum(frequency.sum(axis=0), (1 - frequency).sum(axis=0))
    return len(people) * explained / (total - explained), copies


def nearby(tests: pd.DataFrame, row: pd.Series) -> np.ndarray:
    """(tests,) bool: those in the region of a causal variant."""
    return ((tests.contig == row.contig) & ((tests.POS - row.position).abs() < NEAR)).to_numpy()


def test_association_finds_the_causal_variants(study: Study, components: pd.DataFrame) -> None:
    people = study.samples.loc[study.unrelated]
    effects, traits = study.truth("effects"), study.truth("traits").set_index("person")
    found = []
    for trait in TRAITS:
        causal = effects[effects.trait == trait]
        liability = traits[traits.trait == trait].liability.loc[people.person].to_numpy()
        chi2, copies = expected_chi2(people, causal, liability)
        tests = association(study, components, trait)
        sought = causal[(chi2 > CHI2_SURELY_FOUND) & (copies > 30)]
        found += [bool((tests.P[nearby(tests, row)] < SIGNIFICANT).any()) for _, row in sought.iterrows()]
    assert len(found) >= 5
    assert np.mean(found) >= 0.8


def test_association_finds_nothing_beside_them(study: Study, components: pd.DataFrame) -> None:
    """With the causal variants in the model: the largest would else outshine chance in what shares carriers with it."""
    effects = study.truth("effects")
    for trait in TRAITS:
        causal = effects[effects.trait == trait]
        ids = causal.contig + ":" + causal.position.astype(str) + ":" + causal.ref + ":" + causal.alt
        listed = study.prefix.with_name("causal")
        listed.write_text("\n".join(ids) + "\n")
        tests = association(study, components, trait, "--condition-list", listed)
        null = ~np.any([nearby(tests, row) for _, row in causal.iterrows()], axis=0)
        assert null.sum() > 1_000
        assert tests.P[null].min() > SIGNIFICANT
        assert 0.8 < np.median(tests.T_STAT[null] ** 2) / 0.4549 < 1.25


def test_frequencies_are_those_of_the_callset_and_of_the_populations(study: Study) -> None:
    """plink2 counts what the table of sites says; causal variants are as frequent as people's ancestry has it."""
    out = study.prefix.with_name("frequencies")
    plink2("--pfile", study.prefix, "--freq", "counts", "--out", out)
    counted = table(Path(f"{out}.acount")).set_index("ID")
    callset = open_callset(str(study.folder / "cohort.callset"))
    sites = pd.concat([callset.sites(shard).to_pandas() for shard in callset.shards]).set_index("id")
    assert len(sites) > 5_000 and set(counted.index) == set(sites.index)
    counted = counted.loc[sites.index]
    known = (sites.contig != "chrY").to_numpy()  # where plink2 leaves out those whose sex it was not told
    assert (counted.ALT_CTS == sites.ac)[known].all() and (counted.OBS_CT == sites.an)[known].all()
    assert (sites.an[sites.contig.str.fullmatch(r"chr\d+")] == 2 * callset.n_samples).all()

    plink2("--pfile", study.prefix, "--keep", study.prefix.with_name("unrelated"), "--freq", "counts", "--out", out)
    counted = table(Path(f"{out}.acount"))
    place = counted.ID.str.rsplit(":", n=2).str[0]
    seen = dict(zip(place, counted.ALT_CTS, strict=True))
    shares = study.samples.loc[study.unrelated][list(SOURCES)].to_numpy(float)
    rows = list(study.truth("effects").itertuples())
    scores = []
    for row in rows:
        frequency = shares @ np.array([getattr(row, f"frequency_{source}") for source in SOURCES])
        ids = counted.index[counted.ID == f"{row.contig}:{row.position}:{row.ref}:{row.alt}"]
        assert len(ids) <= 1
        got = int(counted.ALT_CTS[ids[0]]) if len(ids) else seen.get(f"{row.contig}:{row.position}", 0)
        scores.append((got - 2 * frequency.sum()) / np.sqrt(max(2 * (frequency * (1 - frequency)).sum(), 1)))
    assert len(scores) == 25 and np.abs(scores).max() < 4.5


def test_true_scores_predict_genetic_values(study: Study) -> None:
    """plink2 --score with a true score of one source gives the genetic value of people of that source alone."""
    traits = study.truth("traits")
    spreads = []
    for path in sorted((study.folder / "prs" / "scores").glob("*.txt.gz")):
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        name = next(line.partition("=")[2] for line in lines if line.startswith("#pgs_name="))
        trait, _, source = name.rpartition("_true_")
        if source not in ("eur", "afr"):
            continue
        header, *rows = [line.split("\t") for line in lines if not line.startswith("#")]
        columns = pd.DataFrame(rows, columns=header)
        scored = study.prefix.with_name("score")
        ids = [
            f"chr{r.chr_name}:{r.chr_position}:{ref}:{alt}\t{r.effect_allele}\t{r.effect_weight}"
            for r in columns.itertuples()
            for ref, alt in ((r.effect_allele, r.other_allele), (r.other_allele, r.effect_allele))
        ]
        scored.write_text("\n".join(ids) + "\n")
        plink2("--pfile", study.prefix, "--score", scored, "cols=+scoresums", "ignore-dup-ids", "--out", scored)
        sums = table(Path(f"{scored}.sscore")).set_index("IID").filter(like="_SUM").iloc[:, -1]
        people = study.samples[study.samples[source] > 0.9999]
        genetic = traits[traits.trait == trait].set_index("person").genetic.loc[people.person].to_numpy()
        assert np.ptp(sums.loc[people.index].to_numpy() - genetic) < 1e-4
        spreads.append(float(genetic.std()))
    assert len(spreads) == 2 * len(TRAITS) and np.median(spreads) > 0.1
