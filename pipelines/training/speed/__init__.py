"""Same results in less time: packing, length buckets, dropout, embeddings, frozen blocks."""
