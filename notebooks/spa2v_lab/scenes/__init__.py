"""Simulated scenes whose truth is known: sound, picture and layout from one description."""
