"""Explorers: figures that answer to a hand, in a running notebook; one a file."""
