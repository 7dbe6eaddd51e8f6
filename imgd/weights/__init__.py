"""The model store: which models there are, fetching them verified, and where they lie on disk."""
