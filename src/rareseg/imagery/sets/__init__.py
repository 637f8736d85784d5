"""From a folder or a TOML to a Dataset: layouts, pairs, one survey of all pixels, groups and parts."""
