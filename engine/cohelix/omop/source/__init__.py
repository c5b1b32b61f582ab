"""Health records in the OMOP CDM 5.4, wherever they are kept."""

from cohelix.omop.source.cdm import Cdm, open_cdm

__all__ = ["Cdm", "open_cdm"]
