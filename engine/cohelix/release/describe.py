"""What a release says of itself: README.md and data_dictionary.tsv, made from what is in it."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from cohelix import __version__
from cohelix.reference import read_rows
from cohelix.release.labels import Controlled, Public, Registered, declassifier
from cohelix.release.schema import MadeFile, ReleaseParams
from cohelix.tier import Tier

DICTIONARY = "data_dictionary.tsv"
README = "README.md"


@dataclass(frozen=True)
class Column:
    """A line of the data dictionary: of a table's column, its type and what it means."""

    table: str
    column: str
    type: str
    description: str


@dataclass(frozen=True)
class Head:
    """What a description needs of a file, when the file itself is gone: name, rows, table, (name, type) of columns."""

    name: str
    rows: int | None
    table: str
    columns: tuple[tuple[str, str], ...]


def head_of(made: MadeFile) -> Head:
    """Columns are as Parquet has them, or text where the file is a TSV."""
    return Head(made.name, made.rows, made.table, tuple(_columns(made.path)) if made.table else ())


def _columns(path: Path) -> list[tuple[str, str]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return [(field.name, str(field.type)) for field in pq.read_schema(path)]
    opener = gzip.open if path.suffix in (".gz", ".bgz") else open
    with opener(path, "rt", encoding="utf-8") as handle:
        for line in handle:
            if not line.startswith("##"):
                return [(name.removeprefix("#"), "text") for name in line.rstrip("\n").split("\t")]
    return []


def dictionary(heads: Iterable[Head]) -> list[Column]:
    """One line a column of every table, each table once, in order of tables."""
    told = _told()
    fields = {(row["table"], row["name"]) for row in read_rows("omop", "cdm", "5.4", "fields.tsv")}
    found: dict[str, list[Column]] = {}
    for one in heads:
        if one.table and one.table not in found:
            found[one.table] = [
                Column(one.table, name, kind, _meaning(one.table, name, told, fields)) for name, kind in one.columns
            ]
    return [line for table in sorted(found) for line in found[table]]


def _told() -> dict[tuple[str, str], str]:
    rows = read_rows("release", "tiers", "1", "dictionary.tsv")
    return {(row["table"], row["column"]): row["description"] for row in rows}


def described_columns(table: str, columns: Sequence[str]) -> list[str]:
    """Those columns that the data dictionary describes: the others are not in a release."""
    told = {
        (row["table"], row["column"]): row["description"]
        for row in read_rows("release", "tiers", "1", "dictionary.tsv")
    }
    return [column for column in columns if _meaning(table, column, told, set())]


def _meaning(table: str, column: str, told: dict[tuple[str, str], str], fields: set[tuple[str, str]]) -> str:
    """Of the column of this table; of the column in any table; of a family of columns (`pc*`); or of the OMOP CDM."""
    for key in ((table, column), ("*", column)):
        if key in told:
            return told[key]
    for (where, name), text in told.items():
        if "*" in name and where in (table, "*") and fnmatchcase(column, name):
            return text
    if (table.removeprefix("omop."), column) in fields:
        return f"OMOP CDM 5.4, {table.removeprefix('omop.')}.{column}"
    return ""


@dataclass(frozen=True)
class About:
    """What a README begins with. issued: a date as in 2024-06-30 or ""; persons: None where it must not be said.

    genomes, arrays: how many of the persons have one. duo: codes of data use. params: choices that readers see.
    """

    program: str
    name: str
    tier: Tier
    policy: str
    build: str
    issued: str
    supersedes: str
    persons: int | None
    genomes: int = 0
    arrays: int = 0
    duo: tuple[str, ...] = ()
    params: ReleaseParams = field(default_factory=ReleaseParams)
    notes: tuple[str, ...] = ()


def _written(about: About, heads: Sequence[Head], folder: Path) -> list[MadeFile]:
    folder.mkdir(parents=True, exist_ok=True)
    lines = dictionary(heads)
    table = folder / DICTIONARY
    rows = ["\t".join((line.table, line.column, line.type, line.description)) for line in lines]
    table.write_text("\n".join(["table\tcolumn\ttype\tdescription", *rows]) + "\n", encoding="utf-8")
    page = folder / README
    page.write_text(_page(about, heads), encoding="utf-8")
    return [MadeFile(README, page), MadeFile(DICTIONARY, table, len(lines))]


@declassifier(Public)
def public(about: About, heads: Sequence[Head], folder: Path) -> list[MadeFile]:
    """README and dictionary of a public release: no count of people, no input, no time but the day of issue."""
    assert about.persons is None
    return _written(about, heads, folder)


@declassifier(Registered)
def registered(about: About, heads: Sequence[Head], folder: Path) -> list[MadeFile]:
    """README and dictionary of a registered release."""
    return _written(about, heads, folder)


@declassifier(Controlled)
def controlled(about: About, heads: Sequence[Head], folder: Path) -> list[MadeFile]:
    """README and dictionary of a controlled release."""
    return _written(about, heads, folder)


def _page(about: About, heads: Sequence[Head]) -> str:
    facts = {row["tier"]: row for row in read_rows("release", "tiers", about.policy, "tiers.tsv")}[about.tier.word]
    head = [f"# {about.program}, release {about.name}", "", f"Tier: {about.tier.word}. {facts['holds']}", ""]
    said = [
        ("Issued", about.issued),
        ("Supersedes", about.supersedes),
        ("Genome build", about.build),
        ("Persons", "" if about.persons is None else f"{about.persons:,}"),
        ("Persons with a genome", _number(about, about.genomes)),
        ("Persons with an array", _number(about, about.arrays)),
        ("Data use", ", ".join(about.duo)),
        ("Made by", f"cohelix {__version__}, tier table version {about.policy}"),
    ]
    head += [f"- {what}: {value}" for what, value in said if value]
    parts = [head, _files(heads), _counts(about, heads), _frequencies(about, heads), _rules(about), about.notes]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _number(about: About, n: int) -> str:
    return f"{n:,}" if about.tier is Tier.CONTROLLED and n else ""


_FOLDERS = {
    "callset": "samples: one row a person, with sex and counts of genotypes; sample_id is the person's id",
    "callset/_commit": "which files make the callset, for cohelix",
    "callset/adj": "PGEN of 0 and 1, in the order of genotypes/: 1 where a genotype is called but fails adj",
    "callset/genotypes": "PLINK 2 filesets, one a stretch of a chromosome; IID is the person's id",
    "callset/partial": "what a PGEN cannot hold, such as half calls: row of the fileset, place of the sample, alleles",
    "callset/sites": "one row a variant of the fileset: alleles, filter, counts of genotypes, missing by reason",
    "bgen": "BGEN 1.2, a file a chromosome, each with .sample and .bgi",
    "plink_bed": "PLINK 1 filesets",
    "vcf": "VCF",
    "hail.mt": "a matrix table of Hail",
}
"""Folders of a callset with too many files to list, by the end of their path."""


def _files(heads: Sequence[Head]) -> list[str]:
    """Tables one by one, with their name in the dictionary; other files by folder."""
    rows = ["## Files", "", "| file or folder | table, or what it is | rows or files |", "|---|---|---|"]
    many: dict[str, int] = {}
    for one in sorted(heads, key=_name):
        if one.table:
            rows.append(f"| {one.name} | {one.table} | {'' if one.rows is None else f'{one.rows:,} rows'} |")
            continue
        folder = (
            one.name.partition("hail.mt/")[0] + "hail.mt" if "hail.mt/" in one.name else one.name.rpartition("/")[0]
        )
        many[folder] = many.get(folder, 0) + 1
    for folder, n in sorted(many.items()):
        what = next((text for end, text in _FOLDERS.items() if folder.endswith(f"/{end}")), "")
        rows.append(f"| {folder}/ | {what} | {n:,} file{'s' if n > 1 else ''} |")
    return rows


def _name(head: Head) -> str:
    return head.name


def _counts(about: About, heads: Sequence[Head]) -> list[str]:
    if not any(one.table.startswith("counts.") for one in heads):
        return []
    rows = [
        "## Counts of people",
        "",
        "Each table of `aggregates/counts` is there twice, as TSV and as Parquet. They count people, not records. A "
        "row is a cell: `all` is every group, sex or band of age that the tables show, and `not known` people "
        "without a group, as those without a genome. "
        f"People above {about.params.age_cap} are in none of them. Ages are those on the day that the health records "
        "are of.",
    ]
    if about.params.epsilon:
        rows.append(
            f"Counts have noise of differential privacy (epsilon {about.params.epsilon:g}): they do not add up. "
            "`counts.privacy` says what each table cost."
        )
    return rows


def _frequencies(about: About, heads: Sequence[Head]) -> list[str]:
    if not any(one.table == "variant_frequencies" for one in heads):
        return []
    return [
        "## Variant frequencies",
        "",
        "`aggregates/variants/frequencies.parquet` has the columns of the All of Us Variant Annotation Table. "
        "`gvs_all` is the sum of the groups that the row shows, and so may be a single group. "
        "A variant that is not there may be rare, or left out: `groups.tsv` says what share of its variants each group "
        "shows. "
        f"A number is shown only where at least {about.params.least} people carry the allele and as many do not; `an` "
        "counts called people rounded down. Variants have no rs number; `vid` is chromosome, position and alleles.",
    ]


def _rules(about: About) -> list[str]:
    ids = (
        "Persons have ids of this tier alone. They are the same in later releases of the tier, are never given to "
        "another person, and have nothing to do with ids in other tiers."
    )
    small = (
        f"No count of 1 to {about.params.least - 1} people is shown, and none follows from what is shown. Groups that "
        "are too small are in no number: `all` is all published groups."
    )
    rules = {
        Tier.PUBLIC: [small],
        Tier.REGISTERED: [
            ids,
            "All dates of a person are moved back by the same number of days, 1 to 365; times of the day are gone. "
            f"People older than {about.params.age_cap} are not in this release.",
            "Columns that could tell who somebody is are empty: text, values of the source, providers, addresses.",
            "There is nothing of a single genome here; aggregates are those of the public release.",
        ],
        Tier.CONTROLLED: [
            ids,
            "Samples of genotype files are named by the person's id, the same as person_id in omop/ and research_id "
            "elsewhere.",
            "Dates are true; of the birth the year is given. Text, values of the source and providers are empty.",
            "Aggregates are those of the public release.",
        ],
    }[about.tier]
    aggregates = (
        "Aggregates that differ by few people from the release before are those of the release before."
        if about.supersedes and about.params.differencing == "carry"
        else ""
    )
    lines = [
        *rules,
        "Do not try to find out who took part.",
        "Whoever withdraws is in no row of a person in later releases; this one does not change. Use the newest.",
        *([aggregates] if aggregates else []),
        "`data_dictionary.tsv` says what each column means. `manifest.json` has the SHA-256 of each file of the "
        f"release as it is stored{_sealed(about.tier)}; `cohelix release verify` checks them against its signature.",
    ]
    return ["## Rules", "", *(f"- {line}" for line in lines)]


def _sealed(tier: Tier) -> str:
    return "" if tier is Tier.PUBLIC else ", encrypted; `cohelix release open` decrypts for holders of a grant"
