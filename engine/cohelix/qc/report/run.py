"""`cohelix qc report`: folders that quality control made into one page, and files for MultiQC beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cohelix import storage
from cohelix.errors import ConfigError
from cohelix.qc.report import multiqc
from cohelix.qc.report.ancestry import ancestry_sections, component_sections, projection_sections
from cohelix.qc.report.figures import Section
from cohelix.qc.report.gather import Made, look
from cohelix.qc.report.page import page
from cohelix.qc.report.people import array_sections, concordance_sections, sample_sections
from cohelix.qc.report.relatives import relatedness_sections, unrelated_sections
from cohelix.qc.report.rules import gate_section
from cohelix.qc.report.sites import site_sections

ORDER = (
    "samples", "variants", "arrays", "concordance", "relatedness", "unrelated", "pca", "projection", "ancestry",
)  # fmt: skip
SECTIONS: dict[str, Callable[[Made], list[Section]]] = {
    "samples": sample_sections,
    "variants": site_sections,
    "arrays": array_sections,
    "concordance": concordance_sections,
    "relatedness": relatedness_sections,
    "unrelated": unrelated_sections,
    "pca": component_sections,
    "projection": projection_sections,
    "ancestry": ancestry_sections,
}
WORDS = {
    "samples": "genomes", "variants": "sites", "arrays": "arrays", "concordance": "links of arrays and genomes",
    "relatedness": "relatives", "unrelated": "unrelated samples", "pca": "principal components",
    "projection": "projected samples", "ancestry": "ancestry groups",
}  # fmt: skip


def write_report(folders: Sequence[str], out: str) -> list[str]:
    """Write the page at `out` and `*_mqc.json` beside it; names of the files. Aggregates only: see `disclosure`."""
    if not out.endswith(".html"):
        raise ConfigError("the report is an HTML page: give it a name that ends in .html.")
    made = [look(folder) for folder in folders]
    for kind in ORDER:
        if sum(entry.kind == kind for entry in made) > 1:
            raise ConfigError(f"two folders of {WORDS[kind]} were given; a report shows one of each kind.")
    made.sort(key=lambda entry: ORDER.index(entry.kind))
    sections = sections_of(made)
    subtitle = "Of " + ", ".join(WORDS[entry.kind] for entry in made) + "."
    files = {out.rsplit("/", 1)[-1]: page("Quality control", subtitle, sections).encode()} | multiqc.files(sections)
    folder = out.rsplit("/", 1)[0] if "/" in out else "."
    for name, content in files.items():
        storage.write(storage.join(folder, name), content)
    return list(files)


def sections_of(made: list[Made]) -> list[Section]:
    """Everything that the page shows, gates first."""
    gates = gate_section(made)
    sections = [gates] if gates else []
    for entry in made:
        sections += SECTIONS[entry.kind](entry)
    return sections
