"""A table of a release joined with an outside table by person: only with an approval for linking."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import read_table
from cohelix.genotypes.outputs import write_parquet
from cohelix.release.gate.reading import Opened
from cohelix.tier import check_write, mark_of, opened


def join(release: Opened, name: str, outside: str, out: str) -> int:
    """Write `name` of a release, with the outside table's columns by person_id, as Parquet; returns the rows.

    AccessError where the grant has no approval for linking. `out` must lie in a workspace of the release's tier: what
    is joined is of that tier.
    """
    theirs_of = mark_of(outside)
    if theirs_of is not None and theirs_of.tier > release.tier:
        raise ConfigError(f"expected an outside table, found one of the tier {theirs_of.tier.word}, which is higher.")
    if not release.has(name):
        raise InputError("the release has no table of this name. Its README lists those it has.")
    release.admission.admit("join", release.manifest, name, linking=True)
    mark = mark_of(out)
    if mark is None or mark.use != "workspace" or mark.tier is not release.tier:
        raise ConfigError(
            "expected a file in a workspace of the release's tier to write to, found another place. Open the "
            "release with `cohelix release open` and write into that folder."
        )
    if Path(out).exists():
        raise ConfigError("expected a new file to write to, found one. Choose another name.")
    ours, theirs = release.read_table(name), read_table(outside, "outside table")
    for table, what in ((ours, "table of the release"), (theirs, "outside table")):
        if "person_id" not in table.column_names:
            raise InputError(f"expected a column person_id in the {what}, found none.")
    try:
        place = theirs.column_names.index("person_id")
        theirs = theirs.set_column(
            place, "person_id", theirs.column("person_id").cast(ours.schema.field("person_id").type)
        )
    except pa.ArrowInvalid:
        raise InputError("expected whole numbers as person_id in the outside table, found something else.") from None
    joined = ours.join(theirs, "person_id", join_type="inner", right_suffix="_outside")
    joined = joined.sort_by([("person_id", "ascending")])
    with opened(mark, release.tier):
        check_write(out)
        write_parquet(Path(out), joined)
    return int(joined.num_rows)
