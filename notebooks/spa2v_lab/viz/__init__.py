"""Figures of the book: capture formats, geometry, benchmarks, and what happens while sampling."""
