"""WHAT FLOWS: the records that stages hand to one another, and their strict codec."""
