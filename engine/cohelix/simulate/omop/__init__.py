"""Health records of made people, in the OMOP Common Data Model 5.4."""

from cohelix.simulate.omop.lives import Health
from cohelix.simulate.omop.writer import Block, OmopWriter, make_block

__all__ = ["Block", "Health", "OmopWriter", "make_block"]
