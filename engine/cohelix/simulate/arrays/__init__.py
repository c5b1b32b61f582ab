"""A genotyping array of a made cohort: the markers, the chips of people, and the files they come in."""
