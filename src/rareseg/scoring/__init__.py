"""Scoring: whoever answers for labelled images (a Source) is counted window by window, whatever it is."""
