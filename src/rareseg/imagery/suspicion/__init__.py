"""What images and labels alone give away: pairs, shifts, leaks, damaged masks, labels that look wrong."""
