"""One file per cause; each has `build(seed) -> Case`. Names that begin with healthy_ and both_ are no causes."""
