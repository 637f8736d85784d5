"""Networks from images (batch, bands, rows, cols) to logits (batch, classes, rows, cols) of equal size."""
