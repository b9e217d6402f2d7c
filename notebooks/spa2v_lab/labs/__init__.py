"""The book's labs: what each one checks, and against what in the library."""
