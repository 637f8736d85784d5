"""Doors to other frameworks: each is loaded only by those who use that framework."""
