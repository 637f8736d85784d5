"""PIXELS IN AND OUT: rasters, mask readings, pairs, splits, tiles, maps."""
