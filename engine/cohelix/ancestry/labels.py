"""Labels of samples: tables that are handed in, and the groups that are large enough to be one."""

from __future__ import annotations

from cohelix.errors import InputError
from cohelix.genotypes import inputs


def read_labels(
    path: str, sample_ids: list[str], column: str | None, subgroup: str | None = None
) -> tuple[list[str], list[str]]:
    """The label of each sample and its subgroup, "" where the table states none or no column `subgroup` is named.

    column: None for the first of `inputs.GROUP_COLUMNS` that the table has. InputError where no sample has a row.
    """
    what = "table of labels"
    table = inputs.read_table(path, what)
    rows = inputs.rows_of(table, sample_ids, what).tolist()

    def taken(names: tuple[str, ...], wanted: str | None) -> list[str]:
        values = inputs.texts(table, inputs.column_of(table, names, what, wanted))
        for row, value in enumerate(values):
            if not value.isprintable():  # a tab or an end of line would break the tables that labels are written to
                raise InputError(f"the label on row {row + 2} of the {what} holds a tab or the like. Rename the group.")
        return [values[row] if row >= 0 and values[row] != "NA" else "" for row in rows]

    return taken(inputs.GROUP_COLUMNS, column), taken((), subgroup) if subgroup is not None else [""] * len(rows)


def settle_groups(labels: list[str], sample_ids: list[str], smallest: int, small: str) -> tuple[list[str], list[int]]:
    """Groups with at least `smallest` samples, sorted, and the sizes of those left out (InputError if `small` refuses).

    "" is no label. InputError where fewer than two groups are left, or a label is an id.
    """
    sizes: dict[str, int] = {}
    for label in labels:
        if label:
            sizes[label] = sizes.get(label, 0) + 1
    if not sizes:
        raise InputError(
            f"expected labels of the {len(labels)} samples, found none that names a group. Give --labels with their "
            "ids and a column of groups."
        )
    if not set(sizes).isdisjoint(sample_ids):  # names of groups are written where ids must not be
        raise InputError("expected names of groups as labels, found ids of samples. Give the column of the groups.")
    few = sorted(size for size in sizes.values() if size < smallest)
    if few and small == "refuse":
        seen = ", ".join(map(str, few[:5])) + (", ..." if len(few) > 5 else "")
        raise InputError(
            f"expected at least {smallest} samples of every label, found {len(few)} labels with fewer (of {seen}). "
            'Correct the labels, or set small_groups = "drop" to leave these samples out.'
        )
    names = sorted(name for name, size in sizes.items() if size >= smallest)
    if len(names) < 2:
        raise InputError(f"expected labels of at least two groups, found {len(names)}. Give samples of others too.")
    return names, few
