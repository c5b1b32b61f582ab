"""Health records in the OMOP Common Data Model 5.4: read, checked, linked to samples, and written back to."""
