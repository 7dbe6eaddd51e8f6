"""A sentence about every photo, by BLIP (Li et al. 2022, arXiv:2201.12086)."""
