"""pgscatalog-utils and cohelix read the same rows from the files that both read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cohelix.prs.schema import EFFECT_TYPES
from cohelix.prs.scoring_file.batch import read_batch
from cohelix.prs.scoring_file.sources import sources

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".peers" / "bin" / "python"

pytestmark = [
    pytest.mark.external,
    pytest.mark.real,
    pytest.mark.skipif(not PYTHON.exists(), reason="pgscatalog-utils is not there (make peers)"),
]

NORMALISE = """
import json, logging, sys
from pgscatalog.core import GenomeBuild, ScoringFile
logging.disable()
rows = []
for path, build in zip(sys.argv[1::2], sys.argv[2::2]):
    for v in ScoringFile(path).normalise(target_build=GenomeBuild.from_string(build)):
        other = None if v.other_allele is None else str(v.other_allele)
        rows.append([path, v.row_nr, v.chr_name, v.chr_position, str(v.effect_allele), other, v.effect_weight,
                     str(v.effect_type), v.is_complex])
json.dump(rows, sys.stdout)
"""

FILES = {
    "pygscatalog/core/data/PGS000001_hmPOS_GRCh37.txt.gz": "GRCh37",
    "pygscatalog/core/data/PGS000001_hmPOS_GRCh38.txt.gz": "GRCh38",
    "pygscatalog/core/data/PGS000002_hmPOS_GRCh37.txt.gz": "GRCh37",
    "pygscatalog/core/data/PGS000002_hmPOS_GRCh38.txt.gz": "GRCh38",
    "pygscatalog/core/data/PGS000001.txt.gz": "NR",
    "pygscatalog/core/data/PGS000802_hmPOS_GRCh37.txt": "GRCh37",
    "pygscatalog/core/data/OPGS002493.txt.gz": "GRCh37",
    "pygscatalog/core/data/OPGS017309.txt": "GRCh37",
    "pygscatalog/core/data/OPGS017309_hmPOS_GRCh38.txt.gz": "GRCh38",
    "pygscatalog/core/data/OPGS019828_hmPOS_GRCh38.txt.gz": "GRCh38",
    "pygscatalog/core/data/bad_harmonised.txt": "GRCh38",
    "pygscatalog/core/data/custom.txt": "GRCh37",
    "pygscatalog/core/data/custom_no_oa.txt": "GRCh37",
    "pygscatalog/core/data/lift_to_grch37.txt": "GRCh38",
    "pgsc_calc/assets/examples/scorefiles/PGS001229_22.txt": "GRCh37",
    "pgsc_calc/assets/examples/scorefiles/PGS001229_22_duplicate.txt": "GRCh37",
    "pgsc_calc/assets/examples/scorefiles/customgrch38.txt": "GRCh38",
    "pgsc_calc/tests/subworkflows/perfect.txt": "GRCh37",
}


def test_rows_after_their_normalisation(data: Path) -> None:
    paths = [str(data / "prs_formats" / name) for name in FILES]
    arguments = [text for pair in zip(paths, FILES.values(), strict=True) for text in pair]
    command = [PYTHON, "-c", NORMALISE, *arguments]
    theirs = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for path in paths:
        batch = read_batch(sources([path]))
        lost = set(batch.rejected.column("row").to_pylist())
        rows = [row for row in theirs if row[0] == path and row[1] not in lost]
        assert [row[1] for row in rows] == batch.row.tolist()
        for at, (_, _, chromosome, position, effect, other, weight, effect_type, is_complex) in enumerate(rows):
            if position is not None and chromosome is not None:
                assert (str(batch.chromosome[at]), batch.position[at]) == (chromosome, position)
            else:
                assert (batch.chromosome[at], batch.position[at]) == (0, 0)
            assert batch.alleles[batch.effect[at]] == effect
            assert (batch.alleles[batch.other[at]] if batch.other[at] >= 0 else None) == other
            assert batch.weight[at] == float(weight)
            assert EFFECT_TYPES[batch.effect_type[at]] == effect_type
            assert not is_complex
        # What they keep without a place, and match with nothing, is listed here as rejected.
        assert all(row[3] is None for row in theirs if row[0] == path and row[1] in lost)
