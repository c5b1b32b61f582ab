"""Which sites of a callset pass their filters, and which they fail: by the folder of `cohelix qc variants`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix import dataset
from cohelix.dataset import Commit
from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset, Shard
from cohelix.qc.variants.filters import PASS
from cohelix.qc.variants.run import KIND

_FILTERS = re.compile(r"[\w.-]+(;[\w.-]+)*", re.ASCII)


@dataclass(frozen=True)
class SiteFilters:
    """Filters of the sites of a callset. root: the folder; files: path of each shard's table, by the shard's name."""

    called: Callset
    root: str
    commit: Commit
    files: dict[str, str]

    def of(self, shard: Shard) -> pa.Array:
        """Text (sites,): PASS, or names of filters joined by semicolons. InputError where sites are others."""
        import pyarrow.parquet as pq

        content = dataset.read_file(self.root, self.commit.entry(self.files[shard.name]))
        table = pq.ParquetFile(pa.BufferReader(content)).read(["id", "filters"])
        if not table.column("id").equals(self.called.sites(shard).column("id")):
            number = list(self.files).index(shard.name) + 1
            raise InputError(f"sites_qc is not of this callset: shard {number} has other sites. Run qc variants on it.")
        filters = table.column("filters").combine_chunks()
        if not all(one and _FILTERS.fullmatch(one) for one in filters.unique().to_pylist()):
            raise InputError("expected names of filters in sites_qc, found other text. Run qc variants on the callset.")
        return filters

    def passing(self, shard: Shard) -> np.ndarray:
        """bool (sites,)."""
        return np.array([one == PASS for one in self.of(shard).to_pylist()], bool)


def site_filters(root: str, called: Callset) -> SiteFilters | None:
    """Filters of a callset's sites; None where `root` is "". InputError where they are of another callset."""
    if not root:
        return None
    commit = dataset.open_existing(root, KIND)
    ours = [(shard.name, shard.n_sites) for shard in called.shards]
    if [(shard["name"], shard["n_sites"]) for shard in commit.meta["shards"]] != ours:
        raise InputError("sites_qc is not of this callset: their shards differ. Run qc variants on the callset.")
    return SiteFilters(called, root, commit, {shard["name"]: shard["sites"] for shard in commit.meta["shards"]})
