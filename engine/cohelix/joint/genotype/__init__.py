"""The rules of the joint call, as kernels over the records of one sample after another."""
