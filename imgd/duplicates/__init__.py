"""Photos that are there more than once: bit-identical files, near-duplicates, bursts, RAW+JPEG pairs."""
