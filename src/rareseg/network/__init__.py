"""THE RING: the only room that imports torch: losses, models, batches, the loop, mapping."""
