"""Folders of predictions, made by any tool: which file answers for which image, and what its values mean."""
