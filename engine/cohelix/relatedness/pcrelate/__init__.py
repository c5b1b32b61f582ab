"""Kernels of PC-Relate; `cohelix.relatedness.pc_relate` calls them."""
