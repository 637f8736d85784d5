"""From raw mask values to classes, decided over a whole set: tables, rules, and what to say when they fail."""
