"""Counting: pure measures that add up over windows, images and machines."""
