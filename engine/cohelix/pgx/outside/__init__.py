"""Calls of other programs, which stand before ours: CYP2D6 from reads, HLA and MT-RNR1, laboratory results.

Read are PharmCAT's outside calls and a table of many people, and the results of Cyrius, DRAGEN, Aldy and pypgx.
Diplotypes are judged by our rules, whatever the other program says of them; a phenotype or an activity score counts
as it is where a person has stated it.
"""

from __future__ import annotations

from cohelix.pgx.outside.calls import OutsideCalls, OutsideGene, read_outside

__all__ = ["OutsideCalls", "OutsideGene", "read_outside"]
