"""Probes of a network and its training: they ask through `Subject`, in NumPy, whatever the framework behind it is."""
