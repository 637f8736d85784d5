"""Pages from records: tables for the terminal, drawn with rich. They compute nothing that needs a pixel."""
