"""The joint call at every base, summed over samples on the way: nothing dense is made."""
