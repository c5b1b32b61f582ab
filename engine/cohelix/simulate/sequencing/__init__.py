"""How genomes become gVCFs: reads of what a person carries, calls made of the reads, and why some are wrong."""
