"""Simulated scenes whose ground truth is known: sound, picture and layout from one description."""
