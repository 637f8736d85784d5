"""THE STORY: one stage per verb; stages meet only through records."""
